"""“Nhắc lại sau”: a task that is due steps back for some minutes, within what was promised.

The promise does not move: due time, deadline, reminders and escalations stay what they are, and only the place on the
list changes. So a snooze never reaches beyond the deadline of the step, and never out of the hours in which the number
may be called.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.care.gate import window_name
from services.orders.care.grounds import Ground
from services.orders.care.process import CareProcess
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.contact import known
from services.orders.promises.claim import TaskClosed
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from shared.auth import Principal
from shared.contracts.events.orders import TASK_SNOOZED, TaskSnoozed
from shared.db import Session
from shared.errors import Problem
from shared.outbox import emit

_MINUTE: Final = timedelta(minutes=1)


class NotYourTask(Problem):
    type = "not-your-task"
    status = 403
    vi = "Việc này của {owner}. Chỉ người đang giữ việc mới hoãn nhắc được."
    en = "This task is {owner}'s. Only who has to do it can snooze it."


class SnoozeTooLong(Problem):
    type = "snooze-too-long"
    status = 422
    vi = "Mỗi lần hoãn nhiều nhất {minutes} phút. Chọn ít phút hơn."
    en = "A task can be snoozed for {minutes} minutes at a time. Take fewer."


class SnoozeBeyondDeadline(Problem):
    type = "snooze-beyond-deadline"
    status = 422
    vi = "Chỉ hoãn được đến {latest}: sau đó là trễ hẹn. Chọn ít phút hơn, hoặc gọi bây giờ."
    en = "It can be snoozed until {latest}; after that the promise is broken. Take fewer minutes, or call now."


class SnoozeTooLate(Problem):
    type = "snooze-too-late"
    status = 409
    vi = "Việc này đã trễ hẹn từ {since} nên không hoãn được nữa. Gọi ngay."
    en = "This task is overdue since {since} and cannot be snoozed any more. Call now."


class SnoozedTooOften(Problem):
    type = "snoozed-too-often"
    status = 409
    vi = "Việc này hoãn được nhiều nhất {times} lần, đã hết. Gọi ngay, hoặc ghi kết quả."
    en = "This task can be snoozed {times} times, and no more. Call now, or log a result."


class SnoozeOutsideHours(Problem):
    type = "snooze-outside-hours"
    status = 422
    vi = "Lúc {until} không được gọi số này; giờ được gọi hiện tại kết thúc lúc {closes}. Chọn ít phút hơn."
    en = "The number may not be called at {until}; the present hours end at {closes}. Take fewer minutes."


class Snooze(BaseModel):
    """For how long a task steps back, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"minutes": 5, "reason": "đang tư vấn khách khác"}]}
    )

    minutes: int = Field(ge=1, le=240)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


@dataclass(frozen=True)
class Limits:
    """How far a snooze goes: as the settings say, unless the step of the task says something else."""

    minutes: int
    times: int

    def of_step(self, process: CareProcess, *, step: str, kind: str) -> Limits:
        """The limits of a task.

        Args:
            kind: of the task; a message beside the step's own task has the company's limits.
        """
        own = process.steps[step].snooze if process.steps[step].task == kind else None
        if own is None:
            return self
        return Limits(
            minutes=own.at_most // _MINUTE if own.at_most is not None else self.minutes,
            times=own.times if own.times is not None else self.times,
        )


class Snoozed(BaseModel):
    task_id: UUID
    snoozed_until: datetime
    snoozes: int
    left: int = Field(description="how often it can be snoozed still")
    latest: datetime = Field(description="the deadline, beyond which it cannot")


