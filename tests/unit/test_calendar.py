"""Business time against an oracle that walks second by second, and the cases that other systems got wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar import Calendar, InvalidCalendar, NeverOpen, Period, intersection
from shared.public_holidays import vietnam

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
CALL_HOURS = [["08:00-12:00", "13:30-20:30"]] * 6 + [["08:30-12:00", "13:30-17:30"]]
OFFICE = [["08:00-12:00", "13:30-17:30"]] * 6 + [[]]
ALWAYS = [["00:00-24:00"]] * 7


def hanoi(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


@pytest.fixture(scope="module")
def calling() -> Calendar:
    return Calendar.of(weekly=CALL_HOURS, closed=vietnam([2025, 2026]))


# --- the oracle: every boundary lies on a whole second, so a second is open or closed as a whole ----------------------


class SecondBySecond:
    """What a wall clock and a list of periods say, one second after the other."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.zone)
        self.days: dict[date, bytearray] = {}

    def is_open(self, at: datetime) -> bool:
        shown = at.astimezone(self.zone)
        on = shown.date()
        if on not in self.days:
            self.days[on] = self.day(on)
        return bool(self.days[on][shown.hour * 3600 + shown.minute * 60 + shown.second])

    def day(self, on: date) -> bytearray:
        extra = dict(self.calendar.extra)
        periods = self.calendar.weekly[on.weekday()]
        if on in extra:
            periods = extra[on]
        elif on in self.calendar.closed:
            periods = ()
        seconds = bytearray(86_400)
        for period in periods:
            seconds[period.start : period.end] = b"\x01" * (period.end - period.start)
        return seconds

    def walk(self, start: datetime, limit: timedelta) -> list[tuple[datetime, datetime]]:
        """The open pieces from `start`, each within one second."""
        pieces, at, end = [], start, start + limit
        while at < end:
            until = min(at.replace(microsecond=0) + SECOND, end)
            if self.is_open(at):
                pieces.append((at, until))
            at = until
        return pieces


ZONES = [  # zone and a stretch of days around something unusual
    ("Asia/Ho_Chi_Minh", datetime(2026, 2, 13, tzinfo=UTC)),
    ("Asia/Ho_Chi_Minh", datetime(2025, 12, 30, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 3, 28, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 10, 24, tzinfo=UTC)),
    ("America/New_York", datetime(2025, 11, 1, tzinfo=UTC)),
    ("America/Havana", datetime(2025, 11, 1, tzinfo=UTC)),  # 01:00 goes back to midnight
    ("America/St_Johns", datetime(2010, 11, 5, tzinfo=UTC)),  # 00:01 goes back into the day before
    ("Africa/Cairo", datetime(2025, 4, 23, tzinfo=UTC)),  # midnight is skipped
    ("Australia/Lord_Howe", datetime(2025, 4, 4, tzinfo=UTC)),  # half an hour
    ("Pacific/Apia", datetime(2011, 12, 28, tzinfo=UTC)),  # a whole date is skipped
]


@st.composite
def days(draw: st.DrawFn) -> tuple[Period, ...]:
    # On the minute, as people write them, and on any second.
    mark = st.integers(0, 1440).map(lambda minute: minute * 60) | st.integers(0, 86_400)
    marks = draw(st.lists(mark, min_size=0, max_size=8, unique=True).map(sorted))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    touching = draw(st.booleans())
    periods = tuple(Period(a, b) for a, b in pairs)
    return (Period(0, 43_200), Period(43_200, 86_400)) if touching and not periods else periods


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    zone, around = draw(st.sampled_from(ZONES))
    near = [around.date() + timedelta(days=n) for n in range(-1, 6)]
    calendar = Calendar(
        zone=zone,
        weekly=draw(st.tuples(*[days()] * 7)),
        closed=frozenset(draw(st.lists(st.sampled_from(near), max_size=3))),
        extra=tuple(sorted(draw(st.dictionaries(st.sampled_from(near), days(), max_size=2)).items())),
    )
    seconds = draw(st.integers(0, 4 * 86_400))
    micros = draw(st.sampled_from([0, 0, 1, 999_999]))
    return calendar, around + timedelta(seconds=seconds, microseconds=micros)


