"""Finds imports that are to go on and whose workflow is missing, and starts it: the repair after any restore."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from services.leads.imports import store
from shared import outbox
from shared.contracts import ids
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import start_import, start_import_undo
from shared.db import Database

FORGET: Final = 20_000
"""Old verdicts deleted at a time: a look every two minutes gets through them."""
FORGET_PAGES: Final = 20
"""The same for pages, which have 2,000 rows each."""

_OPEN: Final = text(
    "SELECT id, state, CASE state WHEN 'running' THEN round ELSE undo_round END AS round "
    "FROM imports WHERE state IN ('running', 'undoing') ORDER BY id"
)


@dataclass(frozen=True)
class _Followed:
    state: str
    workflow_id: Callable[..., str]
    start: Callable[..., WorkflowCommand]
    further: Any


_KINDS: Final = {
    kind.state: kind
    for kind in (
        _Followed(
            "running",
            ids.import_id,
            start_import,
            text(
                "UPDATE imports SET round = :next WHERE id = :id AND state = 'running' AND round = :next - 1 RETURNING 1"
            ),
        ),
        _Followed(
            "undoing",
            ids.import_undo_id,
            start_import_undo,
            text(
                "UPDATE imports SET undo_round = :next WHERE id = :id AND state = 'undoing' AND undo_round = :next - 1 "
                "RETURNING 1"
            ),
        ),
    )
}


async def reconcile_imports(db: Database, temporal: Client) -> int:
    """Starts the workflow of every import that is to go on and has none. They are few, so each is asked for by its id.
    Rows of uploads that nobody wants any more are deleted on the way.

    Raises:
        RPCError: Temporal cannot be asked.
    """
    await store.forget_old(await db.driver(), pages=FORGET_PAGES, verdicts=FORGET)
    async with db.read() as session:
        rows = (await session.execute(_OPEN)).all()
        announced = await outbox.announced(session, [_id_of(row) for row in rows])
    started = 0
    for row in rows:
        if _id_of(row) in announced:
            continue
        status = await _status(temporal, _id_of(row))
        if status == WorkflowExecutionStatus.RUNNING:
            continue
        started += await _start(db, row, ended=status is not None)
    return started


def _id_of(row: Any) -> str:
    return _KINDS[row.state].workflow_id(row.id, round=row.round)


async def _status(temporal: Client, workflow_id: str) -> WorkflowExecutionStatus | None:
    """How a workflow stands; None when Temporal does not know it."""
    try:
        return (await temporal.get_workflow_handle(workflow_id).describe()).status
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _start(db: Database, row: Any, *, ended: bool) -> int:
    """A workflow that has ended, by an operator say, does not start again under its id; a further one goes on."""
    kind = _KINDS[row.state]
    import_id: UUID = row.id
    round = row.round
    async with db.transaction() as session:
        if ended:
            round += 1
            moved = await session.execute(kind.further, {"id": import_id, "next": round})
            if moved.first() is None:
                return 0
        await outbox.send(session, kind.start(import_id, round=round))
    return 1
