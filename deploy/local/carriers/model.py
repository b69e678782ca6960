"""What a simulated carrier remembers, and how it is set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, Self

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deploy.local.carriers.life import STATUS, TRANSFER, Code, Outcome, Road, Step

# Carriers write local times; the zone has had no daylight saving since 1975.
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
    """Weights of the lives that new parcels get; `OutcomeRates(returned=1)` means that every one comes back."""

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


class CarrierSettings(BaseModel):
    """How a simulator is set up; `changeable` names what the control API may change while it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    changeable: ClassVar[frozenset[str]] = frozenset({"callback_url", "speed", "outcomes"})

    seed: int = 1
    """Decides the outcomes of parcels and which calls and callbacks a fault hits."""
    outcomes: OutcomeRates = USUAL_OUTCOMES
    callback_url: CallbackUrl | None = None
    """Where changes are posted; none means that nothing is posted."""
    callback_concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Callbacks under way at once."""
    callback_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How long the receiver may take; later counts as no answer."""
    callback_attempts: Annotated[int, Field(ge=1, le=100)] = 2
    """How often a callback that is not answered with 200 is sent, the first time included."""
    resend_after_seconds: Annotated[float, Field(ge=0)] = 1.0
    """Pause before the repetition of a callback that was not answered with 200."""
    speed: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Steps a second that each parcel takes by itself; 0 leaves them to the control API."""

    def changed(self, change: Mapping[str, Any]) -> Self:
        """These settings with some of the changeable ones replaced.

        Raises:
            ValueError: a setting cannot be changed while the simulator runs, or not to this value.
        """
        if fixed := sorted(change.keys() - self.changeable):
            raise ValueError(f"cannot be changed while the simulator runs: {', '.join(fixed)}")
        return type(self).model_validate(self.model_dump() | dict(change))


@dataclass(frozen=True, slots=True)
class Product:
    """One line of a parcel; weight of one piece in grams, price of one piece in đồng."""

    name: str
    weight_gram: int
    quantity: int
    price: int
    product_code: str


@dataclass(frozen=True, kw_only=True)
class Creation:
    """A creation request that the carrier would accept; each carrier adds its own fields. Money in đồng."""

    reference: str
    """The shop's own code, and the carrier's key against duplicates."""
    products: tuple[Product, ...]
    weight_gram: int
    cod: int
    value: int
    note: str
    name: str
    tel: str
    address: str
    province: str


@dataclass(frozen=True, slots=True)
class Fees:
    """Đồng."""

    shipping: int
    insurance: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as the carrier recorded it."""

    status: Code
    at: datetime
    reason_code: str = ""
    partial: bool = False
    kind: str = STATUS


@dataclass(slots=True)
class Shipment:
    """A parcel in the carrier's own table."""

    road: Road
    sequence: int
    waybill: str
    creation: Creation
    fee: int
    insurance_fee: int
    outcome: Outcome
    remaining: tuple[Step, ...]
    history: list[Entry]
    moved_at: float
    """Reading of the monotonic clock at the last change, for automatic stepping."""
    cod: int = field(init=False)
    """To collect or collected; a partial delivery makes it less than the creation asked for."""

    def __post_init__(self) -> None:
        self.cod = self.creation.cod

    @property
    def reference(self) -> str:
        return self.creation.reference

    @property
    def latest(self) -> Entry:
        return self.history[-1]

    @property
    def status(self) -> Code:
        return self.latest.status

    @property
    def status_text(self) -> str:
        return self.road.text.get(self.status, "")

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
    def transferred_at(self) -> datetime | None:
        """When the carrier paid the COD out, where no status says so."""
        return next((entry.at for entry in self.history if entry.kind == TRANSFER), None)

    @property
    def settled_cod(self) -> int:
        """COD that the carrier has paid out to the shop, gross, in đồng."""
        is_settled = self.status in self.road.settled or self.transferred_at is not None
        return self.cod if is_settled else 0

    @property
    def compensation(self) -> int:
        """What the carrier has paid for a lost or damaged parcel, in đồng."""
        return self.creation.value if self.status in self.road.compensated else 0

    def first_at(self, status: Code) -> datetime | None:
        """When it first had a status."""
        return next((entry.at for entry in self.history if entry.status == status), None)


class Stats(BaseModel):
    """Counters since the start or the last reset."""

    calls: dict[str, int] = {}
    """Calls of the carrier's API by operation, those with wrong credentials too."""
    created: int = 0
    duplicates_answered: int = 0
    """Creations whose reference was taken, and which were answered with what lies under it."""
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
    rate_limited: int = 0
    cancelled: int = 0
    unauthorised: int = 0
    status_changes: int = 0
    """Changes of parcels after their creation, also those that are no status."""
    callbacks_queued: int = 0
    """Callbacks meant to be sent, repetitions by the duplicate fault included."""
    callbacks_sent: int = 0
    """Requests made, resends included."""
    callbacks_acknowledged: int = 0
    callbacks_resent: int = 0
    callbacks_given_up: int = 0
    """Not answered with 200 the last time either."""
    callbacks_dropped: int = 0
    callbacks_duplicated: int = 0
    callbacks_delayed: int = 0
    callbacks_shuffled: int = 0

    def count_call(self, operation: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1
