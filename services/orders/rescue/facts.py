"""What shipping tells of failed deliveries, in any order, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.orders import customers, record
from services.orders.actors import Actor
from services.orders.addresses.checking import DeliveryAddress
from services.orders.closing import contents
from services.orders.rescue import calls
from services.orders.rescue.words import sentence
from shared.consumer import NotYet
from shared.contracts.events.shipping_rescue import RecipientChanged, RescueChanged
from shared.db import Session

RESCUED: Final = "rescued"
"""'Đã cứu đơn': the carrier was asked for another delivery, and has not said or shown that it will not (rule D1)."""
REASON: Final = "cứu đơn: đổi người nhận"

_KEEP: Final = text(
    """
INSERT INTO rescue_steps (rescue_id, sequence, order_id, at, step, state, attempt, carrier, by_code, wish, outcome, sentence)
VALUES (:rescue_id, :sequence, :order_id, :at, :step, :state, :attempt, :carrier, :by_code, :wish, :outcome, :sentence)
ON CONFLICT (rescue_id, sequence) DO NOTHING RETURNING sequence
"""
)
_NEWER: Final = text("SELECT 1 FROM rescue_steps WHERE rescue_id = :rescue_id AND sequence > :sequence LIMIT 1")
_MARK: Final = text("UPDATE orders SET marks = array_append(marks, :mark) WHERE id = :id AND NOT marks @> ARRAY[:mark]")
_UNMARK: Final = text("UPDATE orders SET marks = array_remove(marks, :mark) WHERE id = :id AND marks @> ARRAY[:mark]")


async def rescue_changed(session: Session, fact: RescueChanged, *, now: datetime) -> None:
    """Keeps a step on the timeline; the newest one moves the call and the order's mark.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, fact.order_id)
    if order is None:
        raise NotYet(f"order {fact.order_id}")
    values = fact.model_dump(include={"rescue_id", "sequence", "order_id", "at", "step", "state", "attempt", "carrier"})
    values |= {"by_code": _by(fact), "wish": fact.wish, "outcome": fact.outcome, "sentence": sentence(fact)}
    known = {"rescue_id": fact.rescue_id, "sequence": fact.sequence}
    if (await session.execute(_KEEP, values)).first() is None:
        return
    if (await session.execute(_NEWER, known)).first() is not None:
        return
    await calls.follow(session, order, fact, now=now)
    if (statement := _marking(fact)) is not None:
        await session.execute(statement, {"id": order.id, "mark": RESCUED})


def _by(fact: RescueChanged) -> str:
    """Who did it: a person, or the carrier."""
    return fact.by if fact.step == "asked" else fact.carrier


def _marking(fact: RescueChanged) -> Any:
    if fact.outcome in ("failed_again", "returning", "returned", "lost", "cancelled") and not fact.saved:
        return _UNMARK if fact.outcome != "failed_again" else None
    wanted = fact.wish in ("deliver_again", "change_recipient")
    if fact.step == "asked":
        return _MARK if wanted else _UNMARK
    return _UNMARK if fact.step in ("refused", "expired") else None


async def recipient_changed(session: Session, fact: RecipientChanged) -> None:
    """The carrier delivers to another phone or address: the order's next version says so, and the one before is kept.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, fact.order_id)
    if order is None or order.closed_at is None:
        raise NotYet(f"order {fact.order_id}")
    before = await contents.read(session, order)
    after = before
    if fact.recipient is not None:
        after = replace(after, recipient=fact.recipient)
    if fact.phone is not None:
        after = replace(after, phone=fact.phone)
    if fact.address is not None:
        after = replace(after, address=DeliveryAddress(**fact.address.model_dump()))
    if after == before:
        return
    edited = replace(order, version=order.version + 1)
    actor = Actor("staff", fact.by_id, fact.by)
    await contents.write(session, edited, after, actor, at=fact.at, reason=REASON)
    await customers.remember(
        session, order.customer_id, name=after.recipient, address=after.address, actor=actor, at=fact.at
    )
