"""“Đã gọi khách”: somebody logs a call about a failed delivery by hand, whether the customer was reached or not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.promises.claim import TaskClosed, TaskNotFound
from services.orders.promises.live import desk_changed, tasks_changed
from services.orders.record import Order
from services.orders.rescue import waking
from shared.auth import Principal
from shared.db import Session
from shared.errors import Problem


class NoRescueCall(Problem):
    type = "no-rescue-call"
    status = 409
    vi = "Việc này không phải cuộc gọi cứu đơn. Ghi cuộc gọi ở đơn hàng."
    en = "This task is no call about a failed delivery. Log the call at its order."


class NewAttempt(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reached": True, "note": "khách hẹn nhận chiều mai"}]}
    )

    reached: bool = Field(description="true: you spoke with the customer; false: nobody answered, busy, switched off")
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Attempt(BaseModel):
    id: UUID
    task_id: UUID
    at: datetime
    reached: bool
    note: str
    by: str = Field(description="staff code")


_TASK: Final = text("SELECT origin, owner_id, closed_at FROM tasks WHERE id = :id")
_LOG: Final = text(
    """
WITH logged AS (
    INSERT INTO rescue_attempts (id, task_id, order_id, at, reached, note, by_id, by_code)
    VALUES (:id, :task_id, :order_id, :at, :reached, :note, :by_id, :by)
)
UPDATE rescue_calls SET called_at = :at, called_by = :by WHERE task_id = :task_id AND :reached AND called_at IS NULL
"""
)


async def log(
    session: Session, order: Order, task_id: UUID, made: NewAttempt, *, who: Principal, now: datetime
) -> Attempt:
    """Logs a call. One in which the customer was reached ends the waiting for the COD desk's turn.

    Args:
        order: of the task, locked, and visible to whoever asks.

    Raises:
        TaskNotFound, TaskClosed, NoRescueCall: it cannot be logged so.
    """
    task = (await session.execute(_TASK, {"id": task_id})).one_or_none()
    if task is None:
        raise TaskNotFound
    if task.origin != "rescue":
        raise NoRescueCall
    if task.closed_at is not None:
        raise TaskClosed
    attempt = Attempt(id=uuid7(), task_id=task_id, at=now, reached=made.reached, note=made.note, by=who.code)
    await session.execute(_LOG, {**attempt.model_dump(), "order_id": order.id, "by_id": who.account_id})
    await waking.changed(session, [order.id])
    tasks_changed(session, task.owner_id, who.account_id)
    desk_changed(session)
    return attempt
