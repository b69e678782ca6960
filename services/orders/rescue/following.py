"""What the workflow of a call asks: whose turn it is, and how that stands in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.orders import record
from services.orders.rescue import desk
from services.orders.rescue.words import call_sentence
from shared.contracts import ids
from shared.contracts.activities import Advance, OperatorView
from shared.db import Database

HANDED_OVER: Final = "handed_over"
OVER: Final = "over"
SUPERSEDED: Final = "superseded"
"""How a workflow ends whose call another one follows."""

_ORDER_OF: Final = text("SELECT order_id FROM tasks WHERE id = :id")
_SEEN: Final = text(
    """
UPDATE rescue_calls SET seen_version = version, setting_version = (SELECT coalesce(max(version), 0) FROM rescue_settings)
WHERE task_id = :id
"""
)


async def advance(db: Database, task_id: UUID, *, now: datetime) -> Advance:
    """Hands the call over if the desk's turn has come, else says when it comes.

    Raises:
        ApplicationError: there is no such call.
    """
    async with db.transaction() as session:
        order_id = (await session.execute(_ORDER_OF, {"id": task_id})).scalar()
        order = await record.lock(session, order_id) if order_id is not None else None
        standing = await desk.look(session, order, task_id, now=now) if order is not None else None
        if standing is None:
            raise ApplicationError("there is no such call about a failed delivery", type="no-call", non_retryable=True)
        if activity.info().workflow_id != ids.rescue_call_id(task_id, round=standing.row.round):
            return Advance(done=True, outcome=SUPERSEDED, view=OperatorView(sentence_vi="", sentence_en=""))
        await session.execute(_SEEN, {"id": task_id})
    done = standing.is_over or standing.handed_over
    return Advance(
        done=done,
        next_due=standing.turn.at if standing.turn is not None and not done else None,
        view=_view(standing, now=now),
        outcome="" if not done else HANDED_OVER if standing.handed_over else OVER,
    )


def _view(standing: desk.Standing, *, now: datetime) -> OperatorView:
    order, row = standing.order, standing.row
    words = call_sentence(
        code=order.code,
        owner=row.owner_code,
        over=standing.is_over,
        handed_over=standing.handed_over,
        why=standing.turn.why if standing.turn is not None else row.why,
        desk_at=standing.turn.at if standing.turn is not None else row.handed_at,
        call_minutes=row.call_minutes,
        called_at=standing.called_at,
        called_by=standing.called_by,
        deadline_at=row.deadline_at,
    )
    return OperatorView(
        sentence_vi=words.vi,
        sentence_en=words.en,
        level=order.level,
        owner=row.owner_code,
        team=order.team,
        source=order.channel,
        carrier=row.carrier,
        due_at=None if standing.is_over else row.deadline_at,
        overdue=not standing.is_over and now > row.deadline_at,
    )
