"""Wakes the workflows of calls that wait for the COD desk's turn, when something changes that it hangs on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared import outbox
from shared.contracts.commands import WorkflowCommand
from shared.contracts.workflows import nudge_rescue_call
from shared.db import Session

A_SECOND: Final = 50
"""Workflows woken by a change that many hang on: Temporal on one machine works 75 to 100 steps a second."""

_CHANGED: Final = text(
    """
UPDATE rescue_calls c SET version = version + 1, changed_at = now(), waiting = t.closed_at IS NULL
FROM (
    SELECT k.task_id, tasks.closed_at, o.code FROM rescue_calls k JOIN tasks ON tasks.id = k.task_id
    JOIN orders o ON o.id = tasks.order_id
    WHERE tasks.order_id = ANY(CAST(:ids AS uuid[])) AND tasks.origin = 'rescue' AND k.waiting
    ORDER BY k.task_id FOR UPDATE OF k
) AS t WHERE c.task_id = t.task_id RETURNING c.task_id, c.round, t.code
"""
)
_WAITING: Final = """
SELECT c.task_id, c.round, o.code FROM rescue_calls c JOIN tasks t ON t.id = c.task_id JOIN orders o ON o.id = t.order_id
WHERE c.waiting AND t.closed_at IS NULL
"""
_ALL: Final = text(_WAITING)
_OF_PEOPLE: Final = text(f"{_WAITING} AND t.owner_id = ANY(CAST(:accounts AS uuid[]))")


async def changed(session: Session, order_ids: Sequence[UUID]) -> None:
    """Something about the calls of these orders changed, or they are over.

    Args:
        order_ids: locked.
    """
    await outbox.write(session, map(outbox.command_row, _nudges(await session.execute(_CHANGED, {"ids": order_ids}))))


async def all_waiting(session: Session) -> None:
    """The company's setting, or its calling hours, changed."""
    await outbox.send_paced(session, _nudges(await session.execute(_ALL)), a_second=A_SECOND)


async def of_people(session: Session, accounts: Sequence[UUID]) -> None:
    """These people came on duty, went off it, or left."""
    found = await session.execute(_OF_PEOPLE, {"accounts": list(accounts)})
    await outbox.send_paced(session, _nudges(found), a_second=A_SECOND)


def _nudges(rows: Iterable[Any]) -> list[WorkflowCommand]:
    return [nudge_rescue_call(row.task_id, code=row.code, round=row.round) for row in rows]
