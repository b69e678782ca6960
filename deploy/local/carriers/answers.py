"""How a simulated carrier answers, and what a fault puts in the answer's place."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from fastapi.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from deploy.local.carriers.carrier import ReferenceTaken
from deploy.local.carriers.model import Creation, Shipment
from deploy.local.carriers.simulation import Simulation
from deploy.local.simulator.server import CUT_CONNECTION

_GATEWAY_ERRORS = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call of the API says. `has_created` is true for the one call that made a parcel."""

    response: Response
    has_created: bool = False


class CreationRefused(Exception):
    """The fault switch refuses the creation; the message is what the carrier says."""


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
    if _hits(simulation, "rate_limit", f"{operation}/{key}"):
        simulation.stats.rate_limited += 1
        return simulation.dialect.too_many()
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
    return done.response


def create(simulation: Simulation, creation: Creation) -> Shipment:
    """A new parcel, unless the switches have it otherwise.

    Raises:
        ReferenceTaken: there is one already, perhaps a cancelled one that a switch has just put there.
        CreationRefused: a switch says no.
    """
    carrier, faults, dice, stats = simulation.carrier, simulation.faults, simulation.dice, simulation.stats
    reference = creation.reference
    if reference and carrier.find_by_reference(reference) is None:
        if dice.hits("cancelled_twin", rate=faults.cancelled_twin, key=reference):
            stats.cancelled_twins += 1
            carrier.create_cancelled_twin(creation)
        elif dice.hits("refuse_creation", rate=faults.refuse_creation, key=reference):
            stats.refused += 1
            raise CreationRefused(faults.refusal_message)
    try:
        shipment = carrier.create(creation)
    except ReferenceTaken:
        stats.duplicates_answered += 1
        raise
    stats.created += 1
    return shipment


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