@pytest.mark.parametrize(
    ("worlds_tried", "longest"),
    [
        pytest.param(60, timedelta(hours=5), id="hours"),
        pytest.param(1_500, timedelta(days=3), id="days", marks=pytest.mark.soak),
    ],
)
def test_business_time_agrees_with_walking_through_the_seconds(worlds_tried: int, longest: timedelta) -> None:
    @settings(max_examples=worlds_tried)
    @given(worlds(), st.integers(1, longest // SECOND))
    def agrees(world: tuple[Calendar, datetime], span: int) -> None:
        calendar, start = world
        oracle, end = SecondBySecond(calendar), start + timedelta(seconds=span)
        pieces = oracle.walk(start, timedelta(seconds=span))
        worked = sum((until - since for since, until in pieces), timedelta())

        assert calendar.is_open(start) == oracle.is_open(start)
        assert calendar.elapsed(start, end) == worked
        assert calendar.elapsed(end, start) == -worked
        if not pieces:
            return
        assert calendar.next_open(start) == pieces[0][0]
        assert calendar.add(start, worked) == pieces[-1][1]
        half = missing = worked / 2
        for since, until in pieces:
            if until - since >= missing:
                assert calendar.add(start, half) == (since + missing if half else start)
                break
            missing -= until - since

    agrees()


@settings(max_examples=120)
@given(worlds(), st.integers(0, 10_000 * 3600))
def test_adding_working_time_is_undone_by_measuring_it(world: tuple[Calendar, datetime], seconds: int) -> None:
    calendar, start = world
    if not any(calendar.weekly):
        return
    duration = timedelta(seconds=seconds)
    end = calendar.add(start, duration)
    assert calendar.elapsed(start, end) == duration
    assert duration == timedelta() or calendar.elapsed(start, end - timedelta(microseconds=1)) < duration


@settings(max_examples=120)
@given(worlds(), st.times().map(lambda clock: clock.replace(second=0, microsecond=0)))
def test_the_next_time_of_day_is_the_first_the_clock_shows(world: tuple[Calendar, datetime], clock: time) -> None:
    calendar, after = world
    found = calendar.next_at(clock, after)
    assert found > after
    if calendar.local(found).time() == clock:  # not a skipped time
        minute = (after + MINUTE).replace(second=0, microsecond=0)
        passed = [minute + n * MINUTE for n in range(int((found - minute) / MINUTE))]
        assert not any(calendar.local(at).time() == clock for at in passed[:1500])


@settings(max_examples=60)
@given(worlds(), worlds(), st.integers(1, 5 * 86_400))
def test_two_calendars_together_are_open_when_both_are(
    one: tuple[Calendar, datetime], other: tuple[Calendar, datetime], span: int
) -> None:
    mine, at = one
    yours = Calendar(zone=mine.zone, weekly=other[0].weekly, closed=other[0].closed, extra=other[0].extra)
    both = intersection(mine, yours)
    for n in range(40):
        moment = at + timedelta(seconds=span * n / 40)
        assert both.is_open(moment) == (mine.is_open(moment) and yours.is_open(moment))


# --- cases that other systems got wrong ------------------------------------------------------------------------------


def test_lunch_is_not_worked(calling: Calendar) -> None:
    assert calling.add(hanoi("2025-06-02T11:50"), timedelta(minutes=15)) == hanoi("2025-06-02T13:35")
    assert calling.elapsed(hanoi("2025-06-02T11:50"), hanoi("2025-06-02T13:35")) == timedelta(minutes=15)


def test_a_deadline_may_be_the_closing_moment_but_work_begins_at_an_opening(calling: Calendar) -> None:
    deadline = calling.add(hanoi("2025-06-02T11:45"), timedelta(minutes=15))
    assert deadline == hanoi("2025-06-02T12:00")
    assert not calling.is_open(deadline)
    assert calling.next_open(deadline) == hanoi("2025-06-02T13:30")


def test_a_number_that_arrives_at_night_is_due_in_the_morning(calling: Calendar) -> None:
    assert calling.add(hanoi("2025-06-02T23:10"), timedelta(minutes=15)) == hanoi("2025-06-03T08:15")


def test_tet_is_jumped_over(calling: Calendar) -> None:
    """Sunday 15 February 2026 is the last day worked before Tết; Saturday the 21st the first after it."""
    assert calling.next_open(hanoi("2026-02-15T17:30")) == hanoi("2026-02-21T08:00")
    assert calling.elapsed(hanoi("2026-02-15T17:30"), hanoi("2026-02-21T08:00")) == timedelta()


def test_a_swapped_working_day_is_worked_although_it_is_a_sunday_or_a_holiday() -> None:
    calendar = Calendar.of(
        weekly=OFFICE,
        closed=[date(2025, 5, 2)],
        extra={date(2025, 4, 27): ["08:00-12:00"], date(2025, 5, 2): ["09:00-11:00"]},
    )
    assert calendar.next_open(hanoi("2025-04-26T18:00")) == hanoi("2025-04-27T08:00")
    assert calendar.add(hanoi("2025-05-01T18:00"), timedelta(hours=2)) == hanoi("2025-05-02T11:00")


def test_round_the_clock_is_open_at_midnight() -> None:
    calendar = Calendar.of(weekly=ALWAYS)
    start = hanoi("2025-06-02T23:59:59")
    assert all(calendar.is_open(start + timedelta(milliseconds=500 * n)) for n in range(6))
    assert calendar.add(start, timedelta(days=400)) == start + timedelta(days=400)


def test_a_night_shift_runs_through_midnight_as_two_periods() -> None:
    calendar = Calendar.of(weekly=[["00:00-06:00", "22:00-24:00"]] * 7)
    assert calendar.add(hanoi("2025-06-02T23:00"), timedelta(hours=3)) == hanoi("2025-06-03T02:00")


def test_a_skipped_hour_is_not_worked_and_a_repeated_hour_is_worked_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    calendar = Calendar.of(zone="Europe/Berlin", weekly=[["01:00-05:00"]] * 7)
    spring, autumn = datetime(2025, 3, 30, tzinfo=berlin), datetime(2025, 10, 26, tzinfo=berlin)
    assert calendar.elapsed(spring, spring + timedelta(days=1)) == timedelta(hours=3)
    assert calendar.elapsed(autumn, autumn + timedelta(days=1)) == timedelta(hours=5)


def test_the_next_half_past_six_may_be_tomorrows(calling: Calendar) -> None:
    assert calling.next_at(time(18, 30), hanoi("2025-06-02T18:29")) == hanoi("2025-06-02T18:30")
    assert calling.next_at(time(18, 30), hanoi("2025-06-02T18:30")) == hanoi("2025-06-03T18:30")


def test_a_time_that_the_clock_shows_twice_comes_twice() -> None:
    calendar = Calendar.of(zone="Europe/Berlin", weekly=ALWAYS)
    first = calendar.next_at(time(2, 30), datetime(2025, 10, 25, 22, tzinfo=UTC))
    assert first == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert calendar.next_at(time(2, 30), first) == first + timedelta(hours=1)


def test_a_calendar_that_will_never_open_again_says_so() -> None:
    calendar = Calendar.of(weekly=[[]] * 7, extra={date(2025, 6, 2): ["08:00-09:00"]})
    assert calendar.add(hanoi("2025-06-01T00:00"), timedelta(hours=1)) == hanoi("2025-06-02T09:00")
    with pytest.raises(NeverOpen):
        calendar.add(hanoi("2025-06-01T00:00"), timedelta(hours=1, seconds=1))
    with pytest.raises(NeverOpen):
        calendar.next_open(hanoi("2025-06-02T09:00"))


def test_a_negative_duration_is_refused(calling: Calendar) -> None:
    with pytest.raises(ValueError, match="negative"):
        calling.add(hanoi("2025-06-02T09:00"), timedelta(seconds=-1))


@pytest.mark.parametrize("text", ["8:00-12:00", "12:00-08:00", "08:00-24:01", "08:00-08:00", "08:60-09:00", "08:00"])
def test_a_period_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidCalendar):
        Period.parse(text)


def test_overlapping_periods_are_refused() -> None:
    with pytest.raises(InvalidCalendar, match=r"08:00-12:00, 11:00-13:00"):
        Calendar.of(weekly=[["08:00-12:00", "11:00-13:00"], *[[]] * 6])


def test_tet_and_national_day_are_public_holidays() -> None:
    closed = vietnam([2026])
    assert {date(2026, 2, 17), date(2026, 9, 2), date(2026, 4, 30), date(2026, 5, 1)} <= closed
    assert date(2026, 3, 3) not in closed
