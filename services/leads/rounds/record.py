"""Recording: writes decisions, owners, credits, releases and the backlog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.leads.consent import requests
from services.leads.driver import Connection
from services.leads.events import Assigned, Released
from services.leads.rounds.model import Decided, Fresh, Release
from services.leads.writing import Table, array

_RECORD: Final = """
WITH rounds AS (
    INSERT INTO distribution_rounds (pool_id, sequence, at, members)
    SELECT pool_id, sequence, $4, members::jsonb
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS r (pool_id, sequence, members)
), counted AS (
    UPDATE pools SET rounds = r.sequence FROM unnest($1::uuid[], $2::bigint[]) AS r (pool_id, sequence)
    WHERE pools.id = r.pool_id
), used AS (
    UPDATE quota_use q SET day = u.day, given = u.given, shifts = q.shifts || u.shifts::jsonb
    FROM unnest($8::uuid[], $9::date[], $10::integer[], $11::text[]) AS u (account_id, day, given, shifts)
    WHERE q.account_id = u.account_id
)
UPDATE pool_members m SET credit = c.credit
FROM unnest($5::uuid[], $6::uuid[], $7::bigint[]) AS c (pool_id, account_id, credit)
WHERE (m.pool_id, m.account_id) = (c.pool_id, c.account_id)
"""
_LOCK_LEADS: Final = "SELECT id FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_OWN: Final = """
WITH served AS (DELETE FROM backlog WHERE lead_id = ANY($1::uuid[]))
UPDATE leads SET owner_id = o.owner_id, assignment = leads.assignment + 1, pool_id = o.pool_id, floating_since = NULL,
    archived_at = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS o (lead_id, owner_id, pool_id) WHERE leads.id = o.lead_id
RETURNING leads.id, leads.assignment
"""
_ASSIGNMENTS: Final = Table(
    "assignments",
    {
        "lead_id": "uuid",
        "assignment": "integer",
        "owner_id": "uuid",
        "previous_owner_id": "uuid",
        "cause": "text",
        "at": "timestamptz",
        "by": "text",
        "reason": "text",
        "pool_id": "uuid",
        "round": "bigint",
        "position": "integer",
        "sticky_id": "uuid",
        "excluded": "uuid[]",
        "topic": "text[]",
    },
)
_DISOWN: Final = """
UPDATE leads SET owner_id = NULL, assignment = assignment + 1, archived_at = NULL,
    floating_since = CASE WHEN r.cause = 'floating_pool' THEN $1::timestamptz END
FROM unnest($2::uuid[], $3::text[]) AS r (lead_id, cause) WHERE leads.id = r.lead_id
RETURNING leads.id, leads.assignment
"""
_RELEASES: Final = """
INSERT INTO assignments (lead_id, assignment, previous_owner_id, cause, at, by, reason)
SELECT lead_id, assignment, previous, cause, $1, $2, reason
FROM unnest($3::uuid[], $4::integer[], $5::uuid[], $6::text[], $7::text[])
    AS r (lead_id, assignment, previous, cause, reason)
"""
_BACKLOG: Final = Table(
    "backlog",
    {
        "lead_id": "uuid",
        "pool_id": "uuid",
        "received_at": "timestamptz",
        "cause": "text",
        "sticky_id": "uuid",
        "excluded": "uuid[]",
        "reason": "text",
        "channel": "text",
        "product": "text",
        "landing_page": "text",
    },
)
_WAIT: Final = """
INSERT INTO backlog (lead_id, pool_id, received_at, cause, sticky_id, excluded, reason, channel, product, landing_page)
SELECT lead_id, pool_id, received_at, cause, sticky_id, excluded::uuid[], reason, channel, product, landing_page
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[])
    AS w (lead_id, pool_id, received_at, cause, sticky_id, excluded, reason, channel, product, landing_page)
ON CONFLICT (lead_id) DO NOTHING
"""


async def record(
    connection: Connection, decided: Decided, *, new: frozenset[UUID] = frozenset(), by: str = ""
) -> list[Assigned]:
    """Writes rounds down: owners, credits, decisions, backlog. Returns what happened, for the outbox.

    Args:
        new: leads that were inserted in this transaction with their owner and assignment 1 already.
        by: staff code of whoever asked for these rounds; empty = nobody did.
    """
    if decided.placed:
        await connection.execute(
            _RECORD,
            *_columns(decided.rounds, 3),
            decided.at,
            *_columns(sorted(decided.credits), 3),
            *_columns(sorted(decided.uses), 4),
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
    released = [one.lead_id for one in others if one.previous_owner_id is None and numbers[one.lead_id] > 1]
    covered = await requests.covered_until(connection, released)
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
            consent_until=covered.get(placed.lead_id),
        )
        for placed in decided.placed
    ]
    await _write_decisions(connection, decided, assigned, by)
    await _wait(connection, decided.unplaced, new=new)
    return assigned


async def _write_decisions(connection: Connection, decided: Decided, assigned: Sequence[Assigned], by: str) -> None:
    rows = [
        (
            done.lead_id,
            done.assignment,
            done.owner_id,
            done.previous_owner_id,
            done.cause,
            decided.at,
            by,
            placed.reason,
            placed.pool_id,
            placed.round,
            placed.position,
            placed.decision.waiting.sticky_id,
            array([str(one) for one in placed.decision.waiting.excluded]),
            None if placed.decision.waiting.topic is None else array(placed.decision.waiting.topic),
        )
        for placed, done in zip(decided.placed, assigned, strict=True)
    ]
    await _ASSIGNMENTS.insert(connection, rows)


async def release(connection: Connection, leads: Sequence[Release], *, at: datetime, by: str = "") -> list[Released]:
    """Takes leads from their holders; those of cause floating_pool lie there from now on. Their rows must be locked.

    Args:
        by: staff code of whoever decided it; empty = care did.
    """
    if not leads:
        return []
    rows = await connection.fetch(_DISOWN, at, [lead.lead_id for lead in leads], [lead.cause for lead in leads])
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


async def _wait(connection: Connection, leads: Sequence[Fresh], *, new: frozenset[UUID]) -> None:
    """Puts leads into the backlog; their rows in `leads` must be there. Those that are new cannot wait already."""
    known: list[Fresh] = []
    others: list[Fresh] = []
    for lead in leads:
        (known if lead.lead_id in new else others).append(lead)
    if known:
        await _BACKLOG.insert_columns(connection, _waiting_columns(known))
    if others:
        await connection.execute(_WAIT, *_waiting_columns(others))


def _waiting_columns(leads: Sequence[Fresh]) -> list[list[Any]]:
    return [
        [lead.lead_id for lead in leads],
        [lead.pool_id for lead in leads],
        [lead.received_at for lead in leads],
        [lead.cause for lead in leads],
        [lead.sticky_id for lead in leads],
        [array([str(one) for one in lead.excluded]) if lead.excluded else "{}" for lead in leads],
        [lead.reason for lead in leads],
        [lead.topic[0] for lead in leads],
        [lead.topic[1] for lead in leads],
        [lead.topic[2] for lead in leads],
    ]


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[*column] for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
