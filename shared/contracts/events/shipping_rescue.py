"""Facts about failed deliveries: what is done about each, and what comes of it."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant, personal
from shared.contracts.events.base import EventType
from shared.contracts.events.orders import Address

RescueState = Literal[
    "open",  # somebody has to call the customer and decide
    "asked",  # the carrier was told what to do, and has not done it yet
    "closed",  # the parcel went on
]
RescueStep = Literal[
    "failed",  # the carrier reported it
    "changed",  # more became known: the reason, the number of the attempt, the cut-off
    "asked",  # somebody decided
    "accepted",  # the carrier said that it will do it
    "refused",  # the carrier said no: somebody has to decide again
    "confirmed",  # what the carrier reported next is what it was asked for
    "expired",  # the carrier did not do what it was asked for
    "ended",  # the parcel went on without anything being asked
    "outcome",  # what became of the parcel later
]
RescueWish = Literal["deliver_again", "change_recipient", "send_back", "customer_refuses"]
RescueOutcome = Literal[
    "", "redelivery", "failed_again", "delivered", "returning", "returned", "lost", "cancelled", "withdrawn"
]


class RescueChanged(Contract):
    """A failed delivery as it stands. Each of these tells all of it, so a reader keeps the highest `sequence`."""

    rescue_id: UUID
    """Also the id of the promise to call the customer about it."""
    shipment_id: UUID
    order_id: UUID
    sequence: int
    """Grows by one with each change of this failed delivery."""
    step: RescueStep
    """What happened, at `at`."""
    at: Instant
    state: RescueState
    turn: int = 1
    """How many-th time somebody has to decide: one more after the carrier refused; 0: it was over when it became known."""
    attempt: int
    """How many-th failed delivery of the parcel."""
    failed_at: Instant
    """The carrier's time."""
    carrier: str
    waybill: str = ""
    reason_code: str = ""
    reason_vi: str = ""
    """Words of the carrier's table, nothing that a courier typed."""
    reason_en: str = ""
    cut_off_at: Instant
    """Until then the carrier waits, or lets its own next attempt wait, for what the shop says."""
    decide_by: Instant
    """A while before, so that the carrier is told in time."""
    wish: RescueWish | Literal[""] = ""
    """What somebody decided last."""
    day: date | None = None
    """On which the customer wants it."""
    by_hand: bool = False
    """Somebody told the carrier by telephone or on its site."""
    by_id: UUID | None = None
    by: str = ""
    """Staff code of who decided (rule D22: theirs is the rescue)."""
    by_desk: bool = False
    """They are of the COD desk, and neither hold the order nor closed it."""
    asked_at: Instant | None = None
    """When the carrier was asked first, by a request that it did not refuse."""
    outcome: RescueOutcome = ""
    """How the parcel went on; grows until the parcel's end."""
    saved: bool = False
    """Delivered after this rescue had asked for it; of several rescues of a parcel the last one that did."""


class RecipientChanged(Contract):
    """A parcel on its way goes to another phone or address: the carrier knows, and the order has to."""

    request_id: UUID
    order_id: UUID
    shipment_id: UUID
    at: Instant
    by_id: UUID | None = None
    by: str = ""
    recipient: str | None = personal(None)
    """None stays, as with the others."""
    phone: str | None = personal(None)
    address: Address | None = None


RESCUE_CHANGED: Final = EventType("shipping.rescue.changed.v1", RescueChanged)
RECIPIENT_CHANGED: Final = EventType("shipping.recipient.changed.v1", RecipientChanged)
