"""Business time: how long a number has waited while people could have called it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from shared.calendar import Calendar

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_BACK: Final = timedelta(days=60)
"""No company is closed for longer; what came before has waited long enough in any case."""
_MICROSECOND: Final = timedelta(microseconds=1)


def calendar(written: str, *, zone: str, closed: Iterable[date] = ()) -> Calendar:
    """A calendar from text such as `mon-sat 08:00-12:00 13:30-20:30; sun 08:30-12:00`; days not named are closed.

    Args:
        closed: public holidays.

    Raises:
        ValueError: it is not written so, a day is named twice, or periods overlap.
    """
    week: dict[int, list[str]] = {}
    for part in filter(None, (part.strip() for part in written.split(";"))):
        days, *periods = part.split()
        found = re.fullmatch(r"([a-z]{3})(?:-([a-z]{3}))?", days)
        if found is None or not {found[1], found[2] or found[1]} <= {*DAYS}:
            raise ValueError(f"days are written like mon, sun or mon-sat, not {days!r}")
        for number in range(DAYS.index(found[1]), DAYS.index(found[2] or found[1]) + 1):
            if number in week:
                raise ValueError(f"{DAYS[number]} is named twice")
            week[number] = periods
    if not any(week.values()):
        raise ValueError("there are no business hours at all")
    return Calendar.of(zone=zone, weekly=[week.get(number, []) for number in range(7)], closed=closed)


def waiting_since(calendar: Calendar, *, now: datetime, waited: timedelta) -> datetime:
    """The latest arrival that has waited for that much business time by now.

    Whatever arrived then or before has waited as long or longer, so one comparison answers for all leads at once.
    """
    if waited <= timedelta():
        return now
    low, high = 0, LOOK_BACK // _MICROSECOND
    if calendar.elapsed(now - LOOK_BACK, now) < waited:
        return now - LOOK_BACK
    while high - low > 1:  # low: not yet long enough; high: long enough
        middle = (low + high) // 2
        if calendar.elapsed(now - middle * _MICROSECOND, now) >= waited:
            high = middle
        else:
            low = middle
    return now - high * _MICROSECOND
