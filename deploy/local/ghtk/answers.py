"""How the simulated carrier answers: the documented envelope, and the answers that a fault puts in its place."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deploy.local.ghtk.simulation import Simulation

# Where the server puts the function that cuts the connection of a request, in `scope["state"]`.
CUT_CONNECTION = "cut_connection"
_GATEWAY_ERRORS = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call of the API did and says. `has_created` is true for the one call that made a shipment."""

    content: dict[str, Any] = field(default_factory=dict)
    pdf: bytes | None = None
    has_created: bool = False


def success(**content: Any) -> Answer:
    return Answer({"success": True, "message": "", **content})


def failure(message: str, **content: Any) -> Answer:
    """GHTK says that something failed in the body; the HTTP status stays 200."""
    return Answer({"success": False, "message": message, **content})


async def answer(
    simulation: Simulation,
    *,
    operation: str,
    key: str,
    work: Callable[[], Answer],
) -> Response:
    """Do the work of one call and answer it, unless a fault comes between.

    Parameters: `key` is the reference the call is about; it decides, with the seed, which calls a fault hits.
    """
    simulation.stats.count_call(operation)
    if _hits(simulation, "error_before", f"{operation}/{key}"):
        simulation.stats.errors_before += 1
        return _gateway_error(simulation, key)
    done = work()
    if done.has_created and _hits(simulation, "create_timeout", key):
        simulation.stats.timed_out += 1
        return NoAnswer(simulation, after=simulation.faults.create_timeout_seconds)
    if _hits(simulation, "slow_answer", f"{operation}/{key}"):
        simulation.stats.slow_answers += 1
        await simulation.pause(simulation.faults.slow_answer_seconds)
    if _hits(simulation, "error_after", f"{operation}/{key}"):
        simulation.stats.errors_after += 1
        return _gateway_error(simulation, key)
    if done.pdf is not None:
        return Response(done.pdf, media_type="application/pdf")
    return JSONResponse({**done.content, "log_id": simulation.carrier.new_log_id()})


def _hits(simulation: Simulation, fault: str, key: str) -> bool:
    return simulation.dice.hits(fault, rate=getattr(simulation.faults, fault), key=key)


def _gateway_error(simulation: Simulation, key: str) -> Response:
    """What a proxy in front of the carrier says: HTML, no envelope."""
    choice = simulation.dice.fraction("gateway_error", key=key)
    status = _GATEWAY_ERRORS[int(choice * len(_GATEWAY_ERRORS))]
    return HTMLResponse(f"<html><body><h1>{status}</h1></body></html>", status_code=status)


class NoAnswer(Response):
    """Waits, or until the caller has given up, and then cuts the connection without a byte."""

    def __init__(self, simulation: Simulation, *, after: float) -> None:
        super().__init__()
        self._simulation = simulation
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        pause = asyncio.create_task(self._simulation.pause(self._after))
        try:
            await asyncio.wait([gone, pause], return_when=asyncio.FIRST_COMPLETED)
            cut = scope.get("state", {}).get(CUT_CONNECTION)
            if cut is None:  # served in the caller's own process: there is no connection, only an exception
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            cut()
            await gone
        finally:
            gone.cancel()
            pause.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
