"""A dry run of a process against a customer who never answers: how many calls would one day hold?"""

from __future__ import annotations

from collections import Counter
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdedDay:
    """A day with more calls than the caps allow: the steps from the first call to the one too many."""

    calls: int
    path: tuple[str, ...]
    first_call: datetime  # on the wall clock of the process


def crowded_day(process: CareProcess) -> CrowdedDay | None:
    """The first such day found, with the caps themselves left out of the run: they are for accidents, not for plans."""
    unanswered = next((result for result, goes in _answers(process) if goes == NEXT_TRY), None)
    if unanswered is None:
        return None
    for number in range(_TRIALS):
        crowded = _run(process, result=unanswered, first=_MONDAY + number * _TRIAL_STEP)
        if crowded is not None:
            return crowded
    return None


def _answers(process: CareProcess) -> list[tuple[str, str]]:
    return [(result, goes.to) for (step, result), goes in process.table.items() if step == process.start]


def _run(process: CareProcess, *, result: str, first: datetime) -> CrowdedDay | None:
    clock = process.calendar(process.windows.asked)
    if not clock.is_open(first):
        return None
    calls: Counter[date] = Counter()
    path: list[str] = []
    at = first
    state = StepState(step=process.start, level="", entered_at=first, care_since=first, assignment=0)
    while process.steps[state.step].task == "call":
        path.append(state.step)
        day = clock.local(at).date()
        calls[day] += 1
        if calls[day] > process.caps.calls_per_number_per_day:
            return CrowdedDay(calls=calls[day], path=tuple(path), first_call=clock.local(first))
        there = transition_for(process, state, result=result).step
        visits, rounds, ladder = entered(process, state, there)
        state = replace(counted(process, state, result=result), step=there, visits=visits, rounds=rounds, ladder=ladder)
        at = clock.next_open(planned_at(process, there, at=at, clock=clock))
    return None
