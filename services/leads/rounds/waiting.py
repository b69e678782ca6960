"""The backlog as a round takes it up: the oldest leads that somebody who is free may have.

Leads that none of those who are free may have, because they are excluded or not skilled, are never among them, so they
stand in nobody's way however many there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.distribution import Member
from services.leads.driver import Connection

ROUND: Final = 500
"""Leads of a backlog that one round decides on: a transaction of about a tenth of a second."""

_OLDEST: Final = """
SELECT b.* FROM (SELECT id, string_to_array(free, ' ')::uuid[] AS free FROM unnest($1::uuid[], $2::text[]) AS f (id, free)) p
CROSS JOIN LATERAL (
    SELECT pool_id, lead_id FROM backlog WHERE pool_id = p.id AND (excluded = '{}' OR NOT p.free <@ excluded)
    ORDER BY received_at, lead_id LIMIT $3
) b
"""
# Jumps from one topic to the next in the index, so its cost does not grow with the leads that wait.
_TOPICS: Final = """
WITH RECURSIVE t AS (
    (SELECT pool_id, channel, product, landing_page FROM backlog WHERE pool_id = ANY($1::uuid[])
     ORDER BY pool_id, channel, product, landing_page LIMIT 1)
    UNION ALL
    SELECT n.* FROM t CROSS JOIN LATERAL (
        SELECT b.pool_id, b.channel, b.product, b.landing_page FROM backlog b
        WHERE b.pool_id = ANY($1::uuid[])
            AND (b.pool_id, b.channel, b.product, b.landing_page) > (t.pool_id, t.channel, t.product, t.landing_page)
        ORDER BY b.pool_id, b.channel, b.product, b.landing_page LIMIT 1
    ) n
)
SELECT * FROM t
"""
_OLDEST_OF_TOPICS: Final = """
SELECT b.* FROM (
    SELECT id, channel, product, page, string_to_array(free, ' ')::uuid[] AS free
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) AS f (id, channel, product, page, free)
) p
CROSS JOIN LATERAL (
    SELECT pool_id, lead_id, received_at FROM backlog
    WHERE (pool_id, channel, product, landing_page) = (p.id, p.channel, p.product, p.page)
        AND (excluded = '{}' OR NOT p.free <@ excluded)
    ORDER BY received_at, lead_id LIMIT $6
) b
ORDER BY b.received_at, b.lead_id
"""
_LOCK_LEADS: Final = "SELECT 1 FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
# A separate statement, so that it sees what was committed while this transaction waited for the leads: whoever takes one
# out of the backlog has its lead locked.
_STILL: Final = """
SELECT b.pool_id, b.lead_id, b.received_at, b.cause, b.sticky_id, b.excluded, b.reason, b.channel, b.product, b.landing_page
FROM backlog b WHERE b.lead_id = ANY($1::uuid[]) AND b.pool_id = ANY($2::uuid[])
ORDER BY b.received_at, b.lead_id
"""


async def oldest_of(
    connection: Connection, members: Mapping[UUID, Sequence[Member]]
) -> tuple[dict[UUID, list[asyncpg.Record]], set[UUID]]:
    """The oldest waiting leads of each pool, locked, and the pools that may have more of them than one round takes."""
    able = {pool_id: free for pool_id, of_pool in members.items() if (free := [one for one in of_pool if one.free])}
    if not able:
        return {}, set()
    skilled = [pool_id for pool_id, free in able.items() if any(member.skills is not None for member in free)]
    plain = [pool_id for pool_id in able if pool_id not in skilled]
    found: dict[UUID, list[UUID]] = defaultdict(list)
    if plain:
        for row in await connection.fetch(_OLDEST, plain, [_accounts(able[pool_id]) for pool_id in plain], ROUND):
            found[row["pool_id"]].append(row["lead_id"])
    if skilled:
        for row in await _oldest_of_topics(connection, {pool_id: able[pool_id] for pool_id in skilled}):
            found[row["pool_id"]].append(row["lead_id"])
    more = {pool_id for pool_id, leads in found.items() if len(leads) >= ROUND}
    wanted = [lead_id for leads in found.values() for lead_id in leads[:ROUND]]
    backlog: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    if wanted:
        await connection.fetch(_LOCK_LEADS, wanted)
        for row in await connection.fetch(_STILL, wanted, list(able)):
            backlog[row["pool_id"]].append(row)
    return backlog, more


async def _oldest_of_topics(connection: Connection, able: Mapping[UUID, Sequence[Member]]) -> list[asyncpg.Record]:
    served = []
    for row in await connection.fetch(_TOPICS, list(able)):
        topic = row["channel"], row["product"], row["landing_page"]
        skilled = [member for member in able[row["pool_id"]] if member.takes(topic)]
        if skilled:
            served.append((row["pool_id"], *topic, _accounts(skilled)))
    if not served:
        return []
    return await connection.fetch(_OLDEST_OF_TOPICS, *([*column] for column in zip(*served, strict=True)), ROUND)


def _accounts(members: Sequence[Member]) -> str:
    return " ".join(str(member.account_id) for member in members)
