"""Spam: the order ends as a wrong number with the mark 'số rác', and makes no contact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text

from services.orders import record
from services.orders.care import service as care
from services.orders.leads import actor, missing
from services.orders.levels.moves import Move, is_open, move_level
from services.orders.record import Order
from shared.contracts.events.leads import SpamMarked
from shared.contracts.levels import CLEAN, WRONG_NUMBER
from shared.db import Session

MARK: Final = "spam"
"""The mark that the call result 'số rác' leaves as well."""

_MARK: Final = text(
    """
UPDATE orders SET spam = :kind, spam_revision = :revision,
    marks = CASE WHEN :kind = '' THEN array_remove(marks, :mark)
        WHEN marks @> ARRAY[:mark] THEN marks ELSE array_append(marks, :mark) END
WHERE id = :id AND spam_revision < :revision RETURNING id
"""
)
_LAST_CAUSE: Final = text("SELECT cause FROM transitions WHERE order_id = :id ORDER BY sequence DESC LIMIT 1")


async def marked(session: Session, lead: SpamMarked) -> None:
    """Ends the care of spam, or takes it up again where the mark had ended it; an older mark changes nothing.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, lead.lead_id)
    if order is None:
        await missing.excuse(session, lead.lead_id)
        return
    values = {"id": order.id, "kind": lead.kind, "revision": lead.revision, "mark": MARK}
    if (await session.execute(_MARK, values)).first() is None or order.main != CLEAN:
        return
    if lead.kind and await is_open(session, order.level):
        await _move(session, order, WRONG_NUMBER, lead)
        await care.touch(session, [order.id])
    elif not lead.kind and order.level == WRONG_NUMBER and await _was_ended_by_mark(session, order):
        await _move(session, order, CLEAN, lead)
        await care.wake(session, order.id)


async def _was_ended_by_mark(session: Session, order: Order) -> bool:
    cause: str = (await session.execute(_LAST_CAUSE, {"id": order.id})).scalar_one()
    return cause == "spam"


async def _move(session: Session, order: Order, to: str, lead: SpamMarked) -> None:
    move = Move(to, at=lead.at, recorded_at=datetime.now(UTC), cause="spam", reason=lead.reason, note=lead.kind)
    await move_level(session, order, move, actor.of(lead.by_id, lead.by))
