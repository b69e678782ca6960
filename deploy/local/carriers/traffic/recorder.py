"""Stands between a carrier and a shop and writes down what they say.

Between a carrier's callbacks and the shop, or between the shop's requests and the carrier's API: both are requests that are
passed on and answered. Without anybody to pass them on to, everything is answered with 200.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response

from deploy.local.carriers.traffic.tape import Exchange

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Belong to one connection, or follow from the body that is sent on.
_NOT_PASSED_ON = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
_PASS_ON_SECONDS = 60.0


def create_recorder(
    out: Path,
    *,
    to: str | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The recorder as an ASGI application.

    Parameters:
        out: file that lines are appended to; only its owner may read it, because real customers are in it.
        to: what requests are passed on to, their path and query appended (the bare address for a path of `/`); None
            answers them here.
        transport: instead of the network.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        async with httpx.AsyncClient(transport=transport, timeout=_PASS_ON_SECONDS, trust_env=False) as client:
            with os.fdopen(descriptor, "a", encoding="utf-8") as lines:
                app.state.client, app.state.lines = client, lines
                yield

    app = FastAPI(title="Carrier traffic recorder", lifespan=lifespan, openapi_url=None)

    @app.api_route("/{path:path}", methods=_METHODS)
    async def pass_on(request: Request, path: str) -> Response:
        at, body = now(), await request.body()
        answer = Response(status_code=200) if to is None else await _ask(app.state.client, to, request, body)
        exchange = Exchange(
            at=at,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            content_type=request.headers.get("content-type", ""),
            body=body,
            status=answer.status_code,
            answer_type=answer.headers.get("content-type", ""),
            answer=bytes(answer.body),
        )
        lines: TextIO = app.state.lines
        lines.write(exchange.line() + "\n")
        lines.flush()
        return answer

    return app


async def _ask(client: httpx.AsyncClient, to: str, request: Request, body: bytes) -> Response:
    """The answer of the other side; 502 where there is none."""
    path = "" if request.url.path == "/" else request.url.path
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_PASSED_ON}
    try:
        answer = await client.request(request.method, f"{to.rstrip('/')}{path}{query}", content=body, headers=headers)
    except httpx.HTTPError:
        return Response(status_code=502)
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
