"""Confirmed transfers are worked off batch by batch: each is one transaction with its results, so a kill loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.leads import events, moves, rounds
from services.leads.driver import Connection, write_outbox
from services.leads.moves import Held, Person
from services.leads.rounds import Fresh, Release
from shared import outbox
from shared.db import Database

BATCH: Final = 500
"""Leads of one transaction: a tenth of a second in which intake waits for the pools' locks at most."""
PAUSE: Final = 1.0
"""Seconds between looks when nothing is running."""

_COLUMNS: Final = "id, kind, strategy, by, reason, row_count, rows_done"
"""Rows before the position `rows_done` are done. One of them has a result of its own only where it was not given as planned."""
_NEXT: Final = f"""
SELECT {_COLUMNS} FROM transfers WHERE state = 'running' ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
_THIS: Final = f"SELECT {_COLUMNS} FROM transfers WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE"
_ROWS: Final = """
SELECT position, lead_id, assignment, to_id FROM transfer_rows
WHERE transfer_id = $1 AND position >= $2 ORDER BY position LIMIT $3
"""
_RESULTS: Final = """
UPDATE transfer_rows r SET result = d.result, owner_id = d.owner_id
FROM unnest($2::integer[], $3::text[], $4::uuid[]) AS d (position, result, owner_id)
WHERE r.transfer_id = $1 AND r.position = d.position
"""
_PROGRESS: Final = """
UPDATE transfers SET rows_done = $2, state = CASE WHEN $2 = row_count THEN 'done' ELSE state END,
    finished_at = CASE WHEN $2 = row_count THEN $3::timestamptz END
WHERE id = $1
"""
_DIMENSIONS: Final = "SELECT id, channel, product, landing_page FROM leads WHERE id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row: given, kept (they held it already), waiting (nobody of its pool could take it), changed (it
    moved on since the plan was made), inactive (the receiver was locked meanwhile), gone."""

    result: str
    owner_id: UUID | None = None


async def step(connection: Connection, transfer_id: UUID | None = None) -> bool:
    """Works one batch off, in the caller's transaction; True when it did something.

    Args:
        transfer_id: of this transfer; default: of the oldest that nobody else works on.
    """
    transfer = await (connection.fetchrow(_THIS, transfer_id) if transfer_id else connection.fetchrow(_NEXT))
    if transfer is None:
        return False
    now = datetime.now(UTC)
    rows = await connection.fetch(_ROWS, transfer["id"], transfer["rows_done"], BATCH)
    work = _to_people if transfer["strategy"] == "people" else _by_rules
    results, facts = await work(connection, transfer, rows, now)
    await write_outbox(connection, facts)
    await _note(connection, transfer["id"], [(row, results[row["lead_id"]]) for row in rows])
    await connection.execute(_PROGRESS, transfer["id"], transfer["rows_done"] + len(rows), now)
    return True


async def _note(connection: Connection, transfer_id: UUID, done: Iterable[tuple[asyncpg.Record, Result]]) -> None:
    """Writes down what became otherwise than planned. Of the others the progress of the transfer says enough: they were
    given to whom the plan names."""
    other = [
        (row["position"], result.result, result.owner_id)
        for row, result in done
        if result.result != "given" or result.owner_id != row["to_id"]
    ]
    if other:
        await connection.execute(_RESULTS, transfer_id, *([*column] for column in zip(*other, strict=True)))


def _unmoved(row: Any, held: Mapping[UUID, Held]) -> Held | Result:
    """The lead of a row as planned, or why it is left alone."""
    lead = held.get(row["lead_id"])
    if lead is None:
        return Result("gone")
    if lead.assignment != row["assignment"] or lead.verdict != "lead":
        return Result("changed", lead.owner_id)
    return lead


