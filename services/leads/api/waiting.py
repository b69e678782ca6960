"""Numbers without an owner, with how long they have waited in business time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.leads.api.dependencies import Distributor, Limit
from services.leads.state import PartsDep, RuntimeDep
from services.leads.waiting.hours import waiting_since

router = APIRouter(prefix="/v1/leads", tags=["distribution"])

_MINUTE: Final = timedelta(minutes=1)
_PAGE: Final = text(
    """
SELECT b.lead_id, b.pool_id, p.name AS pool, b.received_at, b.since, b.cause, b.raised_at, l.channel, l.product,
    l.landing_page
FROM backlog b JOIN leads l ON l.id = b.lead_id LEFT JOIN pools p ON p.id = b.pool_id
WHERE (CAST(:after AS uuid) IS NULL OR (b.received_at, b.lead_id) > (
        SELECT received_at, id FROM leads WHERE id = CAST(:after AS uuid)))
    AND (CAST(:until AS timestamptz) IS NULL
        OR CASE WHEN b.cause = 'distribution' THEN b.received_at ELSE b.since END <= :until)
    AND (CAST(:pool AS uuid) IS NULL OR b.pool_id = :pool)
ORDER BY b.received_at, b.lead_id LIMIT :limit
"""
)


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
        rows = (await session.execute(_PAGE, {"after": after, "until": until, "pool": pool_id, "limit": limit})).all()
    items = []
    for row in rows:
        values: dict[str, Any] = dict(row._mapping)
        since = row.received_at if row.cause == "distribution" else row.since
        waited = hours.elapsed(since, now) // _MINUTE
        items.append(WaitingLead.model_validate({**values, "waiting_since": since, "waited_minutes": waited}))
    return WaitingLeadPage(items=items, next=items[-1].lead_id if len(items) == limit else None)
