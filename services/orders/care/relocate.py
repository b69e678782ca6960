"""A care goes over to another version of its process, or to another process: pure, like `decide`.

Nothing is dropped: whatever step the care stands at, the other process has one for it, by an explicit map, by name, by
family, or by its level. Nothing is repeated: a task that the other version owes as well stays the same task; what was
promised to the customer stays promised at its time; escalations that were made are not made again. Nobody becomes late
by it: a time that comes forward comes forward at most to now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.orders.care.decide import Deciding
from services.orders.care.effects import Decision, ReleaseToPool, SetLevel
from services.orders.care.facts import Facts, StepState, Task
from services.orders.care.process import KEEP, CareProcess, Promised, Step

FoundBy = Literal["map", "name", "family", "level", "start"]
Change = Literal["same", "renamed", "retimed", "replaced", "opened", "waits", "ends", "ended"]
"""What becomes of the next thing that is owed: nothing, another name, another time, another task, a task where there was
none, none where there was one (the pool), the end of care; or care had ended already before it could be moved."""

_ELSEWHERE = "elsewhere:"
"""Before the name of an escalation that was made in a version which knew it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What a care owes next, for the preview: codes and times, nothing of the customer."""

    step: str
    level: str
    task: str | None = None
    promise: str | None = None
    due_at: datetime | None = None
    deadline_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """What a move means for one care.

    Args:
        decision: to be written with the other process: first what the old version still owed by now, then the move, then
            what the other version owes at once.
        moved: false if the old version ended the care before it could be moved; then it stays in that.
    """

    decision: Decision
    moved: bool
    change: Change
    found_by: FoundBy
    before: Owed
    after: Owed


def relocate(
    old: CareProcess, new: CareProcess, facts: Facts, *, steps: Mapping[str, str] | None = None, now: datetime
) -> Relocation:
    """Take a care from one process to another.

    Args:
        old, new: with the calendars in force.
        facts: of a care that has begun and is open, read under the lock of the order's row.
        steps: step of the old process → step of the new one, where the names do not say it.

    Raises:
        UnknownResult, shared.calendar.NeverOpen: as `decide`.
    """
    leaving = Deciding(old, facts, now)
    leaving.run()
    before = _owed(leaving)
    if leaving.state.ended:
        ended = leaving.decision()
        return Relocation(decision=ended, moved=False, change="ended", found_by="name", before=before, after=before)
    target, found_by = target_of(old, new, leaving.state.step, level=leaving.level, steps=steps or {})
    since = facts.level_since if leaving.level == facts.level else now
    open_tasks = tuple(leaving.tasks.open.values())
    handed = replace(facts, state=leaving.state, tasks=open_tasks, level=leaving.level, level_since=since)
    coming = _Relocating(new, handed, now)
    coming.take_over(old, target, steps or {})
    coming.run()
    decision = coming.decision()
    after = _owed(coming)
    return Relocation(
        decision=replace(decision, effects=(*leaving.effects, *decision.effects)),
        moved=True,
        change=_change(before, after, ended=coming.state.ended),
        found_by=found_by,
        before=before,
        after=after,
    )


def target_of(
    old: CareProcess, new: CareProcess, step: str, *, level: str, steps: Mapping[str, str]
) -> tuple[str, FoundBy]:
    """The step of the new process for a care at a step of the old one; there is always one."""
    if step in steps:
        return steps[step], "map"
    if step in new.steps:
        return step, "name"
    was = old.steps[step]
    if step in old.ladder.steps and new.ladder.steps:
        place = old.ladder.steps.index(step)
        return new.ladder.steps[min(place, len(new.ladder.steps) - 1)], "family"
    family = [name for name, step in new.steps.items() if _alike(was, step) and name not in new.ladder.steps]
    if family:
        return min(
            family, key=lambda name: (new.steps[name].level != was.level, not _due_alike(was, new.steps[name]))
        ), ("family")
    if level in new.resume:
        return new.resume[level], "level"
    return new.start, "start"


def _alike(one: Step, other: Step) -> bool:
    """Of one family: the same people owe the same kind of thing."""
    return not other.end and (one.task, one.promise, one.owner) == (other.task, other.promise, other.owner)


def _due_alike(one: Step, other: Step) -> bool:
    return type(one.due) is type(other.due)


class _Relocating(Deciding):
    """A care that comes from another process."""

    def take_over(self, old: CareProcess, target: str, steps: Mapping[str, str]) -> None:
        """Come to the step `target` with whatever is open."""
        was, there = old.steps[self.state.step], self.process.steps[target]
        moves = self.state.moves + 1
        self.state = replace(self.state, rounds=self._rounds(old, steps))
        if self.process.ladder.message is None:
            for side in self._side():
                self.tasks.cancel(side, self.now, cause="process_moved")
        if there.end or (was.task, was.promise) != (there.task, there.promise):
            self._begin_anew(was, target, moves)
            return
        self._stay(old, target, moves)
        if there.level not in (KEEP, was.level, self.level):
            self.level = there.level
            self.effects.append(
                SetLevel(key=f"process:{moves}:level", at=self.now, cause="process_moved", level=there.level)
            )

    def _stay(self, old: CareProcess, target: str, moves: int) -> None:
        """The new version owes the same kind of thing: what is open goes on, at the times of the new version."""
        state = self.state
        renamed = target != state.step
        visits = {**state.visits, target: state.visits.get(target, 0) + 1} if renamed else state.visits
        rounds = {**state.rounds, target: max(state.rounds.get(target, 0), 1)}
        self.state = replace(
            state,
            step=target,
            visits=visits,
            rounds=rounds,
            ladder=self._place(target),
            done=self._made(old, state, target),
            moves=moves,
        )
        for task in list(self.tasks.open.values()):
            if task.step != target or old.steps[task.step].name != self.process.steps[target].name:
                self.tasks.rename(task, target, number=moves)
        if state.planned_from is not None:
            due_at = self.tasks.planned(target, state.planned_from, promised_at=None)
            self.state = replace(self.state, due_at=due_at)
        self.state = replace(self.state, planned_in=self.business_time())
        self.tasks.plan_again(self.state, cause="process_moved", number=moves)
        if self.step.owner == "floating_pool" and not self.facts.is_floating and old.steps[state.step].owner == "sale":
            key = f"process:{moves}:release"
            self.effects.append(ReleaseToPool(key=key, at=self.now, cause="process_moved", owner_id=self.owner_id))

    def _begin_anew(self, was: Step, target: str, moves: int) -> None:
        """The new version owes something else: what the step waited for is cancelled, the rest goes on."""
        promised_at = self.state.due_at if isinstance(was.due, Promised) and self.state.planned_from is None else None
        kept = {task.key: task for task in self._side()} if not self.process.steps[target].end else {}
        for key in kept:
            del self.tasks.open[key]
        self.state = replace(self.state, moves=moves)
        self.enter(target, self.now, cause="process_moved", promised_at=promised_at)
        self.tasks.open.update(kept)
        for task in kept.values():
            self.tasks.rename(task, target, number=moves)
        self.state = replace(self.state, planned_in=self.business_time())

    def _rounds(self, old: CareProcess, steps: Mapping[str, str]) -> dict[str, int]:
        """How often each step was come to, under the names of the new process: its limits hold for what was before."""
        rounds: dict[str, int] = {}
        for name, count in self.state.rounds.items():
            step, _ = target_of(old, self.process, name, level=self.level, steps=steps)
            rounds[step] = max(rounds.get(step, 0), count)
        return rounds

    def _side(self) -> list[Task]:
        return self.tasks.side(self.state)

    def _place(self, target: str) -> int:
        steps = self.process.ladder.steps
        return steps.index(target) + 1 if target in steps else min(self.state.ladder, len(steps))

    def _made(self, old: CareProcess, state: StepState, target: str) -> tuple[str, ...]:
        """The escalations of the new version that were made in the old one: first those in the same place. What the new
        version does not know is remembered, lest a version that does asks for it once more."""
        before, after = old.rungs_of(state.step), self.process.rungs_of(target)
        made = [int(each) for each in state.done if each.isdigit()]
        left: Counter[str] = Counter(before[number].do for number in made)
        left.update(each.removeprefix(_ELSEWHERE) for each in state.done if each.startswith(_ELSEWHERE))
        same = [n for n in made if n < len(after) and after[n].do == before[n].do]
        left.subtract(after[number].do for number in same)
        done = set(same)
        for number, rung in enumerate(after):
            if number not in done and left[rung.do] > 0:
                left[rung.do] -= 1
                done.add(number)
        kept = [each for each in state.done if not each.isdigit() and not each.startswith(_ELSEWHERE)]
        elsewhere = [f"{_ELSEWHERE}{do}" for do in sorted(left.elements())]
        return (*kept, *elsewhere, *map(str, sorted(done)))


def _owed(care: Deciding) -> Owed:
    task = care.main_task()
    if task is None or care.state.ended:
        due_at = None if care.state.ended else care.state.due_at
        return Owed(step=care.state.step, level=care.level, due_at=due_at)
    return Owed(
        step=care.state.step,
        level=care.level,
        task=task.task,
        promise=task.promise,
        due_at=task.due_at,
        deadline_at=task.deadline_at,
        key=task.key,
    )


def _change(before: Owed, after: Owed, *, ended: bool) -> Change:
    if ended:
        return "ends"
    if before.key != after.key:
        return "opened" if before.key is None else "waits" if after.key is None else "replaced"
    if (before.due_at, before.deadline_at) != (after.due_at, after.deadline_at):
        return "retimed"
    return "same" if before.step == after.step else "renamed"
