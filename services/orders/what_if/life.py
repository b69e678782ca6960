"""One recorded order lives again under a process: the facts come when they came, the process decides. Pure.

The process is asked whenever the real one was: when a fact became known, when a decision was made, and when something
fell due by itself; a timer that the real system looked at late is looked at late here as well. So the process that was
in force makes of the facts exactly what was recorded, and another process shows what would have been different.

What is assumed of another process: people and customers did what they did when they did it. A call stands for whatever
the process was waiting for at that moment; a result that its step does not know counts as an attempt without a result.
Leads answered as it answered, and people were on duty, in their shifts and here when they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from services.orders.care import effects as effect
from services.orders.care.effects import Decision, Effect
from services.orders.care.facts import Command, Facts, Interaction, Owner, Pause, StepState, Task
from services.orders.care.grounds import ENDS_AFTER, Ground, Known, ground_for
from services.orders.care.process import CareProcess
from services.orders.care.reading import latest
from services.orders.care.taking_back import taken_back
from services.orders.care.transition import UnknownResult
from services.orders.what_if.recorded import Assignment, Life, Logged, Recorded, TaskLife
from services.orders.what_if.versions import ProcessAt, Published, Versions
from shared.contracts.levels import REFUSES_CONTACT

UNDO: Final = "undo"
"""Cause with which tasks and promises end that a result had made, when it is taken back."""
MOST_MOMENTS: Final = 5_000
"""A care of months has some hundreds; a process that asks without end is stopped."""


class Endless(RuntimeError):
    """A process asks to look again and again and never comes to an end."""


def live(process_at: ProcessAt, recorded: Recorded, *, published: Published, finals: Mapping[str, bool]) -> Life:
    """Let an order live under a process.

    Args:
        published: versions in which its care was before it was moved.
        finals: level → whether it ends an order.

    Raises:
        Endless: the process never comes to rest.
        shared.calendar.NeverOpen: a calendar of the process has no time left.
    """
    return _World(Versions(process_at, published, recorded.ways), recorded, finals).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """How an order stood before an interaction that is going to be taken back."""

    state: StepState
    open: Mapping[str, Task]
    made: frozenset[str]  # keys of all tasks so far
    level: str
    level_since: datetime
    own_refusal: datetime | None
    ended_at: datetime | None


class _World:
    """The database of one order, in memory."""

    def __init__(self, versions: Versions, recorded: Recorded, finals: Mapping[str, bool]) -> None:
        self.versions = versions
        self.recorded = recorded
        self.finals = finals
        self.life = Life(level=recorded.level)
        self.level_since = recorded.level_since
        self.state: StepState | None = None
        self.open: dict[str, Task] = {}
        self.own_refusal: datetime | None = None
        self.ended_at: datetime | None = None
        self.archived_at: datetime | None = None
        self.lapsed_at: datetime | None = None
        self.levels_taken = 0
        self.claims_taken = 0
        self.points: dict[UUID, _Point] = {}
        self.taken_back: set[UUID] = set()
        self.unplaced: set[UUID] = set()
        self.moments: list[datetime] = []
        self.timer: datetime | None = None

    def run(self) -> Life:
        first = min((each.known_at for each in self.recorded.assignments if each.owner_id), default=None)
        begun = min(self.recorded.decided, default=first)
        if begun is None:
            return self.life
        for moment in self._known():
            heappush(self.moments, max(moment, begun))
        # Care begins before whatever was logged or set at that very instant.
        self.look(begun)
        looked: datetime | None = None
        looks = 0
        while (now := self._next()) is not None:
            if now == looked:
                continue
            if now > self.recorded.until:
                break
            looked, looks = now, looks + 1
            if looks > MOST_MOMENTS:
                raise Endless(str(self.recorded.order_id))
            self.look(now)
        return self.life

    def _next(self) -> datetime | None:
        """When care looks next: at a fact, or at the timer that its last look has set. That one has replaced the one before."""
        if self.timer is not None and (not self.moments or self.timer <= self.moments[0]):
            at, self.timer = self.timer, None
            return at
        return heappop(self.moments) if self.moments else None

    def _known(self) -> Iterator[datetime]:
        """When facts became known, and when the real system decided."""
        yield from self.recorded.decided
        yield from (each.known_at for each in self.recorded.assignments)
        yield from (each.known_at for each in self.recorded.interactions)
        yield from (each.undone_at for each in self.recorded.interactions if each.undone_at is not None)
        yield from (each.at for each in self.recorded.claims)
        yield from (each.known_at for each in self.recorded.levels)
        yield from (each.at for each in self.recorded.commands)
        yield from (each.at for each in self.recorded.ways)
        yield from (known_at for _, known_at in self.recorded.arrivals)
        if self.recorded.do_not_call is not None:
            yield self.recorded.do_not_call[1]

    def look(self, now: datetime) -> None:
        """The activity: read the facts, decide, write the effects and the state."""
        for level in self.recorded.levels[self.levels_taken :]:
            if self._is_known(level.known_at, now):
                self.levels_taken += 1
                if self.life.level == REFUSES_CONTACT:
                    self.own_refusal = None  # whoever takes an order out of there lifts the refusal
                self.life.level, self.level_since = level.level, level.at
        assignment = max(
            (each for each in self.recorded.assignments if each.known_at <= now),
            key=lambda each: each.version,
            default=None,
        )
        if assignment is None:
            return
        self._take_claims(now)
        self._take_back(now)
        self._remember(now)
        made = self._decide(assignment, now)
        for each in made.effects:
            self._apply(each, now)
        self.state = made.state
        due = made.next_due
        self.timer = max(self.recorded.late.get(due, due), due) if due is not None else None
        # Promised calls go on sooner when their owner is not there, and care looks when that changes.
        if assignment.owner_id is not None and any(task.promise == "callback" for task in self.open.values()):
            switch = self.recorded.presence.next_switch(assignment.owner_id, now)
            if switch is not None:
                self.timer = min(self.timer or switch, switch)

    def _decide(self, assignment: Assignment, now: datetime) -> Decision:
        process = self.versions.process(now, assignment.team)
        self._set_apart_unknown_results(process, now)
        while True:
            try:
                return self.versions.decide(self._facts(process, assignment, now), now, team=assignment.team)
            except UnknownResult:
                self._set_apart_last(now)

    def _facts(self, process: CareProcess, assignment: Assignment, now: datetime) -> Facts:
        logged = [each for each in self._standing(now) if self._is_known(each.known_at, now)]
        placed = tuple(each.made for each in logged if each.made.id not in self.unplaced)
        apart = [each.made.at for each in logged if each.made.id in self.unplaced and _is_outgoing_call(each.made)]
        elsewhere = [each for each in self.recorded.elsewhere if each.known_at <= now]
        ordered = [each for each in self.recorded.commands if self._is_known(each.at, now)]
        held = next((each for each in reversed(ordered) if each.kind in ("pause", "resume")), None)
        refusals = [self.own_refusal] if self.own_refusal is not None else []
        if self.recorded.do_not_call is not None and self.recorded.do_not_call[1] <= now:
            refusals.append(self.recorded.do_not_call[0])
        known = self._known_then(now)
        calls, messages = ground_for(known, by="call", at=now), ground_for(known, by="message", at=now)
        return Facts(
            order_id=self.recorded.order_id,
            level=self.life.level,
            level_since=self.level_since,
            owner=self._owner(assignment, now),
            assigned_at=assignment.at,
            assignment_version=assignment.version,
            asked_to_be_called=isinstance(calls, Ground) and calls.asked,
            written_to=isinstance(messages, Ground) and messages.asked,
            state=self.state,
            interactions=placed,
            tasks=tuple(self.open.values()),
            other_calls=(*(each.at for each in elsewhere if each.kind == "call"), *apart),
            other_messages=tuple(each.at for each in elsewhere if each.kind == "message"),
            do_not_call_since=latest(max(refusals, default=None), calls),
            no_messages_since=latest(self.recorded.no_messages_since, messages),
            customer_came_again_at=max(
                (at for at, known_at in self.recorded.arrivals if known_at <= now), default=None
            ),
            assignment_cause=assignment.cause,
            pause=Pause(since=held.at, until=held.until) if held is not None and held.kind == "pause" else None,
            commands=tuple(
                Command(number=each.number, at=each.at, kind=each.kind, to=each.to)
                for each in ordered
                # A step that this process does not have cannot be gone to.
                if each.kind != "pause" and each.kind != "resume" and (each.to is None or each.to in process.steps)
            ),
            level_final=self.finals.get(self.life.level),
        )

    def _owner(self, assignment: Assignment, now: datetime) -> Owner | None:
        if assignment.owner_id is None:
            return None
        presence = self.recorded.presence
        return Owner(
            id=assignment.owner_id,
            code=assignment.owner_code,
            shift=presence.shift(assignment.owner_id, now),
            away=presence.away(assignment.owner_id, now),
        )

    def _standing(self, now: datetime) -> Iterator[Logged]:
        """Interactions that nobody has taken back yet."""
        return (each for each in self.recorded.interactions if each.stands(now))

    def _take_claims(self, now: datetime) -> None:
        for claim in self.recorded.claims[self.claims_taken :]:
            if claim.at > now:
                break
            self.claims_taken += 1
            task = self.open.get(claim.task_key)
            if task is not None and task.owner_id is None:  # open to the team here as well
                self._change(claim.task_key, owner_id=claim.by_id)

    def _remember(self, now: datetime) -> None:
        """Keeps how the order stands before a result that is going to be taken back."""
        for each in self._standing(now):
            going = each.undone_at is not None and each.made.id not in self.points
            if going and self.state is not None and self._is_known(each.known_at, now):
                self.points[each.made.id] = _Point(
                    state=self.state,
                    open=dict(self.open),
                    made=frozenset(self.life.tasks),
                    level=self.life.level,
                    level_since=self.level_since,
                    own_refusal=self.own_refusal,
                    ended_at=self.ended_at,
                )

    def _take_back(self, now: datetime) -> None:
        for each in self.recorded.interactions:
            if not each.stands(now) and each.made.id not in self.taken_back:
                self.taken_back.add(each.made.id)
                if each.made.id in self.points:
                    self._restore(self.points.pop(each.made.id), each.made.number, now)

    def _restore(self, point: _Point, number: int, now: datetime) -> None:
        """As the service takes a result back (`interactions.undo`, `interactions.restoring`)."""
        assert self.state is not None  # there was one when the point was kept
        unchanged = {key for key, task in point.open.items() if _is_unchanged(task, self.open.get(key))}
        for key, life in self.life.tasks.items():
            ended = key in point.open and point.open[key].promise_open
            life.void = life.void or (key not in unchanged and (key not in point.made or ended))
        for key in [key for key in self.open if key not in unchanged]:
            task, life = self.open.pop(key), self.life.tasks[key]
            life.closed_at, life.outcome, life.cause = now, "cancelled", UNDO
            if task.promise_open:
                life.promised, life.promise_cause, life.promise_at = "cancelled", UNDO, now
        keys = {key: f"{key}~{number}" for key in point.open if key not in unchanged}
        for key, again in keys.items():
            self._open_again(point.open[key], again)
        if self.life.level != point.level:
            self.life.level, self.level_since = point.level, point.level_since
        self.own_refusal, self.ended_at = point.own_refusal, point.ended_at
        self.life.outcome, self.archived_at = "", None
        self.state = taken_back(point.state, self.state, keys=keys, number=number)

    def _open_again(self, task: Task, key: str) -> None:
        was = self.life.tasks[task.key]
        self.open[key] = replace(task, key=key)
        again = TaskLife(
            key=key,
            step=was.step,
            kind=was.kind,
            promise=was.promise,
            owner_id=task.owner_id,
            due_at=task.due_at,
            deadline_at=task.deadline_at,
            opened_at=was.opened_at,
        )
        if not task.promise_open:  # one that was broken before goes over to the task that is open again
            again.promised, again.promise_cause, again.promise_at = was.promised, was.promise_cause, was.promise_at
            if was.promise_at is not None:
                again.late_seconds = max(0, int((was.promise_at - task.due_at).total_seconds()))
            again.void = was.void
            del self.life.tasks[task.key]
        self.life.tasks[key] = again

    def _known_then(self, now: datetime) -> Known:
        """On which grounds the number could be contacted, as far as that hangs on how the order stood then."""
        claims = (each.at for each in self.recorded.assignments if each.cause == "claim" and each.known_at <= now)
        final = self.finals.get(self.life.level)
        return replace(
            self.recorded.known,
            claimed_at=max(claims, default=None),
            care_ended_at=self.level_since if final else self.archived_at,
            lapsed_at=self.lapsed_at,
        )

    def _is_known(self, known_at: datetime, now: datetime) -> bool:
        return known_at <= now if self.state is not None else known_at < now

    def _set_apart_unknown_results(self, process: CareProcess, now: datetime) -> None:
        seen = self.state.seen if self.state is not None else 0
        for each in self._standing(now):
            result, fresh = each.made.result, each.made.number > seen  # a version before may have known what was seen
            if fresh and each.known_at <= now and result is not None and result not in process.results:
                self._set_apart(each)

    def _set_apart_last(self, now: datetime) -> None:
        """The last result that was logged is none of the step's: it was an attempt, no more."""
        seen = self.state.seen if self.state is not None else 0
        fresh = [
            each
            for each in self._standing(now)
            if self._is_known(each.known_at, now)
            and each.made.number > seen
            and each.made.result
            and each.made.id not in self.unplaced
        ]
        self._set_apart(max(fresh, key=lambda each: each.made.number))

    def _set_apart(self, logged: Logged) -> None:
        if logged.made.id not in self.unplaced:
            self.unplaced.add(logged.made.id)
            self.life.unplaced += 1

    def _apply(self, made: Effect, now: datetime) -> None:
        match made:
            case effect.OpenTask():
                self._open(made, now)
            case effect.MoveTask():
                self._change(made.task_key, due_at=made.due_at, deadline_at=made.deadline_at)
            case effect.RenameTask():
                self._change(made.task_key, step=made.step)
            case effect.GiveTask():
                self._change(made.task_key, owner_id=made.owner_id)
            case effect.EndPromise():
                self.open[made.task_key] = replace(self.open[made.task_key], promise_open=False)
                task = self.life.tasks[made.task_key]
                task.promised, task.promise_cause, task.promise_at = made.outcome, made.cause, made.at
                task.late_seconds = int(made.late_by.total_seconds()) if made.late_by is not None else 0
            case effect.CloseTask():
                self._close(made)
            case effect.SetLevel():
                self.life.levels.append((made.level, made.at, made.cause))
                self.life.level, self.level_since = made.level, made.at
            case effect.PutOnDoNotCallList():
                self.own_refusal = made.at
            case effect.Archive():
                self.archived_at = made.at
            case effect.EndCare():
                self.life.outcome, self.ended_at = made.outcome, made.at
            case effect.ReopenCare():
                if self.ended_at is not None and made.at >= self.ended_at + ENDS_AFTER:
                    self.lapsed_at = self.ended_at
                self.life.outcome, self.archived_at = "", None

    def _open(self, made: effect.OpenTask, now: datetime) -> None:
        self.open[made.key] = Task(
            key=made.key,
            step=made.step,
            task=made.task,
            promise=made.promise,
            due_at=made.due_at,
            deadline_at=made.deadline_at,
            opened_at=now,
            owner_id=made.owner_id,
        )
        self.life.tasks[made.key] = TaskLife(
            key=made.key,
            step=made.step,
            kind=made.task,
            promise=made.promise,
            owner_id=made.owner_id,
            due_at=made.due_at,
            deadline_at=made.deadline_at,
            opened_at=now,
        )

    def _change(self, key: str, **values: object) -> None:
        self.open[key] = replace(self.open[key], **values)  # type: ignore[arg-type]  # fields of a task
        for name, value in values.items():
            setattr(self.life.tasks[key], name, value)

    def _close(self, made: effect.CloseTask) -> None:
        del self.open[made.task_key]
        task = self.life.tasks[made.task_key]
        task.closed_at, task.outcome, task.cause = made.at, made.outcome, made.cause
        if made.outcome == "done" and task.promised == "broken" and made.late_by is not None:
            task.late_seconds = int(made.late_by.total_seconds())  # a broken promise was made good


def _is_unchanged(before: Task, now: Task | None) -> bool:
    """The task is open as it was: nothing has to be brought back."""
    return now is not None and (now.due_at, now.owner_id, now.promise_open) == (
        before.due_at,
        before.owner_id,
        before.promise_open,
    )


def _is_outgoing_call(made: Interaction) -> bool:
    return made.kind == "call" and not made.inbound
