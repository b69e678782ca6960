"""Customers: one for each telephone number that ever reached us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.db import Session


@dataclass(frozen=True)
class Contact:
    """What a lead says about its customer; `phones` begins with the one to call."""

    phones: tuple[str, ...]
    name: str = ""


# Numbers are taken in one order by everybody, so that two batches never wait for one another in a circle. The update
# that changes nothing makes the row of somebody else's number come back, after their transaction ended.
_TAKE_PHONES: Final = text(
    """
INSERT INTO customer_phones (phone, customer_id)
SELECT * FROM unnest(CAST(:phones AS text[]), CAST(:customers AS uuid[])) AS t (phone, customer_id) ORDER BY phone
ON CONFLICT (phone) DO UPDATE SET phone = excluded.phone
RETURNING phone, customer_id
"""
)
# No row of a customer who was there before is touched: whoever works on an order holds it and then its customer, and this
# transaction may come to orders after this. A customer who came without a name is shown by that of an order.
_CREATE: Final = text(
    """
INSERT INTO customers (id, name) SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]))
ON CONFLICT (id) DO NOTHING
"""
)
_ADD_PHONES: Final = text(
    """
INSERT INTO customer_phones (phone, customer_id)
SELECT * FROM unnest(CAST(:phones AS text[]), CAST(:customers AS uuid[])) AS t (phone, customer_id) ORDER BY phone
ON CONFLICT (phone) DO NOTHING
"""
)
_REFUSE: Final = text(
    """
UPDATE customers SET do_not_call_at = :at, do_not_call_reason = :reason
WHERE id = :id AND (do_not_call_at IS NULL OR do_not_call_at < :at)
"""
)
_ALLOW: Final = text(
    """
UPDATE customers SET do_not_call_at = CAST(:before AS timestamptz),
    do_not_call_reason = CASE WHEN CAST(:before AS timestamptz) IS NULL THEN '' ELSE do_not_call_reason END
WHERE id = :id AND do_not_call_at = :refused_at
"""
)
_LIFT: Final = text("UPDATE customers SET do_not_call_at = NULL, do_not_call_reason = '' WHERE id = :id")
_ADDRESS: Final = text(
    """
INSERT INTO customer_addresses (id, customer_id, province, district, ward, detail, used_at)
VALUES (:id, :customer_id, :province, :district, :ward, :detail, :at)
ON CONFLICT (customer_id, province, district, ward, detail) DO UPDATE SET used_at = excluded.used_at
"""
)
_CONFIRM: Final = text(
    """
UPDATE customers SET confirmed_at = :at, confirmed_by = :by, confirmed_interaction = :interaction
WHERE id = :id AND (confirmed_at IS NULL OR confirmed_at > :at)
"""
)
_UNCONFIRM: Final = text(
    """
UPDATE customers SET confirmed_at = NULL, confirmed_by = '', confirmed_interaction = NULL
WHERE id = :id AND confirmed_interaction = :interaction
"""
)
_NAME: Final = text("UPDATE customers SET name = :name WHERE id = :id AND name <> :name")


async def ensure(session: Session, contacts: Sequence[Contact]) -> list[UUID]:
    """The customers of these contacts in order, known by their first number or made now.

    Further numbers that nobody has are added; one that another customer has stays there.
    """
    candidates = {contact.phones[0]: uuid7() for contact in contacts}
    taken = await session.execute(_TAKE_PHONES, {"phones": list(candidates), "customers": list(candidates.values())})
    by_phone: dict[str, UUID] = {row.phone: row.customer_id for row in taken}
    ids = [by_phone[contact.phones[0]] for contact in contacts]
    names: dict[UUID, str] = {}
    for customer, contact in zip(ids, contacts, strict=True):
        names[customer] = names.get(customer) or contact.name
    await session.execute(_CREATE, {"ids": list(names), "names": list(names.values())})
    others = {phone: customer for customer, contact in zip(ids, contacts, strict=True) for phone in contact.phones[1:]}
    if others:
        await session.execute(_ADD_PHONES, {"phones": list(others), "customers": list(others.values())})
    return ids


async def refuse_calls(session: Session, customer_id: UUID, *, at: datetime, reason: str) -> None:
    """Puts a customer's numbers on the do-not-call list (rule D13)."""
    await session.execute(_REFUSE, {"id": customer_id, "at": at, "reason": reason})


async def allow_calls(session: Session, customer_id: UUID, *, refused_at: datetime, before: datetime | None) -> None:
    """Takes a refusal back that was a mistake, unless the customer has refused again since.

    Args:
        refused_at: the refusal.
        before: when the customer had refused before that, or None.
    """
    await session.execute(_ALLOW, {"id": customer_id, "refused_at": refused_at, "before": before})


async def lift_refusal(session: Session, customer_id: UUID) -> None:
    """Somebody took responsibility, with a reason, for calling a customer again who had refused."""
    await session.execute(_LIFT, {"id": customer_id})


async def confirm(session: Session, customer_id: UUID, *, at: datetime, by: str, interaction_id: UUID | None) -> None:
    """Notes the first conversation with a customer: from then on they are a contact, not just a number."""
    await session.execute(_CONFIRM, {"id": customer_id, "at": at, "by": by, "interaction": interaction_id})


async def unconfirm(session: Session, customer_id: UUID, *, interaction_id: UUID) -> None:
    """The conversation that confirmed a customer was taken back."""
    await session.execute(_UNCONFIRM, {"id": customer_id, "interaction": interaction_id})


