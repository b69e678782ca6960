"""A lead that was no duplicate after all, and one that turned out to be one (rules D8, D20)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders import customers, intake, record, withdrawal
from services.orders.care import service as care
from services.orders.causes import REQUEST
from services.orders.intake import Assignment, Birth
from services.orders.leads import actor, missing
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from shared.contracts.events.leads import DuplicateFound, DuplicateReleased
from shared.contracts.levels import CLEAN, DUPLICATE
from shared.db import Session

_JUDGED: Final = text("UPDATE orders SET judged_at = :at WHERE id = :id AND judged_at < :at RETURNING id")
_RELEASED: Final = text("UPDATE arrivals SET released_at = :at WHERE lead_id = :id AND released_at IS NULL")
_ARRIVED: Final = text(
    """
INSERT INTO arrivals (lead_id, order_id, at, product, channel, landing_page, note, asked_again, cause)
VALUES (:lead_id, :order_id, :at, :product, :channel, :landing_page, :note, :asked_again, :cause)
ON CONFLICT (lead_id) DO UPDATE SET order_id = excluded.order_id, cause = excluded.cause, released_at = NULL
"""
)


async def released(session: Session, lead: DuplicateReleased) -> list[UUID]:
    """The lead gets its order (C3.1 → L1), or the one that it had goes on.

    Returns:
        The order, if it was made now.

    Raises:
        NotYet: it had an order before, which has not arrived here.
    """
    await session.execute(_RELEASED, {"id": lead.lead_id, "at": lead.at})
    by = actor.of(lead.by_id, lead.by)
    if not lead.had_order:
        made = await intake.bear(session, [_birth(lead)], recorded_at=datetime.now(UTC), actor=by)
        return list(made)
    order = await record.lock(session, lead.lead_id)
    if order is None:
        await missing.excuse(session, lead.lead_id)
        return []
    if await _is_news(session, order, lead.at) and order.level == DUPLICATE:
        move = Move(CLEAN, at=lead.at, recorded_at=datetime.now(UTC), cause="released", reason=lead.reason)
        await move_level(session, order, move, by)
        await care.wake(session, order.id)
    return []


def _birth(lead: DuplicateReleased) -> Birth:
    return Birth(
        id=lead.lead_id,
        phones=(lead.phone, *lead.other_phones),
        name=lead.name,
        address=lead.address,
        note=lead.note,
        product=lead.product,
        channel=lead.source.channel,
        campaign=lead.source.campaign,
        landing_page=lead.source.landing_page,
        marketer=lead.source.marketer,
        cohort_at=lead.received_at,
        cause="released",
        returning_customer=lead.returning_customer,
        asked_to_be_called=lead.asked_to_be_called,
        consent_text=lead.consent_text,
        consent_page=lead.consent_page,
        flag=lead.flag,
        from_level=DUPLICATE,
        at=lead.at,
        reason=lead.reason,
    )


async def found(session: Session, lead: DuplicateFound) -> None:
    """The order rests at C3.1 without an owner and stands on the timeline of the other, whose care looks at it.

    An order that was closed meanwhile goes on: what was agreed with the customer stands, and leads hears of its level.

    Raises:
        NotYet: one of the two orders has not arrived here.
    """
    # As whoever is told of its owner: the lead, then numbers, then orders.
    await withdrawal.one_at_a_time(session, lead.lead_id)
    if lead.cause == "merged":
        await customers.lock_both(session, lead.lead_id, lead.anchor_id)
    orders = await record.lock_many(session, [lead.lead_id, lead.anchor_id])
    if len(orders) < 2:
        await missing.excuse(session, lead.lead_id, lead.anchor_id)
        return
    order, anchor = orders[lead.lead_id], orders[lead.anchor_id]
    await intake.keep_assignments(
        session, [Assignment(order.id, lead.assignment, None, owner_code="", team="", at=lead.at, cause="duplicate")]
    )
    if await _is_news(session, order, lead.at) and order.main == CLEAN:
        move = Move(DUPLICATE, at=lead.at, recorded_at=datetime.now(UTC), cause=lead.cause, reason=lead.reason)
        await move_level(session, order, move, actor.of(lead.by_id, lead.by))
        await _tell_anchor(session, anchor, lead)
        if lead.cause == "merged":
            by = actor.of(lead.by_id, lead.by)
            await customers.merge(
                session, order.customer_id, into=anchor.customer_id, actor=by, at=lead.at, reason=lead.reason
            )
    await intake.follow_owners(session, [order.id], causes=REQUEST)
    await care.touch(session, [order.id])


async def _tell_anchor(session: Session, anchor: Order, lead: DuplicateFound) -> None:
    await session.execute(
        _ARRIVED,
        {
            "lead_id": lead.lead_id,
            "order_id": anchor.id,
            "at": lead.received_at,
            "product": lead.product,
            "channel": lead.source.channel,
            "landing_page": lead.source.landing_page,
            "note": lead.note,
            "asked_again": lead.anchor_asked_again,
            "cause": lead.cause,
        },
    )
    if lead.anchor_asked_again and anchor.main == CLEAN:
        await care.wake(session, anchor.id)


async def _is_news(session: Session, order: Order, at: datetime) -> bool:
    """Whether nothing later was said of this order being a duplicate or not."""
    return (await session.execute(_JUDGED, {"id": order.id, "at": at})).first() is not None
