"""Tasks and promises brought back to how they stood before an interaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.record import Order
from shared.contracts.events.orders import PROMISE_ENDED, PromiseEnded
from shared.db import Session
from shared.outbox import emit

CAUSE: Final = "undo"

_UNCHANGED: Final = text(
    """
SELECT t.key FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
JOIN jsonb_to_recordset(CAST(:tasks AS jsonb)) AS b (key text, due_at timestamptz, owner_id uuid, promise_open boolean)
    ON b.key = t.key AND b.due_at = t.due_at AND b.owner_id IS NOT DISTINCT FROM t.owner_id
WHERE t.order_id = :id AND t.closed_at IS NULL AND t.origin = 'care' AND (p.ended_at IS NULL) = b.promise_open
"""
)
_CLOSE: Final = text(
    """
UPDATE tasks SET closed_at = :now, outcome = 'cancelled', cause = :cause
WHERE order_id = :id AND closed_at IS NULL AND origin = 'care' AND key <> ALL(CAST(:unchanged AS text[]))
"""
)
_END: Final = text(
    """
UPDATE promises SET ended_at = :now, outcome = 'cancelled', cause = :cause
WHERE order_id = :id AND ended_at IS NULL AND kind <> 'answer' AND task_key <> ALL(CAST(:unchanged AS text[]))
RETURNING id, kind, due_at, owner_id,
    coalesce((SELECT code FROM staff_members m WHERE m.account_id = promises.owner_id AND m.version > 0), '') AS owner_code
"""
)
# What the result made (ids grow with time) and what it ended or put off; a promise that had ended before stays.
_VOID: Final = text(
    """
UPDATE promises SET voided_at = :now
WHERE order_id = :id AND voided_at IS NULL AND kind <> 'answer' AND task_key <> ALL(CAST(:unchanged AS text[])) AND (
    id > :interaction_id
    OR task_key IN (SELECT key FROM jsonb_to_recordset(CAST(:tasks AS jsonb)) AS b (key text, promise_open boolean)
        WHERE b.promise_open)
)
RETURNING id
"""
)
_REOPEN: Final = text(
    """
WITH before AS (
    SELECT b.*, k.again, k.id, k.promise_id
    FROM jsonb_to_recordset(CAST(:tasks AS jsonb))
        AS b (key text, due_at timestamptz, deadline_at timestamptz, owner_id uuid, promise_open boolean)
    JOIN unnest(CAST(:keys AS text[]), CAST(:again AS text[]), CAST(:ids AS uuid[]), CAST(:promise_ids AS uuid[]))
        AS k (key, again, id, promise_id) ON k.key = b.key
), promised AS (
    INSERT INTO promises (id, order_id, task_key, kind, owner_id, due_at, deadline_at, made_at)
    SELECT b.promise_id, :id, b.again, p.kind, p.owner_id, b.due_at, b.deadline_at, p.made_at
    FROM before b JOIN promises p ON p.order_id = :id AND p.task_key = b.key WHERE b.promise_open
), broken AS (
    UPDATE promises p SET task_key = b.again, made_good_at = NULL, kept_by_id = NULL, kept_by = '',
        late_seconds = greatest(0, extract(epoch FROM p.ended_at - p.due_at))::integer
    FROM before b WHERE p.order_id = :id AND p.task_key = b.key AND NOT b.promise_open
)
INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, to_team, due_at, deadline_at,
    opened_at, reminded_at)
SELECT b.id, :id, b.again, t.step, t.kind, t.promise, t.name_vi, t.name_en, b.owner_id, t.team, t.to_team, b.due_at,
    b.deadline_at, t.opened_at, t.reminded_at
FROM before b JOIN tasks t ON t.order_id = :id AND t.key = b.key
"""
)


async def restore(session: Session, order: Order, point: Any, *, now: datetime) -> tuple[dict[str, str], list[UUID]]:
    """Closes what the interaction opened and opens again what it closed.

    Args:
        point: the row of `undo_points`.

    Returns:
        Old key → new key of the tasks that were opened again, and the promises that count no more.
    """
    before = {"id": order.id, "tasks": orjson.dumps(point.tasks).decode()}
    unchanged = list((await session.execute(_UNCHANGED, before)).scalars())
    at = {"now": now, "unchanged": unchanged}
    await session.execute(_CLOSE, {"id": order.id, "cause": CAUSE, **at})
    ended = (await session.execute(_END, {"id": order.id, "cause": CAUSE, **at})).all()
    for promise in ended:
        await _tell(session, order, promise, now=now)
    void = await session.execute(_VOID, {**before, **at, "interaction_id": point.interaction_id})
    again = {task["key"]: f"{task['key']}~{point.number}" for task in point.tasks if task["key"] not in unchanged}
    if again:
        await session.execute(
            _REOPEN,
            {
                **before,
                "keys": list(again),
                "again": list(again.values()),
                "ids": [uuid7() for _ in again],
                "promise_ids": [uuid7() for _ in again],
            },
        )
    return again, list(void.scalars())


async def _tell(session: Session, order: Order, promise: Any, *, now: datetime) -> None:
    ended = PromiseEnded(
        promise_id=promise.id,
        order_id=order.id,
        kind=promise.kind,
        due_at=promise.due_at,
        ended_at=now,
        outcome="cancelled",
        cause=CAUSE,
        owner_id=promise.owner_id,
        owner_code=promise.owner_code,
    )
    await emit(session, PROMISE_ENDED, ended, subject=order.id, event_id=promise.id)