_TASK: Final = text(
    """
SELECT t.id, t.key, t.step, t.kind, t.promise, t.origin, t.due_at, t.deadline_at, t.shown_at, t.snoozes, t.owner_id, t.closed_at,
    (SELECT code FROM staff_members WHERE account_id = t.owner_id AND version > 0) AS owner_code
FROM tasks t WHERE t.id = :id
"""
)
_SNOOZE: Final = text(
    """
WITH noted AS (
    INSERT INTO task_snoozes (id, task_id, by_id, by_code, at, until, reason)
    VALUES (:snooze_id, :id, :by_id, :by_code, :at, :until, :reason)
)
UPDATE tasks SET snoozed_until = :until, snoozes = snoozes + 1 WHERE id = :id
"""
)


async def snooze(
    session: Session,
    processes: Processes,
    order: Order,
    task_id: UUID,
    wanted: Snooze,
    *,
    who: Principal,
    limits: Limits,
    zone: ZoneInfo,
    now: datetime,
) -> Snoozed:
    """Puts a task back on its owner's list.

    Args:
        order: of the task, locked.
        limits: of the company.
        zone: in which times are told.

    Raises:
        TaskClosed, NotYourTask, SnoozedTooOften, SnoozeTooLate, SnoozeTooLong, SnoozeBeyondDeadline,
        SnoozeOutsideHours: each tells the limit.
    """
    task = (await session.execute(_TASK, {"id": task_id})).one()
    until = max(now, task.shown_at) + timedelta(minutes=wanted.minutes)
    process = None
    if task.origin == "care":
        care = await lock_care(session, order.id)
        assert care is not None  # it made the task
        process = await processes.get(session, care.process, care.process_version, now=now, team=order.team)
        limits = limits.of_step(process, step=task.step, kind=task.kind)
    _check(task, who, until=until, wanted=wanted, limits=limits, zone=zone, now=now)
    if process is not None:
        ground = (await known.of_order(session, order.id, now=now)).ground(by=task.kind, at=now)
        asked = isinstance(ground, Ground) and ground.asked
        _check_hours(process, task, asked=asked, until=until, zone=zone, now=now)
    values = {"id": task.id, "by_id": who.account_id, "by_code": who.code, "at": now, "until": until}
    await session.execute(_SNOOZE, {**values, "snooze_id": uuid7(), "reason": wanted.reason})
    snoozed = TaskSnoozed(
        task_id=task.id,
        order_id=order.id,
        kind=task.promise,
        at=now,
        until=until,
        times=task.snoozes + 1,
        owner_id=who.account_id,
        owner_code=who.code,
    )
    await emit(session, TASK_SNOOZED, snoozed, subject=order.id)
    tasks_changed(session, who.account_id)
    return Snoozed(
        task_id=task.id,
        snoozed_until=until,
        snoozes=task.snoozes + 1,
        left=limits.times - task.snoozes - 1,
        latest=task.deadline_at,
    )


def _check(
    task: Any, who: Principal, *, until: datetime, wanted: Snooze, limits: Limits, zone: ZoneInfo, now: datetime
) -> None:
    if task.closed_at is not None:
        raise TaskClosed
    if task.owner_id != who.account_id:
        raise NotYourTask(owner=task.owner_code or "?")
    if now > task.deadline_at:
        raise SnoozeTooLate(since=_shown(task.deadline_at, zone))
    if task.snoozes >= limits.times:
        raise SnoozedTooOften(times=limits.times)
    if wanted.minutes > limits.minutes:
        raise SnoozeTooLong(minutes=limits.minutes)
    if until > task.deadline_at:
        raise SnoozeBeyondDeadline(latest=_shown(task.deadline_at, zone))


def _check_hours(
    process: CareProcess, task: Any, *, asked: bool, until: datetime, zone: ZoneInfo, now: datetime
) -> None:
    calendar = process.calendar(window_name(process, task=task.kind, asked=asked))
    if calendar.is_open(until):
        return
    since = max(now, task.shown_at)  # inside the hours, as every task is due in them
    closes = since + calendar.elapsed(since, until)
    raise SnoozeOutsideHours(until=_shown(until, zone), closes=_shown(closes, zone))


def _shown(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M %d/%m}"
