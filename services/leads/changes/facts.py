"""Outbox rows of these changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from services.leads.changes.consent import Consent
from services.leads.changes.held import By, Lead
from services.leads.consent.do_not_call import Listed
from shared.contracts.events.leads import (
    DUPLICATE_FOUND,
    DUPLICATE_RELEASED,
    LEAD_CORRECTED,
    SPAM_MARKED,
    DuplicateFound,
    DuplicateReleased,
    LeadCorrected,
    ListedPhone,
    SpamMarked,
)
from shared.outbox import Row, event_row

SpamKind = Literal["fake", "test", "competitor"]


def released(
    lead: Lead,
    consent: Consent,
    *,
    anchor_id: UUID,
    returning_customer: bool,
    listed: Mapping[str, Listed],
    by: By,
) -> Row:
    """A duplicate was none."""
    data = DuplicateReleased(
        lead_id=lead.id,
        received_at=lead.received_at,
        phone=lead.phone,
        other_phones=lead.other_phones,
        name=lead.name,
        address=lead.address,
        note=lead.note,
        product=lead.product,
        source=lead.source,
        returning_customer=returning_customer,
        asked_to_be_called=consent.asked,
        consent_text=consent.text,
        consent_page=consent.page,
        flag=lead.flag,
        do_not_call=_listed(lead, listed),
        anchor_id=anchor_id,
        at=by.at,
        by_id=by.account_id,
        by=by.code,
        reason=by.reason,
        had_order=lead.assignment > 0,
    )
    return event_row(DUPLICATE_RELEASED, data, subject=lead.id)


def found(
    lead: Lead, *, anchor_id: UUID, assignment: int, cause: Literal["corrected", "merged"], asked: bool, by: By
) -> Row:
    """A lead turned out to be a duplicate."""
    data = DuplicateFound(
        lead_id=lead.id,
        anchor_id=anchor_id,
        assignment=assignment,
        at=by.at,
        cause=cause,
        by_id=by.account_id,
        by=by.code,
        reason=by.reason,
        received_at=lead.received_at,
        product=lead.product,
        source=lead.source,
        note=lead.note,
        anchor_asked_again=asked,
    )
    return event_row(DUPLICATE_FOUND, data, subject=lead.id)


def corrected(lead: Lead, *, number_changed: bool, listed: Mapping[str, Listed], by: By) -> Row:
    """What is known of a lead now."""
    data = LeadCorrected(
        lead_id=lead.id,
        revision=lead.version,
        at=by.at,
        by_id=by.account_id,
        by=by.code,
        reason=by.reason,
        phone=lead.phone,
        other_phones=lead.other_phones,
        name=lead.name,
        address=lead.address,
        note=lead.note,
        product=lead.product,
        number_changed=number_changed,
        do_not_call=_listed(lead, listed),
    )
    return event_row(LEAD_CORRECTED, data, subject=lead.id)


def spam(lead: Lead, kind: Literal["", "fake", "test", "competitor"], *, by: By) -> Row:
    """A lead is spam, or is not after all."""
    data = SpamMarked(
        lead_id=lead.id,
        revision=lead.version,
        kind=kind,
        at=by.at,
        by_id=by.account_id,
        by=by.code,
        reason=by.reason,
    )
    return event_row(SPAM_MARKED, data, subject=lead.id)


def _listed(lead: Lead, listed: Mapping[str, Listed]) -> tuple[ListedPhone, ...]:
    """What the do-not-call list says of the lead's numbers."""
    return tuple(ListedPhone(phone=phone, entries=listed[phone].entries) for phone in lead.phones if phone in listed)
