"""What every service's HTTP side shares: correlation ids, problem details, limits, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from shared import errors
from shared.telemetry import HTTP_SECONDS, correlated, logger

log = logger(__name__)

CORRELATION_HEADER: Final = "x-correlation-id"
MAX_BODY: Final = 1 << 20
"""Bytes of a request body, unless a service says otherwise for a path (uploads)."""
MAX_UPLOAD: Final = 20 << 20
DRAIN: Final = 5
"""Seconds that running requests get when the process stops."""
EXPOSED: Final = (
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Content-Disposition",
    "Retry-After",
    CORRELATION_HEADER,
)
"""What a web page of another address may read of an answer; without being named here only its body and type."""
CHECK_WITHIN: Final = 2.0
"""Seconds in which an engine says that it is there; below the time-out of the probes in deploy/k8s."""

Check = Callable[[], Awaitable[None]]
"""Raises when an engine cannot be used."""


class RequestOnly(APIRoute):
    """A route whose endpoint takes the request and the parameters of its path as texts, and nothing that would have to be
    resolved: for hot paths, where the framework's resolving costs more than the work (measured: a tenth of a request)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            answer: Response = await endpoint(request=request, **request.path_params)
            return answer

        return handle


class _BodyTooLarge(HTTPException):
    """An HTTPException, because FastAPI turns any other error while it reads a body into a 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, detail=errors.TooLarge(limit=limit).detail("en"))


class Edge:
    """Pure ASGI middleware around everything: correlation id, body limit, timing, one log line a request."""

    def __init__(self, app: ASGIApp, *, service: str, uploads: tuple[str, ...]) -> None:
        self._app = app
        self._service = service
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation = headers.get(CORRELATION_HEADER, "")
        if not (8 <= len(correlation) <= 80 and correlation.replace("-", "").isalnum()):
            correlation = str(uuid7())
        limit = MAX_UPLOAD if scope["path"].startswith(self._uploads) else MAX_BODY
        started = time.perf_counter()
        status = 500
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _BodyTooLarge(limit)
            return message

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation
            await send(message)

        with correlated(correlation):
            try:
                if _declared_length(headers) > limit:
                    language: errors.Language = "en" if headers.get("accept-language", "").startswith("en") else "vi"
                    await errors.response(errors.TooLarge(limit=limit), language)(scope, receive, send_marked)
                else:
                    await self._app(scope, receive_limited, send_marked)
            finally:
                elapsed = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unmatched")
                HTTP_SECONDS.labels(self._service, scope["method"], route, str(status)).observe(elapsed)
                log.debug("request", method=scope["method"], route=route, status=status, ms=round(elapsed * 1000, 1))


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdigit() else 0


def create_app(service: str, *, title: str, uploads: tuple[str, ...] = (), cors_origins: Sequence[str] = ()) -> FastAPI:
    """A FastAPI application with problem details and the common middleware, without routes.

    Args:
        service: name for logs and metrics.
        uploads: path prefixes that take bodies up to `MAX_UPLOAD`.
        cors_origins: addresses of web pages that may call this service with a bearer token.
    """
    app = FastAPI(title=title, version="1")
    app.state.service = service
    app.state.stopping = asyncio.Event()
    """Set when the process begins to stop: answers without an end, such as streams, end then."""
    errors.install(app)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )
    app.add_middleware(Edge, service=service, uploads=uploads or ("\0",))
    return app


def add_routes(app: FastAPI | APIRouter, router: APIRouter) -> None:
    """Adds a router's routes as they are.

    `include_router` would keep them and build each a second time at the first request, and look for the route of every
    request in both (measured with 156 routes: 3 MiB a process, and a pause at that first request). Give prefix, tags and
    dependencies to the router itself.
    """
    app.routes.extend(router.routes)


def add_health(app: FastAPI, checks: Mapping[str, Check], *, others: Mapping[str, Check] | None = None) -> None:
    """`/livez` (this process only), `/readyz` (its engines) and `/metrics`.

    Args:
        checks: engine name → coroutine function that raises when the engine cannot be used.
        others: engines that are asked and named as well, but without which the process still takes requests.
    """
    asked = {**checks, **(others or {})}

    @app.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        async def run(check: Check) -> str:
            try:
                await asyncio.wait_for(check(), timeout=CHECK_WITHIN)
            except Exception as error:  # whatever it is, it is the answer
                return f"failed: {type(error).__name__}"
            return "ok"

        results = dict(zip(asked, await asyncio.gather(*map(run, asked.values())), strict=True))
        away = [name for name, result in results.items() if result != "ok"]
        ready = checks.keys().isdisjoint(away)
        status = "ok" if not away else "degraded" if ready else "unavailable"
        return JSONResponse({"status": status, "away": away, "checks": results}, status_code=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class _Server(uvicorn.Server):
    """Leaves the signals to the process's own lifecycle."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


async def serve(app: FastAPI, *, host: str, port: int, trusted_proxies: str = "") -> None:
    """Serves until cancelled; then stops accepting and lets running requests end.

    Args:
        trusted_proxies: addresses and networks, by comma, that may say in X-Forwarded-For for whom they ask.

    Raises:
        SystemExit: the port is taken (uvicorn has said so).
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN,
        lifespan="on",
        # Given here, so that no environment variable of the server's own decides whom we believe.
        forwarded_allow_ips=trusted_proxies,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        app.state.stopping.set()
        server.should_exit = True
        await serving
        raise
