"""The alarm: a new number that has waited too long for an owner is raised, once, whoever asks how often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.leads import events
from services.leads.driver import Connection, write_outbox
from services.leads.waiting.hours import waiting_since
from shared.calendar import Calendar

# Only numbers that never had an owner: for the others their care tells the manager.
_RAISE: Final = """
UPDATE backlog b SET raised_at = $1 FROM (
    SELECT lead_id FROM backlog WHERE raised_at IS NULL AND cause = 'distribution' AND received_at <= $2
    ORDER BY received_at LIMIT $3 FOR UPDATE SKIP LOCKED
) late WHERE b.lead_id = late.lead_id RETURNING b.lead_id, b.pool_id, b.received_at
"""


async def raise_late(connection: Connection, calendar: Calendar, *, after: timedelta, now: datetime, limit: int) -> int:
    """Raises what has waited for `after` of business time, in the caller's transaction; returns how many."""
    threshold = waiting_since(calendar, now=now, waited=after)
    rows = await connection.fetch(_RAISE, now, threshold, limit)
    facts = [
        events.unassigned(
            row["lead_id"],
            row["pool_id"],
            received_at=row["received_at"],
            at=now,
            waited=calendar.elapsed(row["received_at"], now),
        )
        for row in sorted(rows, key=lambda row: (row["received_at"], row["lead_id"]))
    ]
    await write_outbox(connection, facts)
    return len(rows)
