"""'Hủy đơn': before a waybill L5.3, with one but before pick-up L7.4, after pick-up never (rule D5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.closing import fulfilment
from services.orders.goods import stock
from services.orders.levels.moves import Move, move_level, not_allowed
from services.orders.record import Order
from shared.contracts.events.orders import ORDER_CANCELLED, OrderCancelled
from shared.contracts.levels import CANCELLED_AFTER_CLOSING, CANCELLED_AFTER_POSTING, CLOSED, SENT
from shared.db import Session
from shared.errors import Problem
from shared.outbox import emit


class HandedOver(Problem):
    type = "handed-over"
    status = 409
    vi = "Hàng đã giao cho hãng vận chuyển nên không hủy được nữa. Yêu cầu hãng hoàn hàng nếu khách không nhận."
    en = "The carrier has the parcel, so it cannot be cancelled. Ask for its return if the customer does not want it."


TO: Final = {CLOSED: CANCELLED_AFTER_CLOSING, SENT: CANCELLED_AFTER_POSTING}

_CANCEL = text("UPDATE orders SET cancelled_at = :at, cancel_reason = :reason WHERE id = :id")


async def cancel(
    session: Session,
    order: Order,
    actor: Actor,
    *,
    reason: str,
    now: datetime,
    note: str = "",
    fields: Mapping[str, str] | None = None,
) -> Order:
    """Cancels a locked order: level, event, stock given back to whoever waits, fulfilment ended.

    Args:
        note, fields: what the table of moves may want besides the reason.

    Raises:
        HandedOver: the carrier has it.
        MoveNotAllowed: it was not closed, or has ended.
        Forbidden, NotYourGroup, ReasonRequired, NoteRequired, FieldsRequired: what the table of moves asks for is missing.
    """
    if order.handed_over_at is not None:
        raise HandedOver
    if order.level not in TO:
        raise await not_allowed(session, order.level, CANCELLED_AFTER_CLOSING)
    to = TO[order.level]
    move = Move(to, at=now, recorded_at=now, cause="cancel", reason=reason, note=note, fields=fields or {})
    cancelled = await move_level(session, order, move, actor)
    await session.execute(_CANCEL, {"id": order.id, "at": now, "reason": reason})
    await emit(
        session,
        ORDER_CANCELLED,
        OrderCancelled(order_id=order.id, version=order.version, at=now, reason=reason, by=actor.code),
        subject=order.id,
    )
    await give_up(session, order, now=now)
    return cancelled


async def give_up(session: Session, order: Order, *, now: datetime) -> None:
    """Nothing will be sent: the stock goes to whoever waits for it, and fulfilment ends."""
    _, served = await stock.release(session, order.id, at=now)
    await fulfilment.touch(session, served, at=now)
    await fulfilment.move(session, order.id, "cancelled", at=now, before=("closed", "posted", "shipped", "done"))
