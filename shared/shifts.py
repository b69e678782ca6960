"""Shifts of people ('ca làm việc') as business time: who is present at an instant, and when that may change. Pure.

A *plan* is what counts of somebody's shifts, written the same way whoever it is: services keep it once for all who share it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache, reduce
from typing import Final, Literal
from uuid import UUID

import orjson

from shared.calendar import Calendar, union
from shared.contracts.events.staff import ShiftsChanged, ShiftTimes

_DAYS_AHEAD: Final = 400
"""Days that are searched for the next period: more than a year, so that a shift worked once a year is found."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether somebody is in a shift at an instant, and in which, on which date of the shift's own clock."""

    state: Literal["present", "off_shift", "holiday"]
    shift_id: UUID | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift: its calendar, and the same as it would be without holidays."""

    id: UUID
    calendar: Calendar
    without_holidays: Calendar


@dataclass(frozen=True, slots=True)
class Roster:
    """The shifts of a person; there is at least one. Of two at once the first counts."""

    shifts: tuple[Shift, ...]

    def at(self, instant: datetime) -> Presence:
        """Where the person is at an instant; the start of a period is inside, its end is not."""
        for shift in self.shifts:
            if shift.calendar.is_open(instant):
                return Presence("present", shift.id, shift.calendar.local(instant).date())
        if any(shift.without_holidays.is_open(instant) for shift in self.shifts):
            return Presence("holiday")
        return Presence("off_shift")

    def next_start(self, after: datetime) -> datetime | None:
        """The next instant at which a period of a shift begins; None if there is none within a year."""
        starts = [start for shift in self.shifts if (start := _next_start(shift.calendar, after)) is not None]
        return min(starts, default=None)

    def calendar(self) -> Calendar | None:
        """When the person is in any of the shifts; None if these are in different zones, whose days do not coincide."""
        if len({shift.calendar.zone for shift in self.shifts}) > 1:
            return None
        return reduce(union, (shift.calendar for shift in self.shifts))


def roster_of(shifts: Iterable[ShiftTimes], holidays: Collection[date]) -> Roster | None:
    """What the shifts of a person mean; None for somebody without shifts, who is present at any time.

    Raises:
        InvalidCalendar: the periods of a shift contradict each other.
        zoneinfo.ZoneInfoNotFoundError: its zone is unknown.
    """
    made = tuple(
        Shift(times.shift_id, calendar_of(times, holidays), calendar_of(times, ()))
        for times in sorted(shifts, key=lambda times: times.shift_id)
    )
    return Roster(made) if made else None


def calendar_of(times: ShiftTimes, holidays: Collection[date]) -> Calendar:
    """When a shift is worked. Its own special days win over holidays.

    Raises:
        InvalidCalendar, zoneinfo.ZoneInfoNotFoundError: as `roster_of`.
    """
    return Calendar.of(
        zone=times.zone,
        weekly=[times.periods if day in times.weekdays else () for day in range(1, 8)],
        closed=() if times.works_on_holidays else holidays,
        extra={special.on: special.periods for special in times.special_days},
    )


def plan_of(change: ShiftsChanged) -> bytes | None:
    """What counts of somebody's shifts, as JSON; None for somebody without shifts."""
    if not change.shifts:
        return None
    said = change.model_dump(mode="json", include={"shifts", "holidays"})
    said["shifts"].sort(key=lambda times: times["shift_id"])
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def digest_of(plan: bytes) -> bytes:
    """By which a plan is found again."""
    return hashlib.sha256(plan).digest()


@lru_cache(maxsize=512)
def roster_of_plan(plan: str) -> Roster | None:
    """What a plan means. Calendars take long to make and never change; people of one shift share one plan.

    Raises:
        InvalidCalendar, zoneinfo.ZoneInfoNotFoundError: as `roster_of`.
    """
    known = orjson.loads(plan)
    shifts = [ShiftTimes.model_validate(times) for times in known["shifts"]]
    return roster_of(shifts, {date.fromisoformat(on) for on in known["holidays"]})


def _next_start(calendar: Calendar, after: datetime) -> datetime | None:
    today = calendar.local(after).date()
    for ahead in range(_DAYS_AHEAD):
        on = today + timedelta(days=ahead)
        for period in calendar.periods_on(on):
            start = calendar.next_at(_time_of_day(period.start), calendar.midnight(on) - timedelta(microseconds=1))
            if start > after:
                return start
    return None


def _time_of_day(seconds: int) -> time:
    minutes, second = divmod(seconds, 60)
    return time(minutes // 60, minutes % 60, second)
