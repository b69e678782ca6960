"""Two lives of an order side by side, and what is counted of each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from services.orders.what_if.recorded import Life, Recorded, TaskLife
from shared.calendar import Calendar

Side = Literal["recorded", "tried"]
MINUTES: Final = 1440
_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class Step:
    """Tasks of one step with one kind of promise."""

    tasks: int = 0
    done: int = 0
    kept: int = 0
    broken: int = 0
    cancelled: int = 0
    open: int = 0
    unasked: int = 0
    late_seconds: int = 0


@dataclass(slots=True)
class PersonDay:
    """What one person owed and did on a local day. `busy` has a bit for each open minute with a call or message due."""

    due: int = 0
    calls: int = 0
    kept: int = 0
    broken: int = 0
    busy: int = 0
    open_minutes: int = 0


@dataclass(slots=True)
class Tally:
    """What is counted of a set of lives."""

    steps: dict[tuple[str, str], Step] = field(default_factory=dict)
    people: dict[tuple[UUID, date], PersonDay] = field(default_factory=dict)


def differences(recorded: Life, tried: Life) -> list[str]:
    """Where the second life differs from the first, earliest first; nothing: they are the same, to the second.

    Compared are all tasks (step, owner, when due, deadline, opened, closed and why), their promises (how they ended, when,
    why, how late), and every level that care gave the order.
    """
    found: list[tuple[datetime, str]] = []
    for key in recorded.tasks.keys() | tried.tasks.keys():
        one, other = recorded.tasks.get(key), tried.tasks.get(key)
        if one is None or other is None:
            present = one or other
            assert present is not None
            found.append((present.opened_at, f"{key}: {'not asked for' if other is None else 'asked for besides'}"))
            continue
        changed = [name for name in TaskLife.__slots__ if getattr(one, name) != getattr(other, name)]
        if changed:
            found.append((one.opened_at, f"{key}: {', '.join(changed)}"))
    levels = Counter((level, at) for level, at, _ in recorded.levels)
    others = Counter((level, at) for level, at, _ in tried.levels)
    found += [(at, f"{level}: not reached") for level, at in (levels - others)]
    found += [(at, f"{level}: reached besides") for level, at in (others - levels)]
    if recorded.outcome != tried.outcome:
        found.append((datetime.max.replace(tzinfo=next(iter(_times(recorded, tried))).tzinfo), "end of care"))
    return [text for _, text in sorted(found)]


def _times(*lives: Life) -> Iterable[datetime]:
    for life in lives:
        yield from (task.opened_at for task in life.tasks.values())
        yield from (at for _, at, _ in life.levels)


def tally(
    into: Tally,
    life: Life,
    recorded: Recorded,
    *,
    clock: Calendar,
    asked: Life | None = None,
) -> None:
    """Count one life.

    Args:
        recorded: the facts, of which the calls are counted for who made them.
        clock: working hours, in which idle time runs.
        asked: the life that was recorded: a promise of another life for which nobody was asked then is counted apart.
    """
    for task in life.tasks.values():
        if task.void:
            continue
        step = into.steps.setdefault((task.step, task.promise), Step())
        step.tasks += 1
        step.done += task.outcome == "done"
        step.open += not task.promised
        step.kept += task.promised == "kept"
        step.cancelled += task.promised == "cancelled"
        step.late_seconds += task.late_seconds
        unasked = task.promised == "broken" and asked is not None and not _was_asked(asked, task)
        step.unasked += unasked
        step.broken += task.promised == "broken" and not unasked
        if task.owner_id is not None:
            day = _day(into, task.owner_id, clock, task.due_at)
            day.due += 1
            day.kept += task.promised == "kept"
            day.broken += task.promised == "broken" and not unasked
            if not unasked:
                _mark_busy(into, task.owner_id, clock, task.due_at, task.closed_at or recorded.until)
    for each in recorded.interactions:
        if each.staff_id is None or each.undone_at is not None:
            continue
        if each.made.kind == "call" and not each.made.inbound:
            _day(into, each.staff_id, clock, each.made.at).calls += 1


def _was_asked(asked: Life, task: TaskLife) -> bool:
    """Whether, when this promise broke, the people of then owed something about the order as well."""
    broke = task.promise_at or task.deadline_at
    return any(
        each.due_at <= broke and (each.closed_at is None or each.closed_at >= task.due_at)
        for each in asked.tasks.values()
    )


def _day(into: Tally, owner_id: UUID, clock: Calendar, at: datetime) -> PersonDay:
    on = clock.local(at).date()
    if (owner_id, on) not in into.people:
        into.people[owner_id, on] = PersonDay(open_minutes=_open(clock, on).bit_count())
    return into.people[owner_id, on]


def _open(clock: Calendar, on: date) -> int:
    """A bit for each open minute of a local day."""
    bits = 0
    for period in clock.periods_on(on):
        first, last = period.start // 60, -(-period.end // 60)
        bits |= ((1 << (last - first)) - 1) << first
    return bits


def _mark_busy(into: Tally, owner_id: UUID, clock: Calendar, since: datetime, until: datetime) -> None:
    """Something was due for a person in these minutes, as far as they are working hours."""
    first, last = clock.local(since), clock.local(until)
    on = first.date()
    while on <= last.date():
        begin = first.hour * 60 + first.minute if on == first.date() else 0
        end = last.hour * 60 + last.minute + 1 if on == last.date() else MINUTES
        opened = _open(clock, on)
        if end > begin and opened:
            day = into.people.setdefault((owner_id, on), PersonDay(open_minutes=opened.bit_count()))
            day.busy |= opened & (((1 << (end - begin)) - 1) << begin)
        on += _DAY


def shown(life: Life) -> dict[str, Any]:
    """A life in a few figures, for a list of orders."""
    standing = [task for task in life.tasks.values() if not task.void]
    outcomes = Counter(task.promised for task in standing)
    return {
        "tasks": len(standing),
        "kept": outcomes["kept"],
        "broken": outcomes["broken"],
        "cancelled": outcomes["cancelled"],
        "open": outcomes[""],
        "level": life.level,
        "outcome": life.outcome,
        "unplaced": life.unplaced,
    }
