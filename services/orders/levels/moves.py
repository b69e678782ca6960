"""The one place where the level of an order changes: by the table of allowed moves, as one append-only transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.causes import REQUEST, Causes
from services.orders.record import Order
from shared import outbox
from shared.contracts.events.orders import LEVEL_CHANGED, LevelChanged
from shared.db import ReadSession, Session
from shared.errors import Forbidden, Problem


class MoveNotAllowed(Problem):
    type = "move-not-allowed"
    status = 409
    vi = "Đơn đang ở {from_level}, không chuyển sang {to_level} được. Tải lại đơn rồi chọn trạng thái trong danh sách."
    en = "The order is at {from_level} and cannot go to {to_level}. Load it again and choose one of the allowed levels."


class ReasonRequired(Problem):
    type = "reason-required"
    status = 422
    vi = "Cần ghi lý do khi chuyển từ {from_level} sang {to_level}. Điền lý do rồi gửi lại."
    en = "Going from {from_level} to {to_level} needs a reason. Give one and send again."


class CallRequired(Problem):
    type = "call-required"
    status = 422
    vi = "Chỉ chuyển sang {to_level} bằng kết quả của một cuộc gọi. Ghi cuộc gọi với kết quả đó."
    en = "{to_level} is reached by the result of a call only. Log the call with that result."


class ClosingRequired(Problem):
    type = "closing-required"
    status = 422
    vi = "Chỉ chuyển sang {to_level} bằng 'Chốt đơn' với sản phẩm và địa chỉ đầy đủ."
    en = "{to_level} is reached by closing the order with its lines and address only."


@dataclass(frozen=True)
class Move:
    """A wish to change a level.

    Args:
        at: when it happened (a carrier's time, the time of the call).
        recorded_at: when we learnt of it.
        cause: accepted, call_result, care, carrier, operator, cancel, closed, undo, came_again, released, corrected,
            merged, spam.
        given: which of the table's requirements the caller has seen to, of 'call' and 'order'.
    """

    to: str
    at: datetime
    recorded_at: datetime
    cause: str
    reason: str = ""
    note: str = ""
    given: frozenset[str] = frozenset()


_RULE = text(
    """
SELECT t.who, t.permission, t.requires, l.kind = 'final' AS final
FROM level_transitions t JOIN levels l ON l.code = t.to_level
WHERE t.from_level = :from_level AND t.to_level = :to_level
"""
)
_IS_FINAL = text("SELECT kind = 'final' FROM levels WHERE code = :level")
_SET = text("UPDATE orders SET level = :to_level, level_since = :at, sequence = :sequence WHERE id = :order_id")
_ALLOWED = text(
    """
SELECT t.to_level AS code, l.vi, l.en, t.requires, t.permission
FROM level_transitions t JOIN levels l ON l.code = t.to_level AND l.retired_at IS NULL
WHERE t.from_level = :level AND 'staff' = ANY(t.who) ORDER BY l.position
"""
)
_RECORD = text(
    """
INSERT INTO transitions
    (id, order_id, sequence, from_level, to_level, at, recorded_at, cause, actor_id, actor_code, reason, note)
SELECT * FROM unnest(
    CAST(:id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:sequence AS integer[]), CAST(:from_level AS text[]),
    CAST(:to_level AS text[]), CAST(:at AS timestamptz[]), CAST(:recorded_at AS timestamptz[]), CAST(:cause AS text[]),
    CAST(:actor_id AS uuid[]), CAST(:actor_code AS text[]), CAST(:reason AS text[]), CAST(:note AS text[]))
"""
)


async def move_level(session: Session, order: Order, move: Move, actor: Actor) -> Order:
    """Changes the level of a locked order and returns the order as it is then; a move to where it is does nothing.

    Raises:
        MoveNotAllowed: the table has no such move for this kind of actor.
        Forbidden: the actor lacks the permission of the move.
        ReasonRequired, CallRequired, ClosingRequired: what the table asks of staff is missing.
    """
    if move.to == order.level:
        return order
    levels = {"from_level": order.level, "to_level": move.to}
    rule = (await session.execute(_RULE, levels)).one_or_none()
    if rule is None or actor.kind not in rule.who:
        raise MoveNotAllowed(**levels)
    if actor.kind == "staff":
        _check(rule.permission, rule.requires, move, actor, levels)
    moved = replace(order, level=move.to, level_since=move.at, sequence=order.sequence + 1)
    await session.execute(_SET, {"order_id": order.id, "to_level": move.to, "at": move.at, "sequence": moved.sequence})
    await record(session, [(order.level, moved, move)], actor, final=rule.final)
    return moved


async def take_back(session: Session, order: Order, *, to: str, since: datetime, now: datetime, actor: Actor) -> Order:
    """Brings a locked order back to the level at which it stood before its last transition, as if that had not been: by
    another transition, whatever the table says, because the table let it come from there.

    Args:
        to, since: where it stood, and since when.
    """
    if to == order.level:
        return order
    final = (await session.execute(_IS_FINAL, {"level": to})).scalar_one()
    moved = replace(order, level=to, level_since=since, sequence=order.sequence + 1)
    await session.execute(_SET, {"order_id": order.id, "to_level": to, "at": since, "sequence": moved.sequence})
    move = Move(to, at=now, recorded_at=now, cause="undo")
    await record(session, [(order.level, moved, move)], actor, final=final)
    return moved


def _check(permission: str, requires: Sequence[str], move: Move, actor: Actor, levels: dict[str, str]) -> None:
    if permission not in actor.permissions:
        raise Forbidden(permission=permission)
    if "reason" in requires and not move.reason.strip():
        raise ReasonRequired(**levels)
    if "call" in requires and "call" not in move.given:
        raise CallRequired(**levels)
    if "order" in requires and "order" not in move.given:
        raise ClosingRequired(**levels)


async def record(
    session: Session,
    moved: Sequence[tuple[str, Order, Move]],
    actor: Actor,
    *,
    final: bool = False,
    causes: Causes = REQUEST,
) -> None:
    """Writes transitions and their events: (level before, order as it is now, move). Only the changes of levels in this
    module and the birth of orders at their first level call this.

    Args:
        final: whether the level to which they go ends an order (rule D35).
    """
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "order_id": order.id,
            "sequence": order.sequence,
            "from_level": before,
            "to_level": move.to,
            "at": move.at,
            "recorded_at": move.recorded_at,
            "cause": move.cause,
            "actor_id": actor.account_id,
            "actor_code": actor.code,
            "reason": move.reason,
            "note": move.note,
        }
        for before, order, move in moved
    ]
    if not rows:
        return
    await session.execute(_RECORD, {column: [row[column] for row in rows] for column in rows[0]})
    events = []
    for row, (before, order, move) in zip(rows, moved, strict=True):
        with causes.of(order.id):
            event = _event(row["id"], before, order, move, actor, final=final)
            events.append(outbox.event_row(LEVEL_CHANGED, event, subject=order.id, event_id=row["id"]))
    await outbox.write(session, events)


def _event(transition_id: UUID, before: str, order: Order, move: Move, actor: Actor, *, final: bool) -> LevelChanged:
    return LevelChanged(
        transition_id=transition_id,
        order_id=order.id,
        sequence=order.sequence,
        from_level=before,
        to_level=move.to,
        at=move.at,
        recorded_at=move.recorded_at,
        cause=move.cause,
        actor=actor.code,
        owner_id=order.owner_id,
        owner_code=order.owner_code,
        team=order.team,
        channel=order.channel,
        campaign=order.campaign,
        landing_page=order.landing_page,
        marketer=order.marketer,
        product=order.product,
        cohort_at=order.cohort_at,
        final=final,
    )


async def allowed_for_staff(session: ReadSession, level: str) -> list[dict[str, object]]:
    """Where a person may move an order from a level, and what each move needs; for the screen."""
    return [dict(row._mapping) for row in (await session.execute(_ALLOWED, {"level": level})).all()]
