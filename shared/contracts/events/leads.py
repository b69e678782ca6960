"""Facts of the leads service: what came in, what was a duplicate, who holds a number."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant, personal
from shared.contracts.events.base import EventType
from shared.contracts.events.leads_everyday import DoNotCallEntry


class Source(Contract):
    """Where a number came from. The dimensions of the marketing reports."""

    channel: str
    """landing_page, facebook_form, facebook_chat, excel, manual, hotline, event, referral, api."""
    campaign: str = ""
    landing_page: str = ""
    marketer: str = ""
    """Staff code of the marketer credited (rule D22)."""


class ListedPhone(Contract):
    """A number on the do-not-call list."""

    phone: str = personal()
    entries: tuple[DoNotCallEntry, ...]


class LeadAccepted(Contract):
    """A clean number (L1). The order is made from it, under the same id."""

    lead_id: UUID
    received_at: Instant
    """When the raw item reached us: the cohort date (rule D31)."""
    phone: str = personal()
    """E.164."""
    other_phones: tuple[str, ...] = personal(())
    name: str = personal("")
    address: str = personal("")
    note: str = personal("")
    product: str = ""
    """Product code (SKU) as the source gives it, may be empty."""
    source: Source
    returning_customer: bool = False
    """'Khách cũ': something was once handed over to this phone (rule D9)."""
    asked_to_be_called: bool = True
    """The person left the number (rule D38); False for bought or imported lists."""
    consent_text: str = ""
    consent_page: str = ""
    flag: str = ""
    """'competitor' or 'test': the number had been marked so before it came."""
    do_not_call: tuple[ListedPhone, ...] = ()
    """What the do-not-call list says of its numbers at arrival; later changes are facts of their own."""


class LeadDuplicated(Contract):
    """A number that came again within the window (C3.1), linked to the first."""

    lead_id: UUID
    anchor_id: UUID
    received_at: Instant
    product: str = ""
    source: Source
    note: str = personal("")
    anchor_asked_again: bool = True
    """The person left the number once more, which matters to the anchor's care (rules D8, D10)."""
    flag: str = ""
    """'competitor' or 'test': the number had been marked so before it came."""


class DuplicateReleased(LeadAccepted):
    """'Bỏ đánh trùng': a duplicate was none (C3.1 → L1). The order is made from it, or goes on if there was one."""

    anchor_id: UUID
    """The lead of which it was thought to be a duplicate."""
    at: Instant
    by_id: UUID | None = None
    by: str = ""
    """Staff code; empty for the system."""
    reason: str
    had_order: bool = False
    """It was clean before it became a duplicate, so there is an order, at C3.1."""


class DuplicateFound(Contract):
    """A lead turned out to be a duplicate after it had been taken in (L1 → C3.1): its number was corrected to one that
    has a lead, or two leads of one person were merged. Nobody holds it any more."""

    lead_id: UUID
    anchor_id: UUID
    assignment: int
    """The last of the lead; without an owner."""
    at: Instant
    cause: Literal["corrected", "merged"]
    by_id: UUID | None = None
    by: str = ""
    reason: str = ""
    received_at: Instant
    product: str = ""
    source: Source
    note: str = personal("")
    anchor_asked_again: bool = True


class LeadCorrected(Contract):
    """What is known of a lead, whole, after somebody corrected it."""

    lead_id: UUID
    revision: int
    """Grows with each correction; a reader keeps the highest."""
    at: Instant
    by_id: UUID | None = None
    by: str = ""
    reason: str = ""
    phone: str = personal()
    other_phones: tuple[str, ...] = personal(())
    name: str = personal("")
    address: str = personal("")
    note: str = personal("")
    product: str = ""
    number_changed: bool = False
    """The number to call is another one than before this correction (rule D27)."""
    do_not_call: tuple[ListedPhone, ...] = ()
    """What the do-not-call list says of its numbers now."""


class SpamMarked(Contract):
    """A lead is fake, a test or a competitor's; or is not after all."""

    lead_id: UUID
    revision: int
    """Grows with each mark; a reader keeps the highest."""
    kind: Literal["", "fake", "test", "competitor"]
    """Empty: it is none."""
    at: Instant
    by_id: UUID | None = None
    by: str = ""
    reason: str = ""


