"""What distribution does by itself: takes numbers away that care asked for, and serves the backlog.

Somebody who comes on duty is served at once (`consumers`); this is for everything else that makes room, and for what a
dying process left undone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads import events, rounds
from services.leads.driver import Connection, Pool, write_outbox
from services.leads.rounds import FITTING_POOL, Fresh, Release
from shared.db import Database

PAUSE: Final = 1.0
"""Seconds between looks when there was nothing to do."""
REQUESTS: Final = 200
"""Reassignments of one transaction."""
MATCH_EVERY: Final = 60.0
"""Seconds between looks at waiting leads without a pool. Rules change by the API, which looks at once."""

_MATCH: Final = f"""
UPDATE backlog b SET pool_id = m.pool_id
FROM (
    SELECT d.lead_id, ({FITTING_POOL}) AS pool_id
    FROM (
        SELECT w.lead_id, l.channel, l.product, l.landing_page FROM backlog w JOIN leads l ON l.id = w.lead_id
        WHERE w.pool_id IS NULL OR w.pool_id IN (SELECT id FROM pools WHERE NOT active)
        FOR UPDATE OF w SKIP LOCKED
    ) d
) m
WHERE m.lead_id = b.lead_id AND m.pool_id IS DISTINCT FROM b.pool_id
"""
_SERVABLE: Final = """
SELECT id FROM pools WHERE active AND EXISTS (SELECT 1 FROM backlog WHERE pool_id = pools.id)
    AND EXISTS (SELECT 1 FROM pool_members m JOIN staff_members s USING (account_id)
                WHERE m.pool_id = pools.id AND s.version > 0 AND s.active AND s.on_duty)
"""
_REQUESTS: Final = """
DELETE FROM reassignment_requests r USING (
    SELECT lead_id, assignment FROM reassignment_requests ORDER BY lead_id LIMIT $1 FOR UPDATE SKIP LOCKED
) due
WHERE (r.lead_id, r.assignment) = (due.lead_id, due.assignment) RETURNING r.lead_id, r.assignment, r.target, r.reason
"""
_ASKED: Final = """
SELECT id, channel, product, landing_page FROM leads WHERE id = ANY($1::uuid[]) AND owner_id IS NOT NULL
"""
_LOCK_POOLS: Final = "SELECT 1 FROM pools WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_HELD: Final = """
SELECT id, owner_id, assignment, received_at FROM leads
WHERE id = ANY($1::uuid[]) AND owner_id IS NOT NULL ORDER BY id FOR NO KEY UPDATE
"""


async def match_waiting(connection: Connection | Pool) -> None:
    """Gives waiting leads without an active pool to the first whose rules fit."""
    await connection.execute(_MATCH)


async def serve(connection: Connection, pools: Sequence[UUID]) -> rounds.Decided:
    """One round of each pool's backlog, in the caller's transaction, with its facts in the outbox."""
    decided = await rounds.decide(connection, pools)
    owned = await rounds.record(connection, decided)
    await write_outbox(connection, [events.assigned(fact) for fact in owned])
    return decided


async def take_away(connection: Connection) -> int:
    """Decides on reassignments that care asked for, in the caller's transaction. Returns how many requests it took.

    A request whose assignment is not the present one any more is ignored: the number has moved on. Whoever held the
    number cannot get it back; when nobody else can take it, it waits in the backlog without an owner.
    """
    requests = {row["lead_id"]: row for row in await connection.fetch(_REQUESTS, REQUESTS)}
    if not requests:
        return 0
    asked = await connection.fetch(_ASKED, list(requests))
    pools = await _pools(connection, [row for row in asked if requests[row["id"]]["target"] == "another"])
    await connection.fetch(_LOCK_POOLS, sorted({pool_id for pool_id in pools.values() if pool_id}))
    fresh: list[Fresh] = []
    releases: list[Release] = []
    for row in await connection.fetch(_HELD, [row["id"] for row in asked]):
        request = requests[row["id"]]
        if request["assignment"] != row["assignment"]:
            continue
        if request["target"] == "floating_pool":
            releases.append(Release(row["id"], row["owner_id"], "floating_pool", request["reason"]))
            continue
        fresh.append(
            Fresh(
                row["id"],
                pools[row["id"]],
                row["received_at"],
                cause="reassignment",
                excluded=(row["owner_id"],),
                holder_id=row["owner_id"],
                reason=request["reason"],
            )
        )
    decided = await rounds.decide(connection, (), fresh)
    owned = await rounds.record(connection, decided)
    for lead in decided.unplaced:
        assert lead.holder_id is not None, "only held leads are asked for"
        releases.append(Release(lead.lead_id, lead.holder_id, "reassignment", lead.reason))
    released = await rounds.release(connection, releases, at=datetime.now(UTC))
    rows = [events.assigned(fact) for fact in owned] + [events.released(fact) for fact in released]
    await write_outbox(connection, rows)
    return len(requests)


async def _pools(connection: Connection, leads: Sequence[asyncpg.Record]) -> dict[UUID, UUID | None]:
    if not leads:
        return {}
    dimensions = [(row["channel"], row["product"], row["landing_page"]) for row in leads]
    found = await rounds.pools_of(connection, dimensions)
    return {row["id"]: pool_id for row, pool_id in zip(leads, found, strict=True)}


class Distributor:
    """Keeps distributing until cancelled. Several at once share the work."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._matched_at = float("-inf")

    async def run(self) -> None:
        while True:
            if not await self.step():
                await asyncio.sleep(PAUSE)

    async def step(self) -> bool:
        """Does what is to be done now, in short transactions; True when there may be more."""
        pool = await self._db.driver()
        if time.monotonic() - self._matched_at > MATCH_EVERY:
            await match_waiting(pool)
            self._matched_at = time.monotonic()
        async with pool.acquire() as connection, connection.transaction():
            taken = await take_away(connection)
        servable = [row["id"] for row in await pool.fetch(_SERVABLE)]
        more = False
        if servable:
            async with pool.acquire() as connection, connection.transaction():
                decided = await serve(connection, servable)
            more = bool(decided.placed) and decided.more
        if taken or servable:
            self._db.wake_relay()
        return taken == REQUESTS or more
