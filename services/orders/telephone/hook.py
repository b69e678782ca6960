"""The address that telephone systems call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from uuid_utils.compat import uuid7

from services.orders.http import runtime
from services.orders.telephone.formats import FORM
from services.orders.telephone.processing import CHANNEL, wake
from shared.db import Database
from shared.hook_secrets import HookSecrets
from shared.service import Runtime

LARGEST: Final = 256 * 1024
"""Bytes. A CDR with all its legs is a few kilobytes."""

SECRETS: Final = "telephone.secrets"

_SECRETS: Final = "SELECT secret_hash, id FROM telephone_systems"
_STORE: Final = """
INSERT INTO telephone_raw (id, system_id, content_type, body)
SELECT $1, id, $3, $4 FROM telephone_systems WHERE id = $2 AND enabled RETURNING 1
"""


def hook_secrets(db: Database) -> HookSecrets[UUID]:
    """Finds the telephone system that the secret of an address belongs to."""

    async def read() -> Sequence[tuple[bytes, UUID]]:
        rows = await (await db.driver()).fetch(_SECRETS)
        return [(row["secret_hash"], row["id"]) for row in rows]

    return HookSecrets(read)


def secrets_of(runtime: Runtime[Any]) -> HookSecrets[UUID]:
    return cast("HookSecrets[UUID]", runtime.state[SECRETS])


async def receive(request: Request) -> Response:
    """Keeps the body as it came and answers 200 once it is durable; what it says is read afterwards.

    A wrong secret gets the answer of any path that does not exist. Some systems send their events as the query of a GET.
    """
    running = runtime(request)
    if request.method == "GET":
        body, content_type = request.url.query.encode(), FORM
    else:
        body, content_type = await request.body(), request.headers.get("content-type", "")[:100]
    if len(body) > LARGEST:
        raise HTTPException(413)
    system_id = await secrets_of(running).find(request.path_params["secret"])
    pool = await running.db.driver()
    if system_id is None or await pool.fetchval(_STORE, uuid7(), system_id, content_type, body) is None:
        raise HTTPException(404)
    wake(running)
    await pool.execute(f"NOTIFY {CHANNEL}")
    return Response(status_code=200)


router = APIRouter()
router.add_route("/v1/hooks/telephone/{secret}", receive, methods=["GET", "POST"])
