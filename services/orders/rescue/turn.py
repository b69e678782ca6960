"""Whose turn it is to call a customer whose delivery failed, and when the COD desk's begins (rule D25). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.calendar import Calendar, NeverOpen

FirstCaller = Literal["closer", "desk"]
Presence = Literal["here", "off_duty", "left", "nobody"]
"""Of whoever has the call now."""
Why = Literal["call_hours", "cut_off", "desk_first", "no_owner", "left", "off_duty"]
"""Why the desk gets it."""

DESK_NEEDS: Final = timedelta(minutes=30)
"""Of calling time that the desk has left before the call's deadline, however many call hours the closer is given."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Of the company.

    Args:
        call_time: of the calling hours, which whoever holds the order has before the desk gets it.
        version: 0: as installed.
    """

    first_caller: FirstCaller = "closer"
    call_time: timedelta = timedelta(hours=2)
    version: int = 0


@dataclass(frozen=True, slots=True)
class DeskTurn:
    """From when on the desk has the call, and why."""

    at: datetime
    why: Why


def desk_turn(
    setting: Setting,
    calendar: Calendar | None,
    *,
    opened_at: datetime,
    deadline_at: datetime,
    presence: Presence,
    now: datetime,
) -> DeskTurn:
    """When the desk's turn begins; at once is `now`.

    Args:
        calendar: the calling hours; None: at any time.
        opened_at: when the call became known; its call hours begin then, or when the hours next open.
        deadline_at: the last moment of the calling hours at which the carrier can still be told.
    """
    if setting.first_caller == "desk":
        return DeskTurn(now, "desk_first")
    absent: dict[Presence, Why] = {"nobody": "no_owner", "left": "left", "off_duty": "off_duty"}
    if presence in absent:
        return DeskTurn(now, absent[presence])
    by_hours = _after(calendar, opened_at, setting.call_time)
    latest = _before(calendar, opened_at, deadline_at)
    if by_hours is None or latest < by_hours:
        return DeskTurn(max(latest, now), "cut_off")
    return DeskTurn(max(by_hours, now), "call_hours")


def _after(calendar: Calendar | None, start: datetime, span: timedelta) -> datetime | None:
    """When a span of calling time is over; None: never."""
    if calendar is None:
        return start + span
    try:
        return calendar.add(start, span)
    except NeverOpen:
        return None


def _before(calendar: Calendar | None, start: datetime, deadline: datetime) -> datetime:
    """The last moment that leaves the desk what it needs; `start` if there is none."""
    if calendar is None:
        return max(deadline - DESK_NEEDS, start)
    spare = calendar.elapsed(start, deadline) - DESK_NEEDS
    return calendar.add(start, spare) if spare > timedelta() else start
