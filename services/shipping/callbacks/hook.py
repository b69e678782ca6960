"""The address that carriers call."""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from services.shipping.callbacks.intake import RawCallback
from services.shipping.context import context_of

KEPT_HEADERS: Final = frozenset({b"content-type", b"user-agent", b"x-forwarded-for"})


async def receive(request: Request) -> Response:
    """Keeps the body as it came and answers 200 once it is durable; what it says is read afterwards.

    The secret in the path is all the authentication that carriers offer. A wrong one gets the answer of any path that
    does not exist. A body that cannot be read is kept and raised, and is answered 200 as well: GHTK sends again once,
    and others stop calling for good after a refusal.
    """
    context = context_of(request.app.state.runtime)
    connection_id = await context.secrets.find(request.path_params["secret"])
    if connection_id is None:
        raise HTTPException(404)
    headers = {
        name.decode(): value.decode("latin-1") for name, value in request.scope["headers"] if name in KEPT_HEADERS
    }
    await context.intake.store(RawCallback(connection_id, orjson.dumps(headers).decode(), await request.body()))
    return Response(status_code=200)


router = APIRouter()
# A plain route: reading parameters by their types would take as long as all the rest of an accepted callback.
router.add_route("/v1/hooks/carriers/{secret}", receive, methods=["POST"])
