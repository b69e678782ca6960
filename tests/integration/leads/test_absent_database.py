"""Arrivals while the database is away: they wait for it, boundedly in time, number and bytes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from services.leads.intake import batcher
from services.leads.intake.batcher import Batcher
from services.leads.intake.items import Item, Origin, Verdict, read_candidate
from shared.db import Database
from shared.errors import Unavailable
from tests.harness import Running
from tests.integration.leads.company import NOW
from tests.integration.leads.test_landing_pages import landing_page

NOBODY = "postgresql://postgres@127.0.0.1:9/leads"
"""An address where connections are refused."""


def arrival(phone: str = "0912345678", *, body: bytes = b"{}") -> Item:
    return Item(
        id=uuid7(),
        received_at=NOW,
        origin=Origin("manual"),
        content_type="application/json",
        body=body,
        content=read_candidate(phone=phone),
        correlation_id="absent-database",
    )


async def outcomes(items: list[Item]) -> list[Any]:
    db = Database(NOBODY)
    intake = Batcher(db, window=timedelta(days=7))
    with capture_logs():
        async with intake.running():
            told = await asyncio.gather(*(intake.submit(item) for item in items), return_exceptions=True)
    await db.close()
    return list(told)


async def test_who_waits_too_long_is_told_to_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "PATIENCE", 0.3)
    loop = asyncio.get_running_loop()
    began = loop.time()

    told = await outcomes([arrival() for _ in range(500)])

    assert {type(one) for one in told} == {Unavailable}
    assert loop.time() - began >= 0.3, "they waited"


async def test_no_more_wait_than_the_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "PATIENCE", 0.3)
    monkeypatch.setattr(batcher, "MAX_WAITING_BYTES", 10_000)
    loop = asyncio.get_running_loop()
    db = Database(NOBODY)
    intake = Batcher(db, window=timedelta(days=7))
    waiting = [asyncio.ensure_future(intake.submit(arrival(body=b"x" * 4_000))) for _ in range(2)]
    await asyncio.sleep(0)
    began = loop.time()

    with pytest.raises(Unavailable):
        await intake.submit(arrival(body=b"x" * 4_000))

    assert loop.time() - began < 0.3, "refused at once"
    with capture_logs():
        async with intake.running():
            await asyncio.gather(*waiting, return_exceptions=True)
    await db.close()


async def test_a_commit_that_nobody_heard_of_is_found_by_the_next_attempt(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Batcher(leads.db, window=timedelta(days=7))
    accepted = Batcher._accept
    lost = 0

    async def lose_the_first_answer(self: Batcher, items: Any, *, unsure: bool = False) -> Any:
        nonlocal lost
        answers = await accepted(self, items, unsure=unsure)
        if not unsure:
            lost += 1
            raise ConnectionResetError  # committed, and the connection broke before the server could say so
        return answers

    monkeypatch.setattr(Batcher, "_accept", lose_the_first_answer)
    items = [arrival(), arrival("+84 912 345 678"), arrival("0912"), arrival("0987654321")]
    with capture_logs():
        async with intake.running():
            told = await asyncio.gather(*(intake.submit(item) for item in items))

    assert lost > 0
    assert [one.id for one in told if isinstance(one, Verdict)] == [item.id for item in items]
    assert [one.verdict for one in told if isinstance(one, Verdict)] == ["lead", "duplicate", "rejected", "lead"]
    assert told[2].rejection.code == "phone_missing_digits"
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 4
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 2


async def test_a_form_of_a_page_that_is_known_waits_and_that_of_an_unknown_one_is_told_to_repeat(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.leads.sources.FRESH", 0.0)
    monkeypatch.setattr(batcher, "PATIENCE", 0.3)
    admin = await leads.client()
    _, known = await landing_page(admin)
    _, unknown = await landing_page(admin, name="serum-60")
    visitor = await leads.anonymous()
    assert (await visitor.post(known, json={"phone": "0912345678"})).status_code == 200

    async def away() -> Any:
        raise ConnectionRefusedError

    with monkeypatch.context() as absent, capture_logs() as logged:
        absent.setattr(leads.db, "driver", away)
        refused = [await visitor.post(hook, json={"phone": "0987654321"}) for hook in (known, unknown)]
    back = await visitor.post(unknown, json={"phone": "0987654321"})

    assert [answer.status_code for answer in refused] == [503, 503]
    assert all(answer.headers["retry-after"] for answer in refused)
    assert sum(entry["event"] == "database away, arrivals wait" for entry in logged) > 1, "the known page's form waited"
    assert (back.status_code, back.json()["verdict"]) == (200, "lead")
