"""Finds pages without a workflow and starts one; under a further id where an operator ended the one before."""

from __future__ import annotations

from typing import Final

import asyncpg
from temporalio.client import Client

from shared import outbox
from shared.contracts import ids
from shared.contracts.workflows import FACEBOOK, nudge_facebook
from shared.db import Database

_PAGES: Final = "SELECT id, round FROM facebook_pages WHERE active ORDER BY id"
_FURTHER: Final = "UPDATE facebook_pages SET round = round + 1 WHERE id = $1 AND round = $2"


async def reconcile_pages(db: Database, temporal: Client) -> int:
    """Nudges every active page that no workflow follows; returns how many. A company has a handful of pages.

    Raises:
        RPCError: Temporal cannot be asked.
    """
    # Before the rows are read: a workflow that starts in between is nudged once too often, which does nothing.
    query = f"WorkflowType = '{FACEBOOK.name}' AND ExecutionStatus = 'Running'"
    running = {execution.id async for execution in temporal.list_workflows(query)}
    rows = await (await db.driver()).fetch(_PAGES)
    missing = [row for row in rows if _id(row) not in running]
    async with db.read() as session:
        announced = await outbox.announced(session, [_id(row) for row in missing])
    missing = [row for row in missing if _id(row) not in announced]
    for row in missing:
        await _nudge(db, row, ended=await _has_ended(temporal, _id(row)))
    return len(missing)


def _id(row: asyncpg.Record) -> str:
    return ids.facebook_id(row["id"], round=row["round"])


async def _has_ended(temporal: Client, workflow_id: str) -> bool:
    query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus != 'Running'"
    return bool([execution.id async for execution in temporal.list_workflows(query)])


async def _nudge(db: Database, row: asyncpg.Record, *, ended: bool) -> None:
    pool = await db.driver()
    async with pool.acquire() as connection, connection.transaction():
        if ended:
            await connection.execute(_FURTHER, row["id"], row["round"])
        command = nudge_facebook(row["id"], round=row["round"] + int(ended))
        await connection.execute(outbox.INSERT, *outbox.columns([outbox.command_row(command)]))
    db.wake_relay()
