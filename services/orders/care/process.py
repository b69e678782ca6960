"""The care process as data: what happens between a phone number and a closed order.

A process is read once, checked (`check.py`) and from then on only consulted: every rule is in the text, none in the
code that follows it. Durations are written `15m`, `4h`, `1d`; times of day `"18:30"` in the zone of the process.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from shared.calendar import Calendar
from shared.given import GivenDate

# Targets of a result that are no step of their own.
NEXT_TRY = "no_answer_next"  # the next step of the ladder
SKIP_TRY = "no_answer_skip"  # the one after the next
STAY = "stay"  # the step and its task go on
PSEUDO_STEPS = frozenset({NEXT_TRY, SKIP_TRY, STAY})
KEEP = "keep"  # as a level: whatever the order has

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: object) -> object:
    """`"90s"`, `"15m"`, `"4h"`, `"30d"` as a timedelta; anything else is left for the model to refuse."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is written like 15m, 4h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(value: timedelta) -> str:
    """The shortest way to write a whole number of seconds as a duration."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_clock(value: object) -> object:
    """`"18:30"` as a time of day. Unquoted in YAML it would be the number 1110, which is refused."""
    if isinstance(value, time):
        return value
    if not (isinstance(value, str) and re.fullmatch(r"\d\d:\d\d", value)):
        raise ValueError('a time of day is written in quotes like "18:30"')
    return time.fromisoformat(value)


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text)]
ClockTime = Annotated[time, BeforeValidator(parse_clock), PlainSerializer(lambda clock: clock.strftime("%H:%M"))]


class Data(BaseModel):
    """Immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Text(Data):
    """What people read, in both languages."""

    vi: str
    en: str


DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Hours(Data):
    """A calendar: `weekly` maps a day (`sun`) or a run of days (`mon-sat`) to its periods (`"08:00-12:00"`).

    `managed` says that it is the company's calendar of that key, in place of whatever the process brought with it.
    """

    name: Text
    zone: str | None = None  # none: that of the process
    managed: bool = False
    weekly: dict[str, tuple[str, ...]]
    public_holidays: bool = False  # closed on the dates in `CareProcess.holidays`
    closed: frozenset[GivenDate] = frozenset()
    extra: dict[GivenDate, tuple[str, ...]] = {}

    def calendar(self, *, zone: str, holidays: Iterable[date]) -> Calendar:
        """Build the calendar.

        Args:
            zone: of the process, for a calendar without one of its own.

        Raises:
            ValueError: an unknown day, a day given twice, or periods that overlap.
        """
        week: list[tuple[str, ...] | None] = [None] * 7
        for days, periods in self.weekly.items():
            first, _, last = days.partition("-")
            if first not in DAY_NAMES or (last or first) not in DAY_NAMES:
                raise ValueError(f"days are written like mon, sun or mon-sat, not {days!r}")
            for number in range(DAY_NAMES.index(first), DAY_NAMES.index(last or first) + 1):
                if week[number] is not None:
                    raise ValueError(f"{DAY_NAMES[number]} is given twice")
                week[number] = periods
        return Calendar.of(
            zone=self.zone or zone,
            weekly=[periods or () for periods in week],
            closed=self.closed | frozenset(holidays if self.public_holidays else ()),
            extra=self.extra,
        )


class Windows(Data):
    """Which calendar is the legal one (rule D38): calls to somebody who asked for them, calls to everybody else, messages."""

    asked: str
    adverts: str
    messages: str


class Caps(Data):
    """Limits over all products. They win over a step's delay."""

    calls_per_number_per_day: int = Field(ge=1)
    min_gap: Duration  # between two calls to a number, wall time
    unanswered_in_care: int = Field(ge=1)
    advert_call_gap: Duration  # the same for a number that did not ask to be called (Decree 91/2020)
    advert_messages: int = Field(ge=1)  # to such a number within `advert_call_gap`


class After(Data):
    """A while after the event that led here: in time of the calling window, or of the clock on the wall."""

    after: Duration
    clock: Literal["window", "wall"] = "window"


class At(Data):
    """So many local days later, at a time of day (without `at`: at the same time). `days: 0` is the next such time."""

    days: int = Field(ge=0)
    at: ClockTime | None = None

    @model_validator(mode="after")
    def _is_later(self) -> Self:
        if self.days == 0 and self.at is None:
            raise ValueError("with days: 0 a time of day is needed")
        return self


class OtherHalf(Data):
    """The half of the day that has not been tried: before `split` → today at `evening`, else tomorrow at `morning`."""

    split: ClockTime
    evening: ClockTime
    morning: ClockTime


