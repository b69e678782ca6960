"""What people are told: reminders, numbers that came or went, and what is late below them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from shared.auth import Principal
from shared.db import ReadSession


class Notice(BaseModel):
    id: UUID
    order_id: UUID
    order_code: str
    kind: str = Field(
        description="due (reminder), given and taken_away (a number), claimed (somebody of the team took your call), "
        "asked (a colleague wants an answer); to superiors: overdue, taking_limit; to whoever distributes: no_owner"
    )
    owner_code: str
    at: datetime


class NoticePage(BaseModel):
    items: list[Notice]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


_PAGE: Final = text(
    """
SELECT n.id, n.order_id, o.code AS order_code, n.kind, o.owner_code, n.at
FROM notices n JOIN orders o ON o.id = n.order_id
WHERE (n.account_id = :viewer OR (:distributes AND n.account_id IS NULL))
  AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)


async def page(
    session: ReadSession, *, who: Principal, distributes: bool, limit: int, after: UUID | None
) -> NoticePage:
    """Notices to somebody, the newest first.

    Args:
        distributes: whether they are told of numbers that nobody has.
    """
    values = {"viewer": who.account_id, "distributes": distributes, "limit": limit, "after": after}
    rows = await session.execute(_PAGE, values)
    items = [Notice.model_validate(dict(row._mapping)) for row in rows]
    return NoticePage(items=items, next=items[-1].id if len(items) == limit else None)
