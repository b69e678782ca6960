"""The fact behind “first call in time” and “wait until the first call”: told once for each assignment that was called."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from services.orders.care.effects import CloseTask, Decision
from services.orders.care.facts import Facts
from services.orders.care.process import CareProcess
from services.orders.record import Order
from shared.contracts.events.orders import FIRST_CALL_MADE, FirstCallMade
from shared.db import Session
from shared.outbox import emit

_CALLED: Final = text(
    """
SELECT t.key, t.deadline_at, p.id AS promise_id, p.owner_id, coalesce(m.code, '') AS owner_code, i.id AS interaction_id,
    i.at, i.staff_id, i.staff_code
FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
JOIN interactions i ON i.id = t.interaction_id LEFT JOIN staff_members m ON m.account_id = p.owner_id AND m.version > 0
WHERE t.order_id = :order_id AND t.key = ANY(CAST(:keys AS text[])) AND t.promise = 'first_call' AND i.kind = 'call'
"""
)


async def tell(session: Session, process: CareProcess, order: Order, facts: Facts, decision: Decision) -> None:
    """Tells of the first call that a decision has found, after its effects were written.

    Args:
        order: as it stood before; its assignment is the one whose clock ran.
    """
    done = [each.task_key for each in decision.effects if isinstance(each, CloseTask) and each.outcome == "done"]
    if not any(task.key in done and task.promise == "first_call" for task in facts.tasks):
        return
    calendar = process.calendar(process.windows.asked)
    for row in await session.execute(_CALLED, {"order_id": order.id, "keys": done}):
        made = FirstCallMade(
            order_id=order.id,
            assignment=order.assignment,
            promise_id=row.promise_id,
            interaction_id=row.interaction_id,
            owner_id=row.owner_id,
            owner_code=row.owner_code,
            team=order.team,
            by_id=row.staff_id,
            by=row.staff_code,
            arrived_at=order.cohort_at,
            assigned_at=facts.assigned_at,
            called_at=row.at,
            deadline_at=row.deadline_at,
            in_time=row.at <= row.deadline_at,
            wait_seconds=_seconds(calendar.elapsed(order.cohort_at, max(order.cohort_at, row.at))),
            wait_since_assigned_seconds=_seconds(calendar.elapsed(facts.assigned_at, max(facts.assigned_at, row.at))),
            late_seconds=_seconds(row.at - row.deadline_at),
            channel=order.channel,
            product=order.product,
            landing_page=order.landing_page,
            campaign=order.campaign,
            marketer=order.marketer,
        )
        # The interaction is undone with it; the same call told twice is one fact.
        await emit(session, FIRST_CALL_MADE, made, subject=order.id)


def _seconds(span: timedelta) -> int:
    return max(0, int(span.total_seconds()))
