"""Finds what should have a workflow and has none, or one that has not seen the newest facts, and nudges it.

That is the repair after any restore: truth is in the database, and every nudge starts a workflow that is not there. It
also brings back a workflow that an operator ended although its parcel goes on: under a further id, because a workflow
that has ended does not start again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from temporalio.client import Client

from services.shipping.cod.books import MONEY_DIFFERS
from services.shipping.cod.contracts import STATUS_CARRIERS
from services.shipping.work import work
from shared import outbox
from shared.contracts import ids
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import (
    POLLING,
    PRINT,
    SETTLEMENT,
    SHIPMENT,
    nudge_polling,
    nudge_print,
    nudge_settlement,
    nudge_shipment,
)
from shared.db import Database

if TYPE_CHECKING:
    import asyncpg

PAGE: Final = 1000
"""Rows looked at, and commands written, at a time."""
ENDED_PAGE: Final = 100
"""Workflow ids asked about in one query, which grows with them."""
BEHIND_MOST: Final = 500
"""Workflows that run and are behind, woken at a time. More of them are as a rule a burst that Temporal works off; waking
each once again would make it twice as long."""

# A fact that its workflow has not seen for two minutes will not be seen without help: relay and workers need seconds.
_OPEN_SHIPMENTS: Final = f"""
SELECT s.id, s.round, s.seen_revision < s.revision AND s.updated_at < now() - interval '2 minutes' AS behind
FROM shipments s
WHERE s.id > $1 AND (s.attention @> ARRAY['{MONEY_DIFFERS}'] OR NOT (s.status IN ('returned', 'cancelled', 'pickup_failed')
    OR (s.status IN ('delivered', 'lost') AND (s.settled_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM cod_write_offs w WHERE w.shipment_id = s.id)))
    OR (s.status = 'delivered' AND coalesce(s.collected, s.cod) = 0)
    OR (s.status = 'lost' AND coalesce(
        (SELECT k.proof = 'status' FROM cod_contracts k WHERE k.connection_id = s.connection_id),
        (SELECT c.carrier = ANY(ARRAY{list(STATUS_CARRIERS)}::text[]) FROM carrier_connections c
            WHERE c.id = s.connection_id)))))
ORDER BY s.id LIMIT {PAGE}
"""
_OPEN_SETTLEMENTS: Final = f"""
SELECT t.id, t.round, false AS behind FROM cod_statements t
WHERE t.id > $1 AND (t.state IN ('matching', 'withdrawing') OR (t.state = 'matched' AND t.credited_at IS NULL
    AND EXISTS (SELECT 1 FROM cod_contracts k WHERE k.connection_id = t.connection_id AND k.proof = 'bank')))
