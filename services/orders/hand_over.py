"""What is owed about an order goes to its next holder when the former one has left ('bàn giao').

Leads hands the numbers over; here their open tasks and promises, the answers that the leaver owes or waits for, and the
calls whose result they never logged follow, for all orders of a batch in one statement, and each order's timeline says so.
An ordinary change of owner moves nothing of this: who made a call knows what came of it, and who was asked can answer.
Tasks of the care process follow every owner anyway, as care decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders.notes.topics import notes_of
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from services.orders.telephone.topics import calls_of
from shared.db import Session, tell_after_commit

CAUSE: Final = "hand_over"
"""Of the assignment by which leads hands a leaver's number over."""


@dataclass(frozen=True)
class Change:
    """An order, as it was, and the holder that it has from now on."""

    order: Order
    to_id: UUID | None
    assignment: int
    at: datetime
    cause: str


# Who leaves: the former holder at a hand-over, and whoever is locked; what nobody owes waits for whoever comes.
# The order's row is locked, so nobody else moves anything of it meanwhile.
_TAKE_OVER: Final = text(
    """
WITH change AS (
    SELECT * FROM unnest(CAST(:orders AS uuid[]), CAST(:assignments AS integer[]), CAST(:from_ids AS uuid[]),
        CAST(:to_ids AS uuid[]), CAST(:at AS timestamptz[]), CAST(:handed AS boolean[]))
        AS t (order_id, assignment, from_id, to_id, at, handed)
), leaver AS (
    SELECT order_id, from_id AS account_id FROM change WHERE handed AND from_id IS NOT NULL AND from_id <> to_id
    UNION
    SELECT c.order_id, m.account_id FROM change c
    JOIN staff_members m ON NOT m.active AND m.version > 0 AND m.account_id <> c.to_id
        AND m.account_id IN (SELECT a.owner_id FROM assignments a WHERE a.order_id = c.order_id)
), moved_tasks AS (
    UPDATE tasks t SET owner_id = c.to_id FROM change c JOIN leaver l ON l.order_id = c.order_id
    WHERE t.order_id = c.order_id AND t.closed_at IS NULL AND t.owner_id = l.account_id RETURNING t.order_id
), moved_promises AS (
    UPDATE promises p SET owner_id = c.to_id FROM change c JOIN leaver l ON l.order_id = c.order_id
    WHERE p.order_id = c.order_id AND p.ended_at IS NULL AND p.owner_id = l.account_id RETURNING p.order_id
), moved_notes AS (
    UPDATE note_mentions m SET
        account_id = CASE WHEN m.account_id = l.account_id THEN c.to_id ELSE m.account_id END,
        asker_id = CASE WHEN m.asker_id = l.account_id THEN c.to_id ELSE m.asker_id END,
        read_at = CASE WHEN m.account_id = l.account_id THEN NULL ELSE m.read_at END
    FROM change c JOIN leaver l ON l.order_id = c.order_id
    WHERE m.order_id = c.order_id AND l.account_id IN (m.account_id, m.asker_id) AND m.promise_id IS NOT NULL
        AND m.answer_id IS NULL AND m.withdrawn_at IS NULL
    RETURNING m.order_id
), moved_calls AS (
    UPDATE telephone_calls k SET owes_id = c.to_id FROM change c
    WHERE k.order_id = c.order_id AND k.state = 'waiting' AND (k.owes_id IS NULL
        OR k.owes_id IN (SELECT l.account_id FROM leaver l WHERE l.order_id = c.order_id))
    RETURNING k.order_id
), counted AS (
    SELECT c.order_id, c.assignment, c.from_id, c.to_id, c.at,
        (SELECT count(*) FROM moved_tasks x WHERE x.order_id = c.order_id) AS tasks,
        (SELECT count(*) FROM moved_promises x WHERE x.order_id = c.order_id) AS promises,
        (SELECT count(*) FROM moved_notes x WHERE x.order_id = c.order_id) AS notes,
        (SELECT count(*) FROM moved_calls x WHERE x.order_id = c.order_id) AS calls
    FROM change c
)
INSERT INTO hand_overs (order_id, assignment, from_id, to_id, from_code, to_code, at, tasks, promises, notes, calls)
SELECT order_id, assignment, from_id, to_id,
    coalesce((SELECT code FROM staff_members WHERE account_id = from_id AND version > 0), ''),
    coalesce((SELECT code FROM staff_members WHERE account_id = to_id AND version > 0), ''),
    at, tasks, promises, notes, calls
FROM counted WHERE tasks + promises + notes + calls > 0
ON CONFLICT (order_id, assignment) DO NOTHING
RETURNING from_id, to_id
"""
)


# Reading what telephone systems sent takes calls in this order, of whatever orders.
_LOCK_CALLS: Final = text(
    """
SELECT id FROM telephone_calls WHERE order_id = ANY(CAST(:orders AS uuid[])) AND state = 'waiting'
ORDER BY system_id, call_id FOR NO KEY UPDATE
"""
)


async def take_over(session: Session, changes: Sequence[Change]) -> None:
    """The next holders of locked orders take over what those who left owe about them.

    A release to nobody moves nothing: the debts follow with the next holder.
    """
    held = [change for change in changes if change.to_id is not None and change.to_id != change.order.owner_id]
    if not held:
        return
    await session.execute(_LOCK_CALLS, {"orders": [change.order.id for change in held]})
    rows = await session.execute(
        _TAKE_OVER,
        {
            "orders": [change.order.id for change in held],
            "assignments": [change.assignment for change in held],
            "from_ids": [change.order.owner_id for change in held],
            "to_ids": [change.to_id for change in held],
            "at": [change.at for change in held],
            "handed": [change.cause == CAUSE for change in held],
        },
    )
    for account_id in {account for row in rows for account in (row.from_id, row.to_id)} - {None}:
        tasks_changed(session, account_id)
        tell_after_commit(session, notes_of(account_id))
        tell_after_commit(session, calls_of(account_id))
