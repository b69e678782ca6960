"""Deciding: reads pools, members and backlog under the pools' locks, and lets the pure rules choose."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.distribution import STICKY, TURN, Member, Round, distribute
from services.leads.driver import Connection
from services.leads.rounds.model import Decided, Fresh, Placed, snapshot_of
from services.leads.rounds.people import People, people_of
from services.leads.rounds.waiting import oldest_of

_LOCK: Final = """
SELECT p.id, p.rounds, c.zone FROM pools p, company c
WHERE p.id = ANY($1::uuid[]) AND p.active ORDER BY p.id FOR NO KEY UPDATE OF p
"""
_ZONE: Final = "SELECT zone FROM company"
FITTING_POOL: Final = """
SELECT id FROM pools WHERE active
    AND (channels = '{}' OR d.channel = ANY(channels))
    AND (products = '{}' OR lower(d.product) = ANY(SELECT lower(code) FROM unnest(products) AS code))
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


def utc_now() -> datetime:
    return datetime.now(UTC)


async def lock(connection: Connection, pools: Iterable[UUID]) -> None:
    """Holds pools and what is counted of their members until the commit, for whoever locks leads before they `decide`."""
    wanted = sorted(set(pools))
    locked = await connection.fetch(_LOCK, wanted) if wanted else []
    if locked:
        await people_of(connection, [row["id"] for row in locked], at=utc_now(), zone=locked[0]["zone"], lock=True)


async def decide(
    connection: Connection, pools: Iterable[UUID], fresh: Sequence[Fresh] = (), *, now: Callable[[], datetime] = utc_now
) -> Decided:
    """Decides on the backlog of pools, oldest first, and on fresh leads behind it. Locks the pools until the commit.

    Args:
        now: the clock, asked when the pools are locked.
    """
    by_pool: dict[UUID, list[Fresh]] = defaultdict(list)
    unmatched = []
    for lead in fresh:
        if lead.pool_id is None:
            unmatched.append(lead)
        else:
            by_pool[lead.pool_id].append(lead)
    fallbacks = {lead.fallback_id for lead in fresh if lead.fallback_id is not None}
    wanted = sorted({*pools, *by_pool, *fallbacks})
    locked = await connection.fetch(_LOCK, wanted) if wanted else []
    # Before the members are looked at: whoever goes off duty from now on does so after the decision.
    decided = Decided(now(), unplaced=unmatched)
    active = {row["id"]: row for row in locked}
    if active:
        people = await people_of(connection, [*active], at=decided.at, zone=locked[0]["zone"], lock=True)
        _fall_back(by_pool, people)
        backlog, more = await oldest_of(connection, people.members)
        taken: Counter[UUID] = Counter()
        for pool_id, pool in active.items():
            behind = by_pool.pop(pool_id, [])
            if pool_id in more:
                # There may be more that came earlier.
                decided.more = True
                decided.unplaced += [lead.fallen_back() for lead in behind]
                behind = []
            _round(decided, pool, people, taken, backlog.get(pool_id, []), behind)
        decided.uses = [people.uses[account_id].after(account_id, count) for account_id, count in taken.items()]
    for left in by_pool.values():
        decided.unplaced += left
    return decided


def _fall_back(by_pool: dict[UUID, list[Fresh]], people: People) -> None:
    """Moves returning customers whose last closer cannot take them to the pool that cares for them (rule D24)."""
    moved: dict[UUID, list[Fresh]] = defaultdict(list)
    for pool_id, leads in by_pool.items():
        closers = {member.account_id: member for member in people.free(pool_id)}
        kept = []
        for lead in leads:
            closer = closers.get(lead.sticky_id) if lead.sticky_id else None
            if lead.fallback_id is None or (closer is not None and closer.takes(lead.topic)):
                kept.append(lead)
            else:
                moved[lead.fallback_id].append(lead.fallen_back())
        by_pool[pool_id] = kept
    for pool_id, leads in moved.items():
        by_pool[pool_id] = sorted([*by_pool[pool_id], *leads], key=lambda lead: (lead.received_at, lead.lead_id))


async def people_now(connection: Connection, pools: Sequence[UUID], *, at: datetime) -> People:
    """The members of pools as they stand at an instant, without holding anything."""
    return await people_of(connection, pools, at=at, zone=await connection.fetchval(_ZONE))


async def members_now(connection: Connection, pool_id: UUID) -> list[Member]:
    """A pool's members as they stand now, for people to look at."""
    return (await people_now(connection, [pool_id], at=utc_now())).members[pool_id]


def _round(
    decided: Decided,
    pool: asyncpg.Record,
    people: People,
    taken: Counter[UUID],
    backlog: Sequence[asyncpg.Record],
    fresh: Sequence[Fresh],
) -> None:
    """Decides one pool's round and adds it. `taken` counts what rounds of this transaction gave to whom."""
    members = [member.given(taken[member.account_id]) for member in people.members[pool["id"]]]
    skills = any(member.skills is not None for member in members)
    by_id = {row["lead_id"]: _fresh(row) for row in backlog} | {lead.lead_id: lead for lead in fresh}
    outcome = distribute(members, [lead.waiting(skills=skills) for lead in by_id.values()])
    new = {lead.lead_id for lead in fresh}
    decided.unplaced += [by_id[left.lead_id].fallen_back() for left in outcome.left if left.lead_id in new]
    if not outcome.decisions:
        return
    sequence = pool["rounds"] + 1
    for position, decision in enumerate(outcome.decisions):
        lead = by_id[decision.waiting.lead_id]
        code, team = people.names[decision.owner_id]
        taken[decision.owner_id] += 1
        decided.placed.append(
            Placed(
                decision,
                pool["id"],
                sequence,
                position,
                cause=decision.cause if lead.cause == TURN or decision.cause == STICKY else lead.cause,
                code=code,
                team=team,
                previous_owner_id=lead.holder_id,
                reason=lead.reason,
            )
        )
    decided.rounds.append((pool["id"], sequence, snapshot_of(members)))
    decided.credits += _changed_credits(pool["id"], members, outcome)


def _fresh(row: asyncpg.Record) -> Fresh:
    """A waiting lead as one that asks for an owner now."""
    return Fresh(
        row["lead_id"],
        row["pool_id"],
        row["received_at"],
        cause=row["cause"],
        sticky_id=row["sticky_id"],
        excluded=tuple(row["excluded"]),
        reason=row["reason"],
        topic=(row["channel"], row["product"], row["landing_page"]),
    )


def _changed_credits(pool_id: UUID, before: Iterable[Member], outcome: Round) -> list[tuple[UUID, UUID, int]]:
    credits = {member.account_id: member.credit for member in before}
    return [
        (pool_id, member.account_id, member.credit)
        for member in outcome.members
        if member.credit != credits[member.account_id]
    ]
