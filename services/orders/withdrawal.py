"""Orders of an import that is undone: those that nobody has worked on go, with all that care had planned for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.customers import numbers
from services.orders.record import Order
from shared import outbox
from shared.contracts.levels import CLEAN
from shared.contracts.workflows import nudge_care
from shared.db import ReadSession, Session

# As everybody who writes about a lead: it may not be known yet.
_ONE_BY_ONE: Final = text(
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT hashtextextended(CAST(id AS text), 0) AS key "
    "FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY 1) AS keys"
)
_WITHDRAWN: Final = text("SELECT 1 FROM withdrawn_leads WHERE lead_id = :id")
_TALKED_ABOUT: Final = text(
    """
SELECT order_id FROM interactions WHERE order_id = ANY(CAST(:ids AS uuid[]))
UNION SELECT order_id FROM arrivals WHERE order_id = ANY(CAST(:ids AS uuid[])) AND NOT lead_id = ANY(CAST(:going AS uuid[]))
UNION SELECT order_id FROM order_lines WHERE order_id = ANY(CAST(:ids AS uuid[]))
UNION SELECT order_id FROM telephone_calls WHERE order_id = ANY(CAST(:ids AS uuid[]))
UNION SELECT order_id FROM notes WHERE order_id = ANY(CAST(:ids AS uuid[]))
UNION SELECT order_id FROM care_commands WHERE order_id = ANY(CAST(:ids AS uuid[]))
"""
)
_REMEMBER: Final = text(
    "INSERT INTO withdrawn_leads (lead_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING"
)
_END_CARE: Final = text(
    "DELETE FROM care WHERE order_id = ANY(CAST(:ids AS uuid[])) RETURNING order_id, round, is_open"
)
_CLEAR: Final = tuple(
    text(f"DELETE FROM {table} WHERE {column} = ANY(CAST(:ids AS uuid[]))")
    for table, column in (
        ("arrivals", "lead_id"),
        ("notices", "order_id"),
        ("promises", "order_id"),
        ("tasks", "order_id"),
        ("care_effects", "order_id"),
        ("assignments", "order_id"),
        ("transitions", "order_id"),
        ("orders", "id"),
    )
)
_STRANGERS: Final = text(
    """
SELECT c.id FROM customers c WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.do_not_call_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)
    AND NOT EXISTS (SELECT 1 FROM customer_addresses a WHERE a.customer_id = c.id)
ORDER BY c.id FOR UPDATE
"""
)
_FORGET: Final = (
    text("DELETE FROM customer_phones WHERE customer_id = ANY(CAST(:ids AS uuid[]))"),
    text("DELETE FROM customers WHERE id = ANY(CAST(:ids AS uuid[]))"),
)


async def withdraw(session: Session, *, leads: Sequence[UUID], duplicates: Sequence[UUID]) -> list[UUID]:
    """Takes leads back that nobody has worked on, also those of which nothing has arrived yet. Doing it again changes
    nothing.

    Args:
        leads: whose orders are to go.
        duplicates: that stand on the timelines of other orders.

    Returns:
        Those of the leads that stay: a call or a message was logged, the level has changed, the order was edited, or
        the customer left the number again.
    """
    await session.execute(_ONE_BY_ONE, {"ids": [*leads, *duplicates]})
    await numbers.lock_phones_of(session, *leads)
    orders = await record.lock_many(session, list(leads))
    found = await session.execute(_TALKED_ABOUT, {"ids": list(orders), "going": list(duplicates)})
    talked_about = set(found.scalars())
    kept = {id for id, order in orders.items() if _is_worked_on(order) or id in talked_about}
    going = [lead for lead in leads if lead not in kept]
    await session.execute(_REMEMBER, {"ids": [*going, *duplicates]})
    cares = (await session.execute(_END_CARE, {"ids": going})).all()
    for statement in _CLEAR:
        await session.execute(statement, {"ids": [*going, *duplicates]})
    await _forget_customers(session, [orders[id].customer_id for id in going if id in orders])
    nudges = [
        nudge_care(care.order_id, round=care.round, code=orders[care.order_id].code) for care in cares if care.is_open
    ]
    await outbox.write(session, [outbox.command_row(nudge) for nudge in nudges])
    return sorted(kept)


def _is_worked_on(order: Order) -> bool:
    # The first transition is the arrival itself.
    return order.level != CLEAN or order.sequence > 1 or order.version > 0


async def _forget_customers(session: Session, ids: Sequence[UUID]) -> None:
    """Customers that were made for these orders alone."""
    found = await session.execute(_STRANGERS, {"ids": sorted(set(ids))})
    strangers = list(found.scalars())
    for statement in _FORGET:
        await session.execute(statement, {"ids": strangers})


async def is_withdrawn(session: ReadSession, lead_id: UUID) -> bool:
    """Whether a lead or duplicate was taken back. Under the lock of `one_at_a_time` the answer stays true or false."""
    return (await session.execute(_WITHDRAWN, {"id": lead_id})).first() is not None


async def one_at_a_time(session: Session, lead_id: UUID) -> None:
    """Waits for whoever takes this lead back just now."""
    await session.execute(_ONE_BY_ONE, {"ids": [lead_id]})
