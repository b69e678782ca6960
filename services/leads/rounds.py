"""Rounds of distribution in the database: one decision at a time for each pool, many leads a round.

The lock order of every transaction of this service is: idempotency keys, duplicate windows (by number), pools (by id),
backlog, leads (by id). Rows are locked in the order of their keys, so transactions wait for one another but never in a
circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.distribution import Decision, Member, Round, Standing, Waiting, distribute
from services.leads.driver import Connection
from services.leads.events import Assigned, Released

ROUND: Final = 500
"""Leads of a backlog that one round decides on: a transaction of about 50 ms."""

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
SELECT b.* FROM unnest($1::uuid[], $2::text[]) AS p (id, free) CROSS JOIN LATERAL (
    SELECT pool_id, lead_id, cause, sticky_id, excluded FROM backlog
    WHERE pool_id = p.id AND NOT string_to_array(p.free, ' ')::uuid[] <@ excluded
    ORDER BY received_at, lead_id LIMIT $3 FOR UPDATE
) b
"""
_RECORD: Final = """
WITH rounds AS (
    INSERT INTO distribution_rounds (pool_id, sequence, at, members)
    SELECT pool_id, sequence, $4, members::jsonb
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS r (pool_id, sequence, members)
), counted AS (
    UPDATE pools SET rounds = r.sequence FROM unnest($1::uuid[], $2::bigint[]) AS r (pool_id, sequence)
    WHERE pools.id = r.pool_id
)
UPDATE pool_members m SET credit = c.credit
FROM unnest($5::uuid[], $6::uuid[], $7::bigint[]) AS c (pool_id, account_id, credit)
WHERE (m.pool_id, m.account_id) = (c.pool_id, c.account_id)
"""
_LOCK_LEADS: Final = "SELECT id FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_OWN: Final = """
WITH served AS (DELETE FROM backlog WHERE lead_id = ANY($1::uuid[]))
UPDATE leads SET owner_id = o.owner_id, assignment = leads.assignment + 1, pool_id = o.pool_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS o (lead_id, owner_id, pool_id) WHERE leads.id = o.lead_id
RETURNING leads.id, leads.assignment
"""
_ASSIGNMENTS: Final = """
INSERT INTO assignments (lead_id, assignment, owner_id, previous_owner_id, cause, at, reason, pool_id, round, position,
    sticky_id, excluded)
SELECT lead_id, assignment, owner_id, previous, cause, $1, reason, pool_id, round, position, sticky,
    string_to_array(excluded, ' ')::uuid[]
FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::uuid[], $9::bigint[],
    $10::integer[], $11::uuid[], $12::text[])
    AS a (lead_id, assignment, owner_id, previous, cause, reason, pool_id, round, position, sticky, excluded)
"""
_DISOWN: Final = """
UPDATE leads SET owner_id = NULL, assignment = assignment + 1 WHERE id = ANY($1::uuid[]) RETURNING id, assignment
"""
_RELEASES: Final = """
INSERT INTO assignments (lead_id, assignment, previous_owner_id, cause, at, by, reason)
SELECT lead_id, assignment, previous, cause, $1, $2, reason
FROM unnest($3::uuid[], $4::integer[], $5::uuid[], $6::text[], $7::text[])
    AS r (lead_id, assignment, previous, cause, reason)
"""
_WAIT: Final = """
INSERT INTO backlog (lead_id, pool_id, received_at, cause, sticky_id, excluded)
SELECT lead_id, pool_id, received_at, cause, sticky_id, string_to_array(excluded, ' ')::uuid[]
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[])
    AS w (lead_id, pool_id, received_at, cause, sticky_id, excluded)
