"""What distribution does by itself: takes numbers away that care asked for, and serves the backlog.

Whoever comes on duty, into a shift or into a pool is served in the transaction that says so (`consumers`, `api.pools`).
This is for what makes room besides: a lead that leaves care (`consumers` wakes it), the clock (a shift begins, a pause
ends, a new day renews quotas: it wakes by itself at that instant), and what a dying process left undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads import events, rounds
from services.leads.distribution import CLOSER, RETURNING
from services.leads.driver import Connection, Pool, write_new, write_outbox
from services.leads.returning import Known, ask_first
from services.leads.rounds import FITTING_POOL, Fresh, Release, utc_now
from shared.db import Database
from shared.lifecycle import until_set

DISTRIBUTOR: Final = "distributor"
"""Wakes the distributor of this process (`wake_after_commit`)."""
PAUSE: Final = 1.0
"""Seconds between looks when nothing woke it."""
REQUESTS: Final = 200
"""Reassignments of one transaction."""
MATCH_EVERY: Final = 60.0
"""Seconds between looks at waiting leads without a pool. Rules change by the API, which looks at once."""

_MATCH: Final = f"""
UPDATE backlog b SET pool_id = m.pool_id, channel = m.channel, product = m.product, landing_page = m.landing_page
FROM (
    SELECT d.lead_id, d.channel, d.product, d.landing_page,
        CASE WHEN d.stays THEN d.pool_id ELSE ({FITTING_POOL}) END AS pool_id
    FROM (
        SELECT w.lead_id, w.pool_id, l.channel, l.product, l.landing_page, w.reason IN ('{CLOSER}', '{RETURNING}') AS stays
        FROM backlog w JOIN leads l ON l.id = w.lead_id
        WHERE w.pool_id IS NULL OR w.pool_id IN (SELECT id FROM pools WHERE NOT active)
            OR (w.channel, w.product, w.landing_page) IS DISTINCT FROM (l.channel, l.product, l.landing_page)
        FOR UPDATE OF w SKIP LOCKED
    ) d
) m
WHERE m.lead_id = b.lead_id AND (m.pool_id IS DISTINCT FROM b.pool_id
    OR (m.channel, m.product, m.landing_page) IS DISTINCT FROM (b.channel, b.product, b.landing_page))
"""
_WAITED_FOR: Final = "SELECT id FROM pools WHERE active AND EXISTS (SELECT 1 FROM backlog WHERE pool_id = pools.id)"
_ZONE: Final = "SELECT zone FROM company"
_KEEP_ZONE: Final = "UPDATE company SET zone = $1 WHERE zone <> $1"
_REQUESTS: Final = """
SELECT lead_id, assignment, target, reason, at FROM reassignment_requests ORDER BY lead_id, assignment LIMIT $1
"""
# Behind the leads, as whoever links or merges leads does it; what somebody else takes away just now is theirs to take.
_DONE: Final = """
DELETE FROM reassignment_requests r USING (
    SELECT lead_id, assignment FROM reassignment_requests
    WHERE (lead_id, assignment) IN (SELECT * FROM unnest($1::uuid[], $2::integer[]))
    ORDER BY lead_id, assignment FOR UPDATE SKIP LOCKED
) done
WHERE (r.lead_id, r.assignment) = (done.lead_id, done.assignment)
"""
# Those that somebody holds, and those that lie in the floating pool or its archive while there is something to do again: their
# customer has left the number once more. Spam stays with whoever held it: care asked before it heard of the mark.
_ASKED: Final = """
SELECT id, channel, product, landing_page,
    (SELECT a.owner_id FROM assignments a WHERE a.lead_id = leads.id AND a.owner_id IS NOT NULL
     ORDER BY a.assignment DESC LIMIT 1) AS last_owner_id
FROM leads WHERE id = ANY($1::uuid[]) AND spam = '' AND (owner_id IS NOT NULL OR in_care)
"""
_HELD: Final = """
SELECT id, owner_id, assignment, received_at, channel, product, landing_page FROM leads
WHERE id = ANY($1::uuid[]) AND spam = '' AND (owner_id IS NOT NULL OR in_care) ORDER BY id FOR NO KEY UPDATE
"""
# What waits already goes on waiting, and what was closed or ended after care had asked stays with whoever did that.
_STAY: Final = """
SELECT lead_id FROM backlog WHERE lead_id = ANY($1::uuid[])
UNION ALL
SELECT l.id FROM unnest($1::uuid[], $2::timestamptz[]) AS asked (lead_id, at) JOIN leads l ON l.id = asked.lead_id
    JOIN lead_levels v ON (v.lead_id, v.sequence) = (l.id, l.level_sequence) WHERE NOT l.in_care AND v.at > asked.at
