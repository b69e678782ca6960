"""Shifts as business time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from shared.calendar import InvalidCalendar
from shared.contracts.events.staff import ShiftTimes, SpecialDay
from shared.shifts import Roster, roster_of

MORNING = UUID(int=1)
AFTERNOON = UUID(int=2)


def shift(
    shift_id: UUID = MORNING, *periods: str, weekdays: tuple[int, ...] = (1, 2, 3, 4, 5), **rules: object
) -> ShiftTimes:
    return ShiftTimes.model_validate(
        {
            "shift_id": shift_id,
            "name": "Ca",
            "zone": "Asia/Ho_Chi_Minh",
            "weekdays": weekdays,
            "periods": periods or ("08:00-12:00",),
            **rules,
        }
    )


def roster(*shifts: ShiftTimes, holidays: tuple[date, ...] = ()) -> Roster:
    made = roster_of(shifts, holidays)
    assert made is not None
    return made


def hanoi(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time in Hanoi in November 2026, whose 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC) - timedelta(hours=7)


def test_the_start_of_a_period_is_inside_and_its_end_is_not() -> None:
    people = roster(shift())

    states = [people.at(at).state for at in (hanoi(23, 7, 59, 59), hanoi(23, 8), hanoi(23, 11, 59, 59), hanoi(23, 12))]

    assert states == ["off_shift", "present", "present", "off_shift"]


def test_both_halves_of_a_day_are_one_shift_of_that_date() -> None:
    people = roster(shift(MORNING, "08:00-12:00", "13:30-17:30"))

    before, after = people.at(hanoi(23, 9)), people.at(hanoi(23, 14))

    assert before == after
    assert (before.shift_id, before.on) == (MORNING, date(2026, 11, 23))
    assert people.at(hanoi(24, 9)) != before


def test_a_holiday_is_off_unless_the_shift_works_on_it_or_has_periods_for_it() -> None:
    monday = date(2026, 11, 23)
    own = SpecialDay(on=monday, periods=("09:00-10:00",))

    assert roster(shift(), holidays=(monday,)).at(hanoi(23, 9)).state == "holiday"
    assert roster(shift(), holidays=(monday,)).at(hanoi(23, 14)).state == "off_shift"
    assert roster(shift(works_on_holidays=True), holidays=(monday,)).at(hanoi(23, 9)).state == "present"
    assert roster(shift(special_days=(own,)), holidays=(monday,)).at(hanoi(23, 9, 30)).state == "present"
    assert roster(shift(special_days=(own,)), holidays=(monday,)).at(hanoi(23, 10, 30)).state != "present"


def test_a_special_day_without_periods_is_not_worked() -> None:
    off = SpecialDay(on=date(2026, 11, 23))

    assert roster(shift(special_days=(off,))).at(hanoi(23, 9)).state == "off_shift"


def test_the_next_start_is_that_of_the_next_period_worked() -> None:
    people = roster(shift(MORNING, "08:00-12:00", "13:30-17:30"), shift(AFTERNOON, "18:00-20:00", weekdays=(6,)))

    assert people.next_start(hanoi(23, 7)) == hanoi(23, 8)
    assert people.next_start(hanoi(23, 8)) == hanoi(23, 13, 30)
    assert people.next_start(hanoi(27, 17)) == hanoi(28, 18), "Friday evening: the other shift's Saturday"
    assert people.next_start(hanoi(28, 18)) == hanoi(30, 8)


def test_the_next_start_leaves_holidays_out_and_a_shift_that_is_never_worked_has_none() -> None:
    holidays = (date(2026, 11, 24), date(2026, 11, 25))

    assert roster(shift(), holidays=holidays).next_start(hanoi(23, 9)) == hanoi(26, 8)
    assert roster(shift(weekdays=())).next_start(hanoi(23, 9)) is None


def test_whoever_has_no_shift_has_no_roster() -> None:
    assert roster_of((), ()) is None


def test_periods_that_overlap_are_refused() -> None:
    with pytest.raises(InvalidCalendar):
        roster(shift(MORNING, "08:00-12:00", "11:00-13:00"))


def test_two_shifts_that_overlap_are_one_stretch_of_presence() -> None:
    both = roster(shift(MORNING, "08:00-12:00"), shift(AFTERNOON, "11:00-15:00", "16:00-17:00", weekdays=(1, 6)))
    calendar = both.calendar()
    assert calendar is not None
    assert [str(period) for period in calendar.periods_on(date(2026, 11, 23))] == ["08:00-15:00", "16:00-17:00"]
    assert [str(period) for period in calendar.periods_on(date(2026, 11, 24))] == ["08:00-12:00"]
    assert [str(period) for period in calendar.periods_on(date(2026, 11, 28))] == ["11:00-15:00", "16:00-17:00"]


def test_a_holiday_closes_the_shift_that_keeps_it_and_not_the_one_that_is_worked() -> None:
    monday = date(2026, 11, 23)
    worked = shift(AFTERNOON, "14:00-15:00", works_on_holidays=True)
    calendar = roster(shift(), worked, holidays=(monday,)).calendar()
    assert calendar is not None
    assert [str(period) for period in calendar.periods_on(monday)] == ["14:00-15:00"]
    alone = roster(shift(), holidays=(monday,)).calendar()
    assert alone is not None
    assert alone.periods_on(monday) == ()


def test_shifts_in_two_zones_have_no_calendar_in_common() -> None:
    assert roster(shift(), shift(AFTERNOON, "14:00-15:00", zone="Asia/Tokyo")).calendar() is None


def test_presence_and_calendar_agree_at_every_half_hour() -> None:
    special = SpecialDay(on=date(2026, 11, 25), periods=("20:00-21:00",))
    people = roster(
        shift(MORNING, "08:00-12:00", "13:30-17:30", special_days=(special,)),
        shift(AFTERNOON, "11:30-14:00", weekdays=(2, 7)),
        holidays=(date(2026, 11, 24),),
    )
    calendar = people.calendar()
    assert calendar is not None
    instants = [hanoi(22, 0) + timedelta(minutes=30 * number) for number in range(7 * 48)]
    assert [calendar.is_open(at) for at in instants] == [people.at(at).state == "present" for at in instants]
    assert any(calendar.is_open(at) for at in instants)
