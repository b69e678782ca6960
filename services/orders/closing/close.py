"""'Chốt đơn': the order is won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text

from services.orders import customers
from services.orders.actors import Actor
from services.orders.closing import fulfilment
from services.orders.closing.domain import (
    INBOUND_CHANNELS,
    AlreadyClosed,
    Closing,
    ConversationRequired,
    InvalidRecipientPhone,
    Money,
    OutOfStock,
    PricedLine,
    money,
    priced,
)
from services.orders.goods import products, stock
from services.orders.interactions import ledger
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from services.orders.text import read_phone, words
from shared.contracts.events.orders import ORDER_CLOSED, Address, OrderClosed
from shared.contracts.levels import CLOSED
from shared.db import Session
from shared.outbox import emit

_SPOKEN = text(
    """
SELECT 1 FROM standing_interactions WHERE order_id = :id
AND (direction = 'in' OR result NOT IN ('', 'no_answer', 'busy', 'switched_off')) LIMIT 1
"""
)
_SET = text(
    """
UPDATE orders SET version = :version, closed_at = :at, closer_id = :closer_id, closer_code = :closer_code,
    recipient = :recipient, recipient_phone = :phone, province = :province, district = :district, ward = :ward,
    address = :detail, note = :note, deliver_on = :deliver_on, discount = :discount, shipping_fee = :shipping_fee,
    deposit = :deposit, total = :total,
    search = to_tsvector('simple', :words)
WHERE id = :id
"""
)
_CLEAR_LINES = text("DELETE FROM order_lines WHERE order_id = :id")
_LINES = text(
    """
INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price, weight_grams, gift)
SELECT :id, * FROM unnest(
    CAST(:positions AS integer[]), CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:quantities AS integer[]),
    CAST(:prices AS bigint[]), CAST(:weights AS integer[]), CAST(:gifts AS boolean[]))
"""
)
_NAME = text("SELECT name FROM orders WHERE id = :id")


async def close(
    session: Session, order: Order, closing: Closing, actor: Actor, *, now: datetime, allow_waiting: bool
) -> Order:
    """Closes a locked order: contents, closer, stock, level L5, the event that shipping and reporting read, fulfilment.

    Args:
        allow_waiting: whether it may be closed without enough stock and wait for it (rule D19).

    Raises:
        AlreadyClosed, MoveNotAllowed: the order cannot be closed from where it stands.
        UnknownProducts, FreeOnlyAsGift, DiscountTooLarge, DepositTooLarge, InvalidRecipientPhone,
        ConversationRequired, OutOfStock: what rule D16 and the stock ask for is missing.
    """
    if order.level == CLOSED:
        raise AlreadyClosed
    catalogue = await products.sold(session, [line.sku for line in closing.lines])
    lines = priced(closing.lines, catalogue)
    sums = money(
        (each.line for each in lines),
        discount=closing.discount,
        shipping_fee=closing.shipping_fee,
        deposit=closing.deposit,
    )
    phone = read_phone(closing.phone) if closing.phone else order.phone
    if phone is None:
        raise InvalidRecipientPhone
    await _converse(session, order, closing, actor, now=now)
    closed = replace(
        order, version=order.version + 1, closed_at=now, closer_id=actor.account_id, closer_code=actor.code
    )
    move = Move(CLOSED, at=now, recorded_at=now, cause="closed", given=frozenset({"order"}))
    closed = await move_level(session, closed, move, actor)
    await _write(session, closed, closing, lines, sums, phone=phone)
    address = closing.address.model_dump()
    await customers.remember(session, order.customer_id, name=closing.recipient, at=now, **address)
    await emit(session, ORDER_CLOSED, _event(closed, closing, lines, sums, phone=phone), subject=order.id)
    waits_for = await stock.reserve(session, order.id, at=now)
    if waits_for and not allow_waiting:
        raise OutOfStock(skus=", ".join(waits_for))
    await fulfilment.begin(session, order.id, at=now)
    return closed


async def _converse(session: Session, order: Order, closing: Closing, actor: Actor, *, now: datetime) -> None:
    """Logs the call that came with the closing; without one, somebody must have spoken with the customer before."""
    if closing.call is not None:
        entry = ledger.LedgerEntry(
            kind="call",
            direction="out",
            at=min(closing.call.at or now, now),
            recorded_at=now,
            result=ledger.CLOSED,
            note=closing.call.note,
            seconds=closing.call.seconds,
        )
        await ledger.log(session, order, entry, actor)
    elif order.channel not in INBOUND_CHANNELS and (await session.execute(_SPOKEN, {"id": order.id})).first() is None:
        raise ConversationRequired


async def _write(
    session: Session, order: Order, closing: Closing, lines: Sequence[PricedLine], sums: Money, *, phone: str
) -> None:
    name = (await session.execute(_NAME, {"id": order.id})).scalar_one()
    await session.execute(
        _SET,
        {
            "id": order.id,
            "version": order.version,
            "at": order.closed_at,
            "closer_id": order.closer_id,
            "closer_code": order.closer_code,
            "recipient": closing.recipient,
            "phone": phone,
            **closing.address.model_dump(),
            "note": closing.note,
            "deliver_on": closing.deliver_on,
            "discount": closing.discount,
            "shipping_fee": closing.shipping_fee,
            "deposit": closing.deposit,
            "total": sums.total,
            "words": " ".join(words(f"{name} {closing.recipient}")),
        },
    )
    await session.execute(_CLEAR_LINES, {"id": order.id})
    await session.execute(
        _LINES,
        {
            "id": order.id,
            "positions": list(range(1, len(lines) + 1)),
            "skus": [each.line.sku for each in lines],
            "names": [each.line.name for each in lines],
            "quantities": [each.line.quantity for each in lines],
            "prices": [each.line.unit_price for each in lines],
            "weights": [each.line.weight_grams for each in lines],
            "gifts": [each.gift for each in lines],
        },
    )


def _event(order: Order, closing: Closing, lines: Sequence[PricedLine], sums: Money, *, phone: str) -> OrderClosed:
    assert order.closed_at is not None
    assert order.closer_id is not None
    return OrderClosed(
        order_id=order.id,
        version=order.version,
        code=order.code,
        closed_at=order.closed_at,
        closer_id=order.closer_id,
        closer_code=order.closer_code,
        recipient=closing.recipient,
        phone=phone,
        address=Address(**closing.address.model_dump()),
        lines=tuple(each.line for each in lines),
        discount=closing.discount,
        shipping_fee=closing.shipping_fee,
        deposit=closing.deposit,
        total=sums.total,
        cod=sums.cod,
        note=closing.note,
    )
