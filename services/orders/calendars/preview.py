"""What a calendar means: the open periods of a month, and when things would fall due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from services.orders.calendars.body import CalendarBody
from services.orders.calendars.errors import NothingBusinesslike
from services.orders.calendars.store import Holiday
from services.orders.care.process import DAY_NAMES, duration_text
from shared.calendar import Calendar, NeverOpen
from shared.given import GivenInstant


class OpenPeriod(BaseModel):
    begin: datetime = Field(description="in the calendar's zone", examples=["2027-02-14T09:00:00+07:00"])
    end: datetime


class DayView(BaseModel):
    on: date
    weekday: str = Field(examples=["sun"])
    why: Literal["weekly", "holiday", "special"] = Field(description="what says how this day is worked")
    note: str = Field(description="of the holiday or the special day")
    open: list[OpenPeriod] = Field(description="none: closed")


class MonthView(BaseModel):
    month: str = Field(examples=["2027-02"])
    zone: str
    open_hours: float
    days: list[DayView]


class DueView(BaseModel):
    after: str = Field(examples=["4h"])
    due_at: datetime = Field(description="when so much business time has passed since `at`")
    begins_at: datetime = Field(description="the same, or the next opening if that moment is closed")


class DuesView(BaseModel):
    at: datetime
    is_open: bool
    next_open: datetime
    dues: list[DueView]


class Preview(MonthView):
    """A calendar that is not kept yet."""

    dues: DuesView | None = None


class PreviewIn(BaseModel):
    calendar: CalendarBody
    month: str = Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2027-02"])
    at: GivenInstant | None = Field(default=None, description="as if now were then")
    after: list[str] = Field(default=["15m", "1h", "4h", "1d"], max_length=20)


def calendar_of(body: CalendarBody, holidays: Sequence[Holiday]) -> Calendar:
    """The calendar as care reads it."""
    return body.hours().calendar(zone=body.zone, holidays=[day.on for day in holidays if day.closed])


def month_view(body: CalendarBody, holidays: Sequence[Holiday], month: str) -> MonthView:
    """Every day of a month with its open periods, holidays and special days considered."""
    calendar = calendar_of(body, holidays)
    first = date.fromisoformat(f"{month}-01")
    days = [first + timedelta(days=n) for n in range(((first + timedelta(days=31)).replace(day=1) - first).days)]
    public = {day.on: day for day in holidays if day.closed} if body.public_holidays else {}
    special = {on: entry.note for entry in body.special_days for on in entry.dates}
    end = calendar.midnight(days[-1] + timedelta(days=1))
    return MonthView(
        month=month,
        zone=body.zone,
        open_hours=round(calendar.elapsed(calendar.midnight(first), end) / timedelta(hours=1), 2),
        days=[_day(calendar, on, public, special) for on in days],
    )


def _day(calendar: Calendar, on: date, public: Mapping[date, Holiday], special: Mapping[date, str]) -> DayView:
    why: Literal["weekly", "holiday", "special"] = (
        "special" if on in special else "holiday" if on in public else "weekly"
    )
    return DayView(
        on=on,
        weekday=DAY_NAMES[on.weekday()],
        why=why,
        note=special[on] if on in special else public[on].vi if on in public else "",
        open=_open(calendar, on),
    )


def _open(calendar: Calendar, on: date) -> list[OpenPeriod]:
    """The periods of a local date, with the offsets that its clock has then."""
    return [
        OpenPeriod(begin=_shown(calendar, on, period.start), end=_shown(calendar, on, period.end))
        for period in calendar.periods_on(on)
    ]


def _shown(calendar: Calendar, on: date, second: int) -> datetime:
    wall = datetime.combine(on, time()) + timedelta(seconds=second)
    return wall.replace(tzinfo=ZoneInfo(calendar.zone))


def dues_view(calendar: Calendar, *, at: datetime, after: Sequence[timedelta]) -> DuesView:
    """When delays that begin at an instant would be over.

    Raises:
        NothingBusinesslike: the calendar has no open time left by then.
    """
    try:
        return DuesView(
            at=calendar.local(at),
            is_open=calendar.is_open(at),
            next_open=calendar.local(calendar.next_open(at)),
            dues=[
                DueView(
                    after=duration_text(delay),
                    due_at=calendar.local(calendar.add(at, delay)),
                    begins_at=calendar.local(calendar.next_open(calendar.add(at, delay))),
                )
                for delay in after
            ],
        )
    except NeverOpen:
        raise NothingBusinesslike(at=at) from None
