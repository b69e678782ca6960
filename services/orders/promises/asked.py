"""Promises that do not belong to the care process: what one colleague asks of another about an order (kind `answer`).

Such a promise has a task like any other, so it stands on the due list, is announced, can be snoozed, and ends once:
kept when it was answered, broken by `waiting.py` when its deadline passes (and made good if the answer comes later), or
cancelled. The care process neither sees nor touches it (`tasks.origin`).

    order = await lock_visible(session, order_id, who)          # the order's row first, as everywhere
    request = asked.Request(subject_id=note.id, owner_id=…, asked_by_id=…, due_at=…, deadline_at=…)
    await asked.ask(session, order, request, now=now)
    await asked.answered(session, order, subject_id=note.id, by=staff(who), at=now)
    await asked.withdraw(session, order, subject_id=note.id, cause="note_deleted", at=now)
    await asked.give(session, order, subject_id=note.id, owner_id=…)

Each may be called twice; the second call changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.care.process import Text
from services.orders.promises.ending import end_promise, make_good
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from shared.db import Session, wake_after_commit
from shared.errors import Problem

ANSWER: Final = "answer"
"""The kind of the task and of its promise."""
WAITING: Final = "promises"
"""Wakes whoever waits for these promises in this process."""
NAME: Final = Text(vi="Trả lời đồng nghiệp", en="Answer a colleague")


class DueInThePast(Problem):
    type = "due-in-the-past"
    status = 422
    vi = "Hạn trả lời đã qua. Chọn một thời điểm sau bây giờ."
    en = "The time by which to answer is over. Choose one after now."


@dataclass(frozen=True)
class Request:
    """What is asked of whom.

    Args:
        subject_id: the note, or its mention of this colleague; asked once each.
        owner_id: who should answer.
        due_at: when it stands on their list as due.
        deadline_at: after it the promise is broken.
        name: what the due list says.
        promise_id: of the promise that is made.
    """

    subject_id: UUID
    owner_id: UUID
    asked_by_id: UUID
    due_at: datetime
    deadline_at: datetime
    name: Text = NAME
    promise_id: UUID = field(default_factory=uuid7)


_ASK: Final = text(
    """
WITH task AS (
    INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, due_at, deadline_at,
        opened_at, origin, subject_id, asked_by_id)
    VALUES (:id, :order_id, :key, '', :kind, :kind, :name_vi, :name_en, :owner_id, :team, :due_at, :deadline_at,
        :now, 'note', :subject_id, :asked_by_id)
    ON CONFLICT (order_id, key) DO NOTHING RETURNING id
), promise AS (
    INSERT INTO promises (id, order_id, task_key, kind, owner_id, due_at, deadline_at, made_at)
    SELECT CAST(:promise_id AS uuid), :order_id, :key, :kind, :owner_id, :due_at, :deadline_at, :now FROM task
), told AS (
    INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
    SELECT CAST(:notice_id AS uuid), :order_id, CAST(:notice_key AS text), :owner_id, 'asked', :key, :now FROM task
)
SELECT id FROM task
"""
)
_TASK: Final = text(
    "SELECT due_at, deadline_at, owner_id FROM tasks WHERE order_id = :order_id AND key = :key AND closed_at IS NULL"
)
_CLOSE: Final = text(
    """
UPDATE tasks SET closed_at = :at, outcome = :outcome, cause = :cause, snoozed_until = NULL
WHERE order_id = :order_id AND key = :key AND closed_at IS NULL
"""
)


_GIVE: Final = text(
    """
