"""What orders does with the facts of other services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.orders import delivery, intake, listed, messages, record
from services.orders.care import service as care
from services.orders.causes import Causes
from services.orders.contact import consents
from services.orders.intake import Assignment, Birth
from services.orders.leads import corrected, duplicates, spam
from services.orders.presence import projection as presence
from services.orders.processes import rechoosing
from services.orders.promises import handed_on, takings
from services.orders.rescue import calls as rescue_calls
from services.orders.rescue import facts as rescue
from services.orders.rescue import waking as rescue_waking
from shared.consumer import Event, Handlers
from shared.contracts.events.leads import (
    DUPLICATE_FOUND,
    DUPLICATE_RELEASED,
    LEAD_ACCEPTED,
    LEAD_ASSIGNED,
    LEAD_CORRECTED,
    LEAD_DUPLICATED,
    LEAD_RELEASED,
    LEAD_UNASSIGNED,
    MESSAGE_RECEIVED,
    SPAM_MARKED,
    DuplicateFound,
    DuplicateReleased,
    LeadAccepted,
    LeadAssigned,
    LeadCorrected,
    LeadDuplicated,
    LeadReleased,
    LeadUnassigned,
    MessageReceived,
    SpamMarked,
)
from shared.contracts.events.leads_everyday import (
    CONSENT_RECORDED,
    DO_NOT_CALL_CHANGED,
    LEAD_TAGGED,
    TAG_CHANGED,
    ConsentRecorded,
    DoNotCallChanged,
    LeadTagged,
    TagChanged,
)
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED, CodSettled, ShipmentChanged
from shared.contracts.events.shipping_rescue import (
    RECIPIENT_CHANGED,
    RESCUE_CHANGED,
    RecipientChanged,
    RescueChanged,
)
from shared.contracts.events.staff import (
    ACCOUNT_CHANGED,
    DUTY_CHANGED,
    SHIFTS_CHANGED,
    AccountChanged,
    DutyChanged,
    ShiftsChanged,
)
from shared.contracts.levels import CLEAN, SENT
from shared.db import Session

handlers: Final = Handlers()

_TYPED: Final = frozenset({"manual", "hotline"})
"""Channels of numbers that a colleague typed, which are the cause of their order's C3 → L1 (rule D20)."""


@handlers.batch(LEAD_ACCEPTED)
async def on_leads_accepted(session: Session, events: Sequence[Event[LeadAccepted]]) -> None:
    """A clean number becomes an order at L1 (rule D7), with the owner that leads may have told already."""
    causes = Causes([(event.data.lead_id, event) for event in events])
    await listed.listed_at_arrival(session, [event.data for event in events])
    made = await intake.bear(
        session, [_birth(event.data) for event in events], recorded_at=datetime.now(UTC), causes=causes
    )
    await _follow_owners(session, list(made), causes)


def _birth(lead: LeadAccepted) -> Birth:
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
        cause=lead.source.channel if lead.source.channel in _TYPED else "accepted",
        returning_customer=lead.returning_customer,
        asked_to_be_called=lead.asked_to_be_called,
        consent_text=lead.consent_text,
        consent_page=lead.consent_page,
        flag=lead.flag,
    )


@handlers.each(DUPLICATE_RELEASED)
async def on_duplicate_released(session: Session, event: Event[DuplicateReleased]) -> None:
    """'Bỏ đánh trùng': the lead is an order, with the owner that leads may have told already."""
    await listed.listed_at_arrival(session, [event.data])
    made = await duplicates.released(session, event.data)
    await _follow_owners(session, made or [event.data.lead_id], Causes([(event.data.lead_id, event)]))


@handlers.each(LEAD_CORRECTED)
async def on_lead_corrected(session: Session, event: Event[LeadCorrected]) -> None:
    await listed.listed_at_arrival(session, [event.data])
    await corrected.corrected(session, event.data)
    await rechoosing.choose_again(session, [event.data.lead_id])


@handlers.each(DUPLICATE_FOUND)
async def on_duplicate_found(session: Session, event: Event[DuplicateFound]) -> None:
    await duplicates.found(session, event.data)


@handlers.each(SPAM_MARKED)
async def on_spam_marked(session: Session, event: Event[SpamMarked]) -> None:
    await spam.marked(session, event.data)


@handlers.batch(DO_NOT_CALL_CHANGED)
async def on_do_not_call_changed(session: Session, events: Sequence[Event[DoNotCallChanged]]) -> None:
    """Leads keeps the list; care looks at the open orders of these numbers again (rule D38)."""
    await _look_again(session, await listed.list_changed(session, [event.data for event in events]))


@handlers.batch(CONSENT_RECORDED)
async def on_consents_recorded(session: Session, events: Sequence[Event[ConsentRecorded]]) -> None:
    """Leads keeps consent; care looks at the open orders of these numbers again (rule D38)."""
    await _look_again(session, await consents.recorded(session, [event.data for event in events]))


@handlers.batch(TAG_CHANGED)
async def on_tags_changed(session: Session, events: Sequence[Event[TagChanged]]) -> None:
    await listed.tags_changed(session, [event.data for event in events])


@handlers.batch(LEAD_TAGGED)
async def on_leads_tagged(session: Session, events: Sequence[Event[LeadTagged]]) -> None:
    """A lead and its order have the same tags (rule D45)."""
    await listed.leads_tagged(session, [event.data for event in events])
    await rechoosing.choose_again(session, [event.data.lead_id for event in events])


