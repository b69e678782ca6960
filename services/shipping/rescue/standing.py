"""A failed delivery as it stands, and how it follows from the parcel's timeline and from what the carrier was asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from services.shipping.rescue.failures import FAILED, Failure, Journey
from shared.contracts.events.shipping import ShipmentStatus
from shared.contracts.events.shipping_rescue import RescueOutcome, RescueState, RescueStep, RescueWish

RequestState = Literal["requested", "accepted", "refused", "confirmed", "expired", "replaced"]

UNDER_WAY: Final[frozenset[RequestState]] = frozenset({"requested", "accepted"})
ASKED: Final[frozenset[RequestState]] = frozenset({"requested", "accepted", "confirmed"})
BACK: Final[frozenset[RescueWish]] = frozenset({"send_back", "customer_refuses"})
"""Wishes after which the parcel comes back to the shop; the others want another delivery."""
_WENT_ON: Final[dict[ShipmentStatus, RescueOutcome]] = {
    "accepted": "redelivery",
    "picked_up": "redelivery",
    "out_for_delivery": "redelivery",
    "delivered": "delivered",
    "returning": "returning",
    "returned": "returned",
    "lost": "lost",
    "cancelled": "cancelled",
    "pickup_failed": "returned",
}
_AS_WISHED: Final[dict[bool, frozenset[RescueOutcome]]] = {
    False: frozenset({"redelivery", "delivered", "failed_again"}),
    True: frozenset({"returning", "returned"}),
}
"""Whether it was to come back → what confirms it."""


@dataclass(frozen=True, slots=True)
class Request:
    """The last thing that the carrier was asked to do about a failed delivery."""

    id: UUID
    wish: RescueWish
    state: RequestState
    asked_at: datetime
    day: date | None = None
    by_hand: bool = False
    by_id: UUID | None = None
    by: str = ""
    by_desk: bool = False
    """They are of the COD desk, and neither hold the order nor closed it."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """A failed delivery as it stands."""

    id: UUID
    turn: int
    attempt: int
    failed_at: datetime
    held_since: datetime | None
    reason_code: str
    told: str
    state: RescueState
    outcome: RescueOutcome = ""
    closed_at: datetime | None = None
    saved: bool = False
    request: Request | None = None
    asked_at: datetime | None = None
    """When the carrier was asked first, by a request that it did not refuse."""
    asked_for_delivery: bool = False
    """One of these requests wanted another delivery."""


def followed(before: Rescue | None, failure: Failure, journey: Journey, *, id: UUID) -> Rescue:
    """The same failed delivery after the timeline says more.

    Args:
        before: None: it was not known.
        id: of one that was not known.
    """
    outcome = _outcome(failure, journey)
    known = before or Rescue(
        id=id,
        turn=0,
        attempt=failure.attempt,
        failed_at=failure.at,
        held_since=failure.held_since,
        reason_code="",
        told="",
        state="closed",
        closed_at=failure.at,
    )
    after = replace(
        known,
        attempt=failure.attempt,
        failed_at=failure.at,
        held_since=failure.held_since,
        reason_code=failure.reason_code,
        told=failure.reason,
        outcome=outcome,
    )
    if outcome:
        request = known.request
        if request is not None and request.state in UNDER_WAY:
            kept = outcome in _AS_WISHED[request.wish in BACK]
            after = replace(after, request=replace(request, state="confirmed" if kept else "expired"))
        return replace(after, state="closed", closed_at=failure.ended_at or failure.last_at)
    return waiting(after) if known.state == "closed" else after


def waiting(rescue: Rescue) -> Rescue:
    """Somebody has to decide, once more if somebody did before."""
    return replace(rescue, state="open", turn=rescue.turn + 1, closed_at=None, outcome="")


def gone(before: Rescue) -> Rescue:
    """It is on the timeline no more: what told of it was taken back."""
    request = before.request
    if request is not None and request.state in UNDER_WAY:
        request = replace(request, state="expired")
    closed_at = before.closed_at or before.failed_at
    return replace(before, state="closed", closed_at=closed_at, outcome="withdrawn", saved=False, request=request)


def step_of(before: Rescue | None, after: Rescue) -> RescueStep:
    """What happened between the two, in one word."""
    if before is None:
        return "failed"
    if before.request is not None and after.request is not None and before.request.state != after.request.state:
        return "confirmed" if after.request.state == "confirmed" else "expired"
    if before.state != after.state:
        return "ended" if after.state == "closed" else "failed"
    return "outcome" if before.outcome != after.outcome or before.saved != after.saved else "changed"


def _outcome(failure: Failure, journey: Journey) -> RescueOutcome:
    """How the parcel went on; empty while it waits."""
    if failure is not journey.failures[-1]:
        return "failed_again"
    return "" if journey.status == FAILED else _WENT_ON[journey.status]