WITH promise AS (
    UPDATE promises SET owner_id = :owner_id WHERE order_id = :order_id AND task_key = :key AND ended_at IS NULL
)
UPDATE tasks SET owner_id = :owner_id WHERE order_id = :order_id AND key = :key AND closed_at IS NULL
"""
)


def key_of(subject_id: UUID) -> str:
    """The key of the task and promise about a note."""
    return f"{ANSWER}:{subject_id}"


async def ask(session: Session, order: Order, request: Request, *, now: datetime) -> bool:
    """Makes the promise, with its task and a notice; false if it was made before.

    Args:
        order: locked.

    Raises:
        DueInThePast: it would be broken as soon as it is made.
    """
    if request.due_at <= now or request.deadline_at < request.due_at:
        raise DueInThePast
    made = await session.execute(
        _ASK,
        {
            "id": uuid7(),
            "promise_id": request.promise_id,
            "notice_id": uuid7(),
            "notice_key": f"{key_of(request.subject_id)}/asked",
            "order_id": order.id,
            "key": key_of(request.subject_id),
            "kind": ANSWER,
            "name_vi": request.name.vi,
            "name_en": request.name.en,
            "owner_id": request.owner_id,
            "team": order.team,
            "due_at": request.due_at,
            "deadline_at": request.deadline_at,
            "subject_id": request.subject_id,
            "asked_by_id": request.asked_by_id,
            "now": now,
        },
    )
    if made.first() is None:
        return False
    tasks_changed(session, request.owner_id)
    wake_after_commit(session, WAITING)
    return True


async def answered(session: Session, order: Order, *, subject_id: UUID, by: Actor, at: datetime) -> bool:
    """It was answered, by whomever: the promise is kept, or made good if it had been broken. False: nothing was open.

    Args:
        order: locked.
    """
    return await met(session, order, key=key_of(subject_id), cause="answered", by=by, at=at)


async def met(session: Session, order: Order, *, key: str, cause: str, by: Actor, at: datetime) -> bool:
    """What a task outside the care process asks for was done. False: nothing was open.

    Args:
        order: locked.
        key: of the task and its promise.
        cause: what did it, as a code.
    """
    task = (await session.execute(_TASK, {"order_id": order.id, "key": key})).one_or_none()
    if task is None:
        return False
    late = int(max(at - task.due_at, timedelta()).total_seconds())
    if at > task.deadline_at:  # nobody has looked since: it broke at its own time, whoever notices
        overrun = int((task.deadline_at - task.due_at).total_seconds())
        await end_promise(
            session,
            order,
            task_key=key,
            at=task.deadline_at,
            outcome="broken",
            cause="overdue",
            late_seconds=overrun,
        )
    kept = await end_promise(session, order, task_key=key, at=at, outcome="kept", cause=cause, late_seconds=late, by=by)
    if not kept:
        await make_good(session, order, task_key=key, at=at, late_seconds=late, by=by)
    await session.execute(_CLOSE, {"order_id": order.id, "key": key, "at": at, "outcome": "done", "cause": cause})
    tasks_changed(session, task.owner_id)
    return True


async def withdraw(session: Session, order: Order, *, subject_id: UUID, cause: str, at: datetime) -> bool:
    """It need not be answered any more: the promise is cancelled. False: nothing was open.

    Args:
        order: locked.
        cause: why, as a code.
    """
    return await cancelled(session, order, key=key_of(subject_id), cause=cause, at=at)


async def cancelled(session: Session, order: Order, *, key: str, cause: str, at: datetime) -> bool:
    """A task outside the care process is not needed any more. False: nothing was open. Arguments as above."""
    task = (await session.execute(_TASK, {"order_id": order.id, "key": key})).one_or_none()
    if task is None:
        return False
    await end_promise(session, order, task_key=key, at=at, outcome="cancelled", cause=cause)
    await session.execute(_CLOSE, {"order_id": order.id, "key": key, "at": at, "outcome": "cancelled", "cause": cause})
    tasks_changed(session, task.owner_id)
    return True


async def give(session: Session, order: Order, *, subject_id: UUID, owner_id: UUID) -> bool:
    """Somebody else has to answer, as at a hand-over; the time stays what it was. False: nothing was open.

    Args:
        order: locked.
    """
    values = {"order_id": order.id, "key": key_of(subject_id)}
    task = (await session.execute(_TASK, values)).one_or_none()
    if task is None:
        return False
    await session.execute(_GIVE, {**values, "owner_id": owner_id})
    tasks_changed(session, task.owner_id, owner_id)
    return True
