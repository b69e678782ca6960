"""What becomes due by the mere passing of time, at the present step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from services.orders.care.facts import Facts, StepState, Task
from services.orders.care.gate import window_name
from services.orders.care.process import After, CareProcess, Rung
from shared.calendar import Calendar, intersection

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
What = Literal["deadline", "timeout", "remind", "rung", "unowned"]

# These change where the order stands, and are honoured at their own time even if something happened since. The others
# address people now, and are pointless once it did.
HARD: frozenset[What] = frozenset({"deadline", "timeout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    at: datetime
    what: What
    task: Task | None = None
    rung: int = 0

    @property
    def hard(self) -> bool:
        return self.what in HARD


def clock_of(process: CareProcess, facts: Facts, *, step: str, task: Literal["call", "message"]) -> Calendar:
    """The calendar in whose time a task's delays run: its window; for a first call, as far as the owner is on shift (D39)."""
    window = process.calendar(window_name(process, task=task, asked=facts.asked_to_be_called))
    shift = facts.owner.shift if facts.owner is not None else None
    if shift is None or process.steps[step].promise != "first_call" or shift.zone != window.zone:
        return window
    both = _both(window, shift)
    return both if any(both.weekly) else window  # a shift outside the legal hours cannot be waited for


def timers(process: CareProcess, facts: Facts, state: StepState, tasks: dict[str, Task]) -> Iterator[Timer]:
    """What is next to come (or overdue) while nothing else happens, in no particular order; the earliest is among them."""
    if state.ended or state.paused:
        return
    step = process.steps[state.step]
    if step.task == "wait" and state.due_at is not None:
        yield Timer(at=state.due_at, what="timeout")
    for task in tasks.values():
        if task.promise_open:
            yield Timer(at=task.deadline_at, what="deadline", task=task)
    main = tasks.get(state.task) if state.task is not None else None
    if main is not None:
        yield from _escalations(process, facts, state, main)
    if facts.owner is None and step.owner == "sale" and state.manager_told != facts.assignment_version:
        clock = process.calendar(process.windows.asked)
        yield Timer(at=clock.add(facts.assigned_at, process.unowned.tell_manager), what="unowned")


def _escalations(process: CareProcess, facts: Facts, state: StepState, task: Task) -> Iterator[Timer]:
    step = process.steps[state.step]
    if step.remind_before is not None and "remind" not in state.done:
        at = task.due_at - step.remind_before
        if at > task.opened_at:
            yield Timer(at=at, what="remind", task=task)
    clock = clock_of(process, facts, step=state.step, task=task.task)
    aim = step.due.after if isinstance(step.due, After) else timedelta()
    begun: set[str] = set()
    rungs, sooner = process.rungs_of(state.step), _given_on_at(facts, task)
    for number, rung in enumerate(rungs):
        # Rungs that count from the same moment come in order, so of each such row only the next one matters.
        if str(number) not in state.done and rung.since not in begun:
            begun.add(rung.since)
            at = _rung_at(rung, task=task, state=state, aim=aim, clock=clock)
            yield Timer(at=min(at, sooner) if _until_team(rungs, number) else at, what="rung", task=task, rung=number)


def _given_on_at(facts: Facts, task: Task) -> datetime:
    """When a task that may go to the team goes there at the latest: nobody waits for an owner who is not there. Off duty
    they have until the deadline, after that it is broken anyway; who has left has nothing."""
    away = facts.owner.away if facts.owner is not None else ""
    return {"": _NEVER, "off_duty": task.deadline_at, "left": task.due_at}[away]


def _until_team(rungs: Sequence[Rung], number: int) -> bool:
    """Whether a rung is the one that opens the task to the team, or one on the way there."""
    return any(rung.do == "open_to_team" for rung in rungs[number:]) and rungs[number].since == "due"


def _rung_at(rung: Rung, *, task: Task, state: StepState, aim: timedelta, clock: Calendar) -> datetime:
    if rung.since == "care":
        return max(clock.add(state.care_since, rung.after), task.deadline_at)
    # The task is due `aim` after the assignment in the same time, also when the gate moved it.
    return clock.add(task.due_at, rung.after - aim if rung.since == "assigned" else rung.after)


@lru_cache(maxsize=256)
def _both(window: Calendar, shift: Calendar) -> Calendar:
    return intersection(window, shift)
