"""Numbers that nobody claims in time leave the floating pool for the archive (rule D14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.leads import events
from services.leads.driver import Connection, Pool, write_outbox

_ARCHIVE: Final = """
UPDATE leads SET archived_at = $1 WHERE id IN (
    SELECT id FROM leads WHERE floating_since <= $2 AND archived_at IS NULL
    ORDER BY floating_since, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
) RETURNING id, assignment
"""
_FORGET_LOCKS: Final = """
DELETE FROM viewing_locks WHERE lead_id IN (
    SELECT lead_id FROM viewing_locks WHERE until < $1 ORDER BY lead_id LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


async def forget_locks(connection: Connection | Pool, *, before: datetime) -> None:
    """Removes viewing locks that are long over; nobody asks for them any more."""
    await connection.execute(_FORGET_LOCKS, before)


async def archive(connection: Connection, *, stay: timedelta, now: datetime, limit: int) -> int:
    """Archives what has lain in the pool for `stay`, in the caller's transaction; returns how many.

    Nothing waits for it: a number that is over its time is neither listed nor claimed from that instant on.
    """
    rows = await connection.fetch(_ARCHIVE, now, now - stay, limit)
    await write_outbox(connection, [events.archived(row["id"], row["assignment"], at=now) for row in rows])
    return len(rows)
