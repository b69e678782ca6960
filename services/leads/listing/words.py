"""The words that leads are searched by, of those that came many at once: they get them behind their commit.

Writing a lead would take twice as long if it waited for its words (decision 0019). A search reads the first
`LOOKED_AT` of those that still wait one by one, so people find what they have just brought in; of more it says so.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import text

from services.leads.driver import Connection
from shared.db import Database, ReadSession

PART: Final = 500
"""Leads of a row of `lead_words_due` at most, as the trigger `leads_came` writes them."""
LOOKED_AT: Final = 4 * PART
"""Leads without words that a search reads one by one: some fifty milliseconds."""
AT_ONCE: Final = 2
"""Rows of `lead_words_due` of one transaction, some tens of milliseconds."""
PAUSE: Final = 1.0
"""Seconds between looks for leads without words."""

# Who is deleted meanwhile (an undone import) is waited for, and left out.
_KEEP: Final = """
WITH due AS (
    DELETE FROM lead_words_due
    WHERE id IN (SELECT id FROM lead_words_due ORDER BY id LIMIT $1 FOR UPDATE {others}) RETURNING lead_ids
), held AS (
    SELECT id, name, note, address, phone, other_phones FROM leads
    WHERE id IN (SELECT unnest(lead_ids) FROM due) ORDER BY id FOR KEY SHARE
), kept AS (
    INSERT INTO lead_words SELECT id, words_of(name, note, address, phone, other_phones) FROM held
    ON CONFLICT (lead_id) DO NOTHING
)
SELECT count(*) FROM due
"""
_LAST: Final = "SELECT coalesce(max(id), 0) FROM lead_words_due"
_LEFT: Final = "SELECT EXISTS (SELECT 1 FROM lead_words_due WHERE id <= $1)"
_BEHIND: Final = text(
    """
SELECT coalesce(sum(cardinality(lead_ids)), 0)
FROM (SELECT lead_ids FROM lead_words_due ORDER BY id OFFSET :looked_at) AS behind
"""
)


async def catch_up(connection: Connection) -> bool:
    """Gives words to leads that wait for them, oldest first, in one transaction; whether there may be more."""
    taken: int = await connection.fetchval(_KEEP.format(others="SKIP LOCKED"), AT_ONCE)
    return taken > 0


async def catch_up_with_all(connection: Connection) -> None:
    """Gives words to all leads that wait for them now, and waits for those that others are giving them."""
    last = await connection.fetchval(_LAST)
    while await connection.fetchval(_LEFT, last):
        await connection.execute(_KEEP.format(others=""), AT_ONCE)


async def behind(session: ReadSession) -> int:
    """How many leads no search for words finds yet."""
    found: int = (await session.execute(_BEHIND, {"looked_at": LOOKED_AT // PART})).scalar_one()
    return found


class WordKeeper:
    """Keeps catching up until cancelled. Several at once share the work."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self) -> None:
        while True:
            if not await self.step():
                await asyncio.sleep(PAUSE)

    async def step(self) -> bool:
        """Whether there may be more."""
        async with (await self._db.driver()).acquire() as connection:
            return await catch_up(connection)
