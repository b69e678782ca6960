"""What comes in, whatever the way: one item, what was read from it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from services.leads.text import cell
from shared.phone import PhoneReading, ordinary_number, read_phones

Channel = Literal[
    "landing_page", "facebook_form", "facebook_chat", "excel", "manual", "hotline", "event", "referral", "api"
]
VerdictName = Literal["lead", "duplicate", "rejected"]

MAX_NAME: Final = 200
MAX_PRODUCT: Final = 100
MAX_NOTE: Final = 4_000
MAX_ADDRESS: Final = 500
MAX_TYPED: Final = 200
"""Characters kept of a field; the raw item keeps all."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item came from: the dimensions of the marketing reports, and whether the person asked to be called."""

    channel: Channel
    source_id: UUID | None = None
    campaign: str = ""
    landing_page: str = ""
    marketer: str = ""
    asked_to_be_called: bool = True
    consent_text: str = ""
    consent_page: str = ""
    created_by: UUID | None = None


@dataclass(slots=True)
class Candidate:
    """A customer who can be called. `phones` are E.164, the first identifies the customer."""

    phones: tuple[str, ...]
    typed: str
    name: str = ""
    product: str = ""
    note: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an item is no lead, in words that tell what to correct.

    `fields` are the texts that were read nevertheless, by the names of `read_candidate`: what a correction starts from.
    """

    code: str
    vi: str
    en: str
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class Verdict:
    """What became of an item. Its id is the lead's, the order's and the raw item's."""

    id: UUID
    verdict: VerdictName
    anchor_id: UUID | None = None
    """For a duplicate: the lead that opened the window."""
    returning_customer: bool = False
    rejection: Rejection | None = None
    repeated: bool = False
    """The item's external id came before: this is what became of the first, and nothing was taken in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, kept under an idempotency key."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class OnceKey:
    """The Idempotency-Key of the request that brought an item."""

    principal: str
    route: str
    key: str
    request_hash: bytes
    render: Callable[[Verdict], Answer]

    @property
    def scope(self) -> tuple[str, str, str]:
        return self.principal, self.route, self.key


@dataclass(frozen=True, slots=True)
class External:
    """The id that an item has in the system that sends it: for good, the same id of one sender is one lead.

    `sender` is whose id it is: a source or a colleague, as in idempotency keys.
    """

    sender: str
    id: str


@dataclass(slots=True)
class Item:
    """One arrival, with its body as it came.

    `place` is the import and Excel's row number. `again` says that the raw item is there already, rejected, and that its
    caller holds its lock: it is settled now, under its own id and with the moment of its first arrival.
    `owner_id` is whom the sender gives the lead to, if clean: then no pool decides.
    """

    id: UUID
    received_at: datetime
    origin: Origin
    content_type: str
    body: bytes
    content: Candidate | Rejection
    correlation_id: str
    place: tuple[UUID, int] | None = None
    once: OnceKey | None = None
    external: External | None = None
    remote_ip: str = ""
    again: bool = False
    owner_id: UUID | None = None


def read_candidate(
    *, phone: str, other_phone: str = "", name: str = "", product: str = "", note: str = "", address: str = ""
) -> Candidate | Rejection:
    """Typed texts as a customer, or why they are none: no number can be read."""
    if not other_phone and (ordinary := ordinary_number(phone)):
        # Nearly all rows of a list: what else a reading says is not asked for here.
        return Candidate(
            (ordinary,),
            cell(phone, MAX_TYPED),
            cell(name, MAX_NAME),
            cell(product, MAX_PRODUCT),
            cell(note, MAX_NOTE),
            cell(address, MAX_ADDRESS),
        )
    reading = _read(phone, other_phone)
    if reading.problem is not None:
        typed = {
            "phone": phone,
            "other_phone": other_phone,
            "name": name,
            "product": product,
            "note": note,
            "address": address,
        }
        fields = {name: text for name, text in typed.items() if text}
        return Rejection(f"phone_{reading.problem.code}", vi=reading.problem.vi, en=reading.problem.en, fields=fields)
    return Candidate(
        phones=tuple([found.e164 for found in reading.phones]),
        typed=cell(f"{phone} / {other_phone}" if phone and other_phone else phone or other_phone, MAX_TYPED),
        name=cell(name, MAX_NAME),
        product=cell(product, MAX_PRODUCT),
        note=cell(note, MAX_NOTE),
        address=cell(address, MAX_ADDRESS),
    )


def _read(phone: str, other_phone: str) -> PhoneReading:
    """Both fields together; the second helps out when the first has no number, but cannot spoil it."""
    if not other_phone or other_phone.isspace():
        return read_phones(phone)
    first, second = read_phones(phone), read_phones(other_phone)
    if not second.phones:
        return first
    if not first.phones:
        return second
    known = {found.e164 for found in first.phones}
    return PhoneReading(first.phones + tuple(found for found in second.phones if found.e164 not in known))
