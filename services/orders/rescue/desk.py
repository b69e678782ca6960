"""The call about a failed delivery goes to the COD desk as well: at the instant that `turn.py` says, once.

The row of the call decides, under the lock of its order: `waiting` is true until it was handed over or is over. What
waits for the instant is its workflow, which asks `look` here; a call whose turn is the desk's as soon as it is opened
needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.promises.live import desk_changed, tasks_changed
from services.orders.record import Order
from services.orders.rescue import setting
from services.orders.rescue.calling_hours import calling_hours
from services.orders.rescue.turn import DeskTurn, Setting, desk_turn
from services.orders.rescue.words import why_desk
from shared.contracts.events.orders_rescue import RESCUE_HANDED_OVER, RescueHandedOver
from shared.db import Session
from shared.outbox import emit

SPOKE_FOR: Final = timedelta(seconds=20)
"""A call of a telephone system that lasted so long was with the customer; an announcement that answers is shorter."""
_MINUTE: Final = timedelta(minutes=1)

_CALL: Final = text(
    """
SELECT c.task_id, c.rescue_id, c.turn, c.carrier, c.opened_at, c.waiting, c.round, c.handed_at, c.why, c.call_minutes,
    c.called_at, c.called_by, c.from_code, t.order_id, t.key, t.team, t.owner_id, t.deadline_at, t.closed_at,
    coalesce(m.code, '') AS owner_code,
    CASE WHEN t.owner_id IS NULL THEN 'nobody' WHEN NOT m.active THEN 'left'
        WHEN m.duty_version > 0 AND NOT m.on_duty THEN 'off_duty' ELSE 'here' END AS presence
FROM rescue_calls c JOIN tasks t ON t.id = c.task_id
LEFT JOIN staff_members m ON m.account_id = t.owner_id AND m.version > 0
WHERE c.task_id = :id FOR UPDATE OF c
"""
)
_SPOKE: Final = text(
    """
SELECT c.started_at AS at, coalesce(m.code, '') AS by FROM telephone_calls c
LEFT JOIN staff_members m ON m.account_id = c.account_id AND m.version > 0
WHERE c.order_id = :order_id AND c.started_at >= :since AND c.talk_seconds >= :seconds ORDER BY c.started_at LIMIT 1
"""
)
_REACHED: Final = text("UPDATE rescue_calls SET called_at = :at, called_by = :by WHERE task_id = :id")
_OVER: Final = text("UPDATE rescue_calls SET waiting = false WHERE task_id = :id")
_PLANNED: Final = text(
    "UPDATE rescue_calls SET desk_at = :at, why = :why, call_minutes = :call_minutes WHERE task_id = :id"
)
_HAND_OVER: Final = text(
    """
WITH call AS (
    UPDATE rescue_calls SET waiting = false, desk_at = :now, handed_at = :now, why = :why, call_minutes = :call_minutes,
        from_code = :from_code, sentence = :sentence
    WHERE task_id = :id
), promise AS (
    UPDATE promises SET owner_id = NULL
    WHERE order_id = :order_id AND task_key = :key AND ended_at IS NULL AND :why = 'desk_first'
), told AS (
    INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
    SELECT * FROM (VALUES
        (CAST(:desk_notice AS uuid), CAST(:order_id AS uuid), CAST(:key AS text) || '/to_desk', CAST(NULL AS uuid), 'to_desk',
            CAST(:key AS text), CAST(:now AS timestamptz)),
        (CAST(:owner_notice AS uuid), CAST(:order_id AS uuid), CAST(:key AS text) || '/handed_over', CAST(:owner_id AS uuid),
            'handed_over', CAST(:key AS text), CAST(:now AS timestamptz))
    ) AS n (id, order_id, key, account_id, kind, task_key, at)
    WHERE n.kind = 'to_desk' OR (n.account_id IS NOT NULL AND :why <> 'desk_first')
    ON CONFLICT (order_id, key) DO NOTHING
)
UPDATE tasks SET to_desk = true, snoozed_until = NULL WHERE id = :id
"""
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A call about a failed delivery, and whose turn it is."""

    order: Order
    row: Any
    """Of the call as it was looked at, with its task."""
    turn: DeskTurn | None
    """None: nobody waits for the desk's turn, as the customer was reached or the call is over."""
    handed_over: bool
    called_at: datetime | None
    called_by: str

    @property
    def is_over(self) -> bool:
        return self.row.closed_at is not None


async def look(session: Session, order: Order, task_id: UUID, *, now: datetime) -> Standing | None:
    """Plans the desk's turn anew from how everything stands, and hands the call over if it has come; None: no such call.

    Args:
        order: of the call, locked.
    """
    row = (await session.execute(_CALL, {"id": task_id})).one_or_none()
    if row is None:
        return None
    spoke_at, spoke_by = await _spoke(session, row)
    if not row.waiting or row.closed_at is not None:
        if row.waiting:
            await session.execute(_OVER, {"id": task_id})
        return Standing(order, row, None, row.handed_at is not None, spoke_at, spoke_by)
    company = (await setting.present(session)).setting
    turn = None
    if spoke_at is None:
        turn = desk_turn(
            company,
            await calling_hours(session, team=order.team),
            opened_at=row.opened_at,
            deadline_at=row.deadline_at,
            presence=row.presence,
            now=now,
        )
    if turn is not None and turn.at <= now:
        await _hand_over(session, order, row, turn, company, now=now)
        return Standing(order, row, turn, True, None, "")
    planned = {"at": turn.at if turn else None, "why": turn.why if turn else "", "id": task_id}
    await session.execute(_PLANNED, {**planned, "call_minutes": company.call_time // _MINUTE})
    return Standing(order, row, turn, False, spoke_at, spoke_by)


async def _spoke(session: Session, row: Any) -> tuple[datetime | None, str]:
    """When somebody first spoke with the customer about it, and who: as a person logged it, or a telephone system."""
    if row.called_at is not None:
        return row.called_at, row.called_by
    values = {"order_id": row.order_id, "since": row.opened_at, "seconds": SPOKE_FOR.total_seconds()}
    found = (await session.execute(_SPOKE, values)).one_or_none()
    if found is None:
        return None, ""
    await session.execute(_REACHED, {"id": row.task_id, "at": found.at, "by": found.by})
    return found.at, found.by


async def _hand_over(
    session: Session, order: Order, row: Any, turn: DeskTurn, company: Setting, *, now: datetime
) -> None:
    first = turn.why == "desk_first"
    minutes = company.call_time // _MINUTE
    await session.execute(
        _HAND_OVER,
        {
            "id": row.task_id,
            "order_id": order.id,
            "key": row.key,
            "why": turn.why,
            "call_minutes": minutes,
            "from_code": "" if first else row.owner_code,
            "sentence": f"Chuyển bộ phận COD gọi khách: {why_desk(turn.why, call_minutes=minutes).vi}",
            "owner_id": row.owner_id,
            "desk_notice": uuid7(),
            "owner_notice": uuid7(),
            "now": now,
        },
    )
    fact = RescueHandedOver(
        rescue_id=row.rescue_id,
        turn=row.turn,
        order_id=order.id,
        at=now,
        why=turn.why,
        call_minutes=minutes,
        deadline_at=row.deadline_at,
        from_id=None if first else row.owner_id,
        from_code="" if first else row.owner_code,
    )
    await emit(session, RESCUE_HANDED_OVER, fact, subject=order.id)
    tasks_changed(session, row.owner_id)
    desk_changed(session)
