"""Reads how a shipment stands, for its workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.shipping import schedule
from services.shipping.context import Context
from services.shipping.statuses import ShipmentUnknown
from services.shipping.view import Standing, shipment_view
from services.shipping.work import work
from shared.contracts.activities import Advance

CANCEL: Final = "cancel"


@dataclass(frozen=True)
class Followed:
    """How a shipment stands, and what is to be done about it."""

    standing: Standing
    cancel_now: bool


async def look(context: Context, shipment_id: UUID) -> Followed:
    """How a shipment stands; records that its workflow has seen it.

    Raises:
        ShipmentUnknown: there is no such shipment.
    """
    async with work(context.db) as current:
        row = await current.connection.fetchrow(_SEE, shipment_id)
    if row is None:
        raise ShipmentUnknown(str(shipment_id))
    standing = Standing(
        code=row["code"],
        carrier=row["carrier"],
        waybill=row["waybill"],
        reference=row["reference"],
        status=row["status"],
        status_at=row["status_at"],
        cod=row["cod"],
        provisional=row["provisional"],
        settled=row["settled"],
        cancel_requested=row["cancel_requested"],
        calls=row["calls"],
        attention=tuple(row["attention"]),
    )
    cancel_now = standing.cancel_requested and not row["cancel_sent"] and standing.status == "accepted"
    return Followed(standing, cancel_now)


async def advance(context: Context, shipment_id: UUID) -> Advance:
    """Whether a shipment and its money have come to their end, and when to look again without a nudge."""
    followed = await look(context, shipment_id)
    standing, now = followed.standing, context.now()
    view = shipment_view(standing, now=now)
    done = schedule.has_ended(standing.status, settled=standing.settled, cod=standing.cod)
    return Advance(
        done=done,
        next_due=None if done or view.overdue else view.due_at,
        view=view,
        outcome=standing.status if done else "",
        action=CANCEL if followed.cancel_now else "",
    )


_SEE: Final = """
UPDATE shipments s SET seen_revision = revision
FROM shippable_orders o
WHERE s.id = $1 AND o.order_id = s.order_id
RETURNING o.code, s.waybill, s.reference, s.status, s.status_at, s.cod, s.attention,
    s.provisional_status IS NOT NULL AS provisional, s.settled_at IS NOT NULL AS settled,
    s.cancel_requested_at IS NOT NULL AS cancel_requested, s.cancel_sent_at IS NOT NULL AS cancel_sent,
    coalesce((SELECT carrier FROM carrier_connections WHERE id = s.connection_id), '') AS carrier,
    (SELECT coalesce(sum(calls), 0) FROM creation_attempts WHERE shipment_id = s.id)::integer AS calls
"""
