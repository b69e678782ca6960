"""A person moves an order to another level, with whatever else that level means."""

from __future__ import annotations

from datetime import datetime

from services.orders.actors import Actor
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.closing.cancel import TO as CANCELLED_FROM
from services.orders.closing.cancel import cancel
from services.orders.closing.reopen import reopen
from services.orders.levels.errors import UnknownToProcess
from services.orders.levels.moves import Move, is_open, move_level
from services.orders.record import Order
from shared.contracts.levels import CLEAN, CLOSED, main_level
from shared.db import Session


async def by_hand(
    session: Session, processes: Processes, order: Order, move: Move, actor: Actor, *, now: datetime
) -> Order:
    """Moves a locked order as the table allows. Cancelling gives the stock back, reopening too (rules D5, D15).

    Raises:
        UnknownToProcess: care has ended and cannot resume at that level.
        MoveNotAllowed, Forbidden, NotYourGroup: not this way, or not by this person.
        ReasonRequired, CallRequired, ClosingRequired, NoteRequired, FieldsRequired: something is missing.
        HandedOver, AlreadyPosted: it is too late for it.
    """
    if CANCELLED_FROM.get(order.level) == move.to:
        return await cancel(session, order, actor, reason=move.reason, now=now, note=move.note, fields=move.fields)
    if order.level == CLOSED and main_level(move.to) == CLEAN:
        moved = await reopen(session, order, move, actor)
    else:
        moved = await move_level(session, order, move, actor)
    if moved.level != order.level and moved.main == CLEAN:
        await _ensure_resumable(session, processes, moved, now=now)
    return moved


async def _ensure_resumable(session: Session, processes: Processes, order: Order, *, now: datetime) -> None:
    """An order that is worked on must be in care: where it had ended, the process has to know a step for the level."""
    care = await lock_care(session, order.id)
    if care is None or care.is_open or not await is_open(session, order.level):
        return
    process = await processes.get(session, care.process, care.process_version, now=now)
    if order.level not in process.resume:
        raise UnknownToProcess(to_level=order.level)
