"""'Hoàn tác': a salesperson takes their own last result back (rule D15).

Nothing is rewritten: the level goes back by a transition, tasks and promises that were open are opened again under new
keys, and those that the result began or ended stay, closed and void. The keys have to be new because an effect of care is
written once a key, for ever.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.orders import customers
from services.orders.actors import Actor
from services.orders.care import service as care_service
from services.orders.care.effects import PutOnDoNotCallList, ReleaseToPool, RequestReassignment
from services.orders.care.facts import StepState, dump_state, load_state
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.care.service import Advanced
from services.orders.care.taking_back import taken_back
from services.orders.interactions import restoring
from services.orders.levels.moves import take_back
from services.orders.record import Order
from services.orders.telephone import linking
from shared.contracts.events.orders import INTERACTION_UNDONE, InteractionUndone
from shared.db import Session
from shared.errors import NotFound, Problem
from shared.outbox import emit

WITHIN: Final = timedelta(minutes=10)


class InteractionNotFound(NotFound):
    vi = "Đơn này không có cuộc gọi hay tin nhắn đó. Tải lại đơn."
    en = "The order has no such interaction. Load it again."


class NotYourInteraction(Problem):
    type = "not-your-interaction"
    status = 403
    vi = "Chỉ người ghi kết quả mới hoàn tác được. Nhờ {by} hoàn tác, hoặc chuyển trạng thái kèm lý do."
    en = "Only its author can take a result back. Ask {by}, or move the order by hand and give a reason."


class AlreadyUndone(Problem):
    type = "already-undone"
    status = 409
    vi = "Kết quả này đã được hoàn tác rồi. Tải lại đơn."
    en = "This result has been taken back already. Load the order again."


class TooLateToUndo(Problem):
    type = "too-late-to-undo"
    status = 409
    vi = "Chỉ hoàn tác được trong {minutes} phút sau khi ghi. Hãy chuyển trạng thái kèm lý do."
    en = "A result can be taken back for {minutes} minutes. Move the order by hand and give a reason."


class SomethingHappenedSince(Problem):
    type = "something-happened-since"
    status = 409
    vi = "Không hoàn tác được vì sau đó đã có việc khác với đơn ({what}). Tải lại đơn rồi xử lý tiếp từ đó."
    en = "It cannot be taken back, because something has happened since ({what}). Load the order and go on from there."


# Only the last interaction can be taken back, so only its point is kept, and those that were used.
_REMEMBER: Final = text(
    """
WITH older AS (DELETE FROM undo_points WHERE order_id = :order_id AND undone_at IS NULL)
INSERT INTO undo_points (interaction_id, order_id, number, level, level_since, marks, state, tasks, came_again_at,
    do_not_call_at, refused_at, sequence_after, assignment, asked_leads)
VALUES (:interaction_id, :order_id, :number, :level, :level_since, :marks, CAST(:state AS jsonb), CAST(:tasks AS jsonb),
    :came_again_at, :do_not_call_at, :refused_at, :sequence_after, :assignment, :asked_leads)
"""
)
_POINT: Final = text(
    """
SELECT i.staff_id, i.staff_code, i.recorded_at, i.number AS own_number, p.*,
    (SELECT max(number) FROM interactions WHERE order_id = i.order_id) AS last_number,
    (SELECT max(at) FROM arrivals WHERE order_id = i.order_id AND asked_again) AS came_again_now,
    EXISTS (SELECT FROM care_commands c WHERE c.order_id = i.order_id AND c.at >= i.recorded_at) AS commanded,
    (SELECT moved_at FROM care WHERE order_id = i.order_id) > i.recorded_at AS moved_since
