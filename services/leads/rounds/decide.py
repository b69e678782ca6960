"""Deciding: reads pools, members and backlog under the pools' locks, and lets the pure rules choose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.distribution import Member, Round, Standing, Waiting, distribute
from services.leads.driver import Connection
from services.leads.rounds.model import Decided, Fresh, Placed, snapshot_of

ROUND: Final = 500
"""Leads of a backlog that one round decides on: a transaction of about a tenth of a second."""

_LOCK: Final = """
SELECT id, rounds, sticky FROM pools WHERE id = ANY($1::uuid[]) AND active ORDER BY id FOR NO KEY UPDATE
"""
# A separate statement, so that it sees what was committed while this transaction waited for the locks.
_MEMBERS: Final = """
SELECT m.pool_id, m.account_id, m.weight, m.credit, m.capacity, coalesce(s.code, '') AS code, coalesce(s.team, '') AS team,
    CASE WHEN s.version > 0 AND s.active THEN CASE WHEN s.on_duty THEN 'on_duty' ELSE 'off_duty' END ELSE 'inactive' END
        AS standing
FROM pool_members m LEFT JOIN staff_members s USING (account_id) WHERE m.pool_id = ANY($1::uuid[])
"""
_LOADS: Final = """
SELECT owner_id, count(*) AS load FROM leads WHERE in_care AND owner_id = ANY($1::uuid[]) GROUP BY owner_id
"""
# Without the leads that none of those who are free may have, so that these never stand before all others.
_BACKLOG: Final = """
WITH p AS MATERIALIZED (
    SELECT id, string_to_array(free, ' ')::uuid[] AS free FROM unnest($1::uuid[], $2::text[]) AS f (id, free)
)
SELECT b.* FROM p CROSS JOIN LATERAL (
    SELECT pool_id, lead_id, cause, sticky_id, excluded FROM backlog
    WHERE pool_id = p.id AND (excluded = '{}' OR NOT p.free <@ excluded)
    ORDER BY received_at, lead_id LIMIT $3 FOR UPDATE
) b
"""
FITTING_POOL: Final = """
SELECT id FROM pools WHERE active
    AND (channels = '{}' OR d.channel = ANY(channels))
    AND (products = '{}' OR d.product = ANY(products))
    AND (landing_pages = '{}' OR d.landing_page = ANY(landing_pages))
ORDER BY position, id LIMIT 1
"""
"""The pool of a row `d` with channel, product and landing_page."""
_POOLS_OF: Final = f"""
SELECT ({FITTING_POOL}) AS pool_id
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS d (channel, product, landing_page, place) ORDER BY place
"""


async def pools_of(connection: Connection, dimensions: Sequence[tuple[str, str, str]]) -> list[UUID | None]:
    """The pool for each (channel, product, landing page): the first by position whose rules fit, or None."""
    rows = await connection.fetch(_POOLS_OF, *([*column] for column in zip(*dimensions, strict=True)))
    return [row["pool_id"] for row in rows]


async def decide(connection: Connection, pools: Iterable[UUID], fresh: Sequence[Fresh] = ()) -> Decided:
    """Decides on the backlog of pools, oldest first, and on fresh leads behind it. Locks the pools until the commit."""
    by_pool: dict[UUID, list[Fresh]] = defaultdict(list)
    unmatched = []
    for lead in fresh:
        if lead.pool_id is None:
            unmatched.append(lead)
        else:
            by_pool[lead.pool_id].append(lead)
    wanted = sorted({*pools, *by_pool})
    locked = await connection.fetch(_LOCK, wanted) if wanted else []
    # Before the members are looked at: whoever goes off duty from now on does so after the decision.
    decided = Decided(datetime.now(UTC), unplaced=unmatched)
    active = {row["id"]: row for row in locked}
    for pool_id in by_pool.keys() - active.keys():
        decided.unplaced += by_pool[pool_id]
    if not active:
        return decided
    members, people = await _members(connection, [*active])
    backlog = await _backlog(connection, members)
    for pool_id, pool in active.items():
        behind = by_pool[pool_id]
        if len(backlog[pool_id]) == ROUND:
            # There may be more that came earlier.
            decided.more = True
            decided.unplaced += behind
            behind = []
        _round(decided, pool, members[pool_id], people, backlog[pool_id], behind)
    return decided


async def members_now(connection: Connection, pool_id: UUID) -> list[Member]:
    """A pool's members as they stand now, for people to look at."""
    members, _ = await _members(connection, [pool_id])
    return members[pool_id]


