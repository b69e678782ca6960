"""Finds orders, and calls about them, whose workflow is missing or behind the database, and nudges them.

That is the repair after any restore: truth is in the database, and every nudge starts a workflow that is not there. It
also brings back a workflow that an operator ended although its order goes on: under a further id, because a workflow
that has ended does not start again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from services.orders.batches import PROCESS_MOVES, REPLANS, WHAT_IFS, reconcile_batches
from shared import outbox
from shared.contracts import ids
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import CARE, FULFILMENT, RESCUE_CALL, nudge_care, nudge_fulfilment, nudge_rescue_call
from shared.db import Database

PAGE: Final = 1000
"""Orders looked at, and commands written, at a time."""
ENDED_PAGE: Final = 100
"""Workflow ids asked about in one query, which grows with them."""
LATE: Final = "2 minutes"
"""A fact or a due instant that its workflow has not seen for so long will not be seen without help: relay and workers
need seconds, and a wake-up is spread over one minute."""
BEHIND_MOST: Final = 500
"""Workflows that run and are behind, woken at a time. More of them are as a rule a burst that Temporal works off; waking
each once again would make it twice as long."""

_OPEN_CARE: Final = text(
    f"""
SELECT order_id AS id, round,
    (SELECT code FROM orders WHERE id = order_id) AS code,
    (seen_version < version AND changed_at < now() - interval '{LATE}')
        OR (next_due IS NOT NULL AND next_due < now() - interval '{LATE}'
            AND coalesce(looked_at, changed_at) < now() - interval '{LATE}') AS behind
FROM care WHERE is_open AND order_id > :after ORDER BY order_id LIMIT {PAGE}
"""
)
_OPEN_FULFILMENTS: Final = text(
    f"""
SELECT order_id AS id, round, (SELECT code FROM orders WHERE id = order_id) AS code,
    seen_version < version AND changed_at < now() - interval '{LATE}' AS behind
FROM fulfilments WHERE phase NOT IN ('cancelled', 'done') AND order_id > :after ORDER BY order_id LIMIT {PAGE}
"""
)
_WAITING_CALLS: Final = text(
    f"""
SELECT c.task_id AS id, c.round, o.code, (c.seen_version < c.version AND c.changed_at < now() - interval '{LATE}')
        OR c.desk_at < now() - interval '{LATE}'
        OR c.setting_version < (SELECT max(version) FROM rescue_settings WHERE at < now() - interval '{LATE}') AS behind
