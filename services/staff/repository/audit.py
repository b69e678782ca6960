"""Who did what to accounts: append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.staff.models import AuditEntry
from shared.db import ReadSession, Session

What = Literal["password_reset"]

_WRITE: Final = text("INSERT INTO account_audit VALUES (:id, :account_id, :what, :by, :at)")
_PAGE: Final = text(
    """
SELECT id, what, by, at FROM account_audit
WHERE account_id = :account_id AND (CAST(:after AS uuid) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit
"""
)


async def write(session: Session, account_id: UUID, what: What, *, by: str, at: datetime) -> None:
    """
    Args:
        by: staff code, or user@host of somebody with access to the machine.
    """
    await session.execute(_WRITE, {"id": uuid7(), "account_id": account_id, "what": what, "by": by, "at": at})


async def page(session: ReadSession, account_id: UUID, *, limit: int, after: UUID | None) -> list[AuditEntry]:
    """What was done to an account, the last first."""
    rows = await session.execute(_PAGE, {"account_id": account_id, "limit": limit, "after": after})
    return [AuditEntry(**row._mapping) for row in rows]
