"""The address that carriers call."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from services.shipping.callbacks.intake import RawCallback
from services.shipping.context import context_of

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

KEPT_HEADERS = ("content-type", "user-agent", "x-forwarded-for")


@router.post("/carriers/{secret}", summary="A carrier reports", response_class=Response)
async def receive(secret: str, request: Request) -> Response:
    """Keeps the body as it came and answers 200 once it is durable; what it says is read afterwards.

    The secret in the path is all the authentication that carriers offer. A wrong one gets the answer of any path that
    does not exist. A body that cannot be read is kept and raised, and is answered 200 as well: GHTK sends again once,
    and others stop calling for good after a refusal.
    """
    context = context_of(request.app.state.runtime)
    connection_id = await context.secrets.connection_of(secret)
    if connection_id is None:
        raise HTTPException(404)
    headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    await context.intake.store(RawCallback(connection_id, orjson.dumps(headers).decode(), await request.body()))
    return Response(status_code=200)
