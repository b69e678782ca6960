"""By which ground a number may be called or written to (rule D38); pure.

Whoever left the number, came again, contacted us or agreed to another call asked for it: their request is consent to the
calls and messages about it. It ends when they take it back, 30 days after care has ended, and when the number was given up
and then claimed from the floating pool by somebody else: that is a campaign, like a list that was bought. What people
consent to beyond their request is recorded for advertising calls and for messages. Who did neither may still be contacted
within the limits for advertising (Decree 91/2020), unless they took consent back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

By = Literal["call", "message"]
Purpose = Literal["request", "advertising"]
"""About what the customer asked for; or anything else (upsell, after-sale offers, campaigns)."""
GroundKind = Literal["requested", "consented", "advertising_limits"]
How = Literal["left_number", "came_again", "contacted_us", "agreed", "recorded", "none"]

ENDS_AFTER: Final = timedelta(days=30)
"""After the end of care a request is over (rule D38)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The customer asked to be contacted. `id` is the record: the lead, the interaction or the act of consent."""

    at: datetime
    how: How
    id: UUID
    text: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody said of consent later, as leads recorded it."""

    at: datetime
    purpose: Literal["requested_call", "advertising_call", "message"]
    act: Literal["given", "withdrawn"]
    id: UUID
    text: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a number and of an order.

    Args:
        asked: requests about this order, in any order.
        acts: of this number.
        claimed_at: when somebody last took it from the floating pool.
        care_ended_at: when the order ended, or was archived; None: it is under way.
        lapsed_at: when it had ended before, if it was taken up again by us, too late for the request to hold.
    """

    asked: tuple[Asked, ...] = ()
    acts: tuple[Act, ...] = ()
    claimed_at: datetime | None = None
    care_ended_at: datetime | None = None
    lapsed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Why a number may be contacted, with the record that proves it."""

    kind: GroundKind
    how: How = "none"
    since: datetime | None = None
    id: UUID | None = None
    text: str = ""
    page: str = ""

    @property
    def asked(self) -> bool:
        """Within the company's own hours and caps; otherwise within the limits for advertising."""
        return self.kind != "advertising_limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """There is no ground: consent was taken back."""

    at: datetime


def ground_for(known: Known, *, by: By, purpose: Purpose = "request", at: datetime) -> Ground | Withdrawn:
    """The ground that holds at an instant.

    Args:
        by: messages have a consent of their own; a request allows those about it too.
    """
    wanted = _latest_request(known, at)
    own = _last(known.acts, "advertising_call" if by == "call" else "message", at)
    if by == "message" and own is not None and own.act == "withdrawn" and (wanted is None or wanted.at < own.at):
        return Withdrawn(at=own.at)
    if purpose == "request" and wanted is not None and _still_holds(known, wanted, at):
        return Ground(
            kind="requested", how=wanted.how, since=wanted.at, id=wanted.id, text=wanted.text, page=wanted.page
        )
    if own is not None and own.act == "given":
        return Ground(kind="consented", how="recorded", since=own.at, id=own.id, text=own.text, page=own.page)
    over = max((each for each in _taken_back(known, own, wanted, purpose, at)), default=None)
    return Withdrawn(at=over) if over is not None else Ground(kind="advertising_limits")


def _latest_request(known: Known, at: datetime) -> Asked | None:
    given = (
        Asked(at=act.at, how="recorded", id=act.id, text=act.text, page=act.page)
        for act in known.acts
        if act.purpose == "requested_call" and act.act == "given"
    )
    return max((each for each in (*known.asked, *given) if each.at <= at), key=lambda each: each.at, default=None)


def _still_holds(known: Known, wanted: Asked, at: datetime) -> bool:
    if known.claimed_at is not None and wanted.at <= known.claimed_at <= at:
        return False
    if known.lapsed_at is not None and wanted.at <= known.lapsed_at:
        return False
    ended = known.care_ended_at
    if ended is not None and wanted.at <= ended and at >= ended + ENDS_AFTER:
        return False
    taken_back = _last(known.acts, "requested_call", at)
    return taken_back is None or taken_back.act == "given" or taken_back.at < wanted.at


def _taken_back(
    known: Known, own: Act | None, wanted: Asked | None, purpose: Purpose, at: datetime
) -> Iterable[datetime]:
    """When they said that they want no such contact, and have not asked for it since."""
    if (
        own is not None
        and own.act == "withdrawn"
        and (purpose == "advertising" or wanted is None or wanted.at < own.at)
    ):
        yield own.at
    request = _last(known.acts, "requested_call", at)
    if request is not None and request.act == "withdrawn" and (wanted is None or wanted.at <= request.at):
        yield request.at


def _last(acts: Iterable[Act], purpose: str, at: datetime) -> Act | None:
    return max((act for act in acts if act.purpose == purpose and act.at <= at), key=lambda act: act.at, default=None)
