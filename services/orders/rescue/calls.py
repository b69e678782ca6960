"""The call about a failed delivery: a task with a promise, outside the care process, kept by telling the carrier in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.promises import asked
from services.orders.promises.live import desk_changed, tasks_changed
from services.orders.record import Order
from services.orders.rescue import desk, waking
from services.orders.rescue.calling_hours import calling_hours
from services.orders.rescue.hours import Times, times
from services.orders.rescue.words import task_name
from shared.contracts.events.shipping_rescue import RescueChanged
from shared.db import ReadSession, Session, wake_after_commit

RESCUE: Final = "rescue"
"""The origin of the task, and the kind of its promise."""

_OPEN: Final = text(
    """
WITH task AS (
    INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, to_team, due_at, deadline_at,
        opened_at, origin, subject_id)
    VALUES (:id, :order_id, :key, '', 'call', 'rescue', :name_vi, :name_en, CAST(:owner_id AS uuid), :team,
        CAST(:owner_id AS uuid) IS NULL, :due_at, :deadline_at, :now, 'rescue', :rescue_id)
    ON CONFLICT (order_id, key) DO NOTHING RETURNING id
), call AS (
    INSERT INTO rescue_calls (task_id, rescue_id, turn, carrier, opened_at)
    SELECT id, :rescue_id, :turn, :carrier, :now FROM task
), promise AS (
    INSERT INTO promises (id, order_id, task_key, kind, owner_id, due_at, deadline_at, made_at)
    SELECT CAST(:promise_id AS uuid), :order_id, :key, 'rescue', CAST(:owner_id AS uuid), :due_at, :deadline_at, :now FROM task
), told AS (
    INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
    SELECT CAST(:notice_id AS uuid), :order_id, CAST(:key AS text) || '/no_owner', NULL, 'no_owner', :key, :now FROM task
    WHERE CAST(:owner_id AS uuid) IS NULL
)
SELECT id FROM task
"""
)
_CHANGE: Final = text(
    """
WITH task AS (
    UPDATE tasks SET name_vi = :name_vi, name_en = :name_en, deadline_at = greatest(due_at, :deadline_at),
        snoozed_until = least(snoozed_until, greatest(due_at, :deadline_at))
    WHERE order_id = :order_id AND key = :key AND closed_at IS NULL AND deadline_at > :now RETURNING due_at, deadline_at
)
UPDATE promises p SET deadline_at = task.deadline_at FROM task
WHERE p.order_id = :order_id AND p.task_key = :key AND p.ended_at IS NULL
"""
)
_OTHERS: Final = text(
    """
SELECT key FROM tasks WHERE order_id = :order_id AND origin = 'rescue' AND closed_at IS NULL AND key <> :key
    AND subject_id = :rescue_id
"""
)
_DECIDED: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
SELECT n.id, t.order_id, t.key || '/decided:' || n.account_id, n.account_id, 'decided', t.key, :at
FROM tasks t, unnest(CAST(:ids AS uuid[]), ARRAY[t.owner_id, t.claimed_by_id]) AS n (id, account_id)
WHERE t.order_id = :order_id AND t.key = :key AND n.account_id IS DISTINCT FROM CAST(:by_id AS uuid)
    AND n.account_id IS NOT NULL
ON CONFLICT (order_id, key) DO NOTHING RETURNING account_id
"""
)
_ACTIVE: Final = text("SELECT account_id FROM staff_members WHERE account_id = ANY(:ids) AND active AND version > 0")
_FOLLOW: Final = text(
    """
WITH held AS (
    SELECT t.id, t.order_id, t.key, o.owner_id, o.team FROM tasks t JOIN orders o ON o.id = t.order_id
    WHERE t.order_id = ANY(CAST(:ids AS uuid[])) AND t.origin = 'rescue' AND t.closed_at IS NULL
        AND o.owner_id IS NOT NULL AND t.owner_id IS DISTINCT FROM o.owner_id
), promise AS (
    UPDATE promises p SET owner_id = held.owner_id FROM held JOIN rescue_calls c ON c.task_id = held.id
    WHERE p.order_id = held.order_id AND p.task_key = held.key AND p.ended_at IS NULL AND c.why <> 'desk_first'
)
UPDATE tasks t SET owner_id = held.owner_id, team = held.team, to_team = false FROM held,
    (SELECT id, owner_id FROM tasks WHERE order_id = ANY(CAST(:ids AS uuid[]))) AS former
WHERE t.id = held.id AND former.id = t.id RETURNING t.owner_id, former.owner_id AS former_id
"""
)


