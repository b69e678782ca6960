"""A corrected number, name or product reaches the order, its customer and its care (rule D27)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text

from services.orders import customers, record
from services.orders.care import service as care
from services.orders.leads import actor, missing
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from services.orders.text import words
from shared.consumer import NotYet
from shared.contracts.events.leads import LeadCorrected
from shared.contracts.levels import CLEAN, WRONG_NUMBER
from shared.db import Session

NUMBER_CORRECTED: Final = "sửa số"
"""Reason of the return to L1 when leads did not yet know that the number was wrong and asked for none."""

_CORRECTION: Final = text(
    """
INSERT INTO corrections (order_id, revision, at, by_id, by_code, reason, number_changed)
VALUES (:order_id, :revision, :at, :by_id, :by, :reason, :number_changed) ON CONFLICT DO NOTHING
"""
)
_CORRECT: Final = text(
    """
UPDATE orders SET lead_revision = :revision, phone = :phone, name = :name, lead_address = :address, lead_note = :note,
    product = :product, customer_id = :customer_id, search = to_tsvector('simple', :words || ' ' || :recipient_words)
WHERE id = :order_id
"""
)
_KNOWN: Final = text("SELECT recipient, lead_revision FROM orders WHERE id = :id")


async def corrected(session: Session, lead: LeadCorrected) -> None:
    """Takes over what is known of the lead now; an older revision changes nothing.

    Raises:
        NotYet: the order has not arrived here.
    """
    held = await customers.lock_numbers_of(session, lead.lead_id, (lead.phone, *lead.other_phones))
    order = await record.lock(session, lead.lead_id)
    if order is None:
        await missing.excuse(session, lead.lead_id)
        return
    if order.phone not in held:
        raise NotYet("another correction came between")
    who = {
        "order_id": order.id,
        **lead.model_dump(include={"revision", "at", "by_id", "by", "reason", "number_changed"}),
    }
    await session.execute(_CORRECTION, who)
    if not await _take_over(session, order, lead) or order.phone == lead.phone or order.main != CLEAN:
        return
    if order.level == WRONG_NUMBER:
        reason = lead.reason or NUMBER_CORRECTED
        move = Move(CLEAN, at=lead.at, recorded_at=datetime.now(UTC), cause="corrected", reason=reason)
        await move_level(session, order, move, actor.of(lead.by_id, lead.by))
        await care.wake(session, order.id)
    else:
        await care.touch(session, [order.id])


async def _take_over(session: Session, order: Order, lead: LeadCorrected) -> bool:
    known = (await session.execute(_KNOWN, {"id": order.id})).one()
    if lead.revision <= known.lead_revision:
        return False
    customer_id = await customers.renumber(
        session,
        customer_id=order.customer_id,
        order_id=order.id,
        before=order.phone,
        phones=(lead.phone, *lead.other_phones),
        name=lead.name,
    )
    values = {
        "order_id": order.id,
        "customer_id": customer_id,
        "words": " ".join(words(lead.name)),
        "recipient_words": " ".join(words(known.recipient)),
        **lead.model_dump(include={"revision", "phone", "name", "address", "note", "product"}),
    }
    await session.execute(_CORRECT, values)
    return True