FROM rescue_calls c JOIN tasks t ON t.id = c.task_id JOIN orders o ON o.id = t.order_id
WHERE c.waiting AND c.task_id > :after ORDER BY c.task_id LIMIT {PAGE}
"""
)
_FURTHER_CARE: Final = text(
    "UPDATE care SET round = round + 1 WHERE is_open AND (order_id, round) IN "
    "(SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:rounds AS integer[]))) RETURNING order_id AS id, round"
)
_FURTHER_FULFILMENTS: Final = text(
    "UPDATE fulfilments SET round = round + 1 WHERE phase NOT IN ('cancelled', 'done') AND (order_id, round) IN "
    "(SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:rounds AS integer[]))) RETURNING order_id AS id, round"
)

_FURTHER_CALLS: Final = text(
    "UPDATE rescue_calls SET round = round + 1 WHERE waiting AND (task_id, round) IN "
    "(SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:rounds AS integer[]))) RETURNING task_id AS id, round"
)


@dataclass(frozen=True)
class _Followed:
    """A kind of thing that workflows follow."""

    workflow: str
    open: Any
    further: Any
    workflow_id: Callable[..., str]
    nudge: Callable[..., WorkflowCommand]

    def id_of(self, row: Any) -> str:
        return self.workflow_id(row.id, round=row.round)


_CARE: Final = _Followed(CARE.name, _OPEN_CARE, _FURTHER_CARE, ids.care_id, nudge_care)
_FULFILMENT: Final = _Followed(
    FULFILMENT.name, _OPEN_FULFILMENTS, _FURTHER_FULFILMENTS, ids.fulfilment_id, nudge_fulfilment
)

_RESCUE_CALL: Final = _Followed(RESCUE_CALL.name, _WAITING_CALLS, _FURTHER_CALLS, ids.rescue_call_id, nudge_rescue_call)


async def reconcile(db: Database, temporal: Client) -> Mapping[str, int]:
    """Nudges whatever is open and whose workflow is missing or behind, and starts long work that stands still: cares,
    fulfilments, calls that wait for the COD desk.

    Returns:
        Kind → how many were nudged.

    Raises:
        RPCError: Temporal cannot be asked; what was not nudged yet is found again the next time.
    """
    return {
        "cares": await _reconcile(db, temporal, _CARE),
        "fulfilments": await _reconcile(db, temporal, _FULFILMENT),
        "rescue_calls": await _reconcile(db, temporal, _RESCUE_CALL),
        "replans": await reconcile_batches(db, temporal, REPLANS),
        "process_moves": await reconcile_batches(db, temporal, PROCESS_MOVES),
        "what_ifs": await reconcile_batches(db, temporal, WHAT_IFS),
    }


async def cares_without_workflow(db: Database, temporal: Client) -> list[UUID]:
    """Orders in open care that no workflow follows, and none is about to.

    Raises:
        RPCError: Temporal cannot be asked.
    """
    query = f"WorkflowType = '{_CARE.workflow}' AND ExecutionStatus = 'Running'"
    running = {execution.id async for execution in temporal.list_workflows(query, page_size=PAGE)}
    found: list[UUID] = []
    async for page in _pages(db, _CARE):
        missing = await _unannounced(db, _CARE, [row for row in page if _CARE.id_of(row) not in running])
        # The list of workflows lags by a moment; the workflow itself does not.
        found += [row.id for row in missing if not await _runs(temporal, _CARE.id_of(row))]
    return found


async def _runs(temporal: Client, workflow_id: str) -> bool:
    try:
        described = await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status is WorkflowExecutionStatus.RUNNING


async def _reconcile(db: Database, temporal: Client, followed: _Followed) -> int:
    # Before the orders are read: a workflow that starts in between is nudged once too often, which does nothing.
    query = f"WorkflowType = '{followed.workflow}' AND ExecutionStatus = 'Running'"
    running = {execution.id async for execution in temporal.list_workflows(query, page_size=PAGE)}
    nudged = 0
    behind = BEHIND_MOST
    async for page in _pages(db, followed):
        missing = await _unannounced(db, followed, [row for row in page if followed.id_of(row) not in running])
        late = await _unannounced(db, followed, [row for row in page if row.behind and followed.id_of(row) in running])
        late = late[:behind]
        behind -= len(late)
        ended = await _ended(temporal, followed, missing)
        await _nudge(db, followed, [*missing, *late], ended)
        nudged += len(missing) + len(late)
    return nudged


async def _unannounced(db: Database, followed: _Followed, rows: Sequence[Any]) -> list[Any]:
    """Without those that the relay is about to start or wake anyway: in a burst, thousands wait for it."""
    async with db.read() as session:
        announced = await outbox.announced(session, [followed.id_of(row) for row in rows])
    return [row for row in rows if followed.id_of(row) not in announced]


async def _pages(db: Database, followed: _Followed) -> AsyncIterator[Sequence[Any]]:
    after = UUID(int=0)
    while True:
        async with db.read() as session:
            page = (await session.execute(followed.open, {"after": after})).all()
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].id


async def _ended(temporal: Client, followed: _Followed, missing: Sequence[Any]) -> set[UUID]:
    """Those of the orders whose workflow has ended, as far as Temporal remembers."""
    found = set()
    for start in range(0, len(missing), ENDED_PAGE):
        chunk = {followed.id_of(row): row for row in missing[start : start + ENDED_PAGE]}
        quoted = ", ".join(f"'{workflow_id}'" for workflow_id in chunk)
        query = f"WorkflowId IN ({quoted}) AND ExecutionStatus != 'Running'"
        async for execution in temporal.list_workflows(query, page_size=ENDED_PAGE):
            found.add(chunk[execution.id].id)
    return found


async def _nudge(db: Database, followed: _Followed, rows: Sequence[Any], ended: set[UUID]) -> None:
    if not rows:
        return
    async with db.transaction() as session:
        again = [row for row in rows if row.id in ended]
        further = await session.execute(
            followed.further, {"ids": [row.id for row in again], "rounds": [row.round for row in again]}
        )
        rounds = {row.id: row.round for row in rows} | {row.id: row.round for row in further}
        await outbox.write(
            session,
            [outbox.command_row(followed.nudge(row.id, code=row.code, round=rounds[row.id])) for row in rows],
        )
