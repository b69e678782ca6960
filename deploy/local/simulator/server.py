"""Serving a simulator over real sockets, in a process of its own or inside a test's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOPBACK = "127.0.0.1"
# Where the server puts the function that cuts the connection of a request, in `scope["state"]`.
CUT_CONNECTION = "cut_connection"
# Answers that are slow on purpose are given up when the process ends.
_SHUTDOWN_SECONDS = 2


class CuttableProtocol(HttpToolsProtocol):
    """Lets the application cut the connection of a request, which ASGI has no message for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][CUT_CONNECTION] = self.transport.abort


def server_config(app: FastAPI, *, host: str = LOOPBACK, port: int = 0) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


class EmbeddedServer(uvicorn.Server):
    """A server that leaves the signals to its host and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class ServedApp:
    """An application on a free loopback port, for as long as the block is open: `async with ServedApp(app) as served`."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __aenter__(self) -> Self:
        listener = socket.create_server((LOOPBACK, 0))
        self._port: int = listener.getsockname()[1]
        self._server = EmbeddedServer(server_config(self.app))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait([self._serving, listening], return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            listening.cancel()
            await self._serving
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        await self._serving

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"
