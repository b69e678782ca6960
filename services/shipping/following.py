"""Reads how a shipment stands, for its workflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.shipping import schedule
from services.shipping.cod import books
from services.shipping.cod.books import MONEY_DIFFERS, Reckoned
from services.shipping.cod.reckoning import UNDER_WAY
from services.shipping.cod.words import money_words
from services.shipping.context import Context
from services.shipping.rescue import unanswered
from services.shipping.rescue.unanswered import UnderWay
from services.shipping.statuses import ShipmentUnknown
from services.shipping.view import Standing, shipment_view
from services.shipping.work import Work, work
from shared.contracts.activities import Advance

CANCEL: Final = "cancel"
TELL: Final = "tell"
WRITTEN_OFF: Final = "written_off"
"""How a parcel ends whose money a person gave up."""


@dataclass(frozen=True)
class Followed:
    """How a shipment stands, and what is to be done about it."""

    standing: Standing
    cancel_now: bool
    over: bool
    """Nothing is left to wait for."""
    outcome: str
    request: UnderWay
    """What the carrier was asked about a failed delivery."""


async def look(context: Context, shipment_id: UUID) -> Followed:
    """How a shipment stands; records that its workflow has seen it.

    Raises:
        ShipmentUnknown: there is no such shipment.
    """
    async with work(context.db) as current:
        money = await _money(current, shipment_id, now=context.now())
        row = await current.connection.fetchrow(_SEE, shipment_id)
        failed = row is not None and row["status"] == "delivery_failed"
        request = await unanswered.look(current, shipment_id, now=context.now()) if failed else UnderWay()
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
        money=money_words(money.account, money.open, carrier=row["carrier"]) if money else ("", ""),
        money_due_at=money.account.overdue_at if money and not money.account.settled else None,
    )
    over = money.over if money else schedule.has_ended(standing.status, settled=standing.settled, cod=standing.cod)
    written_off = money is not None and money.account.written_off and not money.account.settled
    cancel_now = standing.cancel_requested and not row["cancel_sent"] and standing.status == "accepted"
    return Followed(standing, cancel_now, over, WRITTEN_OFF if written_off else standing.status, request)


async def _money(current: Work, shipment_id: UUID, *, now: datetime) -> Reckoned | None:
    """The money of a parcel whose way is over, or about whose money something is wrong; None for all others.

    Also a day on which money is overdue comes this way: the parcel's workflow wakes on it.
    """
    stands = await current.connection.fetchrow(_STANDS, shipment_id)
    if stands is None or (stands["status"] in UNDER_WAY and MONEY_DIFFERS not in stands["attention"]):
        return None
    return (await books.compare(current, [shipment_id], now=now, cause="due")).get(shipment_id)


async def advance(context: Context, shipment_id: UUID) -> Advance:
    """Whether a shipment and its money have come to their end, and when to look again without a nudge."""
    followed = await look(context, shipment_id)
    view = shipment_view(followed.standing, now=context.now())
    done = followed.over
    due = [at for at in (None if view.overdue else view.due_at, followed.request.due_at) if at is not None]
    return Advance(
        done=done,
        next_due=None if done else min(due, default=None),
        view=view,
        outcome=followed.outcome if done else "",
        action=CANCEL if followed.cancel_now else TELL if followed.request.to_tell else "",
    )


_STANDS: Final = "SELECT status, attention FROM shipments WHERE id = $1 AND waybill <> ''"
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
