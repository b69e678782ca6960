"""The numbers of customers: a number belongs to one customer, who is known by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
_LOCK_PHONES: Final = text(
    "SELECT phone FROM customer_phones WHERE customer_id = ANY(CAST(:customers AS uuid[])) ORDER BY phone FOR UPDATE"
)
_LOCK_ORDERS: Final = text(
    "SELECT id FROM orders WHERE customer_id = ANY(CAST(:customers AS uuid[])) ORDER BY id FOR UPDATE"
)
# What a merge moves is not among the rows that the next one found when it began to wait for them; so they go one by one.
_ONE_MERGE: Final = text("SELECT pg_advisory_xact_lock(hashtext('chot:customer_merges'))")
# Not FOR UPDATE: an order that is born refers to its customer, and must not wait for it.
_LOCK_CUSTOMERS: Final = text(
    "SELECT id FROM customers WHERE id = ANY(CAST(:customers AS uuid[])) ORDER BY id FOR NO KEY UPDATE"
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


async def lock_customers_of(session: Session, *customers: UUID) -> None:
    """Locks everything of these customers, for a merge by hand: numbers, then all their orders, then they themselves."""
    await session.execute(_ONE_MERGE)
    await lock_phones(session, *customers)
    await session.execute(_LOCK_ORDERS, {"customers": list(customers)})
    await lock_rows(session, *customers)


async def lock_phones(session: Session, *customers: UUID) -> None:
    """Locks the numbers of customers, before anything else of theirs."""
    await session.execute(_LOCK_PHONES, {"customers": list(customers)})


async def lock_phones_of(session: Session, *orders: UUID) -> None:
    """Locks the numbers of the customers of orders, before anything else of theirs."""
    await session.execute(_LOCK_PHONES_OF, {"orders": list(orders)})


async def lock_rows(session: Session, *customers: UUID) -> None:
    """Locks the rows of customers, whose numbers and orders are locked already where they matter."""
    await session.execute(_LOCK_CUSTOMERS, {"customers": list(customers)})


async def lock_both(session: Session, *orders: UUID) -> None:
    """Locks everything of the customers of two orders, for a merge: numbers first, then all their orders."""
    await session.execute(_ONE_MERGE)
    await lock_phones_of(session, *orders)
    await session.execute(_LOCK_ORDERS_OF, {"orders": list(orders)})
