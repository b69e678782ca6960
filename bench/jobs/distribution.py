"""A backlog of leads distributed to fifty people, against the bare INSERT of as many decisions.

Ours is the product's own round: pool and people locked, quotas, capacity, skills and shifts looked at, turns taken, leads
owned, decisions and a snapshot of the people recorded so that each can be explained and decided again, an event for each
lead. The limit only writes the decisions, in batches of the same size. Both on this process's event loop, in turns.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.machine import Machine, migrate
from bench.pairs import in_turns, median
from bench.result import Result
from services.leads import shifts
from services.leads.distributor import serve
from services.leads.rounds.waiting import ROUND
from shared.contracts.events.staff import ShiftsChanged, ShiftTimes

PEOPLE: Final = 50
PRODUCTS: Final = ("KEM-01", "SERUM-30", "GOI-CST", "")

BARE: Final = """
CREATE TABLE decisions (
    lead_id uuid, assignment integer, owner_id uuid, previous_owner_id uuid, cause text, at timestamptz, reason text,
    pool_id uuid, round bigint, position integer, PRIMARY KEY (lead_id, assignment)
)
"""
_DECIDE: Final = """
INSERT INTO decisions SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::text[],
    $6::timestamptz[], $7::text[], $8::uuid[], $9::bigint[], $10::integer[])
"""
_STAFF: Final = """
INSERT INTO staff_members (account_id, version, code, team, active, on_duty)
SELECT account_id, 1, 'NV' || place, 'Sale ' || place % 5, true, true
FROM unnest($1::uuid[]) WITH ORDINALITY AS a (account_id, place)
"""
_POOL: Final = "INSERT INTO pools (id, name, position, day_quota) VALUES ($1, 'Chung', 1, 1000000)"
_COUNTED: Final = "INSERT INTO quota_use (account_id) SELECT unnest($1::uuid[])"
_SKILLS: Final = """
INSERT INTO skill_sets (digest, products, channels, landing_pages)
VALUES ('kem', ARRAY['KEM*', 'SERUM-30'], '{}', '{}'), ('goi', ARRAY['GOI-CST', 'SERUM*'], '{}', '{}')
"""
_MEMBERS: Final = """
INSERT INTO pool_members (pool_id, account_id, weight, capacity, skill_set_id)
SELECT $1, account_id, 1 + place % 3, 1000000, nullif(place % 3, 0)
FROM unnest($2::uuid[]) WITH ORDINALITY AS a (account_id, place)
"""
_RAW: Final = """
INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict)
SELECT unnest($1::uuid[]), 'manual', now(), 'application/json', '{}', 'lead'
"""
_LEADS: Final = """
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, channel, campaign,
    landing_page, marketer, received_at, returning_customer, level, in_care)
SELECT id, 'lead', '+84' || place, '{}', '', '', product, '', '', 'manual', '', '', '', now(), false, 'L1', true
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS a (id, product, place)
"""
_WAIT: Final = """
INSERT INTO backlog (lead_id, pool_id, received_at, cause, channel, product)
SELECT id, $1, received_at, 'distribution', channel, product FROM leads WHERE id = ANY($2::uuid[])
"""


async def run(machine: Machine, size: int) -> Result:
    """`size` leads each way, in turns."""
    bare = await asyncpg.connect(await machine.database("bench_decisions", BARE))
    url = await machine.database("bench_distribution")
    await migrate("leads", {"CHOT_DATABASE_URL": url})
    ours = await asyncpg.connect(url)
    people = [uuid7() for _ in range(PEOPLE)]
    pool_id = uuid7()
    await _staff(ours, pool_id, people)

    async def insert() -> float:
        return await _bare(bare, people, size)

    async def distribute() -> float:
        await _queue(ours, pool_id, size)
        return await _served(ours, pool_id, size)

    pairs = await in_turns(ours=distribute, limit=insert)
    shown = median(pairs, lambda rate: rate)
    held = await ours.fetchrow("SELECT count(*) AS all, count(owner_id) AS owned FROM leads")
    assert held is not None
    if held["all"] != held["owned"]:
        raise RuntimeError(f"only {held['owned']} of {held['all']} leads were distributed")
    for connection in (bare, ours):
        await connection.close()
    return Result(
        job="distribution",
        ours=shown.ours,
        limit=shown.limit,
        unit="leads/s",
        limit_is=f"INSERT … unnest of the decisions, {ROUND} a transaction",
        budget=0.05,
        note=f"{size:,} waiting leads to {PEOPLE} people with weights, quotas, skills and shifts, {ROUND} a round; "
        "O(leads x people) in memory, one snapshot of the people a round",
    )


async def _staff(connection: asyncpg.Connection[Any], pool_id: UUID, people: list[UUID]) -> None:
    """A pool of people with weights, all on duty and in one of two shifts that run, two thirds limited in skill."""
    await connection.execute(_STAFF, people)
    await connection.execute(_POOL, pool_id)
    await connection.execute(_COUNTED, people)
    await connection.execute(_SKILLS)
    await connection.execute(_MEMBERS, pool_id, people)
    at = datetime.now(UTC)
    of = [
        ShiftTimes(
            shift_id=UUID(int=number),
            name=f"Ca {number}",
            zone="Asia/Ho_Chi_Minh",
            weekdays=(1, 2, 3, 4, 5, 6, 7),
            periods=("00:00-12:00", "12:00-24:00"),
            works_on_holidays=True,
        )
        for number in (1, 2)
    ]
    changes = [
        ShiftsChanged(account_id=person, version=1, shifts=(of[place % 2],), at=at)
        for place, person in enumerate(people)
    ]
    await shifts.keep(connection, changes)


async def _queue(connection: asyncpg.Connection[Any], pool_id: UUID, size: int) -> None:
    """Leads that wait. Those of the turn before have been worked on, and the database has been tidied up, as it is by
    itself over a day."""
    await connection.execute("UPDATE leads SET in_care = false WHERE in_care")
    leads = [uuid7() for _ in range(size)]
    async with connection.transaction():
        await connection.execute(_RAW, leads)
        await connection.execute(_LEADS, leads, [PRODUCTS[place % len(PRODUCTS)] for place in range(size)])
        await connection.execute(_WAIT, pool_id, leads)
    await connection.execute("VACUUM ANALYZE leads, backlog, quota_use, pool_members")


async def _served(connection: asyncpg.Connection[Any], pool_id: UUID, size: int) -> float:
    """Distributes what waits; leads a second."""
    begun = time.perf_counter()
    served = 0
    while served < size:
        async with connection.transaction():
            decided = await serve(connection, [pool_id])
        if not decided.placed:
            raise RuntimeError(f"nobody takes the other {size - served} leads")
        served += len(decided.placed)
    return size / (time.perf_counter() - begun)


async def _bare(connection: asyncpg.Connection[Any], people: list[UUID], size: int) -> float:
    """Writes as many decisions; decisions a second."""
    pool_id, at = uuid7(), datetime.now(UTC)
    rows = [
        (uuid7(), 1, people[place % PEOPLE], None, "distribution", at, "", pool_id, place // ROUND, place % ROUND)
        for place in range(size)
    ]
    begun = time.perf_counter()
    for first in range(0, size, ROUND):
        await connection.execute(_DECIDE, *([*column] for column in zip(*rows[first : first + ROUND], strict=True)))
    return size / (time.perf_counter() - begun)
