"""“Nhận gọi”: whoever of the team is free takes a call that was opened to all of them, exactly one of them.

The number stays with its owner, who is told; the promise was theirs and was broken, and it says who met it in the end.
A call about a failed delivery that the COD desk has is taken by one of the desk; its owner keeps it on their list.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders import record
from services.orders.access import VISIBLE, viewer
from services.orders.promises.live import desk_changed, tasks_changed
from services.orders.record import Order
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_CARE, SHIPPING_WRITE
from shared.db import Session
from shared.errors import Forbidden, NotFound, Problem


class TaskNotFound(NotFound):
    vi = "Không tìm thấy việc này. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such task, or you may not see it. Check the id."


class TaskClosed(Problem):
    type = "task-closed"
    status = 409
    vi = "Việc này đã xong hoặc không còn cần nữa. Tải lại danh sách."
    en = "This task is done or not needed any more. Load the list again."


class TaskTaken(Problem):
    type = "task-taken"
    status = 409
    vi = "{by} đã nhận cuộc gọi này trước bạn. Chọn việc khác."
    en = "{by} was faster and has taken this call. Choose another one."


class NotOpenToTeam(Problem):
    type = "task-not-open-to-team"
    status = 409
    vi = "Việc này vẫn của {owner}, chỉ mở cho cả nhóm khi đã trễ hẹn. Nhờ {owner} làm, hoặc chờ đến lúc đó."
    en = "This task is still {owner}'s and opens to the team once it is late. Ask {owner}, or wait until then."


_OF_TASK: Final = text("SELECT order_id FROM tasks WHERE id = :id")
_TASK: Final = text(
    f"""
SELECT t.key, t.kind, t.name_vi, t.owner_id, t.team, t.to_team, t.to_desk, t.closed_at, t.claimed_by_id,
    (SELECT code FROM staff_members WHERE account_id = t.claimed_by_id AND version > 0) AS claimed_code,
    (SELECT code FROM staff_members WHERE account_id = t.owner_id AND version > 0) AS owner_code,
    {VISIBLE} AS visible
FROM tasks t JOIN orders o ON o.id = t.order_id WHERE t.id = :id
"""
)
_CLAIM: Final = text(
    """
UPDATE tasks SET owner_id = :by_id, to_team = false, claimed_by_id = :by_id, claimed_at = :at
WHERE id = :id AND closed_at IS NULL AND to_team
"""
)
_CLAIM_OF_DESK: Final = text(
    """
WITH promise AS (
    UPDATE promises SET owner_id = :by_id
    WHERE order_id = :order_id AND task_key = :key AND ended_at IS NULL AND owner_id IS NULL
)
UPDATE tasks SET to_team = false, claimed_by_id = :by_id, claimed_at = :at WHERE id = :id
"""
)
_TELL_OWNER: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
VALUES (:id, :order_id, :key, :account_id, 'claimed', :task_key, :at) ON CONFLICT (order_id, key) DO NOTHING
"""
)


async def lock_order_of(session: Session, task_id: UUID) -> Order:
    """The order of a task, held until the transaction ends: it is always locked before its tasks.

    Raises:
        TaskNotFound: there is no such task.
    """
    order_id = (await session.execute(_OF_TASK, {"id": task_id})).scalar()
    order = await record.lock(session, order_id) if order_id is not None else None
    if order is None:
        raise TaskNotFound
    return order


async def claim(session: Session, order: Order, task_id: UUID, *, who: Principal, now: datetime) -> bool:
    """Gives a call that is open to the team to whoever asks first; false if it was theirs already.

    Args:
        order: of the task, locked.

    Raises:
        TaskNotFound, TaskClosed, TaskTaken, NotOpenToTeam, Forbidden: it cannot be taken.
    """
    task = (await session.execute(_TASK, {"id": task_id, **viewer(who)})).one()
    if not (task.visible or (who.team and task.team == who.team)):
        raise TaskNotFound
    if task.closed_at is not None:
        raise TaskClosed
    if task.claimed_by_id == who.account_id:
        return False
    values = {"id": task_id, "by_id": who.account_id, "at": now}
    if task.to_desk and task.claimed_by_id is None and who.may(SHIPPING_WRITE):
        await session.execute(_CLAIM_OF_DESK, {**values, "order_id": order.id, "key": task.key})
    elif not task.to_team:
        _refuse(task)
    elif not who.may(ORDERS_CARE):
        raise Forbidden(permission=ORDERS_CARE)
    else:
        await session.execute(_CLAIM, values)
    if order.owner_id is not None and order.owner_id != who.account_id:
        notice = {
            "id": uuid7(),
            "order_id": order.id,
            "key": f"{task.key}/claimed:{order.assignment}",
            "account_id": order.owner_id,
            "task_key": task.key,
            "at": now,
        }
        await session.execute(_TELL_OWNER, notice)
    tasks_changed(session, who.account_id, order.owner_id)
    tasks_changed(session, None, team=task.team)
    if task.to_desk:
        desk_changed(session)
    return True


def _refuse(task: Any) -> None:
    if task.claimed_by_id is not None:
        raise TaskTaken(by=task.claimed_code or task.owner_code or "?")
    raise NotOpenToTeam(owner=task.owner_code or "?")
