"""'Gộp đơn': two closed orders of one person become one, as long as neither is posted (rule D20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import text

from services.orders import customers
from services.orders.actors import Actor
from services.orders.closing import contents, fulfilment
from services.orders.closing.contents import Contents
from services.orders.closing.domain import OutOfStock, PricedLine
from services.orders.closing.edit import AlreadyPosted, ensure_not_posted, units_of
from services.orders.goods import stock
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from shared.contracts.events.orders import ORDER_MERGED, OrderMerged
from shared.contracts.levels import CANCELLED_AFTER_CLOSING, CLOSED
from shared.db import Session
from shared.errors import Problem
from shared.outbox import emit

MERGED: Final = "merged"
"""Cause of the younger's move to L5.3: reports do not count it as a cancellation."""
MAX_LINES: Final = 100
"""As many as one closing may have."""


class SameOrder(Problem):
    type = "same-order"
    status = 422
    vi = "Không gộp một đơn với chính nó. Chọn đơn khác trong 'other_id'."
    en = "An order cannot be merged with itself. Name another one in 'other_id'."


class OneIsPosted(Problem):
    type = "merge-posted"
    status = 409
    vi = (
        "Đơn {code} đã đăng cho hãng vận chuyển nên không gộp được nữa. Để hai đơn đi riêng, hoặc hủy vận đơn trước khi "
        "hãng lấy hàng rồi gửi phần còn lại bằng đơn kia."
    )
    en = (
        "Order {code} was posted to the carrier, so it cannot be merged any more. Send both, or cancel it before pick-up "
        "and send what it held with the other one."
    )


class NotBothClosed(Problem):
    type = "merge-not-closed"
    status = 409
    vi = "Đơn {code} đang ở {level}; chỉ gộp ở đây hai đơn đã chốt (L5). Đơn chưa chốt thì gộp ở phần số điện thoại."
    en = "Order {code} is at {level}; here two closed orders (L5) are merged. Before closing, merge their leads."


class TooManyLines(Problem):
    type = "merge-too-many-lines"
    status = 409
    vi = "Hai đơn cộng lại có {lines} dòng hàng, nhiều hơn {most}. Để hai đơn đi riêng."
    en = "Together the orders have {lines} lines, more than {most}. Send both."


_INTO: Final = text("SELECT 1 FROM arrivals WHERE lead_id = :id AND order_id = :into AND cause = 'merged'")
# On the timeline of the one that stays.
_ARRIVED: Final = text(
    """
INSERT INTO arrivals (lead_id, order_id, at, product, channel, landing_page, note, asked_again, cause)
VALUES (:id, :into, :at, :product, :channel, :landing_page, '', false, 'merged')
ON CONFLICT (lead_id) DO UPDATE SET order_id = excluded.order_id, at = excluded.at, cause = excluded.cause,
    released_at = NULL
"""
)


def by_age(first: Order, second: Order) -> tuple[Order, Order]:
    """The older, which stays, and the younger.

    Raises:
        SameOrder: there is only one.
    """
    if first.id == second.id:
        raise SameOrder
    older, younger = sorted((first, second), key=lambda order: (order.cohort_at, order.id))
    return older, younger


async def merge(
    session: Session, older: Order, younger: Order, actor: Actor, *, reason: str, now: datetime, allow_waiting: bool
) -> Order:
    """Merges two closed orders whose customers are locked with everything of theirs (`customers.lock_both`).

    The older gets the lines, discount and deposit of both as a further version and what the younger had reserved; it keeps
    its recipient, address and fee, since one parcel goes. The younger ends at L5.3. Two that are merged already stay so.

    Args:
        allow_waiting: whether the older may wait for stock afterwards, if the younger did (rule D19).

    Raises:
        OneIsPosted, NotBothClosed, TooManyLines: they cannot be merged.
        DiscountTooLarge, DepositTooLarge, OutOfStock: the contents of both will not do together.
        Forbidden, ReasonRequired: the actor may not cancel an order, or gave no reason.
    """
    into = (await session.execute(_INTO, {"id": younger.id, "into": older.id})).first()
    if into is not None and younger.level == CANCELLED_AFTER_CLOSING:
        return older
    for order in (older, younger):
        await _ensure_open(session, order)
    before, other = await contents.read(session, older), await contents.read(session, younger)
    after = _together(before, other)
    move = Move(CANCELLED_AFTER_CLOSING, at=now, recorded_at=now, cause=MERGED, reason=reason, note=f"→ {older.code}")
    ended = await move_level(session, younger, move, actor)
    merged = replace(older, version=older.version + 1)
    await contents.write(session, merged, after, actor, at=now, reason=f"gộp đơn {younger.code}: {reason}")
    waits_for, served = await stock.join(session, older.id, other_id=younger.id, before=units_of(before.lines), at=now)
    if waits_for and not allow_waiting:
        raise OutOfStock(skus=", ".join(waits_for))
    await _stand_on_timeline(session, ended, older, at=now)
    await customers.merge(
        session,
        younger.customer_id,
        into=older.customer_id,
        actor=actor,
        at=now,
        reason=f"gộp đơn {younger.code}: {reason}",
    )
    told = OrderMerged(order_id=younger.id, into_id=older.id, at=now, reason=reason, by=actor.code)
    await emit(session, ORDER_MERGED, told, subject=younger.id)
    await fulfilment.touch(session, [older.id, *(each for each in served if each != older.id)], at=now)
    await fulfilment.move(session, younger.id, "cancelled", at=now, before=("closed",))
    return replace(merged, customer_id=older.customer_id)


async def _ensure_open(session: Session, order: Order) -> None:
    try:
        await ensure_not_posted(session, order)
    except AlreadyPosted:
        raise OneIsPosted(code=order.code) from None
    if order.level != CLOSED:
        raise NotBothClosed(code=order.code, level=order.level)


def _together(kept: Contents, other: Contents) -> Contents:
    """Lines of one price become one; a day that was agreed holds, of two the later."""
    lines = _lines([*kept.lines, *other.lines])
    if len(lines) > MAX_LINES:
        raise TooManyLines(lines=len(lines), most=MAX_LINES)
    days = [day for day in (kept.deliver_on, other.deliver_on) if day is not None]
    return replace(
        kept,
        lines=lines,
        discount=kept.discount + other.discount,
        deposit=kept.deposit + other.deposit,
        deliver_on=max(days, default=None),
        note=kept.note or other.note,
    )


def _lines(lines: Sequence[PricedLine]) -> list[PricedLine]:
    together: dict[tuple[str, int, bool], PricedLine] = {}
    for each in lines:
        key = (each.line.sku, each.line.unit_price, each.gift)
        if (same := together.get(key)) is not None:
            units = same.line.quantity + each.line.quantity
            each = replace(same, line=same.line.model_copy(update={"quantity": units}))
        together[key] = each
    return list(together.values())


async def _stand_on_timeline(session: Session, younger: Order, older: Order, *, at: datetime) -> None:
    values = {
        "id": younger.id,
        "into": older.id,
        "at": at,
        "product": younger.product,
        "channel": younger.channel,
        "landing_page": younger.landing_page,
    }
    await session.execute(_ARRIVED, values)
