"""Numbers without an owner, with how long they have waited in business time."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.leads.api.dependencies import Distributor, Limit
from services.leads.repository import backlog
from services.leads.state import PartsDep, RuntimeDep
from services.leads.waiting.hours import waiting_since

router = APIRouter(prefix="/v1/leads", tags=["distribution"])

_MINUTE: Final = timedelta(minutes=1)


class WaitingLead(BaseModel):
    lead_id: UUID
    pool_id: UUID | None = Field(description="null: no pool's rules fit")
    pool: str | None
    cause: str = Field(
        description="distribution: it never had an owner; reassignment, hand_over: it was taken from one"
    )
    received_at: datetime
    waiting_since: datetime = Field(description="its arrival, or when it was taken from its last owner")
    waited_minutes: int = Field(description="in business time")
    raised_at: datetime | None = Field(description="when the managers were told (rule D7)")
    channel: str
    product: str
    landing_page: str


class WaitingLeadPage(BaseModel):
    items: list[WaitingLead]
    next: UUID | None


@router.get("/waiting")
async def list_waiting(
    _: Distributor,
    runtime: RuntimeDep,
    parts: PartsDep,
    limit: Limit = 50,
    after: UUID | None = None,
    pool_id: UUID | None = None,
    minutes: Annotated[
        int, Query(ge=0, le=100_000, description="only those that have waited for so many business minutes")
    ] = 0,
) -> WaitingLeadPage:
    """Numbers without an owner, oldest arrival first. A new one that waited for 15 business minutes is raised."""
    now = datetime.now(UTC)
    hours = await parts.hours.at(now)
    until = waiting_since(hours, now=now, waited=minutes * _MINUTE) if minutes else None
    async with runtime.db.read() as session:
        found = await backlog.page(session, pool_id=pool_id, until=until, after=after, limit=limit)
    items = []
    for one in found:
        since = one.received_at if one.cause == "distribution" else one.since
        waited = hours.elapsed(since, now) // _MINUTE
        items.append(WaitingLead(**asdict(one), waiting_since=since, waited_minutes=waited))
    return WaitingLeadPage(items=items, next=items[-1].lead_id if len(items) == limit else None)
