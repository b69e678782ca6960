"""What people are told: reminders, numbers that came or went, and what is late below them, which they acknowledge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders.promises.live import tasks_changed
from shared.auth import Principal
from shared.contracts.permissions import LEADS_DISTRIBUTE, SHIPPING_WRITE
from shared.db import ReadSession, Session
from shared.errors import NotFound


class NoticeNotFound(NotFound):
    vi = "Không tìm thấy thông báo này, hoặc nó gửi cho người khác."
    en = "There is no such notice, or it was for somebody else."


class Notice(BaseModel):
    id: UUID
    order_id: UUID
    order_code: str
    kind: str = Field(
        description="due (reminder), given and taken_away (a number), claimed (somebody of the team took your call), "
        "asked (a colleague wants an answer), handed_over (the COD desk has your call about a failed delivery too), decided "
        "(somebody else told the carrier, so you need not call); to superiors: overdue, taking_limit; to whoever "
        "distributes: no_owner; to the COD desk: to_desk"
    )
    owner_code: str
    at: datetime
    acknowledged_at: datetime | None


class NoticePage(BaseModel):
    items: list[Notice]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class EscalatedTask(BaseModel):
    """What is late, as it stands now."""

    id: UUID
    name_vi: str
    name_en: str
    owner_code: str = Field(description="who has to do it now; empty while it is open to the team, or nobody holds it")
    to_team: bool
    due_at: datetime
    deadline_at: datetime
    closed_at: datetime | None
    outcome: str | None = Field(description="done, cancelled; null while it is open")


class Escalation(BaseModel):
    """Something that was told to a superior, or to whoever distributes."""

    id: UUID
    kind: str = Field(
        description="overdue; no_owner; taking_limit (the owner lost so many untouched numbers that they are off duty)"
    )
    at: datetime
    order_id: UUID
    order_code: str
    level: str
    owner_code: str = Field(description="who holds the number now")
    task: EscalatedTask | None
    sentence_vi: str = Field(description="who must do what by when, and why")
    sentence_en: str
    looks_again_at: datetime | None = Field(description="when the process takes its next step by itself")
    acknowledged_at: datetime | None
    acknowledged_by: str
    remark: str


class EscalationPage(BaseModel):
    items: list[Escalation]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class Acknowledgement(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"remark": "đã nhắc NV012 gọi ngay"}]})

    remark: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


ESCALATED: Final = ("overdue", "no_owner", "taking_limit")

_MINE: Final = """(n.account_id = :viewer
    OR (n.account_id IS NULL AND CASE n.kind WHEN 'to_desk' THEN CAST(:desk AS boolean) ELSE :distributes END))"""
_PAGE: Final = text(
    f"""
SELECT n.id, n.order_id, o.code AS order_code, n.kind, o.owner_code, n.at, n.acknowledged_at
FROM notices n JOIN orders o ON o.id = n.order_id
WHERE {_MINE} AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)
_ESCALATIONS: Final = text(
    f"""
SELECT n.id, n.kind, n.at, n.order_id, o.code AS order_code, o.level, o.owner_code, t.id AS task_id, t.name_vi, t.name_en,
    coalesce((SELECT code FROM staff_members WHERE account_id = t.owner_id AND version > 0), '') AS task_owner, t.to_team,
    t.due_at, t.deadline_at, t.closed_at, t.outcome, coalesce(c.sentence_vi, '') AS sentence_vi,
    coalesce(c.sentence_en, '') AS sentence_en, CASE WHEN c.is_open THEN c.next_due END AS looks_again_at,
    n.acknowledged_at, n.acknowledged_by, n.remark
FROM notices n JOIN orders o ON o.id = n.order_id
LEFT JOIN tasks t ON t.order_id = n.order_id AND t.key = n.task_key LEFT JOIN care c ON c.order_id = n.order_id
WHERE {_MINE} AND n.kind = ANY(:kinds) AND (NOT :waiting OR n.acknowledged_at IS NULL)
    AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)
_ACKNOWLEDGE: Final = text(
    f"""
UPDATE notices n SET acknowledged_at = coalesce(acknowledged_at, :now),
    acknowledged_by_id = coalesce(acknowledged_by_id, :viewer), acknowledged_by = CASE
        WHEN acknowledged_at IS NULL THEN :code ELSE acknowledged_by END,
    remark = CASE WHEN acknowledged_at IS NULL THEN :remark ELSE remark END
WHERE id = :id AND {_MINE} RETURNING account_id
"""
)


def _reader(who: Principal) -> dict[str, Any]:
    return {"viewer": who.account_id, "distributes": who.may(LEADS_DISTRIBUTE), "desk": who.may(SHIPPING_WRITE)}


async def page(session: ReadSession, *, who: Principal, limit: int, after: UUID | None) -> NoticePage:
    """Notices to somebody, the newest first; who may distribute is told of numbers that nobody has."""
    rows = await session.execute(_PAGE, {**_reader(who), "limit": limit, "after": after})
    items = [Notice.model_validate(dict(row._mapping)) for row in rows]
    return NoticePage(items=items, next=items[-1].id if len(items) == limit else None)


async def escalations(
    session: ReadSession, *, who: Principal, waiting: bool, limit: int, after: UUID | None
) -> EscalationPage:
    """What was escalated to somebody, the newest first, with what has become of it.

    Args:
        waiting: only what nobody has acknowledged.
    """
    values = {**_reader(who), "kinds": list(ESCALATED), "waiting": waiting, "limit": limit, "after": after}
    items = [_escalation(row) for row in await session.execute(_ESCALATIONS, values)]
    return EscalationPage(items=items, next=items[-1].id if len(items) == limit else None)


def _escalation(row: Any) -> Escalation:
    values = dict(row._mapping)
    task = None
    if row.task_id is not None:
        task = EscalatedTask.model_validate({**values, "id": row.task_id, "owner_code": row.task_owner})
    return Escalation.model_validate({**values, "task": task})


async def acknowledge(
    session: Session, notice_id: UUID, wanted: Acknowledgement, *, who: Principal, now: datetime
) -> None:
    """Says that whoever was told knows of it; the first time counts.

    Raises:
        NoticeNotFound: there is none of this id for them.
    """
    values = {"id": notice_id, "now": now, "code": who.code, "remark": wanted.remark, **_reader(who)}
    if (await session.execute(_ACKNOWLEDGE, values)).first() is None:
        raise NoticeNotFound
    tasks_changed(session, who.account_id)
