"""How a promise ends: kept, broken or cancelled, once, with its cause and how late; and how a broken one is made good.

The constraints behind it (migration 0015): an ended promise never changes its outcome, and no task closes before its
promise has ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.record import Order
from shared.contracts.events.orders import PROMISE_ENDED, PROMISE_MADE_GOOD, PromiseEnded, PromiseMadeGood
from shared.db import Session
from shared.outbox import emit

Outcome = Literal["kept", "broken", "cancelled"]

# Who kept it is the author of the interaction that did, unless it was kept without one.
_MET: Final = """
    kept_by_id = coalesce(CAST(:by_id AS uuid), i.staff_id), kept_by = coalesce(nullif(:by, ''), i.staff_code, '')
FROM (SELECT 1) AS one LEFT JOIN interactions i ON i.id = CAST(:interaction_id AS uuid)
WHERE promises.order_id = :order_id AND task_key = :task_key"""
_TOLD: Final = """
RETURNING promises.id, promises.kind, due_at, deadline_at, owner_id, kept_by_id, kept_by,
    (SELECT code FROM staff_members m WHERE m.account_id = promises.owner_id AND m.version > 0) AS owner_code"""
_END: Final = text(
    f"""
UPDATE promises SET ended_at = :at, outcome = :outcome, cause = :cause, late_seconds = :late_seconds, {_MET}
    AND ended_at IS NULL {_TOLD}
"""
)
_MAKE_GOOD: Final = text(
    f"""
UPDATE promises SET made_good_at = :at, late_seconds = :late_seconds, {_MET}
    AND outcome = 'broken' AND made_good_at IS NULL {_TOLD}
"""
)


async def end_promise(
    session: Session,
    order: Order,
    *,
    task_key: str,
    at: datetime,
    outcome: Outcome,
    cause: str,
    late_seconds: int = 0,
    interaction_id: UUID | None = None,
    by: Actor | None = None,
) -> bool:
    """Ends the open promise of a task and tells it; false if there is none (any more).

    Args:
        order: locked.
        late_seconds: wall time after its due time at which it was kept, or broke.
        interaction_id: what kept it; its author is who kept the promise.
        by: who kept it, where no interaction did.
    """
    met = _met(order, task_key, at=at, late_seconds=late_seconds, interaction_id=interaction_id, by=by)
    promise = (await session.execute(_END, {**met, "outcome": outcome, "cause": cause})).one_or_none()
    if promise is None:
        return False
    await emit(
        session,
        PROMISE_ENDED,
        PromiseEnded(
            promise_id=promise.id,
            order_id=order.id,
            kind=promise.kind,
            due_at=promise.due_at,
            ended_at=at,
            outcome=outcome,
            cause=cause,
            late_seconds=late_seconds,
            owner_id=promise.owner_id,
            owner_code=_owner_code(order, promise),
            kept_by_id=promise.kept_by_id,
            kept_by=promise.kept_by,
        ),
        subject=order.id,
        event_id=promise.id,
    )
    return True


async def make_good(
    session: Session,
    order: Order,
    *,
    task_key: str,
    at: datetime,
    late_seconds: int,
    interaction_id: UUID | None = None,
    by: Actor | None = None,
) -> bool:
    """A broken promise was met after all; false if it was not broken, or has been made good. Arguments as above."""
    met = _met(order, task_key, at=at, late_seconds=late_seconds, interaction_id=interaction_id, by=by)
    promise = (await session.execute(_MAKE_GOOD, met)).one_or_none()
    if promise is None:
        return False
    await emit(
        session,
        PROMISE_MADE_GOOD,
        PromiseMadeGood(
            promise_id=promise.id,
            order_id=order.id,
            kind=promise.kind,
            due_at=promise.due_at,
            at=at,
            late_seconds=late_seconds,
            interaction_id=interaction_id,
            owner_id=promise.owner_id,
            owner_code=_owner_code(order, promise),
            kept_by_id=promise.kept_by_id,
            kept_by=promise.kept_by,
        ),
        subject=order.id,
    )
    return True


def _met(
    order: Order, task_key: str, *, at: datetime, late_seconds: int, interaction_id: UUID | None, by: Actor | None
) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "task_key": task_key,
        "at": at,
        "late_seconds": late_seconds,
        "interaction_id": interaction_id,
        "by_id": by.account_id if by is not None else None,
        "by": by.code if by is not None else "",
    }


def _owner_code(order: Order, promise: Any) -> str:
    own = promise.owner_id is not None and promise.owner_id == order.owner_id
    return order.owner_code if own else promise.owner_code or ""
