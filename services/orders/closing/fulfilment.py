"""Where the fulfilment of a closed order stands: one row an order, which its workflow follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from shared import outbox
from shared.contracts.workflows import nudge_fulfilment
from shared.db import Session

Phase = Literal["closed", "posted", "shipped", "cancelled", "done"]

ENDED: Final = ("cancelled", "done")

_BEGIN = text(
    """
INSERT INTO fulfilments (order_id, phase, changed_at) VALUES (:id, 'closed', :at)
ON CONFLICT (order_id) DO UPDATE SET phase = 'closed', posted_at = NULL, posted_by = '', changed_at = :at,
    version = fulfilments.version + 1,
    round = fulfilments.round + CASE WHEN fulfilments.phase IN ('cancelled', 'done') THEN 1 ELSE 0 END
RETURNING round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_MOVE = text(
    """
UPDATE fulfilments SET phase = :phase, version = version + 1, changed_at = :at
WHERE order_id = :id AND phase = ANY(:before)
RETURNING round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_POST = text(
    """
UPDATE fulfilments SET phase = 'posted', posted_at = :at, posted_by = :by, version = version + 1, changed_at = :at
WHERE order_id = :id AND phase = 'closed'
RETURNING round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_TOUCH = text(
    """
UPDATE fulfilments SET version = version + 1, changed_at = :at
WHERE order_id = ANY(CAST(:ids AS uuid[])) AND phase NOT IN ('cancelled', 'done')
RETURNING order_id, round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)


async def begin(session: Session, order_id: UUID, *, at: datetime) -> None:
    """An order was closed, or its parcel was never picked up (rule D6): the COD desk is to post it."""
    await _nudge(session, order_id, (await session.execute(_BEGIN, {"id": order_id, "at": at})).one())


async def post(session: Session, order_id: UUID, *, at: datetime, by: str) -> bool:
    """The COD desk posts it. False: it was posted before, or has gone on since."""
    values = {"id": order_id, "at": at, "by": by}
    return await _nudge(session, order_id, (await session.execute(_POST, values)).one_or_none())


async def move(
    session: Session,
    order_id: UUID,
    phase: Phase,
    *,
    at: datetime,
    before: Sequence[Phase] = ("closed", "posted", "shipped"),
) -> bool:
    """Goes to another phase from one of those before it, and wakes the workflow. False: it was in none of them."""
    values = {"id": order_id, "phase": phase, "at": at, "before": list(before)}
    return await _nudge(session, order_id, (await session.execute(_MOVE, values)).one_or_none())


async def touch(session: Session, ids: Sequence[UUID], *, at: datetime) -> None:
    """Something that these fulfilments wait for has happened (stock came): their workflows look again."""
    if ids:
        rows = await session.execute(_TOUCH, {"ids": list(ids), "at": at})
        commands = [nudge_fulfilment(row.order_id, code=row.code, round=row.round) for row in rows]
        await outbox.write(session, [outbox.command_row(command) for command in commands])


async def _nudge(session: Session, order_id: UUID, changed: Any) -> bool:
    """Wakes the workflow of a row (round, code) that changed; None: none did."""
    if changed is None:
        return False
    await outbox.send(session, nudge_fulfilment(order_id, code=changed.code, round=changed.round))
    return True