async def follow(session: Session, order: Order, fact: RescueChanged, *, now: datetime) -> None:
    """Lets the call about a failed delivery follow from the newest that is known of it.

    Args:
        order: locked.
    """
    key = key_of(fact.rescue_id, turn=fact.turn)
    if fact.state == "open":
        await _end_others(session, order, fact, key=key, now=now)
        if not await _open(session, order, fact, key=key, now=now):
            await _change(session, order, fact, key=key, now=now)
    elif _was_decided(fact):
        at = fact.at if fact.step == "asked" else (fact.asked_at or fact.at)
        by = Actor("staff", fact.by_id, fact.by)
        cause = f"asked_{fact.wish}" if fact.wish else "asked"
        if await asked.met(session, order, key=key, cause=cause, by=by, at=at):
            await _tell_others(session, order, key=key, by=by, at=at)
        await _over(session, order)
    else:
        await asked.cancelled(session, order, key=key, cause=fact.outcome or "ended", at=now)
        await _over(session, order)


async def _over(session: Session, order: Order) -> None:
    await waking.changed(session, [order.id])
    desk_changed(session)


async def _tell_others(session: Session, order: Order, *, key: str, by: Actor, at: datetime) -> None:
    """Whoever else was about to call hears that they need not."""
    values = {"order_id": order.id, "key": key, "by_id": by.account_id, "at": at}
    told = await session.execute(_DECIDED, {**values, "ids": [uuid7(), uuid7()]})
    tasks_changed(session, *told.scalars())


def _was_decided(fact: RescueChanged) -> bool:
    """Whether this turn's call led to a decision, also where what told so came late."""
    if fact.state == "asked" or fact.step in ("confirmed", "expired"):
        return True
    return fact.step == "outcome" and fact.turn == 1 and fact.asked_at is not None


def key_of(rescue_id: UUID, *, turn: int) -> str:
    """The key of the task and promise; a carrier that refused makes another call necessary."""
    return f"{RESCUE}:{rescue_id}:{turn}"


async def _open(session: Session, order: Order, fact: RescueChanged, *, key: str, now: datetime) -> bool:
    name = task_name(fact)
    owner_id = await _caller(session, order)
    until = await _times(session, order, fact, now=now)
    task_id = uuid7()
    opened = await session.execute(
        _OPEN,
        {
            "id": task_id,
            "promise_id": fact.rescue_id if fact.turn == 1 else uuid7(),
            "notice_id": uuid7(),
            "order_id": order.id,
            "key": key,
            "rescue_id": fact.rescue_id,
            "turn": fact.turn,
            "carrier": fact.carrier,
            "name_vi": name.vi,
            "name_en": name.en,
            "owner_id": owner_id,
            "team": order.team,
            "due_at": until.due_at,
            "deadline_at": until.deadline_at,
            "now": now,
        },
    )
    if opened.first() is None:
        return False
    tasks_changed(session, owner_id, team=order.team)
    wake_after_commit(session, asked.WAITING)
    standing = await desk.look(session, order, task_id, now=now)
    if standing is not None and not standing.handed_over:
        await waking.changed(session, [order.id])
    return True


async def _change(session: Session, order: Order, fact: RescueChanged, *, key: str, now: datetime) -> None:
    """More is known: the reason, or another cut-off. A deadline that has passed stays."""
    name = task_name(fact)
    until = await _times(session, order, fact, now=now)
    values = {"order_id": order.id, "key": key, "name_vi": name.vi, "name_en": name.en}
    await session.execute(_CHANGE, {**values, "deadline_at": until.deadline_at, "now": now})
    tasks_changed(session, order.owner_id)
    wake_after_commit(session, asked.WAITING)
    await waking.changed(session, [order.id])


async def _end_others(session: Session, order: Order, fact: RescueChanged, *, key: str, now: datetime) -> None:
    """Calls of earlier turns of the same failed delivery, of whose end nothing was heard: what ended them came late."""
    values = {"order_id": order.id, "key": key, "rescue_id": fact.rescue_id}
    for other in (await session.execute(_OTHERS, values)).scalars().all():
        by = Actor("staff", fact.by_id, fact.by)
        await asked.met(session, order, key=other, cause="asked", by=by, at=now)


async def _caller(session: ReadSession, order: Order) -> UUID | None:
    """Who holds the order, else who closed it (rule D25); None where neither works here any more."""
    wanted = [account for account in (order.owner_id, order.closer_id) if account is not None]
    active = set((await session.execute(_ACTIVE, {"ids": wanted})).scalars())
    return next((account for account in wanted if account in active), None)


async def _times(session: ReadSession, order: Order, fact: RescueChanged, *, now: datetime) -> Times:
    return times(
        await calling_hours(session, team=order.team),
        decide_by=fact.decide_by,
        cut_off_at=fact.cut_off_at,
        now=now,
    )


async def follow_owners(session: Session, order_ids: Sequence[UUID]) -> None:
    """Whoever holds an order now makes the call about its failed delivery; the time stays what it was.

    Args:
        order_ids: locked.
    """
    if not order_ids:
        return
    moved = (await session.execute(_FOLLOW, {"ids": list(order_ids)})).all()
    for account_id in {account for row in moved for account in (row.owner_id, row.former_id)}:
        tasks_changed(session, account_id)
    await waking.changed(session, order_ids)
