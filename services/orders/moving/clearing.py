"""Old moves forget what they meant for each care: the counts stay with the move, and that a care was moved stays on the
timeline of its order (`care_moves`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.orders.moving import store
from shared.db import Database

MOST: Final = 5_000
"""Cares forgotten in one transaction: some tenths of a second."""

# A move that runs is not old, however long ago it was asked for.
_OLDEST: Final = text(
    """
SELECT id, counts FROM process_moves
WHERE created_at < :before AND coalesce(ended_at, started_at, created_at) < :before AND cleared_at IS NULL
    AND state NOT IN ('previewing', 'moving')
ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
)
_KEEP_COUNTS: Final = text("UPDATE process_moves SET counts = CAST(:counts AS jsonb) WHERE id = :id")
_FORGET: Final = text(
    """
WITH forgotten AS (
    DELETE FROM process_move_cares WHERE move_id = :id AND order_id IN (
        SELECT order_id FROM process_move_cares WHERE move_id = :id ORDER BY order_id LIMIT :limit)
    RETURNING 1
)
SELECT count(*) FROM forgotten
"""
)
_CLEARED: Final = text("UPDATE process_moves SET cleared_at = :now WHERE id = :id")


async def clear(db: Database, *, before: datetime, now: datetime) -> bool:
    """Forgets a bounded number of cares of the oldest move that ended before an instant; True if there may be more.

    Killed half-way it goes on: the counts are kept before the first care is forgotten.
    """
    async with db.transaction() as session:
        move: Any = (await session.execute(_OLDEST, {"before": before})).one_or_none()
        if move is None:
            return False
        if move.counts is None:
            counted = (await store.counts(session, [move]))[move.id]
            await session.execute(_KEEP_COUNTS, {"id": move.id, "counts": counted.model_dump_json()})
        forgotten = (await session.execute(_FORGET, {"id": move.id, "limit": MOST})).scalar_one()
        if forgotten < MOST:
            await session.execute(_CLEARED, {"id": move.id, "now": now})
    return True
