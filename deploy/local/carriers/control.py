"""The control API under `/_simulator`: what tests, the demo and operators use; carriers have nothing like it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from deploy.local.carriers.carrier import Push
from deploy.local.carriers.dependency import Sim
from deploy.local.carriers.life import STATUS, Code, Outcome
from deploy.local.carriers.model import Shipment, Stats
from deploy.local.carriers.simulation import Simulation

router = APIRouter(prefix="/_simulator", tags=["control"])

_MAX_PAGE = 1000


class EntryView(BaseModel):
    """One status change."""

    status: Code
    at: datetime
    reason_code: str
    partial: bool
    kind: str


class ShipmentView(BaseModel):
    """A row of the carrier's own table; nothing of the receiver. Money in đồng."""

    sequence: int
    waybill: str
    reference: str
    status: Code
    status_text: str
    outcome: Outcome
    is_at_rest: bool
    cod: int
    settled_cod: int
    compensation: int
    fee: int
    insurance_fee: int
    weight_gram: int
    history: list[EntryView]


class ShipmentPage(BaseModel):
    """`next` is the value of `after` for the page that follows; none after the last."""

    items: list[ShipmentView]
    next: int | None
    total: int


class Advance(BaseModel):
    """Either steps of every unfinished parcel, or seconds of simulated time."""

    model_config = ConfigDict(extra="forbid")

    steps: Annotated[int, Field(ge=1, le=100)] | None = None
    seconds: Annotated[float, Field(gt=0, le=366 * 86_400)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Advance":
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds")
        return self


class Advanced(BaseModel):
    """How many status changes happened, and what the simulated clock shows now."""

    moves: int
    now: datetime


class StatusChange(BaseModel):
    """A status to put a parcel into; also one that the carrier does not document."""

    model_config = ConfigDict(extra="forbid")

    status: Code
    reason_code: str = ""
    partial: bool = False
    cod: Annotated[int, Field(ge=0)] | None = None
    """COD that is left to collect or was collected, if it changed (partial delivery)."""
    at: AwareDatetime | None = None
    """None means now. An older time makes a late report."""
    callback: bool = True
    """False changes the carrier's table in silence."""
    kind: str = STATUS
    """Or `transfer` (the COD is paid out), or what else the carrier tells of by callback."""


class Drain(BaseModel):
    """How long to wait for the callbacks."""

    model_config = ConfigDict(extra="forbid")

    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0


class Drained(BaseModel):
    """Callbacks that were still pending when the wait was over."""

    pending: int


class StatsView(Stats):
    """Counters, and the callbacks that are not sent yet."""

    callbacks_pending: int
    shipments: int


@router.get("/shipments")
async def list_shipments(
    simulation: Sim,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 100,
    status: str | None = None,
) -> ShipmentPage:
    found = list(simulation.carrier.page(after=after, limit=limit + 1, status=status))
    items = found[:limit]
    return ShipmentPage(
        items=[shipment_view(shipment) for shipment in items],
        next=items[-1].sequence if len(found) > limit else None,
        total=len(simulation.carrier),
    )


@router.get("/shipments/{reference:path}")
async def read_shipment(simulation: Sim, reference: str) -> ShipmentView:
    return shipment_view(_find(simulation, reference))


@router.post("/shipments/{reference:path}/status")
async def push_status(simulation: Sim, reference: str, change: StatusChange) -> ShipmentView:
    shipment = _find(simulation, reference)
    simulation.carrier.push(
        shipment,
        Push(
            status=simulation.dialect.road.code(change.status),
            reason_code=change.reason_code,
            partial=change.partial,
            cod=change.cod,
            at=change.at,
            callback=change.callback,
            kind=change.kind,
        ),
    )
    return shipment_view(shipment)


@router.post("/advance")
async def advance(simulation: Sim, by: Advance) -> Advanced:
    if by.steps is not None:
        moves = await simulation.carrier.advance_steps(by.steps)
    else:
        moves = await simulation.carrier.advance_time(timedelta(seconds=by.seconds or 0))
    return Advanced(moves=moves, now=simulation.now())


@router.get("/faults")
async def read_faults(simulation: Sim) -> dict[str, Any]:
    return simulation.faults.model_dump()


@router.put("/faults")
async def put_faults(simulation: Sim, faults: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Replaces all switches: what is left out is switched off."""
    with _refusing():
        simulation.set_faults(simulation.dialect.faults.model_validate(faults))
    return simulation.faults.model_dump()


@router.get("/settings")
async def read_settings(simulation: Sim) -> dict[str, Any]:
    """What `PATCH` can change, and the simulated time."""
    return {**simulation.settings.model_dump(include=set(simulation.settings.changeable)), "now": simulation.now()}


@router.patch("/settings")
async def patch_settings(simulation: Sim, change: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    with _refusing():
        simulation.change_settings(change)
    return await read_settings(simulation)


@router.post("/callbacks/drain")
async def drain_callbacks(simulation: Sim, drain: Drain) -> Drained:
    """Wait until every callback was sent and answered or given up."""
    try:
        async with asyncio.timeout(drain.timeout_seconds):
            await simulation.sender.drain()
    except TimeoutError:
        pass
    return Drained(pending=simulation.sender.pending)


@router.get("/stats")
async def read_stats(simulation: Sim) -> StatsView:
    return StatsView(
        **simulation.stats.model_dump(),
        callbacks_pending=simulation.sender.pending,
        shipments=len(simulation.carrier),
    )


@router.post("/reset", status_code=status.HTTP_204_NO_CONTENT)
async def reset(simulation: Sim) -> None:
    await simulation.reset()


def shipment_view(shipment: Shipment) -> ShipmentView:
    return ShipmentView(
        sequence=shipment.sequence,
        waybill=shipment.waybill,
        reference=shipment.reference,
        status=shipment.status,
        status_text=shipment.status_text,
        outcome=shipment.outcome,
        is_at_rest=shipment.is_at_rest,
        cod=shipment.cod,
        settled_cod=shipment.settled_cod,
        compensation=shipment.compensation,
        fee=shipment.fee,
        insurance_fee=shipment.insurance_fee,
        weight_gram=shipment.creation.weight_gram,
        history=[
            EntryView(
                status=entry.status,
                at=entry.at,
                reason_code=entry.reason_code,
                partial=entry.partial,
                kind=entry.kind,
            )
            for entry in shipment.history
        ],
    )


@contextmanager
def _refusing() -> Iterator[None]:
    """Answers 422 to what the models refuse."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from None


def _find(simulation: Simulation, reference: str) -> Shipment:
    shipment = simulation.carrier.find(reference)
    if shipment is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no shipment {reference}")
    return shipment