ON CONFLICT (lead_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A lead that asks for an owner in this transaction and is not in the backlog.

    `pool_id` is None when no pool's rules fit. `holder_id` loses it (a reassignment); None for a new lead.
    """

    lead_id: UUID
    pool_id: UUID | None
    received_at: datetime
    cause: str = "distribution"
    sticky_id: UUID | None = None
    excluded: tuple[UUID, ...] = ()
    holder_id: UUID | None = None
    reason: str = ""

    @property
    def waiting(self) -> Waiting:
        return Waiting(self.lead_id, self.sticky_id, self.excluded)


@dataclass(frozen=True, slots=True)
class Release:
    """A lead that is to be taken from its holder."""

    lead_id: UUID
    holder_id: UUID
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A decision, with what it takes to write it down."""

    decision: Decision
    pool_id: UUID
    round: int
    position: int
    cause: str
    code: str
    team: str
    previous_owner_id: UUID | None
    reason: str

    @property
    def lead_id(self) -> UUID:
        return self.decision.waiting.lead_id


@dataclass(slots=True)
class Decided:
    """The rounds of one transaction, decided but not yet written."""

    at: datetime
    placed: list[Placed] = field(default_factory=list)
    unplaced: list[Fresh] = field(default_factory=list)
    """Fresh leads that nobody could take."""
    more: bool = False
    """Whether a backlog may have further leads that somebody could take."""
    rounds: list[tuple[UUID, int, str]] = field(default_factory=list)
    credits: list[tuple[UUID, UUID, int]] = field(default_factory=list)


async def pools_of(connection: Connection, dimensions: Sequence[tuple[str, str, str]]) -> list[UUID | None]:
    """The pool for each (channel, product, landing page): the first by position whose rules fit, or None."""
    rows = await connection.fetch(_POOLS_OF, *([*column] for column in zip(*dimensions, strict=True)))
    return [row["pool_id"] for row in rows]


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
    decided.rounds.append((pool["id"], sequence, _snapshot(members)))
    decided.credits += _changed_credits(pool["id"], members, outcome)


def _snapshot(members: Sequence[Member]) -> str:
    return orjson.dumps(
        [
            (str(one.account_id), one.weight, one.credit, one.standing, one.load, one.capacity)
            for one in sorted(members, key=lambda member: member.account_id)
        ]
    ).decode()


def members_of(snapshot: str) -> list[Member]:
    """The members as they stood at the start of a recorded round."""
    return [
        Member(UUID(account), weight, credit, Standing(standing), load, capacity)
        for account, weight, credit, standing, load, capacity in orjson.loads(snapshot)
    ]


def _changed_credits(pool_id: UUID, before: Iterable[Member], outcome: Round) -> list[tuple[UUID, UUID, int]]:
    credits = {member.account_id: member.credit for member in before}
    return [
        (pool_id, member.account_id, member.credit)
        for member in outcome.members
        if member.credit != credits[member.account_id]
    ]


async def record(connection: Connection, decided: Decided, *, new: frozenset[UUID] = frozenset()) -> list[Assigned]:
    """Writes rounds down: owners, credits, decisions, backlog. Returns what happened, for the outbox.

    Args:
        new: leads that were inserted in this transaction with their owner and assignment 1 already.
    """
    if decided.placed:
        await connection.execute(
            _RECORD, *_columns(decided.rounds, 3), decided.at, *_columns(sorted(decided.credits), 3)
        )
    numbers = dict.fromkeys(new, 1)
    others = [placed for placed in decided.placed if placed.lead_id not in new]
    if others:
        ids = [placed.lead_id for placed in others]
        await connection.fetch(_LOCK_LEADS, ids)
        rows = await connection.fetch(
            _OWN, ids, [placed.decision.owner_id for placed in others], [placed.pool_id for placed in others]
        )
        numbers |= {row["id"]: row["assignment"] for row in rows}
    assigned = [
        Assigned(
            lead_id=placed.lead_id,
            assignment=numbers[placed.lead_id],
            owner_id=placed.decision.owner_id,
            owner_code=placed.code,
            team=placed.team,
            at=decided.at,
            cause=placed.cause,
            previous_owner_id=placed.previous_owner_id,
        )
        for placed in decided.placed
    ]
    await _write_decisions(connection, decided, assigned)
    await wait_in_backlog(connection, decided.unplaced)
    return assigned


async def _write_decisions(connection: Connection, decided: Decided, assigned: Sequence[Assigned]) -> None:
    if not assigned:
        return
    await connection.execute(
        _ASSIGNMENTS,
        decided.at,
        *_columns(
            [
                (
                    done.lead_id,
                    done.assignment,
                    done.owner_id,
                    done.previous_owner_id,
                    done.cause,
                    placed.reason,
                    placed.pool_id,
                    placed.round,
                    placed.position,
                    placed.decision.waiting.sticky_id,
                    " ".join(map(str, placed.decision.waiting.excluded)),
                )
                for placed, done in zip(decided.placed, assigned, strict=True)
            ],
            11,
        ),
    )


async def release(connection: Connection, leads: Sequence[Release], *, at: datetime, by: str = "") -> list[Released]:
    """Takes leads from their holders. Their rows must be locked."""
    if not leads:
        return []
    rows = await connection.fetch(_DISOWN, [lead.lead_id for lead in leads])
    numbers = {row["id"]: row["assignment"] for row in rows}
    released = [
        Released(lead.lead_id, numbers[lead.lead_id], at, lead.cause, previous_owner_id=lead.holder_id)
        for lead in leads
    ]
    await connection.execute(
        _RELEASES,
        at,
        by,
        *_columns(
            [
                (done.lead_id, done.assignment, done.previous_owner_id, done.cause, lead.reason)
                for lead, done in zip(leads, released, strict=True)
            ],
            5,
        ),
    )
    return released


async def wait_in_backlog(connection: Connection, leads: Sequence[Fresh]) -> None:
    """Puts leads into the backlog; their rows in `leads` must be there."""
    if not leads:
        return
    await connection.execute(
        _WAIT,
        *_columns(
            [
                (
                    lead.lead_id,
                    lead.pool_id,
                    lead.received_at,
                    lead.cause,
                    lead.sticky_id,
                    " ".join(map(str, lead.excluded)),
                )
                for lead in leads
            ],
            6,
        ),
    )


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[*column] for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
