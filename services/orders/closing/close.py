"""'Chốt đơn': the order is won."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import text

from services.orders import customers
from services.orders.actors import Actor
from services.orders.addresses.checking import checked
from services.orders.closing import contents, fulfilment
from services.orders.closing.contents import Contents
from services.orders.closing.demands import ensure_deposit, ensure_fields
from services.orders.closing.domain import (
    INBOUND_CHANNELS,
    AlreadyClosed,
    Closing,
    ConversationRequired,
    InvalidRecipientPhone,
    OutOfStock,
    priced,
)
from services.orders.goods import products, stock
from services.orders.hiding import STARS, unmasked
from services.orders.interactions import ledger
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from services.orders.telephone import linking
from shared.contracts.levels import CLOSED
from shared.db import Session
from shared.phone import PhoneProblem, one_phone

_SPOKEN = text(
    """
SELECT 1 FROM standing_interactions WHERE order_id = :id
AND (direction = 'in' OR result NOT IN ('', 'no_answer', 'busy', 'switched_off')) LIMIT 1
"""
)

_LEFT = text("SELECT name, lead_address, lead_note FROM orders WHERE id = :id")


async def close(
    session: Session,
    order: Order,
    closing: Closing,
    actor: Actor,
    *,
    now: datetime,
    allow_waiting: bool,
    blocked_deposit_percent: int = 0,
) -> Order:
    """Closes a locked order: contents, closer, stock, level L5, the event that shipping and reporting read, fulfilment.

    Args:
        allow_waiting: whether it may be closed without enough stock and wait for it (rule D19).
        blocked_deposit_percent: of the total, what a blocked customer must pay as a deposit (rule D46).

    Raises:
        AlreadyClosed, MoveNotAllowed: the order cannot be closed from where it stands.
        UnknownProducts, FreeOnlyAsGift, DiscountTooLarge, DepositTooLarge, InvalidRecipientPhone,
        UnknownUnit, UnitElsewhere, UnitsNotLoaded: the codes of the address will not do.
        InvalidFields, DepositRequired: a field of the trade is missing, or the deposit of a blocked customer.
        ConversationRequired, OutOfStock: what rule D16 and the stock ask for is missing.
    """
    if order.level == CLOSED:
        raise AlreadyClosed
    catalogue = await products.sold(session, [line.sku for line in closing.lines])
    phone = one_phone(closing.phone) if closing.phone else order.phone
    if isinstance(phone, PhoneProblem):
        raise InvalidRecipientPhone(**phone.members())
    closing = await _unmasked(session, order, closing)
    address = await checked(session, closing.address)
    agreed = Contents(
        recipient=closing.recipient,
        phone=phone,
        address=address,
        lines=priced(closing.lines, catalogue),
        discount=closing.discount,
        shipping_fee=closing.shipping_fee,
        deposit=closing.deposit,
        deliver_on=closing.deliver_on,
        note=closing.note,
    )
    await ensure_fields(session, order.id)
    await ensure_deposit(session, order.customer_id, agreed, percent=blocked_deposit_percent)
    await _converse(session, order, closing, actor, now=now)
    closed = replace(
        order, version=order.version + 1, closed_at=now, closer_id=actor.account_id, closer_code=actor.code
    )
    move = Move(CLOSED, at=now, recorded_at=now, cause="closed", given=frozenset({"order"}))
    closed = await move_level(session, closed, move, actor)
    await contents.write(session, closed, agreed, actor, at=now)
    await customers.confirm(session, order.customer_id, at=now, by=actor.code, interaction_id=None)
    await customers.remember(session, order.customer_id, name=closing.recipient, address=address, actor=actor, at=now)
    waits_for = await stock.reserve(session, order.id, at=now)
    if waits_for and not allow_waiting:
        raise OutOfStock(skus=", ".join(waits_for))
    await fulfilment.begin(session, order.id, at=now)
    return closed


async def _unmasked(session: Session, order: Order, closing: Closing) -> Closing:
    """Whoever closes with what the lead shows them, stars for its numbers in it, closes with what the customer left."""
    if STARS not in f"{closing.recipient}{closing.note}{closing.address.model_dump()}":
        return closing
    left = (await session.execute(_LEFT, {"id": order.id})).one()
    address = closing.address.model_copy(update={"detail": unmasked(closing.address.detail, left.lead_address)})
    texts = {"recipient": unmasked(closing.recipient, left.name), "note": unmasked(closing.note, left.lead_note)}
    return closing.model_copy(update={**texts, "address": address})


async def _converse(session: Session, order: Order, closing: Closing, actor: Actor, *, now: datetime) -> None:
    """Logs the call that came with the closing; without one, somebody must have spoken with the customer before."""
    if closing.call is not None:
        entry = ledger.LedgerEntry(
            kind="call",
            direction="out",
            at=min(closing.call.at or now, now),
            recorded_at=now,
            result=ledger.CLOSED,
            note=closing.call.note,
            seconds=closing.call.seconds,
        )
        logged = await ledger.log(session, order, entry, actor)
        told = await linking.told_call(session, order.id, direction="out", at=entry.at, account_id=actor.account_id)
        if told is not None and told.interaction_id is None:
            await linking.link(session, told, logged)
    elif order.channel not in INBOUND_CHANNELS and (await session.execute(_SPOKEN, {"id": order.id})).first() is None:
        raise ConversationRequired
