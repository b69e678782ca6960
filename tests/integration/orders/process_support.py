"""Versions of the care process for tests that need some, made without an editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import text

from services.orders.care.check import require_sound
from services.orders.care.process import CareProcess
from tests.harness import Running

KEY = "cod_standard"
Edit = Callable[[dict[str, Any]], None]


async def published(service: Running, edit: Edit) -> int:
    """Publishes the newest version once more, with some places edited; returns its number."""
    (newest,) = await service.rows(
        "SELECT version, body FROM process_versions WHERE key = :key ORDER BY version DESC LIMIT 1", key=KEY
    )
    number, body = newest.version + 1, dict(newest.body)
    edit(body)
    require_sound(CareProcess.model_validate(body))
    async with service.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO process_versions (key, version, body, published_by) "
                "VALUES (:key, :version, CAST(:body AS json), 'test')"
            ),
            {"key": KEY, "version": number, "body": orjson.dumps(body | {"version": number}).decode()},
        )
    return int(number)


def ask_again(body: dict[str, Any]) -> None:
    """A step has another name, and the second try comes later."""
    body["steps"]["ask_again"] = body["steps"].pop("thinking")
    body["steps"]["send_info"] |= {"done": "ask_again", "timeout": "ask_again"}
    body["steps"]["no_answer_2"]["due"] = {"after": "90m"}
    for rule in body["rules"]:
        rule["at"] = ["ask_again" if at == "thinking" else at for at in rule["at"]]
        if "thinking" in rule["results"]:
            rule["results"]["thinking"] = {"to": "ask_again"}
    body["reasons"]["steps.ask_again*"] = body["reasons"]["steps.thinking"]
