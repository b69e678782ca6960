"""Coming to a step, and what that brings with it: levels, tasks, the pool, the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.orders.care.effects import (
    Archive,
    Cause,
    Effect,
    EndCare,
    PutOnDoNotCallList,
    ReleaseToPool,
    ReopenCare,
    SetLevel,
)
from services.orders.care.facts import Facts, Interaction, StepState, Task
from services.orders.care.pending import pending
from services.orders.care.process import KEEP, CareProcess, Promised, Step, digest
from services.orders.care.tasks import Tasks
from services.orders.care.transition import entered, resolve
from shared.contracts.levels import main_level

_SHIFT = "+"  # between the digests of the process's calendars and of the owner's shift


class Walk:
    """An order on its way through the process while it is being decided upon.

    `state`, `level` and `tasks.open` are as they will be once the `effects` so far are applied; `happenings` are the
    recorded facts that have not been considered yet, earliest first.
    """

    def __init__(self, process: CareProcess, facts: Facts, now: datetime) -> None:
        self.process = process
        self.facts = facts
        self.now = now
        self.effects: list[Effect] = []
        self.tasks = Tasks(process, facts, now, self.effects)
        self.level = facts.level
        self.state = facts.state if facts.state is not None else self._unbegun()
        self.happenings = pending(facts, self.state, now)

    @property
    def step(self) -> Step:
        return self.process.steps[self.state.step]

    @property
    def visit(self) -> str:
        """The present visit to the present step: the root of all its keys."""
        return f"{self.state.step}:{self.state.visits[self.state.step]}"

    @property
    def owner_id(self) -> UUID | None:
        return self.facts.owner.id if self.facts.owner is not None else None

    def main_task(self) -> Task | None:
        """The open task that the present step waits for."""
        return self.tasks.open.get(self.state.task) if self.state.task is not None else None

    def resolved(self, target: str) -> str:
        """The step that a link means now, with limits that are reached considered."""
        return resolve(self.process, self.state, target)[0]

    def enter(
        self,
        name: str,
        at: datetime,
        *,
        cause: Cause,
        interaction: Interaction | None = None,
        promised_at: datetime | None = None,
        due_now: bool = False,
    ) -> None:
        """Come to a step: whatever is still open is cancelled, the level follows, the new task is opened.

        Args:
            at: when that happened; due times count from it.
            interaction: the contact that led here, with what it promised.
            promised_at: what was promised to the customer, if no interaction says it.
            due_now: the task is due at once, whatever the step says.
        """
        self.tasks.cancel_all(at, cause=cause)
        name = self.past_messages(name)
        visits, rounds, ladder = entered(self.process, self.state, name)
        self.state = replace(
            self.state,
            step=name,
            entered_at=at,
            due_at=None,
            planned_from=None,
            task=None,
            opened=0,
            done=(),
            visits=visits,
            rounds=rounds,
            ladder=ladder,
        )
        self._set_level(at, cause=cause, interaction=interaction)
        if self.step.end:
            self._end(at, cause=cause)
            return
        promised_at = interaction.promised_at if interaction is not None else promised_at
        agreed = due_now or (promised_at is not None and isinstance(self.step.due, Promised))
        planned = self.tasks.planned(name, at, promised_at=promised_at)
        self.state = replace(self.state, due_at=self.now if due_now else planned, planned_from=None if agreed else at)
        if self.step.owner == "floating_pool" and not self.facts.is_floating:
            self.effects.append(ReleaseToPool(key=f"{self.visit}:release", at=at, cause=cause, owner_id=self.owner_id))
        self.open_task(at, cause=cause)

    def past_messages(self, name: str) -> str:
        """Where a step leads whose message must not be sent: to what follows once it is."""
        passed: set[str] = set()
        while self.facts.no_messages_since is not None and name not in passed:
            step = self.process.steps[name]
            if step.task != "message" or step.done is None:
                break
            passed.add(name)
            name = self.resolved(step.done)
        return name

    def open_task(self, at: datetime, *, cause: Cause) -> None:
        """Open the task of the present step, unless the step only waits or the care is paused."""
        if not self.state.paused:
            self.state = self.tasks.open_main(self.state, self.visit, at, cause=cause)

    def plan_again(self) -> None:
        """Plan what is open in the business time of now: somebody changed working hours, holidays or a shift.

        It holds for all that is still open, hours that passed included; what ended stays ended, a time that was agreed
        with the customer stays agreed, and nobody becomes late by it.
        """
        state, now, before = self.state, self.business_time(), self.state.planned_in
        if self.facts.assignment_version > state.assignment:  # what another owner means is considered in its turn
            now, before = now.partition(_SHIFT)[0], before.partition(_SHIFT)[0]
        if not before or before == now or state.ended or state.paused:
            return
        due_at = state.due_at
        if state.planned_from is not None:
            due_at = self.tasks.planned(state.step, state.planned_from, promised_at=None)
        self.state = replace(state, due_at=due_at, replans=state.replans + 1)
        self.tasks.plan_again(self.state, cause="calendar", number=self.state.replans)

    def business_time(self) -> str:
        """In which time the present step is planned: that of the process, at a first call with the shift of the owner."""
        shift = self.facts.owner.shift if self.facts.owner is not None else None
        if shift is None or self.step.promise != "first_call":
            return self.process.business_time
        return f"{self.process.business_time}{_SHIFT}{digest(shift)}"

    def leave(self, level: str, at: datetime, *, cause: Cause) -> None:
        """End the care because the order is at a level that the process does not know."""
        self.tasks.cancel_all(at, cause=cause)
        visits = {**self.state.visits, level: self.state.visits.get(level, 0) + 1}
        self.state = replace(self.state, ended=True, task=None, due_at=None, visits=visits)
        self._end_care(level, at, cause=cause)

    def reopen(self, at: datetime, *, cause: Cause) -> None:
        """Begin again after care had ended."""
        rounds = self.state.reopened + 1
        self.state = replace(self.state, ended=False, reopened=rounds)
        self.effects.append(ReopenCare(key=f"reopen:{rounds}", at=at, cause=cause))
        self.new_round(at)

    def new_round(self, at: datetime) -> None:
        """Count afresh: somebody else, or the customer, begins again."""
        self.state = replace(
            self.state, rounds={}, ladder=0, misses=0, switched_off=0, unanswered=0, called=False, care_since=at
        )

    def _unbegun(self) -> StepState:
        at = min(self.facts.assigned_at, self.now)
        return StepState(
            step=self.process.start,
            level=self.facts.level,
            entered_at=at,
            care_since=at,
            assignment=self.facts.assignment_version,
            came_again_at=self.facts.customer_came_again_at,
        )

    def _set_level(self, at: datetime, *, cause: Cause, interaction: Interaction | None) -> None:
        level = self.step.level
        if level in (KEEP, self.level, main_level(self.level)):
            return  # a step at the main level goes on at whichever child of it somebody has set
        if any(each.what == "level" for each in self.happenings):
            return  # somebody has set a level since: theirs is the later word, and comes next
        self.level = level
        if interaction is not None and interaction.level_set:
            return
        self.effects.append(
            SetLevel(
                key=f"{self.visit}:level",
                at=at,
                cause=cause,
                level=level,
                interaction_id=interaction.id if interaction is not None else None,
                reason=interaction.reason if interaction is not None else None,
            )
        )

    def _end(self, at: datetime, *, cause: Cause) -> None:
        if self.step.do_not_call:
            self.effects.append(PutOnDoNotCallList(key=f"{self.visit}:do_not_call", at=at, cause=cause))
        if self.step.archive:
            self.effects.append(Archive(key=f"{self.visit}:archive", at=at, cause=cause))
        self.state = replace(self.state, ended=True)
        self._end_care(self.state.step, at, cause=cause)

    def _end_care(self, outcome: str, at: datetime, *, cause: Cause) -> None:
        key = f"{outcome}:{self.state.visits[outcome]}:end"
        self.effects.append(EndCare(key=key, at=at, cause=cause, outcome=outcome))