async def _to_people(
    connection: Connection, transfer: asyncpg.Record, rows: Sequence[asyncpg.Record], now: datetime
) -> tuple[dict[UUID, Result], list[outbox.Row]]:
    held = await moves.hold(connection, [row["lead_id"] for row in rows])
    known = await moves.people(connection, {row["to_id"] for row in rows})
    results: dict[UUID, Result] = {}
    gifts: list[tuple[Held, Person]] = []
    for row in rows:
        lead = _unmoved(row, held)
        if isinstance(lead, Result):
            results[row["lead_id"]] = lead
        elif lead.owner_id == row["to_id"]:
            results[lead.id] = Result("kept", lead.owner_id)
        elif (person := known.get(row["to_id"])) is None or not person.active:
            results[lead.id] = Result("inactive", lead.owner_id)
        else:
            gifts.append((lead, person))
            results[lead.id] = Result("given", person.account_id)
    cause = "manual" if transfer["kind"] == "distribution" else "hand_over"
    given = await moves.give(connection, gifts, cause=cause, at=now, by=transfer["by"], reason=transfer["reason"])
    return results, events.assigned(given)


async def _by_rules(
    connection: Connection, transfer: asyncpg.Record, rows: Sequence[asyncpg.Record], now: datetime
) -> tuple[dict[UUID, Result], list[outbox.Row]]:
    pools = await fitting_pools(connection, [row["lead_id"] for row in rows])
    held = await moves.hold(
        connection, [row["lead_id"] for row in rows], deciding_in=[pool_id for pool_id in pools.values() if pool_id]
    )
    results: dict[UUID, Result] = {}
    leads: list[Held] = []
    for row in rows:
        lead = _unmoved(row, held)
        if isinstance(lead, Result):
            results[row["lead_id"]] = lead
        else:
            leads.append(lead)
    owners, facts = await by_rules(
        connection, leads, pools, cause="hand_over", by=transfer["by"], reason=transfer["reason"]
    )
    for lead in leads:
        owner = owners.get(lead.id)
        results[lead.id] = Result("given", owner) if owner else Result("waiting")
    return results, facts


async def fitting_pools(connection: Connection, leads: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """The pool whose rules fit each lead, to be asked before the leads are locked."""
    rows = await connection.fetch(_DIMENSIONS, list(leads))
    if not rows:
        return {}
    found = await rounds.pools_of(connection, [(row["channel"], row["product"], row["landing_page"]) for row in rows])
    return {row["id"]: pool_id for row, pool_id in zip(rows, found, strict=True)}


async def by_rules(
    connection: Connection,
    leads: Sequence[Held],
    pools: Mapping[UUID, UUID | None],
    *,
    cause: str,
    by: str,
    reason: str,
) -> tuple[dict[UUID, UUID], list[outbox.Row]]:
    """Takes held leads from whoever has them and lets the rules of their pools choose somebody else.

    What nobody can take waits in the backlog without an owner. Returns the new owners, and what happened.

    Args:
        leads: locked with the pools, and not in the backlog.
    """
    fresh = [
        Fresh(
            lead.id,
            pools[lead.id],
            lead.received_at,
            cause=cause,
            excluded=(lead.owner_id,) if lead.owner_id else (),
            holder_id=lead.owner_id,
            reason=reason,
            topic=(lead.channel, lead.product, lead.landing_page),
        )
        for lead in leads
    ]
    decided = await rounds.decide(connection, (), fresh)
    assigned = await rounds.record(connection, decided, by=by)
    releases = [Release(lead.lead_id, lead.holder_id, cause, reason) for lead in decided.unplaced]
    released = await rounds.release(connection, releases, at=datetime.now(UTC), by=by)
    owners = {fact.lead_id: fact.owner_id for fact in assigned}
    return owners, events.assigned(assigned) + [events.released(fact) for fact in released]


class Transfers:
    """Keeps working confirmed transfers off until cancelled. Several at once share the work."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self) -> None:
        while True:
            if not await self.step():
                await asyncio.sleep(PAUSE)

    async def step(self, transfer_id: UUID | None = None) -> bool:
        """One batch, in a transaction of its own; True when there was one."""
        pool = await self._db.driver()
        async with pool.acquire() as connection, connection.transaction():
            worked = await step(connection, transfer_id)
        if worked:
            self._db.wake_relay()
        return worked
