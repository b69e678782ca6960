"""Numbers that nobody claims in time leave the floating pool for the archive (rule D14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.leads import events
from services.leads.driver import Connection, write_outbox

BATCH: Final = 500
"""Leads archived in one transaction."""

_ARCHIVE: Final = """
UPDATE leads SET archived_at = $1 WHERE id IN (
    SELECT id FROM leads WHERE floating_since <= $2 AND archived_at IS NULL
    ORDER BY floating_since, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
) RETURNING id, assignment
"""


async def archive(connection: Connection, *, stay: timedelta, now: datetime) -> bool:
    """Archives what has lain in the pool for `stay`, in the caller's transaction; True when there may be more.

    Nothing waits for it: a number that is over its time is neither listed nor claimed from that instant on.
    """
    rows = await connection.fetch(_ARCHIVE, now, now - stay, BATCH)
    await write_outbox(connection, [events.archived(row["id"], row["assignment"], at=now) for row in rows])
    return len(rows) == BATCH
