"""How long a carrier waits after a failed delivery, as data with its source, and until when a person has to decide. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

MARGIN: Final = timedelta(hours=1)
"""Before the cut-off: a request takes its time at the carrier, and so does whoever is told that it is late."""
AT_MOST: Final = timedelta(hours=24)
"""A customer who was not at home yesterday has often bought elsewhere today (docs/shipping/rescue.md)."""
USUAL: Final = timedelta(hours=24)
"""Where a carrier publishes nothing: its courier's next round is on the next day."""


@dataclass(frozen=True)
class Terms:
    """Of one carrier.

    Args:
        next_run: from a failed delivery to the carrier's own next attempt, before which it has to be told.
        holds: from the moment it gives up until it sends the parcel back by itself.
        held: statuses in which it holds the parcel, beside those of which its table says so.
        source: of these figures.
    """

    next_run: timedelta = USUAL
    holds: timedelta = USUAL
    held: frozenset[str] = field(default_factory=frozenset)
    source: str = "no figures published; the next round is on the next day"


TERMS: Final[dict[str, Terms]] = {
    "ghtk": Terms(
        holds=timedelta(days=3),
        held=frozenset({"9"}),
        source="after three failed attempts or a refusal (status 9) it stores the parcel for three days and then sends it "
        "back (go24.vn/ghtk-quy-dinh-ve-don-hang-khong-giao-duoc-hang-luu-kho-cho-check)",
    ),
    "ghn": Terms(
        source="waiting_to_return: 24 hours in which the shop may ask for another delivery "
        "(https://api.ghn.vn/home/docs/detail?id=48)",
    ),
    "viettelpost": Terms(
        source="505 waits for the shop's answer (UpdateOrder 2 or 3); for how long is published nowhere, so a day",
    ),
}
"""Carrier → its terms; one that is missing has the usual ones."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """Until when."""

    at: datetime
    """The carrier waits no longer, or tries again as it is."""
    decide_by: datetime
    """A person decides, so that the carrier is told in time."""


def terms_of(carrier: str) -> Terms:
    return TERMS.get(carrier, Terms())


def cut_off(terms: Terms, *, failed_at: datetime, held_since: datetime | None) -> CutOff:
    """Until when a failed delivery can be turned.

    Args:
        failed_at: the carrier's time of the failed delivery.
        held_since: when the carrier began to wait for the shop; None: it will try again by itself.
    """
    since = failed_at if held_since is None else held_since
    at = since + (terms.next_run if held_since is None else terms.holds)
    return CutOff(at, min(at - MARGIN, since + AT_MOST))
