"""Leads that change hands because somebody decided it: claimed, given, taken back. Set-based, for any number at once.

Whoever moves leads locks them first (`hold`), in the lock order of the service (`rounds`). Rounds of distribution are the
other way in which a lead gets an owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.leads import rounds
from services.leads.consent import requests
from services.leads.driver import Connection, Pool
from services.leads.events import Assigned, Released
from services.leads.rounds import Release

_POOLS: Final = "SELECT DISTINCT pool_id FROM backlog WHERE lead_id = ANY($1::uuid[]) AND pool_id IS NOT NULL"
_LOCK_POOLS: Final = "SELECT 1 FROM pools WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LOCK_LEADS: Final = """
SELECT id, verdict, owner_id, assignment, level, in_care, do_not_call, floating_since, archived_at, channel, product,
    landing_page, received_at
FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_WAITING: Final = """
SELECT lead_id, false AS leaves FROM backlog WHERE lead_id = ANY($1::uuid[])
UNION ALL SELECT lead_id, true FROM import_leaving WHERE lead_id = ANY($1::uuid[])
"""
# One statement: what the decision is written of need not come here and go back.
_GIVE: Final = """
WITH served AS (DELETE FROM backlog WHERE lead_id = ANY($1::uuid[])), given AS (
    UPDATE leads SET owner_id = g.owner_id, assignment = leads.assignment + 1, floating_since = NULL, archived_at = NULL
    FROM unnest($1::uuid[], $2::uuid[]) AS g (lead_id, owner_id) WHERE leads.id = g.lead_id
    RETURNING leads.id, new.assignment, new.owner_id, old.owner_id AS previous
)
INSERT INTO assignments (lead_id, assignment, owner_id, previous_owner_id, cause, at, by, reason)
SELECT id, assignment, owner_id, previous, $3, $4, $5, $6 FROM given
"""
_UNQUEUE: Final = "DELETE FROM backlog WHERE lead_id = ANY($1::uuid[])"
_PEOPLE: Final = """
SELECT account_id, code, team, active, on_duty FROM staff_members WHERE account_id = ANY($1::uuid[]) AND version > 0
"""


class Held(NamedTuple):
    """A lead whose row is locked. Read by the thousand: a tuple takes the columns of `_LOCK_LEADS` as they come."""

    id: UUID
    verdict: str
    owner_id: UUID | None
    assignment: int
    level: str
    in_care: bool
    do_not_call: bool
    floating_since: datetime | None
    archived_at: datetime | None
    channel: str
    product: str
    landing_page: str
    received_at: datetime
    waits: bool

    @property
    def was_released(self) -> bool:
        """Whether somebody held it before and nobody does: only so can it have lain in the floating pool."""
        return self.owner_id is None and self.assignment > 0


@dataclass(frozen=True, slots=True)
class Person:
    """A colleague as the directory knows them."""

    account_id: UUID
    code: str
    team: str
    active: bool
    on_duty: bool


async def people(connection: Connection | Pool, accounts: Iterable[UUID]) -> dict[UUID, Person]:
    """Those of the accounts that are known."""
    rows = await connection.fetch(_PEOPLE, list(accounts))
    return {row["account_id"]: Person(**row) for row in rows}


async def hold(connection: Connection, leads: Sequence[UUID], *, deciding_in: Iterable[UUID] = ()) -> dict[UUID, Held]:
    """Locks leads until the commit; those that are there, as they are now. What is taken back with its import just now is
    there no more.

    The pools in whose backlog they wait are locked before: a round takes up leads in the order of their arrival, not of
    their ids, so it must not meet this transaction half-way.

    Args:
        deciding_in: pools in which the transaction will decide on them.
    """
    ids = list(leads)
    waiting_in = {row["pool_id"] for row in await connection.fetch(_POOLS, ids)}
    if deciding := [*deciding_in]:
        await rounds.lock(connection, {*waiting_in, *deciding})
    elif waiting_in:
        await connection.fetch(_LOCK_POOLS, sorted(waiting_in))
    rows = await connection.fetch(_LOCK_LEADS, ids)
    # A separate statement: it sees what was committed while this transaction waited for the leads.
    found = await connection.fetch(_WAITING, ids)
    waiting = {row["lead_id"] for row in found if not row["leaves"]}
    leaving = {row["lead_id"] for row in found if row["leaves"]}
    return {row["id"]: Held._make((*row, row["id"] in waiting)) for row in rows if row["id"] not in leaving}


async def give(
    connection: Connection,
    gifts: Sequence[tuple[Held, Person]],
    *,
    cause: str,
    at: datetime,
    by: str,
    reason: str = "",
) -> list[Assigned]:
    """Gives held leads to people, out of the backlog and the floating pool too. Returns what happened, for the outbox.

    Args:
        cause: manual, reassignment, claim or hand_over.
        by: staff code of whoever decided.
    """
    if not gifts:
        return []
    ids = [lead.id for lead, _ in gifts]
    owners = [person.account_id for _, person in gifts]
    await connection.execute(_GIVE, ids, owners, cause, at, by, reason)
    covered = await requests.covered_until(connection, [lead.id for lead, _ in gifts if lead.was_released])
    return [
        Assigned(
            lead_id=lead.id,
            assignment=lead.assignment + 1,
            owner_id=person.account_id,
            owner_code=person.code,
            team=person.team,
            at=at,
            cause=cause,
            previous_owner_id=lead.owner_id,
            consent_until=covered.get(lead.id),
        )
        for lead, person in gifts
    ]


async def release(
    connection: Connection, leads: Sequence[Held], *, cause: str, at: datetime, by: str, reason: str
) -> list[Released]:
    """Takes held leads from whoever has them, out of the backlog too. Returns what happened, for the outbox.

    Args:
        cause: floating_pool (they lie there from now on), reassignment or hand_over.
    """
    if not leads:
        return []
    await connection.execute(_UNQUEUE, [lead.id for lead in leads])
    wanted = [Release(lead.id, lead.owner_id, cause, reason) for lead in leads]
    return await rounds.release(connection, wanted, at=at, by=by)
