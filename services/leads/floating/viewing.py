"""The viewing lock: a number of the floating pool is looked at by one person at a time, and every look is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.leads.driver import Connection, Pool
from services.leads.errors import NumberBeingViewed
from services.leads.floating.limits import Limits
from shared.auth import Principal

# The row of a lead decides who looks at it; whoever finds it taken is told by whom. The one who looks goes on looking.
_LOCK: Final = """
INSERT INTO viewing_locks AS v (lead_id, account_id, code, since, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (lead_id) DO UPDATE SET account_id = excluded.account_id, code = excluded.code, until = excluded.until,
    since = CASE WHEN v.account_id = excluded.account_id AND v.until > $4 THEN v.since ELSE excluded.since END
WHERE v.account_id = excluded.account_id OR v.until <= $4
RETURNING v.since = $4 AS is_new
"""
_VIEW: Final = "INSERT INTO floating_views (id, lead_id, account_id, code, at) VALUES ($1, $2, $3, $4, $5)"
_VIEWER: Final = "SELECT code, until FROM viewing_locks WHERE lead_id = $1 AND account_id <> $2 AND until > $3"
_LEAVE: Final = "DELETE FROM viewing_locks WHERE lead_id = $1 AND account_id = $2"
_LOG: Final = """
SELECT id, account_id, code, at FROM floating_views WHERE lead_id = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3
"""


async def view(connection: Connection, lead_id: UUID, who: Principal, *, now: datetime, limits: Limits) -> datetime:
    """Somebody looks at a number, or goes on looking; returns until when they alone may.

    Raises:
        NumberBeingViewed: somebody else does.
    """
    until = now + limits.viewing
    locked = await connection.fetchrow(_LOCK, lead_id, who.account_id, who.code, now, until)
    if locked is None:
        await refuse_viewed(connection, lead_id, who, now=now, limits=limits)
        # Whoever looked has left since; the next to ask finds it free.
        return await view(connection, lead_id, who, now=now, limits=limits)
    if locked["is_new"]:
        await connection.execute(_VIEW, uuid7(), lead_id, who.account_id, who.code, now)
    return until


async def refuse_viewed(
    connection: Connection, lead_id: UUID, who: Principal, *, now: datetime, limits: Limits
) -> None:
    """
    Raises:
        NumberBeingViewed: somebody else looks at the number.
    """
    viewer = await connection.fetchrow(_VIEWER, lead_id, who.account_id, now)
    if viewer is not None:
        until = viewer["until"]
        raise NumberBeingViewed(viewer=viewer["code"], until=until.isoformat(), until_clock=limits.clock(until))


async def leave(connection: Connection | Pool, lead_id: UUID, account_id: UUID) -> None:
    """Somebody stops looking; nothing happens if they did not look."""
    await connection.execute(_LEAVE, lead_id, account_id)


async def log(pool: Pool, lead_id: UUID, *, after: UUID | None, limit: int) -> list[dict[str, object]]:
    """Who looked at a number, latest first."""
    return [dict(row) for row in await pool.fetch(_LOG, lead_id, after, limit)]
