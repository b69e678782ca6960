"""The address that carriers call."""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from services.shipping.callbacks.intake import RawCallback
from services.shipping.carriers.registry import CARRIERS
from services.shipping.context import context_of

KEPT_HEADERS: Final = frozenset({"content-type", "user-agent", "x-forwarded-for"})


async def receive(request: Request) -> Response:
    """Keeps the body as it came and answers 200 once it is durable; what it says is read afterwards.

    The secret in the path is all the authentication that carriers offer. A wrong one gets the answer of any path that
    does not exist. A body that cannot be read is kept and raised, and is answered 200 as well: GHTK sends again once,
    and others stop calling for good after a refusal.
    """
    context = context_of(request.app.state.runtime)
    called = await context.secrets.find(request.path_params["secret"])
    if called is None:
        raise HTTPException(404)
    carrier = CARRIERS[called.carrier]
    headers = {
        name: value.decode("latin-1")
        for name, value in ((raw.decode("latin-1"), value) for raw, value in request.scope["headers"])
        if name in KEPT_HEADERS or name in carrier.callback_headers
    }
    await context.intake.store(RawCallback(called.connection_id, orjson.dumps(headers).decode(), await request.body()))
    said = carrier.acknowledgement
    return Response(said.body, status_code=said.status, media_type=said.media_type if said.body else None)


router = APIRouter()
# A plain route: reading parameters by their types would take as long as all the rest of an accepted callback.
router.add_route("/v1/hooks/carriers/{secret}", receive, methods=["POST"])
