"""What was agreed with the customer: written at closing and at each edit, every version kept, and told to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.addresses.checking import DeliveryAddress
from services.orders.closing.domain import Money, PricedLine, money
from services.orders.record import Order
from services.orders.text import words
from shared.contracts.events.orders import ORDER_CLOSED, Address, OrderClosed, OrderLine
from shared.db import ReadSession, Session
from shared.outbox import emit


@dataclass(frozen=True)
class Contents:
    """Everything that an order needs to be sent. `phone` is E.164, money in đồng."""

    recipient: str
    phone: str
    address: DeliveryAddress
    lines: Sequence[PricedLine]
    discount: int
    shipping_fee: int
    deposit: int
    deliver_on: date | None
    note: str

    def sums(self) -> Money:
        """
        Raises:
            DiscountTooLarge, DepositTooLarge: something would be negative.
        """
        return money(
            (each.line for each in self.lines),
            discount=self.discount,
            shipping_fee=self.shipping_fee,
            deposit=self.deposit,
        )


_SET: Final = text(
    """
UPDATE orders SET version = :version, closed_at = :closed_at, closer_id = :closer_id, closer_code = :closer_code,
    recipient = :recipient, recipient_phone = :phone, province = :province, district = :district, ward = :ward,
    province_code = :province_code, district_code = :district_code, ward_code = :ward_code,
    address = :detail, note = :note, deliver_on = :deliver_on, discount = :discount, shipping_fee = :shipping_fee,
    deposit = :deposit, total = :total,
    search = to_tsvector('simple', :words)
WHERE id = :id
"""
)
_CLEAR_LINES: Final = text("DELETE FROM order_lines WHERE order_id = :id")
_LINES: Final = text(
    """
INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price, weight_grams, gift)
SELECT :id, * FROM unnest(
    CAST(:positions AS integer[]), CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:quantities AS integer[]),
    CAST(:prices AS bigint[]), CAST(:weights AS integer[]), CAST(:gifts AS boolean[]))
"""
)
_NAME: Final = text("SELECT name FROM orders WHERE id = :id")
_KEEP: Final = text(
    """
INSERT INTO order_versions (order_id, version, at, by_id, by_code, reason, contents)
VALUES (:id, :version, :at, :by_id, :by_code, :reason, CAST(:contents AS jsonb))
"""
)
_READ: Final = text(
    """
SELECT recipient, recipient_phone AS phone, province, district, ward, province_code, district_code, ward_code,
    address AS detail, discount, shipping_fee, deposit, deliver_on, note
FROM orders WHERE id = :id
"""
)
_READ_LINES: Final = text(
    "SELECT sku, name, quantity, unit_price, weight_grams, gift FROM order_lines WHERE order_id = :id ORDER BY position"
)


async def read(session: ReadSession, order: Order) -> Contents:
    """The present contents of an order that was closed."""
    row = dict((await session.execute(_READ, {"id": order.id})).one()._mapping)
    lines = []
    for line in await session.execute(_READ_LINES, {"id": order.id}):
        fields = dict(line._mapping)
        gift = fields.pop("gift")
        lines.append(PricedLine(OrderLine(**fields), gift))
    address = DeliveryAddress(**{name: row.pop(name) for name in DeliveryAddress.model_fields})
    return Contents(address=address, lines=lines, **row)


async def write(
    session: Session, order: Order, contents: Contents, actor: Actor, *, at: datetime, reason: str = ""
) -> Money:
    """Writes the contents of a locked order as its version `order.version`, keeps that version, and tells it.

    Args:
        order: as it is from now on: version, closing time and closer included.
        at, reason: of this version.

    Raises:
        DiscountTooLarge, DepositTooLarge: something would be negative.
    """
    sums = contents.sums()
    await _set(session, order, contents, sums)
    await session.execute(
        _KEEP,
        {
            "id": order.id,
            "version": order.version,
            "at": at,
            "by_id": actor.account_id,
            "by_code": actor.code,
            "reason": reason,
            "contents": orjson.dumps(_kept(contents, sums)).decode(),
        },
    )
    await emit(session, ORDER_CLOSED, _event(order, contents, sums), subject=order.id)
    return sums


async def _set(session: Session, order: Order, contents: Contents, sums: Money) -> None:
    name = (await session.execute(_NAME, {"id": order.id})).scalar_one()
    await session.execute(
        _SET,
        {
            "id": order.id,
            "version": order.version,
            "closed_at": order.closed_at,
            "closer_id": order.closer_id,
            "closer_code": order.closer_code,
            "recipient": contents.recipient,
            "phone": contents.phone,
            **contents.address.model_dump(),
            "note": contents.note,
            "deliver_on": contents.deliver_on,
            "discount": contents.discount,
            "shipping_fee": contents.shipping_fee,
            "deposit": contents.deposit,
            "total": sums.total,
            "words": " ".join(words(f"{name} {contents.recipient}")),
        },
    )
    await session.execute(_CLEAR_LINES, {"id": order.id})
    lines = contents.lines
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


def _kept(contents: Contents, sums: Money) -> dict[str, Any]:
    """A version as `order_versions` keeps it."""
    return {
        "recipient": contents.recipient,
        "phone": contents.phone,
        "address": contents.address.model_dump(),
        "lines": [{**each.line.model_dump(), "gift": each.gift} for each in contents.lines],
        "discount": contents.discount,
        "shipping_fee": contents.shipping_fee,
        "deposit": contents.deposit,
        "total": sums.total,
        "cod": sums.cod,
        "deliver_on": contents.deliver_on,
        "note": contents.note,
    }


def _event(order: Order, contents: Contents, sums: Money) -> OrderClosed:
    assert order.closed_at is not None
    assert order.closer_id is not None
    return OrderClosed(
        order_id=order.id,
        customer_id=order.customer_id,
        version=order.version,
        code=order.code,
        closed_at=order.closed_at,
        closer_id=order.closer_id,
        closer_code=order.closer_code,
        recipient=contents.recipient,
        phone=contents.phone,
        address=Address(**contents.address.model_dump()),
        lines=tuple(each.line for each in contents.lines),
        discount=contents.discount,
        shipping_fee=contents.shipping_fee,
        deposit=contents.deposit,
        total=sums.total,
        cod=sums.cod,
        note=contents.note,
    )
