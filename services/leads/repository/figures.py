"""Who got how many leads of a pool in a stretch of time, from the record of its rounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.leads.distribution import LEAD
from shared.db import ReadSession

# The first round from an instant on holds what everybody was owed before it; when there is none yet, what they are owed now.
_FIGURES: Final = text(
    """
WITH edges AS (
    SELECT (SELECT min(sequence) FROM distribution_rounds WHERE pool_id = :pool AND at >= :since) AS first,
        (SELECT min(sequence) FROM distribution_rounds WHERE pool_id = :pool AND at >= :till) AS next
), owed_before AS (
    SELECT CAST(e ->> 0 AS uuid) AS account_id, CAST(e ->> 2 AS bigint) AS credit
    FROM edges JOIN distribution_rounds r ON r.pool_id = :pool AND r.sequence = edges.first,
        jsonb_array_elements(r.members) AS e
), owed_after AS (
    SELECT CAST(e ->> 0 AS uuid) AS account_id, CAST(e ->> 2 AS bigint) AS credit
    FROM edges JOIN distribution_rounds r ON r.pool_id = :pool AND r.sequence = edges.next,
        jsonb_array_elements(r.members) AS e
    UNION ALL
    SELECT account_id, credit FROM pool_members WHERE pool_id = :pool AND (SELECT next FROM edges) IS NULL
), given AS (
    SELECT owner_id AS account_id, count(*) AS given, count(*) FILTER (WHERE cause <> 'sticky') AS turns
    FROM assignments, edges
    WHERE pool_id = :pool AND round >= edges.first AND (edges.next IS NULL OR round < edges.next) GROUP BY owner_id
)
SELECT account_id, coalesce(s.code, '') AS code, coalesce(g.given, 0) AS given, coalesce(g.turns, 0) AS turns,
    coalesce(a.credit, 0) / CAST(:lead AS double precision) AS owed_after,
    CASE WHEN (SELECT first FROM edges) IS NULL THEN coalesce(a.credit, 0) ELSE coalesce(b.credit, 0) END
        / CAST(:lead AS double precision) AS owed_before
FROM owed_after a FULL JOIN owed_before b USING (account_id) FULL JOIN given g USING (account_id)
    LEFT JOIN staff_members s USING (account_id)
ORDER BY code, account_id
"""
)


@dataclass(frozen=True, slots=True)
class Given:
    """What one member got; what they were owed counts leads."""

    account_id: UUID
    code: str
    given: int
    turns: int
    owed_after: float
    owed_before: float


async def of_day(session: ReadSession, pool_id: UUID, *, since: datetime, till: datetime) -> list[Given]:
    """What each member of a pool got in a stretch of time, by staff code."""
    rows = await session.execute(_FIGURES, {"pool": pool_id, "since": since, "till": till, "lead": LEAD})
    return [Given(**row._mapping) for row in rows]
