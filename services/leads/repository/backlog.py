"""The backlog as people look at it: pages of what waits, oldest arrival first, over all pools or of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from shared.db import ReadSession

# Ordered by the pool too, as the index is: PostgreSQL takes it for one pool's only where that is not null.
_OLDEST: Final = """
SELECT received_at, lead_id FROM backlog
WHERE {of} AND (received_at, lead_id) > (place.received_at, place.id)
    AND (CAST(:until AS timestamptz) IS NULL OR (
        received_at <= :until AND (cause = 'distribution' OR since <= :until)))
ORDER BY pool_id, received_at, lead_id LIMIT :limit
"""
# The index knows the order within a pool only. Pools are few: the oldest of each are merged, and what else waits is not
# looked at. What was taken from somebody came before it was taken, so nothing that arrived behind `until` has waited since.
_STATEMENT: Final = f"""
SELECT b.lead_id, b.pool_id, p.name AS pool, b.received_at, b.since, b.cause, b.raised_at, l.channel, l.product,
    l.landing_page
FROM (
    SELECT oldest.* FROM (
        SELECT CAST('-infinity' AS timestamptz) AS received_at, CAST('00000000-0000-0000-0000-000000000000' AS uuid) AS id
        WHERE CAST(:after AS uuid) IS NULL
        UNION ALL SELECT received_at, id FROM leads WHERE id = CAST(:after AS uuid)
    ) AS place CROSS JOIN LATERAL (
        SELECT of_pool.* FROM pools CROSS JOIN LATERAL ({_OLDEST.format(of="pool_id = pools.id")}) AS of_pool
        WHERE CAST(:pool AS uuid) IS NULL OR pools.id = CAST(:pool AS uuid)
        UNION ALL
        SELECT of_none.* FROM ({_OLDEST.format(of="pool_id IS NULL AND CAST(:pool AS uuid) IS NULL")}) AS of_none
    ) AS oldest
    ORDER BY oldest.received_at, oldest.lead_id LIMIT :limit
) AS oldest JOIN backlog b ON b.lead_id = oldest.lead_id JOIN leads l ON l.id = b.lead_id LEFT JOIN pools p ON p.id = b.pool_id
ORDER BY b.received_at, b.lead_id
"""
_PAGE: Final = text(_STATEMENT)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead that waits for an owner.

    `since` is when it came into the backlog, `raised_at` when its managers were told.
    """

    lead_id: UUID
    pool_id: UUID | None
    pool: str | None
    received_at: datetime
    since: datetime
    cause: str
    raised_at: datetime | None
    channel: str
    product: str
    landing_page: str


async def page(
    session: ReadSession, *, pool_id: UUID | None, until: datetime | None = None, after: UUID | None, limit: int
) -> list[Waiting]:
    """What waits, oldest arrival first.

    Args:
        pool_id: only what waits in this pool.
        until: only what has waited since then or longer: a new number since it arrived, another since it was taken.
        after: the last lead of the page before.
    """
    rows = await session.execute(_PAGE, {"pool": pool_id, "until": until, "after": after, "limit": limit})
    return [Waiting(**row._mapping) for row in rows]
