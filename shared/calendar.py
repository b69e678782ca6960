"""Business time: how much working time lies between two instants, and when a span of it has passed.

A calendar says at which times of its local clock work is done. An instant is open exactly when the wall clock of the
zone shows, at that instant, a date and a time inside one of that date's periods; this one sentence also settles clock
changes (an hour that is skipped is not worked, an hour that comes twice is worked twice) and midnight (two periods
that touch leave no gap).

Everything is interval arithmetic: the cost of an answer does not grow with the span asked about, except by one short
step a year. Nothing here reads a clock, a file or a database.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

VIETNAM = "Asia/Ho_Chi_Minh"

# Inside this module an instant is a whole number of microseconds since 1970 (UTC), and a local time is the same number
# read off the wall clock. Weeks are counted from Monday 1969-12-29, three days before.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_WEEK = 7 * _DAY
_MONDAY = -3 * _DAY
_BLOCK = 366 * _DAY  # clock changes are looked up for one such stretch at a time
_SECONDS_A_DAY = 86_400

_PERIOD = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?-(\d\d):(\d\d)(?::(\d\d))?")


class InvalidCalendar(ValueError):
    """The periods of a calendar contradict each other; the message names the day and the periods."""


class NeverOpen(ValueError):
    """The calendar has no working time left after the instant that was asked about."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A stretch of one local day: from `start` up to but not including `end`, in seconds after midnight.

    `end` may be 86400 (24:00); a period never runs over midnight, a night shift is two periods on two days.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= _SECONDS_A_DAY:
            raise InvalidCalendar(f"a period must begin before it ends, within one day: {self}")

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `"08:00-12:00"` (seconds may be given, 24:00 is the end of the day).

        Raises:
            InvalidCalendar: the text has another form or no length.
        """
        match = _PERIOD.fullmatch(text.strip())
        if match is None:
            raise InvalidCalendar(f"a period is written like 08:00-12:00, not {text!r}")
        h1, m1, s1, h2, m2, s2 = (int(part or 0) for part in match.groups())
        if max(m1, s1, m2, s2) > 59:
            raise InvalidCalendar(f"not a time of day: {text!r}")
        return cls(h1 * 3600 + m1 * 60 + s1, h2 * 3600 + m2 * 60 + s2)

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


Day = tuple[Period, ...]


@dataclass(frozen=True)
class Calendar:
    """When work is done, in one time zone.

    Args:
        zone: IANA name of the time zone whose wall clock counts.
        weekly: seven days, Monday first, each with its periods in order (none: closed).
        closed: dates without work, such as public holidays.
        extra: dates with periods of their own in place of the weekly ones: a swapped working day, a short day before a
            holiday. A date that is also in `closed` is worked: the more particular entry wins.

    All methods take timezone-aware instants (any zone) and return instants in UTC.

    Raises:
        InvalidCalendar: not seven days, or periods of a day out of order or overlapping.
        zoneinfo.ZoneInfoNotFoundError: the zone is unknown.
    """

    zone: str
    weekly: tuple[Day, ...]
    closed: frozenset[date] = frozenset()
    extra: tuple[tuple[date, Day], ...] = ()
    _clock: ZoneInfo = field(init=False, repr=False, compare=False)
    _time: _OpenTime = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_clock", ZoneInfo(self.zone))
        object.__setattr__(self, "_time", _OpenTime.of(self.weekly, closed=self.closed, extra=self.extra))

    @classmethod
    def of(
        cls,
        *,
        zone: str = VIETNAM,
        weekly: Sequence[Sequence[str]],
        closed: Iterable[date] = (),
        extra: Mapping[date, Sequence[str]] | None = None,
    ) -> Calendar:
        """Build a calendar from periods written as text, e.g. `weekly=[["08:00-12:00", "13:30-17:30"]] * 5 + [[], []]`."""
        return cls(
            zone=zone,
            weekly=tuple(_day(periods) for periods in weekly),
            closed=frozenset(closed),
            extra=tuple(sorted((on, _day(periods)) for on, periods in (extra or {}).items())),
        )

    def periods_on(self, on: date) -> Day:
        """The periods worked on a local date, holidays and swapped days considered."""
        for special, periods in self.extra:
            if special == on:
                return periods
        return () if on in self.closed else self.weekly[on.weekday()]

    def local(self, at: datetime) -> datetime:
        """The instant as the wall clock of this calendar shows it."""
        return at.astimezone(self._clock)

    def midnight(self, on: date) -> datetime:
        """The first instant of a local date (where the clock skips midnight: the moment of the skip)."""
        return datetime.combine(on, time(), self._clock).astimezone(UTC)

    def is_open(self, at: datetime) -> bool:
        """Whether work is done at this instant; the start of a period is open, its end is not."""
        instant = _number(at)
        _, offset = self._piece(instant)
        before = self._time.before
        return before(instant + offset + 1) > before(instant + offset)

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; negative if `end` is the earlier one."""
        first, last = _number(start), _number(end)
        if last < first:
            return -self.elapsed(end, start)
        before, total = self._time.before, 0
        while True:
            until, offset = self._piece(first)
            if last <= until:
                return timedelta(microseconds=total + before(last + offset) - before(first + offset))
            total += before(until + offset) - before(first + offset)
            first = until

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The earliest instant by which `duration` of working time has passed since `start`.

        This is a deadline: it may be the closing moment of a period (17:30 itself), and with no duration it is `start`
        even when that is closed. For a moment at which work can begin, ask `next_open` with the result.

        Raises:
            ValueError: the duration is negative.
            NeverOpen: the calendar does not have that much working time left.
        """
        missing = duration // _MICROSECOND
        if missing < 0:
            raise ValueError("a business duration cannot be negative")
        return start.astimezone(UTC) if missing == 0 else _instant(self._reach(_number(start), missing))

    def next_open(self, at: datetime) -> datetime:
        """`at` itself if it is open, otherwise the earliest open instant after it.

        Raises:
            NeverOpen: no working time is left.
        """
        # The first microsecond of work that ends after `at` is the one that begins at the answer.
        return _instant(self._reach(_number(at), 1) - 1)

    def next_at(self, clock: time, after: datetime) -> datetime:
        """The first instant strictly later than `after` when the wall clock shows `clock`, be it open or closed.

        On a day whose clock skips that time, it is the time moved on by the length of the skip (02:30 becomes 03:30).

        Raises:
            ValueError: `clock` carries a time zone of its own.
        """
        if clock.tzinfo is not None:
            raise ValueError("the time of day is read on the calendar's own clock")
        on = self.local(after).date()
        while True:
            for fold in (0, 1):  # the second pass only differs on a day when the clock is put back
                shown = datetime.combine(on, clock.replace(fold=fold), self._clock).astimezone(UTC)
                if shown > after:
                    return shown
            on += timedelta(days=1)

    def _reach(self, instant: int, missing: int) -> int:
        """The earliest instant by which `missing` microseconds of work have passed since `instant`."""
        before = self._time.before
        while True:
            until, offset = self._piece(instant)
            worked = before(instant + offset)
            available = before(until + offset) - worked
            if available >= missing:
                return self._time.when(worked + missing) - offset
            missing -= available
            instant = until
            if self._time.is_over(instant + offset):
                raise NeverOpen("the calendar has no working time left")

    def _piece(self, instant: int) -> tuple[int, int]:
        """Until when (an instant) the clock of the zone keeps its present distance from UTC, and that distance."""
        ends, offsets = _clock_pieces(self.zone, instant // _BLOCK)
        if len(ends) == 1:
            return ends[0], offsets[0]
        index = bisect_right(ends, instant)
        return ends[index], offsets[index]


def intersection(one: Calendar, other: Calendar) -> Calendar:
    """The calendar that is open when both are.

    Raises:
        ValueError: the two are not in the same zone, so that their days do not coincide.
    """
    return _day_by_day(one, other, _common)


def union(one: Calendar, other: Calendar) -> Calendar:
    """The calendar that is open when either is.

    Raises:
        ValueError: the two are not in the same zone, so that their days do not coincide.
    """
    return _day_by_day(one, other, _merged)


def _day_by_day(one: Calendar, other: Calendar, of_both: Callable[[Day, Day], Day]) -> Calendar:
    if one.zone != other.zone:
        raise ValueError(f"calendars of {one.zone} and {other.zone} have no days in common")
    special = {on for calendar in (one, other) for on in (*calendar.closed, *dict(calendar.extra))}
    days = {on: of_both(one.periods_on(on), other.periods_on(on)) for on in special}
    return Calendar(
        zone=one.zone,
        weekly=tuple(of_both(mine, yours) for mine, yours in zip(one.weekly, other.weekly, strict=True)),
        closed=frozenset(on for on, periods in days.items() if not periods),
        extra=tuple(sorted((on, periods) for on, periods in days.items() if periods)),
    )


@dataclass(frozen=True, slots=True)
class _OpenTime:
    """Working time along the local clock, without zones: the running total and its inverse.

    The total before a local time is that of whole weeks, plus the part of its week, plus what the special dates before
    it changed; each is one look-up.
    """

    ends: tuple[int, ...]  # of the periods of a week, in microseconds after Monday 00:00
    totals: tuple[int, ...]  # work in the week up to each of these ends
    starts: tuple[int, ...]
    a_week: int
    special: tuple[int, ...]  # local midnight of each special date, in order
    special_days: tuple[Day, ...]
    changed: tuple[int, ...]  # by how much the first n special dates changed the total; one longer than `special`
    reached: tuple[int, ...]  # total at the beginning of each special date

    @classmethod
    def of(cls, weekly: tuple[Day, ...], *, closed: frozenset[date], extra: tuple[tuple[date, Day], ...]) -> _OpenTime:
        if len(weekly) != 7:
            raise InvalidCalendar("a week has seven days, Monday first")
        for name, periods in [*enumerate(weekly), *extra]:
            for earlier, later in pairwise(periods):
                if later.start < earlier.end:
                    raise InvalidCalendar(f"periods overlap or are out of order on {name}: {earlier}, {later}")
        spans = [
            (number * _DAY + period.start * _SECOND, number * _DAY + period.end * _SECOND)
            for number, periods in enumerate(weekly)
            for period in periods
        ]
        totals = tuple(accumulate(end - start for start, end in spans))
        days = dict.fromkeys(closed, ()) | dict(extra)
        special = sorted(days)
        differences = [_length(days[on]) - _length(weekly[on.weekday()]) for on in special]
        plain = cls(
            ends=tuple(end for _, end in spans),
            totals=totals,
            starts=tuple(start for start, _ in spans),
            a_week=totals[-1] if totals else 0,
            special=(),
            special_days=(),
            changed=(0,),
            reached=(),
        )
        midnights = tuple((on.toordinal() - _EPOCH_ORDINAL) * _DAY for on in special)
        changed = tuple(accumulate(differences, initial=0))
        return cls(
            ends=plain.ends,
            totals=plain.totals,
            starts=plain.starts,
            a_week=plain.a_week,
            special=midnights,
            special_days=tuple(days[on] for on in special),
            changed=changed,
            reached=tuple(plain.before(at) + changed[n] for n, at in enumerate(midnights)),
        )

    def before(self, local: int) -> int:
        """Working microseconds before a local time, counted from an arbitrary but fixed beginning."""
        index = bisect_right(self.special, local)
        if index and local < self.special[index - 1] + _DAY:
            into = local - self.special[index - 1]
            return self.reached[index - 1] + sum(
                min(into, period.end * _SECOND) - period.start * _SECOND
                for period in self.special_days[index - 1]
                if into > period.start * _SECOND
            )
        weeks, into = divmod(local - _MONDAY, _WEEK)
        total = weeks * self.a_week + self.changed[index]
        begun = bisect_left(self.starts, into)  # periods that began before
        if not begun:
            return total
        missing = self.ends[begun - 1] - into  # of the last one begun, if it still runs
        return total + self.totals[begun - 1] - max(0, missing)

    def when(self, total: int) -> int:
        """The earliest local time before which `total` working microseconds lie (inverse of `before`)."""
        index = bisect_left(self.reached, total)
        if index:
            rest = total - self.reached[index - 1]
            for period in self.special_days[index - 1]:
                length = (period.end - period.start) * _SECOND
                if rest <= length:
                    return self.special[index - 1] + period.start * _SECOND + rest
                rest -= length
        weeks, rest = divmod(total - self.changed[index] - 1, self.a_week)
        rest += 1
        place = bisect_left(self.totals, rest)
        return _MONDAY + weeks * _WEEK + self.ends[place] - (self.totals[place] - rest)

    def is_over(self, local: int) -> bool:
        """Whether no work can follow this local time."""
        return not self.a_week and not any(
            periods and at + _DAY > local - _DAY  # a day of slack: the clock may still be put back
            for at, periods in zip(self.special, self.special_days, strict=True)
        )


@lru_cache(maxsize=4096)
def _clock_pieces(zone: str, block: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stretches of constant offset in one block of time: their ends (instants) and offsets, in microseconds.

    The zone database does not tell its clock changes, so the offset is probed once a day (no zone ever changed twice
    within a day) and each difference is narrowed down to its second.
    """
    clock = ZoneInfo(zone)

    def offset_at(second: int) -> int:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(clock).utcoffset()
        assert offset is not None  # a ZoneInfo always knows its offset
        return offset // timedelta(seconds=1)

    first = block * _BLOCK // _SECOND
    last = first + _BLOCK // _SECOND
    ends: list[int] = []
    offsets = [offset_at(first)]
    for day in range(first + _SECONDS_A_DAY, last + 1, _SECONDS_A_DAY):
        if offset_at(day) != offsets[-1]:
            low, high = day - _SECONDS_A_DAY, day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == offsets[-1] else (low, middle)
            if high < last:
                ends.append(high)
                offsets.append(offset_at(day))
    return tuple(end * _SECOND for end in [*ends, last]), tuple(offset * _SECOND for offset in offsets)


def _number(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)


def _day(periods: Sequence[str]) -> Day:
    return tuple(sorted(Period.parse(text) for text in periods))


def _length(periods: Day) -> int:
    return sum(period.end - period.start for period in periods) * _SECOND


def _common(mine: Day, yours: Day) -> Day:
    return tuple(
        Period(max(a.start, b.start), min(a.end, b.end))
        for a in mine
        for b in yours
        if max(a.start, b.start) < min(a.end, b.end)
    )


def _merged(mine: Day, yours: Day) -> Day:
    merged: list[Period] = []
    for period in sorted((*mine, *yours)):
        if merged and period.start <= merged[-1].end:
            merged[-1] = Period(merged[-1].start, max(merged[-1].end, period.end))
        else:
            merged.append(period)
    return tuple(merged)


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if rest else text
