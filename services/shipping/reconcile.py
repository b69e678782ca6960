"""Finds what should have a workflow and has none, or one that has not seen the newest facts, and nudges it.

That is the repair after any restore: truth is in the database, and every nudge starts a workflow that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio.client import Client

from services.shipping.work import work
from shared.contracts import ids
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import POLLING, SHIPMENT, nudge_polling, nudge_shipment
from shared.db import Database
from shared.outbox import command_row
from shared.telemetry import logger

log = logger(__name__)

PAGE: Final = 1000
BATCH: Final = 500
"""Commands written in one transaction."""

_SHIPMENTS: Final = """
SELECT id, seen_revision < revision AND updated_at < now() - interval '1 minute' AS behind FROM shipments
WHERE NOT (status IN ('returned', 'lost', 'cancelled', 'pickup_failed')
    OR (status = 'delivered' AND (settled_at IS NOT NULL OR cod = 0)))
ORDER BY id
"""
_CONNECTIONS: Final = "SELECT id FROM carrier_connections ORDER BY id"


@dataclass(frozen=True)
class Reconciliation:
    open: int
    nudged: int


async def reconcile(db: Database, temporal: Client) -> Reconciliation:
    """Nudges the workflows of open shipments and of connections that are missing or behind.

    Raises:
        RPCError: Temporal cannot be asked; nothing was changed.
    """
    running = await _running(temporal)
    pool = await db.driver()
    shipments = await pool.fetch(_SHIPMENTS)
    connections = await pool.fetch(_CONNECTIONS)
    commands: list[WorkflowCommand] = [
        nudge_shipment(row["id"]) for row in shipments if row["behind"] or ids.shipment_id(row["id"]) not in running
    ]
    commands += [nudge_polling(row["id"]) for row in connections if ids.polling_id(row["id"]) not in running]
    for start in range(0, len(commands), BATCH):
        async with work(db) as current:
            current.rows += map(command_row, commands[start : start + BATCH])
    log.info("reconciled", open=len(shipments) + len(connections), nudged=len(commands))
    return Reconciliation(open=len(shipments) + len(connections), nudged=len(commands))


async def _running(temporal: Client) -> set[str]:
    query = f"WorkflowType IN ('{SHIPMENT.name}', '{POLLING.name}') AND ExecutionStatus = 'Running'"
    return {execution.id async for execution in temporal.list_workflows(query, page_size=PAGE)}
