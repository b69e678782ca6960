"""When the task of a step is due, before the legal gate has its say."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from services.orders.care.process import After, At, CareProcess, OtherHalf, Promised, Step
from shared.calendar import Calendar

_INSTANT = timedelta(microseconds=1)


def planned_at(
    process: CareProcess, key: str, *, at: datetime, promised_at: datetime | None = None, clock: Calendar
) -> datetime:
    """The instant at which the task of a step should be done.

    Args:
        at: when the event happened that led to this step (the last try, the assignment).
        promised_at: what was agreed with the customer; a time not later than `at` counts as "now".
        clock: the calendar in whose time delays run, as a rule the window of the task.

    The result may lie outside the window; the gate moves it to the next legal instant.
    """
    planned = _planned_at(process.steps[key], at=at, promised_at=promised_at, clock=clock)
    return max(planned, at + process.ladder.apart) if key in process.ladder.steps else planned


def _planned_at(step: Step, *, at: datetime, promised_at: datetime | None, clock: Calendar) -> datetime:
    match step.due:
        case After(after=after, clock=kind):
            return at + after if kind == "wall" else clock.add(at, after)
        case At(days=days, at=time_of_day):
            return _on_day(clock, at, days=days, at_time=time_of_day or clock.local(at).time())
        case OtherHalf(split=split, evening=evening, morning=morning):
            if clock.local(at).time() < split:
                return _on_day(clock, at, days=0, at_time=evening)
            return _on_day(clock, at, days=1, at_time=morning)
        case Promised(max_days=max_days) as rule:
            if promised_at is None:
                return _without_promise(rule, at=at, clock=clock)
            latest = at + timedelta(days=max_days) if max_days is not None else promised_at
            return max(at, min(promised_at, latest))
        case None:
            return at


def _on_day(clock: Calendar, at: datetime, *, days: int, at_time: time) -> datetime:
    """The first such time of day after the event, not before so many local days have begun since."""
    begun = clock.midnight(clock.local(at).date() + timedelta(days=days)) - _INSTANT
    return clock.next_at(at_time, max(at, begun) if days == 0 else begun)


def _without_promise(rule: Promised, *, at: datetime, clock: Calendar) -> datetime:
    later = clock.next_open(clock.add(at, rule.default))
    same_day = clock.local(later).date() == clock.local(at).date()
    return later if same_day else _on_day(clock, at, days=1, at_time=rule.else_at)
