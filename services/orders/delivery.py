"""What the carrier did, as shipping tells it: levels L7 to L8, pick-up, money (rules D1-D6, D37)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text

from services.orders import record
from services.orders.actors import CARRIER, CORRECTION, Actor
from services.orders.closing import cancel, fulfilment
from services.orders.goods import stock
from services.orders.levels.moves import Move, MoveNotAllowed, move_level
from services.orders.record import Order
from shared.consumer import NotYet
from shared.contracts import levels
from shared.contracts.events.shipping import CodSettled, ShipmentChanged, ShipmentStatus
from shared.db import Session
from shared.telemetry import logger

log = logger(__name__)

LEVELS: Final[Mapping[ShipmentStatus, str]] = {
    "accepted": levels.SENT,
    "picked_up": levels.SENT,
    "out_for_delivery": levels.OUT_FOR_DELIVERY,
    "delivery_failed": levels.DELIVERY_FAILED,
    "delivered": levels.DELIVERED,
    "returning": levels.RETURNING,
    "returned": levels.RETURNED,
    "lost": levels.LOST,
    "pickup_failed": levels.CLOSED,
    "cancelled": levels.CANCELLED_AFTER_POSTING,
}
"""The level of an order by the state of its parcel; before the carrier accepted it, nothing changes."""

PARTIAL: Final = "partial"
"""'Giao một phần' (rule D18)."""
REPOST: Final = "repost"
"""'Đăng lại đơn': the carrier never picked it up (rule D6)."""
COUNT_STOCK: Final = "count_stock"
"""A parcel left without units reserved for it (it was cancelled, then sent all the same): somebody has to count."""

_FACT = text(
    """
INSERT INTO shipment_facts (shipment_id, sequence, order_id, status, at, carrier, waybill, reason_code, correction)
VALUES (:shipment_id, :sequence, :order_id, :status, :at, :carrier, :waybill, :reason_code, :correction)
ON CONFLICT (shipment_id, sequence) DO NOTHING
"""
)
_STATE = text(
    """
UPDATE orders SET shipment_id = :shipment_id, shipment_sequence = :sequence, shipment_status = :status,
    carrier = :carrier, waybill = :waybill
WHERE id = :order_id
"""
)
_HANDED_OVER = text("UPDATE orders SET handed_over_at = :at WHERE id = :id")
_MARK = text("UPDATE orders SET marks = array_append(marks, :mark) WHERE id = :id AND NOT marks @> ARRAY[:mark]")
_UNMARK = text("UPDATE orders SET marks = array_remove(marks, :mark) WHERE id = :id")
_SETTLE = text(
    """
INSERT INTO settlements (shipment_id, order_id, at, amount, fee, carrier, evidence)
VALUES (:shipment_id, :order_id, :at, :amount, :fee, :carrier, :evidence)
ON CONFLICT (shipment_id) DO UPDATE SET at = excluded.at, amount = excluded.amount, fee = excluded.fee,
    evidence = excluded.evidence
WHERE settlements.at <= excluded.at
"""
)
_MONEY = text(
    """
UPDATE orders SET settled_at = s.at, settled_amount = s.amount, settled_fee = s.fee
FROM (SELECT max(at) AS at, sum(amount) AS amount, sum(fee) AS fee FROM settlements WHERE order_id = :id) s
WHERE id = :id
"""
)


async def shipment_changed(session: Session, fact: ShipmentChanged) -> None:
    """Keeps a fact of the carrier on the timeline, and lets the newest one move the order.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, fact.order_id)
    if order is None:
        raise NotYet(f"order {fact.order_id}")
    await session.execute(_FACT, fact.model_dump())
    if order.handed_over_at is None and fact.handed_over_at is not None:
        await _handed_over(session, order, fact.handed_over_at)
    if (fact.shipment_id.int, fact.sequence) <= (_shipment(order), order.shipment_sequence):
        return  # late: the timeline has it, the order has gone on (rule D37)
    await session.execute(_STATE, fact.model_dump())
    await _follow(session, order, fact)


def _shipment(order: Order) -> int:
    """Shipments of an order are compared by their ids, which grow with time; the later one counts."""
    return order.shipment_id.int if order.shipment_id is not None else 0


async def _handed_over(session: Session, order: Order, at: datetime) -> None:
    await session.execute(_HANDED_OVER, {"id": order.id, "at": at})
    if not await stock.issue(session, order.id, at=at):
        await session.execute(_MARK, {"id": order.id, "mark": COUNT_STOCK})


async def _follow(session: Session, order: Order, fact: ShipmentChanged) -> None:
    now = datetime.now(UTC)
    to = LEVELS.get(fact.status)
    if fact.status == "cancelled" and not fact.waybill:
        to = None  # the carrier never had it, so nothing was sent that could be cancelled
    if fact.partial:
        await session.execute(_MARK, {"id": order.id, "mark": PARTIAL})
    if to is None:
        if fact.status == "cancelled" and order.level == levels.CLOSED:
            await fulfilment.begin(session, order.id, at=now)
        elif fact.status in ("draft", "refused"):
            await fulfilment.move(session, order.id, "shipped", at=now, before=("posted",))
        return
    move = Move(to, at=fact.at, recorded_at=now, cause="carrier", note=fact.reason_code)
    try:
        moved = await move_level(session, order, move, _actor(order, fact))
    except MoveNotAllowed:
        log.info("a carrier's fact moves nothing", order_id=str(order.id), level=order.level, status=fact.status)
        return
    await _fulfil(session, moved, fact, now=now)


def _actor(order: Order, fact: ShipmentChanged) -> Actor:
    """A parcel that the carrier has although it was cancelled corrects us: what is on the road is true."""
    cancelled = order.level in (levels.CANCELLED_AFTER_CLOSING, levels.CANCELLED_AFTER_POSTING)
    return CORRECTION if fact.correction or (cancelled and fact.handed_over_at is not None) else CARRIER


async def _fulfil(session: Session, order: Order, fact: ShipmentChanged, *, now: datetime) -> None:
    """Fulfilment ends when the parcel is on its way, and begins again when it was never picked up."""
    if order.level == levels.CLOSED:
        await session.execute(_MARK, {"id": order.id, "mark": REPOST})
        await fulfilment.begin(session, order.id, at=now)
    elif order.level == levels.CANCELLED_AFTER_POSTING:
        await cancel.give_up(session, order, now=now)
    else:
        await session.execute(_UNMARK, {"id": order.id, "mark": REPOST})
        await fulfilment.move(session, order.id, "done", at=now)


async def cod_settled(session: Session, fact: CodSettled) -> None:
    """The money of a delivered parcel is home.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, fact.order_id)
    if order is None:
        raise NotYet(f"order {fact.order_id}")
    await session.execute(_SETTLE, fact.model_dump())
    await session.execute(_MONEY, {"id": order.id})