class Promised(Data):
    """At the time agreed with the customer; without one, `default` of window time later, or next day at `else_at`."""

    promised: Literal[True]
    default: Duration
    else_at: ClockTime
    max_days: int | None = Field(default=None, ge=1)  # a later promise is brought back to this many days


Due = After | At | OtherHalf | Promised

Action = Literal["remind_owner", "tell_manager", "open_to_team", "request_reassignment", "release_to_pool"]


class Rung(Data):
    """One escalation: what is done if the task is still open so long after …

    due (the task's), assigned (to this owner; only at the step whose due time counts from the assignment), or care
    (since this care, or the present owner's claim, began).
    """

    do: Action
    after: Duration
    since: Literal["due", "assigned", "care"] = "due"


class Escalation(Data):
    name: Text
    rungs: tuple[Rung, ...]


class MissedCallMessage(Data):
    """A message to a number that did not answer ("em là … gọi về đơn …"), with a promise of its own."""

    name: Text
    after_misses: tuple[Annotated[int, Field(ge=1)], ...]  # since somebody last spoke with us
    grace: Duration  # window time from the miss until the promise is broken


PromiseKind = Literal["first_call", "retry", "callback", "follow_up", "message"]


class SnoozeLimits(Data):
    """How far a task of a step may step back on its owner's list. What is left out is as the company's settings say."""

    at_most: Duration | None = Field(default=None, ge=timedelta(minutes=1), le=timedelta(hours=4))  # at a time
    times: int | None = Field(default=None, ge=0, le=20)  # 0: never

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_most is None and self.times is None:
            raise ValueError("at_most, times or both are needed; leave snooze out where the settings hold")
        return self


class Step(Data):
    """A state of care. Either it waits (with an owner and a timer) or it ends the care."""

    name: Text
    level: str = KEEP  # the level an order has here, or KEEP
    task: Literal["call", "message", "wait"] | None = None
    owner: Literal["sale", "floating_pool"] | None = None
    promise: PromiseKind | None = None
    due: Due | None = None
    grace: Duration = timedelta()  # window time after due when the promise is broken
    remind_before: Duration | None = None  # wall time before due when the owner is reminded
    snooze: SnoozeLimits | None = None  # of its own task; none: as the settings say
    escalate: str | None = None
    max: int | None = Field(default=None, ge=1)  # visits; the next one goes to `then` instead
    then: str | None = None
    done: str | None = None  # a message: where to go once it is sent
    timeout: str | None = None  # where to go when the promise is broken (a wait: when its time is over)
    claimed: str | None = None  # a wait in the pool: where to go when somebody takes the number
    came_again: str | None = None  # the customer left the number again: "now" (task is due at once) or a step
    end: bool = False
    do_not_call: bool = False
    archive: bool = False
    needs: Literal["reason"] | None = None


NOW = "now"


class Result(Data):
    """How a conversation or an attempt ended. `reached`: somebody spoke with us."""

    name: Text
    reached: bool


class Goes(Data):
    """Where a result leads, and a mark it leaves on the order."""

    to: str
    mark: str | None = None


Answer = Annotated[Goes, BeforeValidator(lambda value: {"to": value} if isinstance(value, str) else value)]
"""Where a result leads; a step alone may be written without the braces."""


class Rule(Data):
    """At these steps (names, `*` allowed), these results lead there."""

    at: tuple[str, ...]
    results: dict[str, Answer]


class Ladder(Data):
    """The retries of a number that does not answer, in order."""

    steps: tuple[str, ...]
    then: str  # after the last one
    apart: Duration  # at least, between a try and the next, wall time
    switched_off: str  # the result of which `switched_off_limit` go to `then` at once
    switched_off_limit: int = Field(ge=1)
    message: MissedCallMessage | None = None


class Unowned(Data):
    """An order that nobody holds: after so much window time the manager is told."""

    tell_manager: Duration


