"""What shipping asks of a carrier, whichever it is, and what a carrier may answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.events.shipping import ShipmentStatus


class CarrierError(Exception):
    """A call to a carrier did not bring what was asked for. Messages hold no personal data."""


class UnknownOutcome(CarrierError):
    """The request may have had its effect although no answer came: look it up before repeating it."""


class Away(CarrierError):
    """The carrier could not be asked, and nothing happened there: try again later."""


class Refused(CarrierError):
    """The carrier says no, and will say so again until somebody corrects something.

    Args:
        reason: the carrier's own sentence. It may repeat personal data, so it goes to the database, not into logs.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("refused by the carrier")
        self.reason = reason


class NotLetIn(Refused):
    """The carrier does not accept the credentials."""


class UnreadableCallback(ValueError):
    """A callback that no repetition makes readable; the message says what is wrong, without its values."""


@dataclass(frozen=True)
class StatusMeaning:
    """One row of a carrier's status table.

    Args:
        status: our status.
        vi: the carrier's own words.
        final: nothing follows by itself.
        provisional: a courier's report that a later status confirms; it moves neither money nor stock.
        settles: the carrier has paid the COD out.
        cancellable: the carrier accepts a cancellation in this status.
        either_way: a step that a parcel takes on its way back as well: it does not end a return that has begun.
    """

    status: ShipmentStatus
    vi: str
    en: str
    final: bool = False
    provisional: bool = False
    settles: bool = False
    cancellable: bool = False
    either_way: bool = False


@dataclass(frozen=True)
class ReasonMeaning:
    """One row of a carrier's reason table."""

    vi: str
    en: str


@dataclass(frozen=True)
class CodeTable:
    """A carrier's codes as text → what they mean. A code that is not here is kept and raised, never refused."""

    statuses: Mapping[str, StatusMeaning]
    reasons: Mapping[str, ReasonMeaning]


@dataclass(frozen=True)
class Capabilities:
    """What a carrier can do, declared rather than guessed."""

    look_up_by_reference: bool
    cancel: bool
    label: bool
    fee_quote: bool
    callbacks: bool
    settlement_by_status: bool
    """A status says that the COD was paid out; otherwise only statements do."""


class PickUp(BaseModel):
    """Where the courier fetches parcels, and where they come back to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, examples=["Kho Cầu Giấy"])
    phone: str = Field(pattern=r"^\+?[0-9]{8,15}$", examples=["0900000001"])
    province: str = Field(min_length=1, max_length=100, examples=["Hà Nội"])
    ward: str = Field(default="", max_length=100, examples=["Phường Cầu Giấy"])
    district: str = Field(default="", max_length=100, description="old three-tier form only")
    detail: str = Field(min_length=1, max_length=200, examples=["12 Trần Thái Tông"])
    place_id: str = Field(default="", max_length=40, description="the carrier's own id of this place, if it has one")


@dataclass(frozen=True)
class ParcelLine:
    name: str
    sku: str
    quantity: int
    unit_price: int
    """Đồng."""
    weight_grams: int
    """Of one piece."""


@dataclass(frozen=True)
class Parcel:
    """What is to be sent. Money in đồng."""

    reference: str
    """Ours, and the carrier's key against duplicates."""
    recipient: str
    phone: str
    province: str
    ward: str
    district: str
    detail: str
    lines: tuple[ParcelLine, ...]
    cod: int
    """What the courier asks of the customer in all (rule D30)."""
    value: int
    """Declared value of the goods."""
    note: str
    pick_up: PickUp


@dataclass(frozen=True)
class Created:
    """The carrier made a shipment."""

    waybill: str
    raw_status: str
    fee: int


@dataclass(frozen=True)
class AlreadyThere:
    """The carrier has a shipment under this reference already."""

    waybill: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a carrier said about one shipment, in a callback or as an answer. Money in đồng."""

    waybill: str
    reference: str
    raw_status: str
    at: datetime
    """The carrier's time, UTC."""
    reason_code: str = ""
    reason: str = ""
    partial: bool = False
    collected: int | None = None
    """COD of the shipment as the carrier's own table has it; None where the source is not to be trusted with money."""
    fee: int | None = None


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
    """How the shipment stands after it, where it exists."""


@dataclass(frozen=True)
class FeeQuote:
    """Đồng."""

    fee: int
    insurance_fee: int
    served: bool
    """The carrier delivers on this route."""


@dataclass(frozen=True)
class Access:
    """How to reach a carrier for one shop."""

    base_url: str
    credentials: Mapping[str, str]


class Carrier(ABC):
    """One carrier, for one shop, over one HTTP client. An adapter translates units, money, addresses and errors.

    Every method may raise Away and NotLetIn.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    default_url: ClassVar[str]
    credential_names: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[Capabilities]
    codes: ClassVar[CodeTable]

    def __init__(self, access: Access, client: httpx.AsyncClient) -> None:
        self.access = access
        self.client = client

    @abstractmethod
    async def test(self) -> None:
        """Returns when the credentials are accepted; changes nothing at the carrier."""

    @abstractmethod
    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        """Makes a shipment. Safe to repeat with the same reference.

        Raises:
            UnknownOutcome: it may exist now.
            Refused: nothing was made, and the same request will not be accepted.
        """

    @abstractmethod
    async def look_up(self, reference: str) -> Report | None:
        """The shipment under our reference, or None if the carrier has none."""

    @abstractmethod
    async def track(self, waybill: str) -> Report | None:
        """The shipment under the carrier's code, or None if the carrier has none."""

    @abstractmethod
    async def cancel(self, reference: str) -> Cancellation:
        """Cancels what lies under our reference. Safe to repeat."""

    @abstractmethod
    async def label(self, waybill: str, *, size: str) -> bytes:
        """The carrier's own label as PDF.

        Args:
            size: 'A5' or 'A6'.

        Raises:
            Refused: there is no label for this shipment.
        """

    @abstractmethod
    async def fee(self, parcel: Parcel) -> FeeQuote:
        """What sending would cost.

        Raises:
            Refused: the request is not complete.
        """

    @classmethod
    @abstractmethod
    def read_callback(cls, content_type: str, body: bytes) -> Report:
        """A callback as a report, without its money fields.

        Raises:
            UnreadableCallback: it is not what the carrier documents.
        """