@handlers.batch(LEAD_ASSIGNED)
async def on_leads_assigned(session: Session, events: Sequence[Event[LeadAssigned]]) -> None:
    await _owners_changed(session, events, [_assignment(event.data) for event in events])


@handlers.batch(LEAD_RELEASED)
async def on_leads_released(session: Session, events: Sequence[Event[LeadReleased]]) -> None:
    await _owners_changed(session, events, [_release(event.data) for event in events])


async def _owners_changed(
    session: Session,
    events: Sequence[Event[LeadAssigned]] | Sequence[Event[LeadReleased]],
    facts: Sequence[Assignment],
) -> None:
    """The facts are kept as they come; the highest assignment is the owner, once the order is there (rule D21)."""
    causes = Causes([(event.data.lead_id, event) for event in events])
    await intake.keep_assignments(session, facts)
    await _follow_owners(session, list({fact.order_id for fact in facts}), causes)


async def _follow_owners(session: Session, ids: Sequence[UUID], causes: Causes) -> None:
    """An order that somebody holds is in care; its care hears of every change of owner."""
    changed = (await intake.follow_owners(session, ids, causes=causes)).values()
    await care.begin(session, [order.id for order in changed if order.owner_id and order.main == CLEAN], causes=causes)
    await care.touch(session, [order.id for order in changed if not order.owner_id], causes=causes)
    await rescue_calls.follow_owners(session, [order.id for order in changed if order.main == SENT])


async def _look_again(session: Session, ids: Sequence[UUID]) -> None:
    """Care of these orders looks at what changed about their customers or people. Orders first, by id, as everybody."""
    await care.touch(session, list(await record.lock_many(session, list(ids))))


def _assignment(lead: LeadAssigned) -> Assignment:
    return Assignment(
        order_id=lead.lead_id,
        assignment=lead.assignment,
        owner_id=lead.owner_id,
        owner_code=lead.owner_code,
        team=lead.team,
        at=lead.assigned_at,
        cause=lead.cause,
    )


def _release(lead: LeadReleased) -> Assignment:
    return Assignment(
        order_id=lead.lead_id,
        assignment=lead.assignment,
        owner_id=None,
        owner_code="",
        team="",
        at=lead.released_at,
        cause=lead.cause,
    )


@handlers.batch(LEAD_UNASSIGNED)
async def on_leads_unassigned(session: Session, events: Sequence[Event[LeadUnassigned]]) -> None:
    """A new number without an owner is told to whoever distributes, as orders in care without one are (rule D7)."""
    await intake.tell_unassigned(session, {event.data.lead_id: event.data.raised_at for event in events})


@handlers.batch(DUTY_CHANGED)
async def on_duties_changed(session: Session, events: Sequence[Event[DutyChanged]]) -> None:
    """Whoever goes off duty gives promised calls on sooner; who comes on duty begins a shift. The directory has handled
    the events before."""
    await presence.keep_duties(session, [event.data for event in events])
    await takings.keep_stretches(session, [event.data for event in events])
    accounts = [event.data.account_id for event in events]
    await _look_again(session, await handed_on.promised_by(session, accounts))
    await rescue_waking.of_people(session, accounts)


@handlers.batch(ACCOUNT_CHANGED)
async def on_accounts_changed(session: Session, events: Sequence[Event[AccountChanged]]) -> None:
    """Whoever has left gives promised calls on as soon as they are due."""
    await presence.keep_accounts(session, [event.data for event in events])
    left = [event.data.account_id for event in events if not event.data.active]
    await _look_again(session, await handed_on.promised_by(session, left))
    await rescue_waking.of_people(session, left)


@handlers.batch(SHIFTS_CHANGED)
async def on_shifts_changed(session: Session, events: Sequence[Event[ShiftsChanged]]) -> None:
    """Care looks again at the first calls of whoever works at other times than before: they are due in their shift."""
    await care.touch(session, await presence.keep_shifts(session, [event.data for event in events]))


@handlers.each(LEAD_DUPLICATED)
async def on_lead_duplicated(session: Session, event: Event[LeadDuplicated]) -> None:
    """The customer left the number again: it stands on the timeline, and care looks at it (rules D8, D10)."""
    await intake.came_again(session, event.data)


@handlers.each(MESSAGE_RECEIVED)
async def on_message_received(session: Session, event: Event[MessageReceived]) -> None:
    """What the customer wrote stands on the timeline, and care hears that they tried to reach us."""
    await messages.received(session, event.data)


@handlers.each(SHIPMENT_CHANGED)
async def on_shipment_changed(session: Session, event: Event[ShipmentChanged]) -> None:
    await delivery.shipment_changed(session, event.data)


@handlers.each(RESCUE_CHANGED)
async def on_rescue_changed(session: Session, event: Event[RescueChanged]) -> None:
    """A delivery failed, somebody decided about it, or it went on: the call to the customer follows."""
    await rescue.rescue_changed(session, event.data, now=datetime.now(UTC))


@handlers.each(RECIPIENT_CHANGED)
async def on_recipient_changed(session: Session, event: Event[RecipientChanged]) -> None:
    await rescue.recipient_changed(session, event.data)


@handlers.each(COD_SETTLED)
async def on_cod_settled(session: Session, event: Event[CodSettled]) -> None:
    await delivery.cod_settled(session, event.data)
