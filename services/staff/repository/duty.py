"""The on-duty switch and its history."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.staff.models import DutySwitch
from shared.db import ReadSession, Session

_HOLD = text("SELECT active FROM accounts WHERE id = :id FOR SHARE")
_SWITCH = text(
    """
WITH switched AS (
    UPDATE duty SET on_duty = :on_duty, version = version + 1
    WHERE account_id = :id AND on_duty <> :on_duty
    RETURNING account_id, version, on_duty
)
INSERT INTO duty_history (account_id, version, on_duty, at, by)
SELECT account_id, version, on_duty, :at, :by FROM switched
RETURNING version, on_duty, at, by
"""
)
_HISTORY = text(
    """
SELECT version, on_duty, at, by FROM duty_history
WHERE account_id = :id AND (CAST(:before AS integer) IS NULL OR version < :before)
ORDER BY version DESC LIMIT :limit
"""
)


async def hold_active(session: Session, account_id: UUID) -> bool:
    """Whether an account is active; it stays so until the commit."""
    return (await session.execute(_HOLD, {"id": account_id})).scalar() is True


async def switch(session: Session, account_id: UUID, *, on_duty: bool, at: datetime, by: str) -> DutySwitch | None:
    """Switches somebody's duty; None if it stands so already.

    Args:
        by: staff code of who switched.
    """
    row = (await session.execute(_SWITCH, {"id": account_id, "on_duty": on_duty, "at": at, "by": by})).one_or_none()
    return DutySwitch(**row._mapping) if row else None


async def history(session: ReadSession, account_id: UUID, *, limit: int, before: int | None) -> list[DutySwitch]:
    """Switches of an account, newest first."""
    rows = await session.execute(_HISTORY, {"id": account_id, "limit": limit, "before": before})
    return [DutySwitch(**row._mapping) for row in rows]