class CareProcess(Data):
    """One immutable version of a care process. Reading it says nothing about its soundness: see `check.problems`."""

    key: str
    version: int = Field(ge=1)
    name: Text
    timezone: str
    calendars: dict[str, Hours]
    holidays: frozenset[GivenDate] = frozenset()
    windows: Windows
    caps: Caps
    start: str
    resume: dict[str, str]  # open level → step at which care goes on when somebody set that level by hand
    do_not_call: str  # step for a number that is on the do-not-call list
    pool: str  # step for a number that is released
    unowned: Unowned
    takings_per_shift: int = Field(default=3, ge=1)  # untouched numbers taken from a person, who then is off duty
    ladder: Ladder
    escalations: dict[str, Escalation]
    steps: dict[str, Step]
    results: dict[str, Result]
    rules: tuple[Rule, ...]
    reasons: dict[str, Text]  # path of a step or number (`*` allowed) → why it is what it is

    @model_validator(mode="after")
    def _calendars_make_sense(self) -> Self:
        _ = self.opening_hours
        return self

    @cached_property
    def opening_hours(self) -> Mapping[str, Calendar]:
        """The calendars, built."""
        built = {}
        for name, hours in self.calendars.items():
            try:
                built[name] = hours.calendar(zone=self.timezone, holidays=self.holidays)
            except ValueError as error:
                raise ValueError(f"calendars.{name}: {error}") from error
        return built

    @cached_property
    def table(self) -> Mapping[tuple[str, str], Goes]:
        """(step, result) → where it leads; a later rule wins over an earlier one."""
        return {
            (step, result): goes
            for rule in self.rules
            for step in self.steps
            if any(fnmatchcase(step, pattern) for pattern in rule.at)
            for result, goes in rule.results.items()
        }

    def calendar(self, name: str) -> Calendar:
        """A calendar by its name.

        Raises:
            KeyError: the process has no calendar of this name.
        """
        return self.opening_hours[name]

    def rungs_of(self, step: str) -> tuple[Rung, ...]:
        """The escalations of a step's task, in order."""
        escalation = self.steps[step].escalate
        return self.escalations[escalation].rungs if escalation is not None else ()

    @cached_property
    def business_time(self) -> str:
        """A digest of all opening hours: it differs where planning could have another result."""
        return digest(*(calendar for _, calendar in sorted(self.opening_hours.items())))

    def closed_on(self, holidays: Iterable[date]) -> CareProcess:
        """The same process, with these dates closed in the calendars that keep public holidays."""
        return self.kept_by({}, holidays=holidays)

    def kept_by(self, managed: Mapping[str, Hours], *, holidays: Iterable[date]) -> CareProcess:
        """The same process in the company's business time.

        Args:
            managed: its calendars by key; each wins over a calendar of that key in the process.
            holidays: dates on which calendars that keep public holidays are closed.
        """
        changed = {"holidays": frozenset(holidays), "calendars": {**self.calendars, **managed}}
        return CareProcess.model_validate(self.model_dump(exclude_unset=True) | changed)

    def reason_for(self, path: str) -> Text | None:
        """Why the step (`steps.callback`) or the number (`steps.callback.grace`) at this path is what it is: the reason
        whose path is the most particular."""
        if path in self.reasons:
            return self.reasons[path]
        found = [pattern for pattern in self.reasons if fnmatchcase(path, pattern)]
        return self.reasons[max(found, key=len)] if found else None

    def numbers(self) -> Iterator[tuple[str, Any]]:
        """Every number, duration, time and period of the process with its path, as written; those of the company's own
        calendars are not the process's."""
        shown = self.model_dump(exclude={"reasons", "version", "holidays"}, exclude_unset=True)
        shown["calendars"] = {name: shown["calendars"][name] for name, own in self.calendars.items() if not own.managed}
        for path, value in _leaves(shown, ""):
            is_text = isinstance(value, str) and re.fullmatch(r"\d+[smhd]|\d\d:\d\d(-\d\d:\d\d)?", value)
            if is_text or (isinstance(value, int) and not isinstance(value, bool)):
                yield path, value


def digest(*calendars: Calendar) -> str:
    """Tells opening hours apart from others, also in another process and another year."""
    told = [
        (
            calendar.zone,
            [[str(period) for period in periods] for periods in calendar.weekly],
            sorted(on.isoformat() for on in calendar.closed),
            [(on.isoformat(), [str(period) for period in periods]) for on, periods in calendar.extra],
        )
        for calendar in calendars
    ]
    return hashlib.blake2s(repr(told).encode(), digest_size=8).hexdigest()


def read_process(text: str) -> CareProcess:
    """Read a process from YAML (or JSON, which is YAML too).

    Raises:
        yaml.YAMLError: the text is not YAML.
        pydantic.ValidationError: a key is unknown or missing, or a value has the wrong form; it names the path.
    """
    import yaml  # here: processes are written as YAML when they are edited, half a MiB otherwise unused

    return CareProcess.model_validate(yaml.safe_load(text))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, tuple | list | frozenset):
        for number, child in enumerate(value):
            yield from _leaves(child, f"{path}.{number}")
    else:
        yield path, value
