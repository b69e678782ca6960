"""A dry run of a process against a customer who never answers: how many calls and messages would one day hold?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from services.orders.care.due import planned_at
from services.orders.care.facts import StepState
from services.orders.care.process import NEXT_TRY, CareProcess
from services.orders.care.transition import counted, entered, transition_for

# Any week without holidays shows every weekday; a first call is tried at each half hour of it.
_MONDAY = datetime(2025, 6, 2, tzinfo=UTC)
_TRIAL_STEP = timedelta(minutes=30)
_TRIALS = 7 * 48
_DAY = timedelta(hours=24)
"""The span in which the decree counts messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowded:
    """A day with more than the caps allow: how many, and the steps from the first call to the one too many."""

    count: int
    path: tuple[str, ...]
    result: str  # what each of the calls ended with
    first_call: datetime  # on the wall clock of the process


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """A call that nobody answers, and whether a message about it follows."""

    at: datetime
    step: str
    message: bool


def crowded_day(process: CareProcess) -> Crowded | None:
    """The first day found with too many calls, with the caps themselves left out of the run: they are for accidents, not
    for plans.

    Args:
        process: one that is sound otherwise.
    """
    for result, first in _trials(process):
        calls: Counter[date] = Counter()
        path: list[str] = []
        clock = process.calendar(process.windows.asked)
        for each in _tries(process, result=result, first=first):
            path.append(each.step)
            day = clock.local(each.at).date()
            calls[day] += 1
            if calls[day] > process.caps.calls_per_number_per_day:
                return Crowded(count=calls[day], path=tuple(path), result=result, first_call=clock.local(first))
    return None


def crowded_with_messages(process: CareProcess) -> Crowded | None:
    """The first 24 hours found with more messages about missed calls than the law lets a stranger get; as `crowded_day`."""
    for result, first in _trials(process):
        sent: list[datetime] = []
        path: list[str] = []
        for each in _tries(process, result=result, first=first):
            path.append(each.step)
            if each.message:
                sent = [at for at in sent if each.at - at < _DAY] + [each.at]
                if len(sent) > process.caps.advert_messages:
                    local = process.calendar(process.windows.asked).local(first)
                    return Crowded(count=len(sent), path=tuple(path), result=result, first_call=local)
    return None


def _trials(process: CareProcess) -> Iterator[tuple[str, datetime]]:
    """The result of a call that nobody answers, and moments of a first call inside the calling hours."""
    answers = [(result, goes.to) for (step, result), goes in process.table.items() if step == process.start]
    unanswered = next((result for result, to in answers if to == NEXT_TRY), None)
    if unanswered is None:
        return
    clock = process.calendar(process.windows.asked)
    for number in range(_TRIALS):
        first = _MONDAY + number * _TRIAL_STEP
        if clock.is_open(first):
            yield unanswered, first


def _tries(process: CareProcess, *, result: str, first: datetime) -> Iterator[_Try]:
    clock = process.calendar(process.windows.asked)
    message = process.ladder.message
    at = first
    misses = 0
    state = StepState(step=process.start, level="", entered_at=first, care_since=first, assignment=0)
    # The caps end it, and so does a step at which a call without answer changes nothing.
    for _ in range(process.caps.unanswered_in_care):
        if process.steps[state.step].task != "call":
            return
        there = transition_for(process, state, result=result)
        misses += there.missed
        tells = message is not None and there.missed and misses in message.after_misses
        yield _Try(at=at, step=state.step, message=tells)
        if there.stays:
            return
        visits, rounds, ladder = entered(process, state, there.step)
        state = replace(
            counted(process, state, result=result), step=there.step, visits=visits, rounds=rounds, ladder=ladder
        )
        at = clock.next_open(planned_at(process, there.step, at=at, clock=clock))
