"""Facts of the leads service about what people do with leads every day: tags, exports, the do-not-call list."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant, personal
from shared.contracts.events.base import EventType

DoNotCallKind = Literal["all", "calls", "messages"]
DoNotCallSource = Literal["customer", "authority", "complaint", "import"]


class DoNotCallEntry(Contract):
    """One source's word that a number must not be called, written to, or either."""

    source: DoNotCallSource
    """customer = said so; authority = the national do-not-advertise list; complaint; import = any other list."""
    kind: DoNotCallKind
    since: Instant
    until: Instant | None = None
    refusal: bool = False
    """The number was refused in a call (L1.3), which orders knew before the list."""


class DoNotCallChanged(Contract):
    """What the do-not-call list now says of a number that has come as a lead. Without entries the number is free."""

    phone: str = personal()
    version: int
    """Grows with each change of a number; a reader keeps the highest."""
    at: Instant
    entries: tuple[DoNotCallEntry, ...] = ()
    removed: tuple[DoNotCallEntry, ...] = ()
    """What this change took back."""


class ConsentRecorded(Contract):
    """Somebody behind a number gave consent, or took it back, as a colleague or a form recorded it. Refusals at level L1.3
    are not told again: orders told of them."""

    consent_id: UUID
    phone: str = personal()
    purpose: Literal["requested_call", "advertising_call", "message"]
    act: Literal["given", "withdrawn"]
    at: Instant
    how: str = ""
    """How they said so: form, call, message, letter, …"""
    channel: str = ""
    page: str = ""
    text: str = ""
    """The wording that they agreed to."""
    reason: str = personal("")
    lead_id: UUID | None = None
    by: str = ""
    """Staff code."""


class LeadTagged(Contract):
    """All tags of a lead, which are those of its order as well (rule D45)."""

    lead_id: UUID
    version: int
    """Grows with each change of this lead's tags; a reader keeps the highest."""
    tags: tuple[UUID, ...] = ()
    at: Instant
    by: str = ""
    """Staff code."""


class TagChanged(Contract):
    """A tag of the catalogue as it is now."""

    tag_id: UUID
    version: int
    name: str
    colour: str
    """#rrggbb"""
    group: str = ""
    position: int = 0
    retired: bool = False
    merged_into: UUID | None = None
    """Whoever has this tag has that one instead."""


class ExportMade(Contract):
    """Somebody took leads out as a workbook."""

    export_id: UUID
    at: Instant
    by_id: UUID
    by: str
    """Staff code."""
    filters: tuple[str, ...] = ()
    """Names of the filters that were set; their values stay in leads, because a number or a name may be among them."""
    rows: int
    with_numbers: bool


DO_NOT_CALL_CHANGED: Final = EventType("leads.do_not_call.changed.v1", DoNotCallChanged)
CONSENT_RECORDED: Final = EventType("leads.consent.recorded.v1", ConsentRecorded)
LEAD_TAGGED: Final = EventType("leads.lead.tagged.v1", LeadTagged)
TAG_CHANGED: Final = EventType("leads.tag.changed.v1", TagChanged)
EXPORT_MADE: Final = EventType("leads.export.made.v1", ExportMade)
