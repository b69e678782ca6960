"""The address that telephone systems call."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from uuid_utils.compat import uuid7

from services.orders.http import runtime
from services.orders.telephone.formats import FORM
from services.orders.telephone.processing import CHANNEL, wake
from shared.vault import secret_hash

LARGEST: Final = 256 * 1024
"""Bytes. A CDR with all its legs is a few kilobytes."""

# One statement: the secret is looked up by the hash of 256 random bits, whose comparison tells nothing.
_STORE: Final = """
INSERT INTO telephone_raw (id, system_id, content_type, body)
SELECT $1, id, $3, $4 FROM telephone_systems WHERE secret_hash = $2 AND enabled RETURNING 1
"""


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
    pool = await running.db.driver()
    digest = secret_hash(request.path_params["secret"])
    if await pool.fetchval(_STORE, uuid7(), digest, content_type, body) is None:
        raise HTTPException(404)
    wake(running)
    await pool.execute(f"NOTIFY {CHANNEL}")
    return Response(status_code=200)


router = APIRouter()
router.add_route("/v1/hooks/telephone/{secret}", receive, methods=["GET", "POST"])