class LeadAssigned(Contract):
    """Somebody holds the number now. Only leads writes the owner (rule D21)."""

    lead_id: UUID
    assignment: int
    """Grows by one with each assignment or release of this lead; a reader keeps the highest."""
    owner_id: UUID
    owner_code: str
    team: str = ""
    assigned_at: Instant
    cause: Literal["distribution", "manual", "reassignment", "claim", "hand_over", "sticky"]
    previous_owner_id: UUID | None = None
    consent_until: Instant | None = None
    """Until when the customer's request to be called covers calls (rule D38, decision 0020): of a number that lay in the
    floating pool since they asked, or whose request was taken back. None: what the lead's arrival said holds."""


class LeadReleased(Contract):
    """Nobody holds the number: it lies in the floating pool or was taken from a leaver."""

    lead_id: UUID
    assignment: int
    released_at: Instant
    cause: Literal["floating_pool", "hand_over", "reassignment"]
    previous_owner_id: UUID | None = None


class LeadArchived(Contract):
    """A number of the floating pool that nobody claimed in time (rule D14)."""

    lead_id: UUID
    assignment: int
    """The release since which it lay there."""
    archived_at: Instant


class PortfolioLeft(Contract):
    """An account was locked and still holds open leads, which nobody works on until they are handed over; told once for
    each time that it is locked."""

    account_id: UUID
    code: str
    team: str = ""
    manager_id: UUID | None = None
    """The nearest superior who is active; None: whoever sees everything."""
    open_leads: int
    """At a level that is not final."""
    in_care: int
    """Of these, still to be called and closed."""
    at: Instant


class LeadUnassigned(Contract):
    """A new number has waited too long for an owner (rule D7); told once."""

    lead_id: UUID
    pool_id: UUID | None = None
    """In whose backlog it waits; None: no pool's rules fit."""
    received_at: Instant
    raised_at: Instant
    waited_minutes: int
    """In business time."""


class PhoneRevealed(Contract):
    """Somebody was shown a masked number (rule D26). The number itself is not in here."""

    lead_id: UUID
    account_id: UUID
    code: str
    at: Instant
    basis: Literal["owner", "permission"]
    reason: str = personal("")
    """In the person's own words."""


class MessageReceived(Contract):
    """The customer wrote in a conversation that belongs to an order: an interaction of it."""

    message_id: UUID
    order_id: UUID
    """Of the lead that the conversation led to, for a duplicate of its anchor."""
    at: Instant
    """When it was written."""
    channel: str
    """facebook_chat."""
    text: str = personal("")
    """Empty for pictures and the like."""
    attachments: tuple[str, ...] = ()
    """Kinds of what came with it: image, video, audio, file, …"""


class LeadWithdrawn(Contract):
    """A lead or duplicate whose import was undone: it never was. Nobody had worked on it; its order is gone already."""

    lead_id: UUID
    was: Literal["lead", "duplicate"]
    withdrawn_at: Instant


LEAD_ACCEPTED: Final = EventType("leads.lead.accepted.v1", LeadAccepted)
LEAD_DUPLICATED: Final = EventType("leads.lead.duplicated.v1", LeadDuplicated)
LEAD_ASSIGNED: Final = EventType("leads.lead.assigned.v1", LeadAssigned)
LEAD_RELEASED: Final = EventType("leads.lead.released.v1", LeadReleased)
DUPLICATE_FOUND: Final = EventType("leads.duplicate.found.v1", DuplicateFound)
DUPLICATE_RELEASED: Final = EventType("leads.duplicate.released.v1", DuplicateReleased)
LEAD_CORRECTED: Final = EventType("leads.lead.corrected.v1", LeadCorrected)
SPAM_MARKED: Final = EventType("leads.spam.marked.v1", SpamMarked)
LEAD_ARCHIVED: Final = EventType("leads.lead.archived.v1", LeadArchived)
PORTFOLIO_LEFT: Final = EventType("leads.portfolio.left.v1", PortfolioLeft)
LEAD_UNASSIGNED: Final = EventType("leads.lead.unassigned.v1", LeadUnassigned)
PHONE_REVEALED: Final = EventType("leads.phone.revealed.v1", PhoneRevealed)
MESSAGE_RECEIVED: Final = EventType("leads.message.received.v1", MessageReceived)
LEAD_WITHDRAWN: Final = EventType("leads.lead.withdrawn.v1", LeadWithdrawn)
