"""What the simulated carrier remembers, and how it is set up."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deploy.local.ghtk.life import STATUS_TEXT, Outcome, Status, Step

# GHTK writes all its times in Vietnamese time; the zone has had no daylight saving since 1975.
VIETNAM = timezone(timedelta(hours=7))


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("a callback URL starts with http:// or https:// and names a host")
    return url


CallbackUrl = Annotated[str, AfterValidator(_checked_url)]


class OutcomeRates(BaseModel):
    """Weights of the lives that new shipments get; `OutcomeRates(returned=1)` means that every one comes back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delivered: Annotated[float, Field(ge=0)] = 0.0
    picked_up_late: Annotated[float, Field(ge=0)] = 0.0
    redelivered: Annotated[float, Field(ge=0)] = 0.0
    returned: Annotated[float, Field(ge=0)] = 0.0
    pick_up_failed: Annotated[float, Field(ge=0)] = 0.0
    lost: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _one_is_positive(self) -> "OutcomeRates":
        if not any(self.weights().values()):
            raise ValueError("at least one outcome needs a rate above 0")
        return self

    def weights(self) -> dict[Outcome, float]:
        return {outcome: float(getattr(self, outcome.value)) for outcome in Outcome}


# A believable month of a cash-on-delivery seller.
USUAL_OUTCOMES = OutcomeRates(
    delivered=0.70,
    picked_up_late=0.02,
    redelivered=0.10,
    returned=0.15,
    pick_up_failed=0.02,
    lost=0.01,
)


class SimulatorSettings(BaseModel):
    """How a simulator is set up; the control API can change the part that is in `SettingsChange`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: Annotated[str, Field(min_length=1)] = "simulated-ghtk-token"
    """What callers must send in the header `Token`."""
    client_source: Annotated[str, Field(min_length=1)] = "S100001"
    """What callers must send in `X-Client-Source`; also the first part of every label."""
    seed: int = 1
    """Decides the outcomes of shipments and which calls and callbacks a fault hits."""
    outcomes: OutcomeRates = USUAL_OUTCOMES
    callback_url: CallbackUrl | None = None
    """Where status changes are posted; none means that nothing is posted."""
    callback_format: Literal["form", "json"] = "form"
    callback_concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    callback_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How long the receiver may take; later counts as no answer."""
    resend_after_seconds: Annotated[float, Field(ge=0)] = 1.0
    """Pause before the one repetition of a callback that was not answered with 200."""
    speed: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Steps a second that each shipment takes by itself; 0 leaves them to the control API."""


class SettingsChange(BaseModel):
    """The settings that may change while the simulator runs; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    callback_url: CallbackUrl | None = None
    callback_format: Literal["form", "json"] = "form"
    speed: Annotated[float, Field(ge=0, le=100)] = 0.0
    outcomes: OutcomeRates = USUAL_OUTCOMES


@dataclass(frozen=True, slots=True)
class Product:
    """One line of a shipment; weight of one piece in grams, price of one piece in đồng."""

    name: str
    weight_gram: int
    quantity: int
    price: int
    product_code: str


@dataclass(frozen=True, slots=True)
class Creation:
    """A creation request that GHTK would accept. Money in đồng, weight in grams."""

    partner_id: str
    products: tuple[Product, ...]
    weight_gram: int
    pick_money: int
    value: int
    is_freeship: bool
    transport: Literal["road", "fly"]
    tags: tuple[int, ...]
    note: str
    pick_province: str
    name: str
    tel: str
    address: str
    province: str
    pick_date: str
    pick_work_shift: int
    deliver_work_shift: int
    is_xfast: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One status change as the carrier recorded it."""

    status: int
    at: datetime
    reason_code: str = ""
    return_part_package: bool = False


@dataclass(slots=True)
class Shipment:
    """A shipment in the carrier's own table."""

    sequence: int
    label: str
    tracking_id: int
    creation: Creation
    fee: int
    insurance_fee: int
    outcome: Outcome
    remaining: tuple[Step, ...]
    history: list[Entry]
    moved_at: float
    """Reading of the monotonic clock at the last change, for automatic stepping."""
    pick_money: int = field(init=False)

    def __post_init__(self) -> None:
        self.pick_money = self.creation.pick_money

    @property
    def partner_id(self) -> str:
        return self.creation.partner_id

    @property
    def latest(self) -> Entry:
        return self.history[-1]

    @property
    def status(self) -> int:
        return self.latest.status

    @property
    def status_text(self) -> str:
        return STATUS_TEXT.get(self.status, "")

    @property
    def created(self) -> datetime:
        return self.history[0].at

    @property
    def is_at_rest(self) -> bool:
        return not self.remaining

    @property
    def due(self) -> datetime | None:
        """When the next planned step happens in simulated time."""
        return self.latest.at + self.remaining[0].after if self.remaining else None

    @property
    def settled_cod(self) -> int:
        """COD that the carrier has paid out to the shop, gross, in đồng."""
        return self.pick_money if self.status == Status.SETTLED else 0

    @property
    def compensation(self) -> int:
        """What the carrier has paid for a lost or damaged parcel, in đồng."""
        return self.creation.value if self.status == Status.COMPENSATED else 0


@dataclass(frozen=True, slots=True)
class PickUpAddress:
    """A warehouse of the shop that the carrier knows."""

    pick_address_id: str
    pick_name: str
    pick_tel: str
    address: str
    province: str


PICK_UP_ADDRESSES = (
    PickUpAddress("88001", "Kho Cầu Giấy", "0900000001", "12 Trần Thái Tông, Cầu Giấy, Hà Nội", "Hà Nội"),
    PickUpAddress("88002", "Kho Tân Bình", "0900000002", "34 Cộng Hòa, Tân Bình, TP. Hồ Chí Minh", "TP. Hồ Chí Minh"),
)


class Stats(BaseModel):
    """Counters since the start or the last reset."""

    calls: dict[str, int] = {}
    """Calls of the GHTK API by operation, those with a wrong token too."""
    created: int = 0
    duplicates_answered: int = 0
    """Creations answered with ORDER_ID_EXIST."""
    invalid: int = 0
    """Creations refused because a field was missing or wrong."""
    refused: int = 0
    """Creations refused by the fault switch."""
    cancelled_twins: int = 0
    timed_out: int = 0
    """Creations that were done and never answered."""
    errors_before: int = 0
    errors_after: int = 0
    slow_answers: int = 0
    cancelled: int = 0
    unauthorised: int = 0
    status_changes: int = 0
    callbacks_queued: int = 0
    """Callbacks meant to be sent, repetitions by the duplicate fault included."""
    callbacks_sent: int = 0
    """Requests made, resends included."""
    callbacks_acknowledged: int = 0
    callbacks_resent: int = 0
    callbacks_given_up: int = 0
    """Not answered with 200 the second time either."""
    callbacks_dropped: int = 0
    callbacks_duplicated: int = 0
    callbacks_delayed: int = 0
    callbacks_shuffled: int = 0

    def count_call(self, operation: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1
