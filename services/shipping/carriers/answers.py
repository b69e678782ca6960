"""What a carrier may answer, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Created:
    """The carrier made a shipment. Money in đồng."""

    waybill: str
    raw_status: str
    fee: int
    sort_code: str = ""
    """What the carrier's sorters read on the slip."""


@dataclass(frozen=True)
class AlreadyThere:
    """The carrier has a shipment under this reference already.

    Args:
        waybill: empty where the carrier does not say it; its callbacks will.
    """

    waybill: str


@dataclass(slots=True)
class Report:
    """What a carrier said about one shipment, in a callback or as an answer. Money in đồng.

    Nothing changes one; it is not frozen because that makes it several times as dear to make, and there are thousands
    a second.
    """

    waybill: str
    reference: str
    """Ours; empty where the carrier does not repeat it."""
    raw_status: str
    at: datetime
    """The carrier's time, UTC."""
    reason_code: str = ""
    reason: str = ""
    partial: bool = False
    collected: int | None = None
    """COD of the shipment as the carrier's own table has it; None where the source is not to be trusted with money:
    callbacks are not, because no carrier signs them."""
    fee: int | None = None
    promised_at: datetime | None = None
    """When the carrier means to deliver, UTC, where it says so."""


class CancelOutcome(StrEnum):
    CANCELLED = "cancelled"
    REQUESTED = "requested"
    """Accepted; the status follows."""
    REFUSED = "refused"
    """The carrier does not cancel it in its present state; after pick-up never again."""
    NOTHING_THERE = "nothing_there"


@dataclass(frozen=True)
class Cancellation:
    outcome: CancelOutcome
    report: Report | None = None
    """How the shipment stands after it, where the carrier says so. With REFUSED it has to be there, unless the waybill
    was given."""


@dataclass(frozen=True)
class FeeQuote:
    """What one service of the carrier would cost. Đồng."""

    service: str
    title: str
    fee: int
    """All in all, insurance too."""
    insurance_fee: int = 0
    hours: int | None = None
    """Until delivery, as the carrier promises; None where it does not."""


@dataclass(frozen=True)
class CarrierService:
    """A service that can be chosen (`Options.service`)."""

    code: str
    title: str


@dataclass(frozen=True)
class CarrierPlace:
    """A pick-up place that the shop has registered at the carrier."""

    place_id: str
    name: str
    phone: str
    address: str


@dataclass(frozen=True)
class Label:
    """The carrier's own label: a PDF, or a page to print."""

    content: bytes
    media_type: str


@dataclass(slots=True)
class CallbackMessage:
    """A callback as it came. Nothing changes one; see `Report`.

    Args:
        headers: lower-case names; those that intake keeps and the carrier's `callback_headers`.
    """

    body: bytes
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Acknowledgement:
    """What the carrier wants to hear after a callback was kept."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
