"""Where Facebook sends what happens on pages: `/v1/hooks/facebook/{secret}`."""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import APIRouter, Request, Response

from services.leads.facebook.hooks import Hook
from services.leads.facebook.problems import SignatureWrong, VerificationFailed
from services.leads.state import parts_of, runtime_of
from shared.errors import NotFound, TooLarge

PREFIX: Final = "/v1/hooks/facebook"
MAX_BODY: Final = 4 << 20
"""Bytes of a push: a thousand updates, which is the most that Facebook sends at once, of 4 KiB each."""

router = APIRouter(prefix=PREFIX, tags=["hooks"])


@router.get("/{secret}")
async def verify(secret: str, request: Request) -> Response:
    """Facebook asks, when the address is entered there, whether it is ours: the challenge comes back if the token is."""
    hook = await _hook(secret, request)
    asked = request.query_params
    token = asked.get("hub.verify_token", "").encode("utf-8", "replace")
    if asked.get("hub.mode") != "subscribe" or not hmac.compare_digest(token, hook.verify_token.encode()):
        raise VerificationFailed
    return Response(asked.get("hub.challenge", ""), media_type="text/plain")


@router.post(
    "/{secret}", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
)
async def receive(secret: str, request: Request) -> Response:
    """Keeps a push as it came and answers once it is durable; what it says is read afterwards. A body without a right
    `X-Hub-Signature-256` is refused; one that is signed but cannot be read is kept, raised, and answered 200 as well."""
    hook = await _hook(secret, request)
    body = await _body(request)
    if not hook.is_signed(body, request.headers.get("x-hub-signature-256", "")):
        await parts_of(runtime_of(request)).hooks.count_wrong(hook)
        raise SignatureWrong
    await parts_of(runtime_of(request)).hooks.keep(hook, body)
    return Response(status_code=200)


async def _hook(secret: str, request: Request) -> Hook:
    hook = await parts_of(runtime_of(request)).hooks.find(secret)
    if hook is None:
        raise NotFound(what="page")
    return hook


async def _body(request: Request) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > MAX_BODY:
            raise TooLarge(limit=MAX_BODY)
    return bytes(pieces)