"""


async def match_waiting(connection: Connection | Pool) -> None:
    """Gives waiting leads without an active pool, or whose product, channel or page was corrected, to the first whose
    rules fit."""
    await connection.execute(_MATCH)


async def serve(
    connection: Connection, pools: Sequence[UUID], *, now: Callable[[], datetime] = utc_now
) -> rounds.Decided:
    """One round of each pool's backlog, in the caller's transaction, with its facts in the outbox."""
    decided = await rounds.decide(connection, pools, now=now)
    owned = await rounds.record(connection, decided)
    await write_new(connection, events.assigned(owned))
    return decided


async def take_away(connection: Connection) -> int:
    """Decides on reassignments that care asked for, in the caller's transaction. Returns how many requests it took.

    A request whose assignment is not the present one any more is ignored: the number has moved on. So is one that was made
    before somebody closed or ended the order. Whoever holds the number cannot get it back; when nobody else can take it, it
    waits in the backlog without an owner. Of a number that nobody holds, the last holder is asked first, as of one that comes
    again (rule D8).
    """
    due = await connection.fetch(_REQUESTS, REQUESTS)
    if not due:
        return 0
    requests = {row["lead_id"]: row for row in due}
    asked = await connection.fetch(_ASKED, list(requests))
    pools = await _pools(connection, [row for row in asked if requests[row["id"]]["target"] == "another"])
    await rounds.lock(connection, (pool_id for pool_id in pools.values() if pool_id))
    held = await connection.fetch(_HELD, [row["id"] for row in asked])
    # A separate statement: it sees what was committed while this transaction waited for the leads.
    ids = [row["id"] for row in held]
    stay = {row["lead_id"] for row in await connection.fetch(_STAY, ids, [requests[one]["at"] for one in ids])}
    fresh: list[Fresh] = []
    releases: list[Release] = []
    for row in held:
        request = requests[row["id"]]
        if request["assignment"] != row["assignment"] or row["id"] in stay:
            continue
        if request["target"] == "floating_pool":
            if row["owner_id"] is not None:
                releases.append(Release(row["id"], row["owner_id"], "floating_pool", request["reason"]))
            continue
        fresh.append(
            Fresh(
                row["id"],
                pools[row["id"]],
                row["received_at"],
                cause="reassignment",
                excluded=(row["owner_id"],) if row["owner_id"] is not None else (),
                holder_id=row["owner_id"],
                reason=request["reason"],
                topic=(row["channel"], row["product"], row["landing_page"]),
            )
        )
    last_owners = {row["id"]: row["last_owner_id"] for row in asked}
    known = {lead.lead_id: Known((), last_owners[lead.lead_id], False) for lead in fresh if lead.holder_id is None}
    decided = await rounds.decide(connection, (), await ask_first(connection, fresh, known))
    owned = await rounds.record(connection, decided)
    releases += [Release(lead.lead_id, lead.holder_id, "reassignment", lead.reason) for lead in decided.unplaced]
    released = await rounds.release(connection, releases, at=datetime.now(UTC))
    rows = events.assigned(owned) + [events.released(fact) for fact in released]
    await write_outbox(connection, rows)
    await connection.execute(_DONE, [row["lead_id"] for row in due], [row["assignment"] for row in due])
    return len(due)


async def _pools(connection: Connection, leads: Sequence[asyncpg.Record]) -> dict[UUID, UUID | None]:
    if not leads:
        return {}
    dimensions = [(row["channel"], row["product"], row["landing_page"]) for row in leads]
    found = await rounds.pools_of(connection, dimensions)
    return {row["id"]: pool_id for row, pool_id in zip(leads, found, strict=True)}


class Distributor:
    """Keeps distributing until cancelled. Several at once share the work.

    Args:
        db: the service's database.
        pause: seconds between looks when nothing woke it.
        now: the clock.
        zone: the company's, written down for all processes; None leaves it as it is.
    """

    def __init__(
        self, db: Database, *, pause: float = PAUSE, now: Callable[[], datetime] = utc_now, zone: str | None = None
    ) -> None:
        self._db = db
        self._zone = zone
        self._pause = pause
        self._now = now
        self._matched_at = float("-inf")
        self._wake_at: datetime | None = None

    async def run(self) -> None:
        if self._zone is not None:
            await (await self._db.driver()).execute(_KEEP_ZONE, self._zone)
        woken = self._db.waker(DISTRIBUTOR)
        while True:
            woken.clear()
            if not await self.step():
                await until_set(woken, at_most=self._idle)

    @property
    def _idle(self) -> float:
        """Seconds until the next look by itself."""
        if self._wake_at is None:
            return self._pause
        return min(self._pause, max(0.0, (self._wake_at - self._now()).total_seconds()))

    async def step(self) -> bool:
        """Does what is to be done now, in short transactions; True when there may be more."""
        pool = await self._db.driver()
        if time.monotonic() - self._matched_at > MATCH_EVERY:
            await match_waiting(pool)
            self._matched_at = time.monotonic()
        async with pool.acquire() as connection, connection.transaction():
            taken = await take_away(connection)
        servable = await self._servable(pool)
        more = False
        if servable:
            async with pool.acquire() as connection, connection.transaction():
                decided = await serve(connection, servable, now=self._now)
            more = bool(decided.placed) and decided.more
        if taken or servable:
            self._db.wake_relay()
        return taken == REQUESTS or more

    async def _servable(self, pool: Pool) -> list[UUID]:
        """Pools that leads wait for and in which somebody is free. Notes when the clock may free others."""
        self._wake_at = None
        waited_for = [row["id"] for row in await pool.fetch(_WAITED_FOR)]
        if not waited_for:
            return []
        async with pool.acquire() as connection:
            people = await rounds.people_now(connection, waited_for, at=self._now())
            self._wake_at = people.next_change(await connection.fetchval(_ZONE))
        return [pool_id for pool_id in waited_for if people.free(pool_id)]
