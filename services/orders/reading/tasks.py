"""Due lists: what a person, or a team, has to do, by the time at which it is due."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, shown_phone, viewer
from shared.auth import Principal
from shared.db import ReadSession


class TaskItem(BaseModel):
    """Something that somebody owes a customer."""

    id: UUID
    order_id: UUID
    order_code: str
    kind: str = Field(description="call or message")
    step: str = Field(examples=["no_answer_2"])
    name_vi: str = Field(examples=["Gọi lại lần 2"])
    name_en: str
    promise: str = Field(description="first_call, retry, callback, follow_up, message")
    due_at: datetime
    deadline_at: datetime = Field(description="after it the promise is broken")
    overdue: bool
    reminded_at: datetime | None
    owner_id: UUID | None
    to_team: bool = Field(description="whoever of the team is free does it")
    customer: str
    phone: str = Field(examples=["0912345678"])
    level: str
    product: str
    returning_customer: bool


class TaskPage(BaseModel):
    items: list[TaskItem]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


_PAGE: Final = """
SELECT t.id, t.order_id, o.code AS order_code, t.kind, t.step, t.name_vi, t.name_en, t.promise, t.due_at, t.deadline_at,
    t.deadline_at < :now AS overdue, t.reminded_at, t.owner_id, t.team, t.to_team, o.name AS customer,
    o.phone, o.level, o.product, o.returning_customer, o.owner_id AS order_owner, o.closer_id, o.level_since
FROM tasks t JOIN orders o ON o.id = t.order_id
WHERE t.closed_at IS NULL AND {condition} {further}
ORDER BY t.due_at, t.id LIMIT :limit
"""
_FURTHER: Final = "AND (t.due_at, t.id) > (SELECT due_at, id FROM tasks WHERE id = :after)"


async def page(
    session: ReadSession, *, who: Principal, team: str | None, limit: int, after: UUID | None, now: datetime
) -> TaskPage:
    """Open tasks, the one due first on top.

    Args:
        team: that team's tasks as far as the viewer may see them, instead of the viewer's own.
    """
    condition = "t.owner_id = :viewer"
    values: dict[str, Any] = {"viewer": who.account_id}
    if team is not None:
        condition, values = f"t.team = :team_asked AND {VISIBLE}", {**viewer(who), "team_asked": team}
    query = text(_PAGE.format(condition=condition, further=_FURTHER if after is not None else ""))
    if after is not None:
        values["after"] = after
    rows = (await session.execute(query, {**values, "now": now, "limit": limit})).all()
    items = [_item(dict(row._mapping), who=who, now=now) for row in rows]
    return TaskPage(items=items, next=items[-1].id if len(items) == limit else None)


def _item(row: dict[str, Any], *, who: Principal, now: datetime) -> TaskItem:
    phone = shown_phone(
        row["phone"],
        who=who,
        # A task for the whole team is for whoever calls, who needs the number.
        owner_id=who.account_id if row["to_team"] and row["team"] == who.team else row["order_owner"],
        closer_id=row["closer_id"],
        is_open=True,
        level_since=row["level_since"],
        now=now,
    )
    return TaskItem.model_validate({**row, "phone": phone})
