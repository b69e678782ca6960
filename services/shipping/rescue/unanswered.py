"""What a carrier said that it would do about a failed delivery and has not done: somebody has to decide again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from services.shipping.rescue import calling
from services.shipping.rescue.asking import SHIPMENT
from services.shipping.work import Work
from shared.errors import ZONE

CONFIRMED_WITHIN: Final = timedelta(days=3)
"""From the request, or the day that was agreed: couriers set out again within a day or two."""

_OPEN: Final = """
SELECT id, state, asked_at, day FROM rescue_requests WHERE shipment_id = $1 AND ended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A request of a parcel, as its workflow has to know of it."""

    to_tell: bool = False
    due_at: datetime | None = None
    """When what the carrier promised should have been seen."""


async def look(current: Work, shipment_id: UUID, *, now: datetime) -> UnderWay:
    """The request of a parcel that is under way; one that was promised too long ago ends, for somebody to decide again."""
    request = await current.connection.fetchrow(_OPEN, shipment_id)
    if request is None:
        return UnderWay()
    if request["state"] == "requested":
        return UnderWay(to_tell=True)
    since = request["asked_at"]
    if request["day"] is not None:
        since = max(since, datetime.combine(request["day"], time(), ZONE))
    due_at: datetime = since + CONFIRMED_WITHIN
    if due_at > now:
        return UnderWay(due_at=due_at)
    shipment = await current.connection.fetchrow(SHIPMENT, shipment_id)
    if shipment is not None:
        await calling.settle(current, shipment, request["id"], "expired", now=now)
    return UnderWay()