ORDER BY t.id LIMIT {PAGE}
"""
_CONNECTIONS: Final = f"""
SELECT id, round, false AS behind FROM carrier_connections WHERE id > $1 ORDER BY id LIMIT {PAGE}
"""
_OPEN_PRINTS: Final = f"""
SELECT id, round, false AS behind FROM prints WHERE id > $1 AND state = 'running' ORDER BY id LIMIT {PAGE}
"""
_FURTHER_PRINTS: Final = """
UPDATE prints p SET round = p.round + 1 FROM unnest($1::uuid[], $2::integer[]) AS r(id, round)
WHERE p.id = r.id AND p.round = r.round RETURNING p.id, p.round
"""
_FURTHER_SHIPMENTS: Final = """
UPDATE shipments s SET round = s.round + 1 FROM unnest($1::uuid[], $2::integer[]) AS r(id, round)
WHERE s.id = r.id AND s.round = r.round RETURNING s.id, s.round
"""
_FURTHER_SETTLEMENTS: Final = """
UPDATE cod_statements t SET round = t.round + 1 FROM unnest($1::uuid[], $2::integer[]) AS r(id, round)
WHERE t.id = r.id AND t.round = r.round RETURNING t.id, t.round
"""
_FURTHER_CONNECTIONS: Final = """
UPDATE carrier_connections c SET round = c.round + 1 FROM unnest($1::uuid[], $2::integer[]) AS r(id, round)
WHERE c.id = r.id AND c.round = r.round RETURNING c.id, c.round
"""


@dataclass(frozen=True)
class _Followed:
    """A kind of thing that workflows follow."""

    workflow: str
    open: str
    further: str
    workflow_id: Callable[..., str]
    nudge: Callable[..., WorkflowCommand]

    def id_of(self, row: asyncpg.Record) -> str:
        return self.workflow_id(row["id"], round=row["round"])


_SHIPMENTS: Final = _Followed(SHIPMENT.name, _OPEN_SHIPMENTS, _FURTHER_SHIPMENTS, ids.shipment_id, nudge_shipment)
_SETTLEMENTS: Final = _Followed(
    SETTLEMENT.name, _OPEN_SETTLEMENTS, _FURTHER_SETTLEMENTS, ids.settlement_id, nudge_settlement
)
_PRINTS: Final = _Followed(PRINT.name, _OPEN_PRINTS, _FURTHER_PRINTS, ids.print_id, nudge_print)
_POLLINGS: Final = _Followed(POLLING.name, _CONNECTIONS, _FURTHER_CONNECTIONS, ids.polling_id, nudge_polling)


async def reconcile(db: Database, temporal: Client) -> Mapping[str, int]:
    """Nudges every open shipment and every connection whose workflow is missing or behind.

    Returns:
        Kind → how many were nudged.

    Raises:
        RPCError: Temporal cannot be asked; what was not nudged yet is found again the next time.
    """
    return {
        "shipments": await _reconcile(db, temporal, _SHIPMENTS),
        "settlements": await _reconcile(db, temporal, _SETTLEMENTS),
        "prints": await _reconcile(db, temporal, _PRINTS),
        "pollings": await _reconcile(db, temporal, _POLLINGS),
    }


async def _reconcile(db: Database, temporal: Client, followed: _Followed) -> int:
    # Before the rows are read: a workflow that starts in between is nudged once too often, which does nothing.
    query = f"WorkflowType = '{followed.workflow}' AND ExecutionStatus = 'Running'"
    running = {execution.id async for execution in temporal.list_workflows(query, page_size=PAGE)}
    nudged = 0
    behind = BEHIND_MOST
    async for page in _pages(db, followed):
        missing = await _unannounced(db, followed, [row for row in page if followed.id_of(row) not in running])
        late = [row for row in page if row["behind"] and followed.id_of(row) in running]
        late = (await _unannounced(db, followed, late))[:behind]
        behind -= len(late)
        ended = await _ended(temporal, followed, missing)
        await _nudge(db, followed, [*missing, *late], ended)
        nudged += len(missing) + len(late)
    return nudged


async def _unannounced(db: Database, followed: _Followed, rows: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    """Without those that the relay is about to start or wake anyway: in a burst, thousands wait for it."""
    async with db.read() as session:
        announced = await outbox.announced(session, [followed.id_of(row) for row in rows])
    return [row for row in rows if followed.id_of(row) not in announced]


async def _pages(db: Database, followed: _Followed) -> AsyncIterator[Sequence[asyncpg.Record]]:
    pool = await db.driver()
    after = UUID(int=0)
    while page := await pool.fetch(followed.open, after):
        yield page
        after = page[-1]["id"]


async def _ended(temporal: Client, followed: _Followed, missing: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    """Those of the rows whose workflow has ended, as far as Temporal remembers."""
    found = []
    for start in range(0, len(missing), ENDED_PAGE):
        chunk = {followed.id_of(row): row for row in missing[start : start + ENDED_PAGE]}
        quoted = ", ".join(f"'{workflow_id}'" for workflow_id in chunk)
        query = f"WorkflowId IN ({quoted}) AND ExecutionStatus != 'Running'"
        ended = {execution.id async for execution in temporal.list_workflows(query, page_size=ENDED_PAGE)}
        found += [chunk[workflow_id] for workflow_id in ended]
    return found


async def _nudge(
    db: Database, followed: _Followed, rows: Sequence[asyncpg.Record], ended: Sequence[asyncpg.Record]
) -> None:
    if not rows:
        return
    async with work(db) as current:
        further = await current.connection.fetch(
            followed.further, [row["id"] for row in ended], [row["round"] for row in ended]
        )
        rounds = {row["id"]: row["round"] for row in rows} | {row["id"]: row["round"] for row in further}
        for subject, turn in rounds.items():
            current.send(followed.nudge(subject, round=turn))