async def _backlog(
    connection: Connection, members: Mapping[UUID, Iterable[Member]]
) -> dict[UUID, list[asyncpg.Record]]:
    """The oldest waiting leads of each pool in which somebody is free."""
    free = {
        pool_id: " ".join(str(member.account_id) for member in of_pool if member.free)
        for pool_id, of_pool in members.items()
    }
    able = [pool_id for pool_id, people in free.items() if people]
    backlog: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    if able:
        for row in await connection.fetch(_BACKLOG, able, [free[pool_id] for pool_id in able], ROUND):
            backlog[row["pool_id"]].append(row)
    return backlog


async def _members(
    connection: Connection, pools: Sequence[UUID]
) -> tuple[dict[UUID, list[Member]], dict[UUID, tuple[str, str]]]:
    rows = await connection.fetch(_MEMBERS, pools)
    bounded = {row["account_id"] for row in rows if row["capacity"] is not None and row["standing"] == Standing.ON_DUTY}
    loads = {row["owner_id"]: row["load"] for row in await connection.fetch(_LOADS, sorted(bounded))} if bounded else {}
    members: dict[UUID, list[Member]] = defaultdict(list)
    for row in rows:
        members[row["pool_id"]].append(
            Member(
                row["account_id"],
                weight=row["weight"],
                credit=row["credit"],
                standing=Standing(row["standing"]),
                load=loads.get(row["account_id"], 0),
                capacity=row["capacity"],
            )
        )
    return members, {row["account_id"]: (row["code"], row["team"]) for row in rows}


def _round(
    decided: Decided,
    pool: asyncpg.Record,
    members: Sequence[Member],
    people: Mapping[UUID, tuple[str, str]],
    backlog: Sequence[asyncpg.Record],
    fresh: Sequence[Fresh],
) -> None:
    """Decides one pool's round and adds it."""
    causes = {row["lead_id"]: row["cause"] for row in backlog}
    by_id = {lead.lead_id: lead for lead in fresh}
    queue = [Waiting(row["lead_id"], row["sticky_id"], tuple(row["excluded"])) for row in backlog]
    queue += [lead.waiting for lead in fresh]
    if not pool["sticky"]:
        queue = [Waiting(waiting.lead_id, excluded=waiting.excluded) for waiting in queue]
    outcome = distribute(members, queue)
    decided.unplaced += [by_id[waiting.lead_id] for waiting in outcome.left if waiting.lead_id in by_id]
    if not outcome.decisions:
        return
    sequence = pool["rounds"] + 1
    for position, decision in enumerate(outcome.decisions):
        lead = by_id.get(decision.waiting.lead_id)
        cause = lead.cause if lead else causes[decision.waiting.lead_id]
        code, team = people[decision.owner_id]
        decided.placed.append(
            Placed(
                decision,
                pool["id"],
                sequence,
                position,
                cause=decision.cause if cause == "distribution" else cause,
                code=code,
                team=team,
                previous_owner_id=lead.holder_id if lead else None,
                reason=lead.reason if lead else "",
            )
        )
    decided.rounds.append((pool["id"], sequence, snapshot_of(members)))
    decided.credits += _changed_credits(pool["id"], members, outcome)


def _changed_credits(pool_id: UUID, before: Iterable[Member], outcome: Round) -> list[tuple[UUID, UUID, int]]:
    credits = {member.account_id: member.credit for member in before}
    return [
        (pool_id, member.account_id, member.credit)
        for member in outcome.members
        if member.credit != credits[member.account_id]
    ]
