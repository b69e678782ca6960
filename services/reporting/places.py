"""Where an order lies while it is in care (rule D14): with somebody, in the floating pool or in the archive.

Leads tells of the place, orders of the level, in two streams: either may come first. So what a level holds of a place is
not counted from the events as they come, but from the whole life of an order, which few have that ever lay there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.reporting.projection import CARE, OrderFacts, Rollup, day_of, divides

Place = Literal["care", "floating", "archived"]

PLACE_DAYS: Final = "place_days"
"""Key: day of the fact, level, place, channel, marketer. Nobody holds what lies there, so there is no owner. Of L5.3 what
was merged is a place as well."""


class Moved(NamedTuple):
    """An order came to a place. Of two with one assignment the archive is the later: what nobody claimed goes there."""

    assignment: int
    place: Place
    at: datetime

    @property
    def rank(self) -> tuple[int, bool]:
        return self.assignment, self.place == "archived"


class Stood(NamedTuple):
    """An order came to a level."""

    sequence: int
    level: str
    at: datetime
    channel: str
    marketer: str


def moved(order: OrderFacts, told: Moved) -> OrderFacts:
    """The present place, by the highest assignment told."""
    if told.rank < (order.place_assignment, order.place == "archived"):
        return order
    return replace(order, place=told.place, place_assignment=told.assignment)


def stays(moves: Sequence[Moved], stands: Sequence[Stood], zone: ZoneInfo) -> Counter[Rollup]:
    """What an order's life adds to the entries into and exits from places, by level."""
    sums: Counter[Rollup] = Counter()
    before: tuple[str, ...] | None = None
    for at in sorted({*(move.at for move in moves), *(stand.at for stand in stands)}):
        now = _lies(moves, stands, at)
        if now == before:
            continue
        for key, measure in ((before, "left"), (now, "entered")):
            if key is not None:
                sums[Rollup(PLACE_DAYS, (day_of(at, zone), *key), measure)] += 1
        before = now
    return sums


def _lies(moves: Iterable[Moved], stands: Iterable[Stood], at: datetime) -> tuple[str, ...] | None:
    """Level, place, channel and marketer at a moment; None when it does not count as lying anywhere."""
    move = max((one for one in moves if one.at <= at), key=lambda one: one.rank, default=None)
    stand = max((one for one in stands if one.at <= at), key=lambda one: one.sequence, default=None)
    if move is None or stand is None or move.place == CARE or not divides(stand.level):
        return None
    return stand.level, move.place, stand.channel, stand.marketer