async def remember(
    session: Session,
    customer_id: UUID,
    *,
    name: str,
    province: str,
    district: str,
    ward: str,
    detail: str,
    at: datetime,
) -> None:
    """Keeps the name and address that an order was closed with."""
    await session.execute(_NAME, {"id": customer_id, "name": name})
    await session.execute(
        _ADDRESS,
        {
            "id": uuid7(),
            "customer_id": customer_id,
            "province": province,
            "district": district,
            "ward": ward,
            "detail": detail,
            "at": at,
        },
    )


_LOCK_NUMBERS_OF: Final = text(
    """
SELECT phone FROM customer_phones
WHERE phone = ANY(CAST(:phones AS text[])) OR phone IN (SELECT phone FROM orders WHERE id = :order_id)
ORDER BY phone FOR UPDATE
"""
)
_SHARED: Final = text(
    "SELECT 1 FROM orders WHERE phone = :phone AND customer_id = :customer_id AND id <> :order_id LIMIT 1"
)
_DROP_PHONE: Final = text("DELETE FROM customer_phones WHERE phone = :phone AND customer_id = :customer_id")
_LOCK_PHONES_OF: Final = text(
    """
SELECT phone FROM customer_phones
WHERE customer_id IN (SELECT customer_id FROM orders WHERE id = ANY(CAST(:orders AS uuid[]))) ORDER BY phone FOR UPDATE
"""
)
_LOCK_ORDERS_OF: Final = text(
    """
SELECT id FROM orders
WHERE customer_id IN (SELECT customer_id FROM orders WHERE id = ANY(CAST(:orders AS uuid[]))) ORDER BY id FOR UPDATE
"""
)
_MERGE: Final = text(
    """
WITH phones AS (
    UPDATE customer_phones SET customer_id = :into WHERE customer_id = :id
), orders AS (
    UPDATE orders SET customer_id = :into WHERE customer_id = :id
), addresses AS (
    INSERT INTO customer_addresses (id, customer_id, province, district, ward, detail, used_at)
    SELECT uuidv7(), :into, province, district, ward, detail, used_at FROM customer_addresses WHERE customer_id = :id
    ON CONFLICT (customer_id, province, district, ward, detail)
    DO UPDATE SET used_at = greatest(customer_addresses.used_at, excluded.used_at)
), gone AS (
    UPDATE customers SET merged_into = :into WHERE id = :id
)
UPDATE customers AS c SET
    name = CASE WHEN c.name = '' THEN o.name ELSE c.name END,
    do_not_call_reason = CASE WHEN c.do_not_call_at IS NULL OR c.do_not_call_at < o.do_not_call_at
        THEN o.do_not_call_reason ELSE c.do_not_call_reason END,
    do_not_call_at = greatest(c.do_not_call_at, o.do_not_call_at),
    confirmed_by = CASE WHEN c.confirmed_at IS NULL OR o.confirmed_at < c.confirmed_at THEN o.confirmed_by
        ELSE c.confirmed_by END,
    confirmed_interaction = CASE WHEN c.confirmed_at IS NULL OR o.confirmed_at < c.confirmed_at
        THEN o.confirmed_interaction ELSE c.confirmed_interaction END,
    confirmed_at = least(c.confirmed_at, o.confirmed_at)
FROM customers o WHERE c.id = :into AND o.id = :id
"""
)


async def lock_numbers_of(session: Session, order_id: UUID, phones: Sequence[str]) -> set[str]:
    """Locks those of the numbers that customers have, and that of an order, before the order. Returns what it locked."""
    rows = await session.execute(_LOCK_NUMBERS_OF, {"order_id": order_id, "phones": list(phones)})
    return set(rows.scalars())


async def renumber(
    session: Session, *, customer_id: UUID, order_id: UUID, before: str, phones: Sequence[str], name: str
) -> UUID:
    """The customer of an order whose number was corrected: known by the new number.

    A customer known by the wrong number through this order alone takes the new one and loses the wrong one, unless the
    new one is somebody's already; then the order is theirs. The numbers and the order must be locked.
    """
    if phones[0] == before:
        await ensure(session, [Contact((before, *phones[1:]), name)])
        return customer_id
    own = {"customer_id": customer_id, "order_id": order_id, "phone": before}
    if (await session.execute(_SHARED, own)).first() is not None:
        return (await ensure(session, [Contact(tuple(phones), name)]))[0]
    taken = await session.execute(_TAKE_PHONES, {"phones": [phones[0]], "customers": [customer_id]})
    found: UUID = taken.one().customer_id
    if before not in phones:
        await session.execute(_DROP_PHONE, own)
    await ensure(session, [Contact(tuple(phones), name)])
    return found


async def lock_both(session: Session, *orders: UUID) -> None:
    """Locks everything of the customers of two orders: numbers first, then all their orders."""
    await session.execute(_LOCK_PHONES_OF, {"orders": list(orders)})
    await session.execute(_LOCK_ORDERS_OF, {"orders": list(orders)})


async def merge(session: Session, customer_id: UUID, *, into: UUID) -> None:
    """Two customers are one person: numbers, orders, addresses and refusals go to the one that stays (`lock_both`)."""
    if customer_id != into:
        await session.execute(_MERGE, {"id": customer_id, "into": into})