FROM interactions i LEFT JOIN undo_points p ON p.interaction_id = i.id
WHERE i.id = :id AND i.order_id = :order_id
"""
)
_UNDONE: Final = text("UPDATE undo_points SET undone_at = :now WHERE interaction_id = :id")
_MARKS: Final = text("UPDATE orders SET marks = :marks WHERE id = :id")


async def remember(session: Session, interaction_id: UUID, *, before: Order, advanced: Advanced) -> None:
    """Keeps how an order stood before an interaction, for its author to take it back.

    Args:
        before: the order before it.
        advanced: what care made of it.
    """
    facts = advanced.facts
    assert facts.state is not None  # care has begun before the interaction was logged
    tasks = [
        {
            "key": task.key,
            "due_at": task.due_at,
            "deadline_at": task.deadline_at,
            "owner_id": str(task.owner_id) if task.owner_id else None,
            "promise_open": task.promise_open,
        }
        for task in facts.tasks
    ]
    effects = advanced.decision.effects
    refused = next((effect.at for effect in effects if isinstance(effect, PutOnDoNotCallList)), None)
    await session.execute(
        _REMEMBER,
        {
            "interaction_id": interaction_id,
            "order_id": before.id,
            "number": facts.interactions[-1].number,
            "level": before.level,
            "level_since": before.level_since,
            "marks": list(before.marks),
            "state": orjson.dumps(dump_state(facts.state)).decode(),
            "tasks": orjson.dumps(tasks).decode(),
            "came_again_at": facts.customer_came_again_at,
            "do_not_call_at": facts.do_not_call_since,
            "refused_at": refused,
            "sequence_after": advanced.order.sequence,
            "assignment": before.assignment,
            "asked_leads": any(isinstance(effect, (ReleaseToPool, RequestReassignment)) for effect in effects),
        },
    )


async def undo(
    session: Session, processes: Processes, order: Order, interaction_id: UUID, actor: Actor, *, now: datetime
) -> Order:
    """Takes back the last interaction of a locked order, and lets care plan anew from where it stood.

    Raises:
        InteractionNotFound, NotYourInteraction, AlreadyUndone, TooLateToUndo, SomethingHappenedSince: it stays.
    """
    found = await session.execute(_POINT, {"id": interaction_id, "order_id": order.id})
    point = found.one_or_none()
    if point is None:
        raise InteractionNotFound
    _check(point, order, actor, now=now)
    order = await take_back(session, order, to=point.level, since=point.level_since, now=now, actor=actor)
    if list(order.marks) != point.marks:
        await session.execute(_MARKS, {"id": order.id, "marks": point.marks})
    if point.refused_at is not None:
        await customers.allow_calls(
            session, order.customer_id, refused_at=point.refused_at, before=point.do_not_call_at
        )
    await customers.unconfirm(session, order.customer_id, interaction_id=interaction_id)
    keys, void = await restoring.restore(session, order, point, now=now)
    await session.execute(_UNDONE, {"id": interaction_id, "now": now})
    await linking.unlink(session, interaction_id)
    await emit(
        session,
        INTERACTION_UNDONE,
        InteractionUndone(
            interaction_id=interaction_id,
            order_id=order.id,
            at=now,
            staff_id=actor.account_id,
            staff_code=actor.code,
            promises=tuple(sorted(void)),
        ),
        subject=order.id,
    )
    return await _plan_anew(session, processes, order, load_state(point.state), keys, number=point.number, now=now)


def _check(point: Any, order: Order, actor: Actor, *, now: datetime) -> None:
    if point.staff_id != actor.account_id:
        raise NotYourInteraction(by=point.staff_code or "?")
    if point.undone_at is not None:
        raise AlreadyUndone
    if now - point.recorded_at > WITHIN:
        raise TooLateToUndo(minutes=int(WITHIN.total_seconds()) // 60)
    if point.last_number != point.own_number:
        raise SomethingHappenedSince(what="interaction")
    if point.interaction_id is None or order.sequence != point.sequence_after:
        raise SomethingHappenedSince(what="level")  # also the closing, which is an interaction that moved the level
    if order.assignment != point.assignment:
        raise SomethingHappenedSince(what="owner")
    if point.asked_leads:
        raise SomethingHappenedSince(what="given_back")
    if point.commanded:
        raise SomethingHappenedSince(what="operator")
    if point.moved_since:
        raise SomethingHappenedSince(what="process")  # what stood before has no place in the other version
    if point.came_again_now != point.came_again_at:
        raise SomethingHappenedSince(what="came_again")


async def _plan_anew(
    session: Session,
    processes: Processes,
    order: Order,
    before: StepState,
    keys: dict[str, str],
    *,
    number: int,
    now: datetime,
) -> Order:
    """Puts care back to a state and lets it look, which also decides what time has brought meanwhile."""
    await care_service.wake(session, order.id)
    care = await lock_care(session, order.id)
    assert care is not None
    assert care.state is not None
    state = taken_back(before, care.state, keys=keys, number=number)
    care = replace(care, state=state, step=state.step, is_open=True, outcome="")
    await care_service.save(session, order.id, care, now=now)
    return (await care_service.advance(session, processes, order, care, now=now)).order
