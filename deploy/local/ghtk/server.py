"""Serving the simulator over real sockets, in a process of its own or inside a test's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from datetime import datetime, timedelta
from types import TracebackType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deploy.local.ghtk.answers import CUT_CONNECTION
from deploy.local.ghtk.app import create_app
from deploy.local.ghtk.carrier import Push
from deploy.local.ghtk.faults import Faults
from deploy.local.ghtk.model import OutcomeRates, SettingsChange, Shipment, SimulatorSettings, Stats
from deploy.local.ghtk.simulation import Simulation

LOOPBACK = "127.0.0.1"
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


class GhtkSimulator:
    """A simulator on a free loopback port, for tests: `async with GhtkSimulator() as ghtk: …`.

    Parameters: `settings` and `faults` to start with.
    """

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        self._app = create_app(settings=settings, faults=faults)
        self.simulation: Simulation = self._app.state.simulation
        self._socket: socket.socket | None = None

    async def __aenter__(self) -> "GhtkSimulator":
        self._socket = socket.create_server((LOOPBACK, 0))
        self._port: int = self._socket.getsockname()[1]
        self._server = EmbeddedServer(server_config(self._app))
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
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
        self.simulation.closing.set()  # ends answers that are being held back
        self._server.should_exit = True
        await self._serving

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def token(self) -> str:
        return self.simulation.settings.token

    @property
    def client_source(self) -> str:
        return self.simulation.settings.client_source

    @property
    def headers(self) -> dict[str, str]:
        """What the GHTK API wants on every call."""
        return {"Token": self.token, "X-Client-Source": self.client_source}

    @property
    def stats(self) -> Stats:
        return self.simulation.stats

    @property
    def shipments(self) -> list[Shipment]:
        """The carrier's own table, in order of creation."""
        return list(self.simulation.carrier.page(after=0, limit=len(self.simulation.carrier)))

    def shipment(self, reference: str) -> Shipment:
        """By label or partner's reference. Raises LookupError."""
        shipment = self.simulation.carrier.find(reference)
        if shipment is None:
            raise LookupError(reference)
        return shipment

    def send_callbacks_to(self, url: str | None) -> None:
        self.simulation.change_settings(SettingsChange(callback_url=url))

    def set_outcomes(self, outcomes: OutcomeRates) -> None:
        self.simulation.change_settings(SettingsChange(outcomes=outcomes))

    def set_faults(self, faults: Faults) -> None:
        self.simulation.set_faults(faults)

    def push(
        self,
        reference: str,
        status: int,
        *,
        reason_code: str = "",
        return_part_package: bool = False,
        pick_money: int | None = None,
        action_time: datetime | None = None,
        callback: bool = True,
    ) -> None:
        """Put one shipment into a status; see `StatusChange` of the control API for the parameters."""
        self.simulation.carrier.push(
            self.shipment(reference),
            Push(status, reason_code, return_part_package, pick_money, action_time, callback),
        )

    async def advance(self, *, steps: int) -> int:
        """Let every unfinished shipment take up to `steps` steps now. Returns the number of moves."""
        return await self.simulation.carrier.advance_steps(steps)

    async def advance_time(self, duration: timedelta) -> int:
        """Move simulated time. Returns the number of moves."""
        return await self.simulation.carrier.advance_time(duration)

    async def drain(self) -> None:
        """Wait until every callback was sent and answered or given up."""
        await self.simulation.sender.drain()
