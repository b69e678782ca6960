"""Serving the simulator inside a test's event loop, on a real socket."""

import asyncio
import socket
from types import TracebackType

from deploy.local.facebook.app import create_app
from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import SimulatorSettings
from deploy.local.facebook.world import World
from deploy.local.ghtk.server import LOOPBACK, EmbeddedServer, server_config

VERSION = "v25.0"


class FacebookSimulator:
    """Facebook on a free loopback port: `async with FacebookSimulator() as facebook: …`; `facebook.world` is its inside."""

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        self._app = create_app(settings=settings, faults=faults)
        self.world: World = self._app.state.world

    async def __aenter__(self) -> "FacebookSimulator":
        listener = socket.create_server((LOOPBACK, 0))
        self._port: int = listener.getsockname()[1]
        self._server = EmbeddedServer(server_config(self._app))
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
    def graph_url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}/{VERSION}"
