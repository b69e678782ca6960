"""When a customer whose delivery failed is called: in the calling hours, before the carrier's cut-off. Pure.

The legal gate of advertising does not hold it up: it is about goods that the customer ordered (rule D38).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.calendar import Calendar, NeverOpen

AT_LEAST: Final = timedelta(minutes=30)
"""Nobody is late with a call that could not be known of: news that came late leaves this long, up to the cut-off."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of a call."""

    due_at: datetime
    deadline_at: datetime


def times(calendar: Calendar | None, *, decide_by: datetime, cut_off_at: datetime, now: datetime) -> Times:
    """When the call is due, and when the promise to make it breaks.

    The deadline is the last moment of the calling hours by which the carrier can be told; without any such hour before the
    cut-off it is now that somebody should try.

    Args:
        calendar: the calling hours; None: at any time.
        decide_by: a while before the cut-off.
        cut_off_at: when the carrier waits no longer.
    """
    latest = decide_by if decide_by - now >= AT_LEAST else now + AT_LEAST
    if now < cut_off_at:
        latest = min(latest, cut_off_at)
    if calendar is None:
        return Times(now, latest)
    try:
        due_at = calendar.next_open(now)
        if due_at >= latest:
            return Times(now, latest)
        return Times(due_at, calendar.add(now, calendar.elapsed(now, latest)))
    except NeverOpen:
        return Times(now, latest)
