"""Entries of the do-not-call list that are over by themselves: their leads lose the mark, the other services hear of it.

Whoever takes a lead in looks at the list itself; this is for what was marked before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.leads.consent import do_not_call
from services.leads.driver import Connection, write_outbox

_DUE: Final = """
SELECT DISTINCT phone FROM (
    SELECT phone FROM do_not_call WHERE until <= now() AND lapsed_at IS NULL ORDER BY until LIMIT $1
) d
"""
_LAPSE: Final = """
UPDATE do_not_call SET lapsed_at = now() WHERE phone = ANY($1::text[]) AND until <= now() AND lapsed_at IS NULL
RETURNING phone
"""


async def lapse(connection: Connection, *, at: datetime, limit: int) -> int:
    """Marks and tells numbers with entries that have ended, in the caller's transaction; returns how many."""
    due = [row["phone"] for row in await connection.fetch(_DUE, limit)]
    if not due:
        return 0
    await do_not_call.lock(connection, due)
    phones = {row["phone"] for row in await connection.fetch(_LAPSE, due)}  # not what was prolonged meanwhile
    await write_outbox(connection, await do_not_call.tell(connection, sorted(phones), at=at))
    return len(due)
