"""Waits for the promises that no care process waits for (`asked.py`).

One look at an index of what is open and not of care, at most a second after the next of them falls due; what was missed
while this was away is found by the first look, and broken at its own time. See docs/decisions/0026.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders import record
from services.orders.clock import Clock
from services.orders.promises.asked import WAITING
from services.orders.promises.ending import end_promise
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from shared.db import Database, Session
from shared.lifecycle import until_set

BATCH: Final = 200
"""Tasks of one transaction."""
PAUSE: Final = 1.0
"""Seconds between looks when nothing woke it: what other processes asked for is found by these."""

# A task is looked at when it is due (its owner is reminded) and when its deadline has passed (its promise breaks).
_DUE: Final = text(
    """
SELECT order_id FROM tasks
WHERE closed_at IS NULL AND origin <> 'care' AND reminded_at IS NULL AND due_at <= :now
UNION
SELECT t.order_id FROM promises p JOIN tasks t ON t.order_id = p.order_id AND t.key = p.task_key
WHERE p.ended_at IS NULL AND p.deadline_at < :now AND t.origin <> 'care'
LIMIT :limit
"""
)
# Where the COD desk calls first, whoever holds the order only sees the call, and one of the desk owes it.
_TASKS: Final = text(
    """
SELECT t.order_id, t.key, t.owner_id, t.due_at, t.deadline_at, t.reminded_at, p.ended_at IS NULL AS promise_open,
    CASE WHEN c.why = 'desk_first' THEN p.owner_id ELSE t.owner_id END AS owes_id,
    (SELECT superior_id FROM staff_members WHERE version > 0 AND account_id =
        CASE WHEN c.why = 'desk_first' THEN coalesce(p.owner_id, t.owner_id) ELSE t.owner_id END) AS superior_id
FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
LEFT JOIN rescue_calls c ON c.task_id = t.id
WHERE t.order_id = ANY(CAST(:ids AS uuid[])) AND t.closed_at IS NULL AND t.origin <> 'care' AND t.due_at <= :now
ORDER BY t.order_id, t.due_at, t.id
"""
)
_REMIND: Final = text(
    """
UPDATE tasks SET reminded_at = t.at
FROM unnest(CAST(:orders AS uuid[]), CAST(:keys AS text[]), CAST(:at AS timestamptz[])) AS t (order_id, key, at)
WHERE tasks.order_id = t.order_id AND tasks.key = t.key AND tasks.reminded_at IS NULL
"""
)
_TELL: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:notice_keys AS text[]),
    CAST(:accounts AS uuid[]), CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:at AS timestamptz[]))
ON CONFLICT (order_id, key) DO NOTHING
"""
)


class Waiting:
    """Keeps waiting until cancelled. Several at once share the work.

    Args:
        now: the clock.
    """

    def __init__(self, db: Database, *, now: Clock = lambda: datetime.now(UTC), pause: float = PAUSE) -> None:
        self._db = db
        self._now = now
        self._pause = pause

    async def run(self) -> None:
        woken = self._db.waker(WAITING)
        while True:
            woken.clear()
            if await self.step() < BATCH:
                await until_set(woken, at_most=self._pause)

    async def step(self) -> int:
        """Does what is due now, in one transaction; returns in how many orders something was."""
        now = self._now()
        async with self._db.read() as session:
            due = list((await session.execute(_DUE, {"now": now, "limit": BATCH})).scalars())
        if not due:
            return 0
        async with self._db.transaction() as session:
            orders = await record.lock_free(session, due)  # the others in a second
            tasks = (await session.execute(_TASKS, {"ids": list(orders), "now": now})).all()
            await _remind(session, [task for task in tasks if task.reminded_at is None])
            for task in tasks:
                if task.promise_open and task.deadline_at < now:
                    await _break(session, orders[task.order_id], task)
        return len(orders)


async def _remind(session: Session, tasks: list[Any]) -> None:
    if not tasks:
        return
    values = {
        "orders": [task.order_id for task in tasks],
        "keys": [task.key for task in tasks],
        "at": [task.due_at for task in tasks],
    }
    await session.execute(_REMIND, values)
    await _tell(session, [(task, "due", task.owes_id, task.due_at) for task in tasks])
    tasks_changed(session, *(task.owner_id for task in tasks))


async def _break(session: Session, order: Order, task: Any) -> None:
    """At its deadline, however late this looks; the task goes on, and the superior is told."""
    late = int((task.deadline_at - task.due_at).total_seconds())
    await end_promise(
        session,
        order,
        task_key=task.key,
        at=task.deadline_at,
        outcome="broken",
        cause="overdue",
        late_seconds=late,
    )
    await _tell(session, [(task, "overdue", task.superior_id, task.deadline_at)])
    tasks_changed(session, task.owner_id, task.superior_id)


async def _tell(session: Session, notices: list[tuple[Any, str, UUID | None, datetime]]) -> None:
    told = [notice for notice in notices if notice[2] is not None]
    await session.execute(
        _TELL,
        {
            "ids": [uuid7() for _ in told],
            "orders": [task.order_id for task, *_ in told],
            "notice_keys": [f"{task.key}/{kind}" for task, kind, *_ in told],
            "accounts": [account for _, _, account, _ in told],
            "kinds": [kind for _, kind, *_ in told],
            "keys": [task.key for task, *_ in told],
            "at": [at for *_, at in told],
        },
    )
