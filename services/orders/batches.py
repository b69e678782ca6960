"""Long work that a workflow does turn after turn (replans, what-if runs): what runs without a workflow is started again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from services.orders.calendars.change import named
from shared import outbox
from shared.contracts import ids
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import start_process_move, start_replan, start_what_if
from shared.db import Database


@dataclass(frozen=True)
class Kind:
    """A kind of such work.

    Args:
        running: its rows that are to go on, with `round`.
        further: gives a row its next round, if nobody else did.
        workflow_id, start: of a row and a round.
        key: what `further` finds the row by.
    """

    running: Any
    further: Any
    workflow_id: Callable[[Any, int], str]
    start: Callable[[Any, int], WorkflowCommand]
    key: Callable[[Any], Mapping[str, Any]]


REPLANS: Final = Kind(
    running=text(
        """
SELECT r.revision, r.round, c.calendar, c.team, c.version FROM replans r JOIN business_time_changes c USING (revision)
WHERE r.state = 'running' ORDER BY r.revision
"""
    ),
    further=text(
        "UPDATE replans SET round = :next WHERE revision = :revision AND state = 'running' AND round = :next - 1 RETURNING 1"
    ),
    workflow_id=lambda row, round: ids.replan_id(named(row.calendar, row.team), row.version, round=round),
    start=lambda row, round: start_replan(
        row.revision, calendar=named(row.calendar, row.team), version=row.version, round=round
    ),
    key=lambda row: {"revision": row.revision},
)
WHAT_IFS: Final = Kind(
    running=text("SELECT id, round FROM what_if_runs WHERE state = 'running' ORDER BY id"),
    further=text(
        "UPDATE what_if_runs SET round = :next WHERE id = :id AND state = 'running' AND round = :next - 1 RETURNING 1"
    ),
    workflow_id=lambda row, round: ids.what_if_id(row.id, round=round),
    start=lambda row, round: start_what_if(row.id, round=round),
    key=lambda row: {"id": row.id},
)


PROCESS_MOVES: Final = Kind(
    running=text("SELECT id, round FROM process_moves WHERE state IN ('previewing', 'moving') ORDER BY id"),
    further=text(
        "UPDATE process_moves SET round = :next "
        "WHERE id = :id AND state IN ('previewing', 'moving') AND round = :next - 1 RETURNING 1"
    ),
    workflow_id=lambda row, round: ids.process_move_id(row.id, round=round),
    start=lambda row, round: start_process_move(row.id, round=round),
    key=lambda row: {"id": row.id},
)


async def reconcile_batches(db: Database, temporal: Client, kind: Kind) -> int:
    """Starts the workflow of everything that is to go on and has none. They are few, so each is asked for by its id.

    Returns:
        How many were started.

    Raises:
        RPCError: Temporal cannot be asked.
    """
    async with db.read() as session:
        rows: Sequence[Any] = (await session.execute(kind.running)).all()
        announced = await outbox.announced(session, [kind.workflow_id(row, row.round) for row in rows])
    started = 0
    for row in rows:
        workflow_id = kind.workflow_id(row, row.round)
        if workflow_id in announced:
            continue
        status = await _status(temporal, workflow_id)
        if status != WorkflowExecutionStatus.RUNNING:
            started += await _start(db, kind, row, ended=status is not None)
    return started


async def _status(temporal: Client, workflow_id: str) -> WorkflowExecutionStatus | None:
    """How a workflow stands; None when Temporal does not know it."""
    try:
        return (await temporal.get_workflow_handle(workflow_id).describe()).status
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _start(db: Database, kind: Kind, row: Any, *, ended: bool) -> int:
    """A workflow that has ended, by an operator say, does not start again under its id; a further one goes on."""
    round = row.round
    async with db.transaction() as session:
        if ended:
            round += 1
            moved = await session.execute(kind.further, {**kind.key(row), "next": round})
            if moved.first() is None:
                return 0
        await outbox.send(session, kind.start(row, round))
    return 1
