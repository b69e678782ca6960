"""The open tasks of an order while it is being decided upon, and the effects of changing them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.orders.care.due import planned_at
from services.orders.care.effects import Cause, CloseTask, Effect, EndPromise, GiveTask, MoveTask, OpenTask, RenameTask
from services.orders.care.facts import Facts, Interaction, StepState, Task
from services.orders.care.gate import earliest_call, earliest_message, window_name
from services.orders.care.process import CareProcess, Promised, PromiseKind, Text
from services.orders.care.timers import clock_of


class Tasks:
    """`open` holds the tasks as they are after the effects so far; effects are appended to the given list."""

    def __init__(self, process: CareProcess, facts: Facts, now: datetime, effects: list[Effect]) -> None:
        self.process = process
        self.facts = facts
        self.now = now
        self.effects = effects
        self.open = {task.key: task for task in facts.tasks}
        self.replans = facts.state.replans if facts.state is not None else 0
        self.calls = facts.calls()
        self.messages = facts.messages()

    def legal(self, task: Literal["call", "message"], at: datetime) -> datetime:
        """The first instant from `at` on when the gate lets such a task be done."""
        if task == "call":
            return earliest_call(self.process, asked=self.facts.asked_to_be_called, calls=self.calls, at=at)
        return earliest_message(self.process, asked=self.facts.asked_for_messages, messages=self.messages, at=at)

    def planned(self, step: str, at: datetime, *, promised_at: datetime | None) -> datetime:
        """When the step's task should be done, or its wait is over, if the event that led there happened at `at`."""
        kind: Literal["call", "message"] = "message" if self.process.steps[step].task == "message" else "call"
        clock = clock_of(self.process, self.facts, step=step, task=kind)
        return planned_at(self.process, step, at=at, promised_at=promised_at, clock=clock)

    def open_main(self, state: StepState, visit: str, at: datetime, *, cause: Cause) -> StepState:
        """Open the task that the present step waits for, at the time planned for this visit.

        Nobody can be late with a task that did not exist: if it is opened after its planned time, it is due now. Only a
        promise to the customer and the first call keep their time, because the customer's clock ran meanwhile.
        """
        step = self.process.steps[state.step]
        if step.task is None or step.task == "wait" or step.promise is None or state.due_at is None:
            return state
        strict = step.promise == "first_call" or isinstance(step.due, Promised)
        key = visit if state.opened == 0 else f"{visit}/{state.opened + 1}"
        self._open(
            key,
            at,
            cause=cause,
            step=state.step,
            task=step.task,
            name=step.name,
            promise=step.promise,
            planned=state.due_at if strict else max(state.due_at, self.now),
            grace=step.grace,
        )
        return replace(state, task=key, opened=state.opened + 1, done=())

    def tell_of_missed_call(self, state: StepState, visit: str, at: datetime) -> None:
        """Open the message that follows certain unanswered calls, if this was one."""
        message = self.process.ladder.message
        if self.facts.no_messages_since is not None:
            return
        if message is None or state.task is None or state.misses not in message.after_misses:
            return
        self._open(
            f"{visit}:message",
            at,
            cause="call_result",
            step=state.step,
            task="message",
            name=message.name,
            promise="message",
            planned=max(at, self.now),
            grace=message.grace,
        )

    def side(self, state: StepState) -> list[Task]:
        """Open messages beside the step's own task."""
        return [task for task in self.open.values() if task.key != state.task and task.task == "message"]

    def done(self, task: Task, at: datetime, *, cause: Cause, interaction: Interaction) -> None:
        """An interaction did the task; a promise that is still open is thereby kept."""
        late = max(at - task.due_at, timedelta())
        if task.promise_open:
            self.effects.append(
                EndPromise(
                    key=f"{task.key}:promise",
                    at=at,
                    cause=cause,
                    task_key=task.key,
                    outcome="kept",
                    late_by=late,
                    interaction_id=interaction.id,
                )
            )
        self.effects.append(
            CloseTask(
                key=f"{task.key}:closed",
                at=at,
                cause=cause,
                task_key=task.key,
                outcome="done",
                interaction_id=interaction.id,
                late_by=late,
            )
        )
        del self.open[task.key]

    def broken(self, task: Task, at: datetime) -> None:
        """The promise was not met in time; the task goes on."""
        late = max(at - task.due_at, timedelta())
        self.effects.append(
            EndPromise(
                key=f"{task.key}:promise", at=at, cause="overdue", task_key=task.key, outcome="broken", late_by=late
            )
        )
        self.open[task.key] = replace(task, promise_open=False)

    def cancel(self, task: Task, at: datetime, *, cause: Cause) -> None:
        """The task is not needed any more; a promise that is still open is cancelled."""
        if task.promise_open:
            self.effects.append(
                EndPromise(key=f"{task.key}:promise", at=at, cause=cause, task_key=task.key, outcome="cancelled")
            )
        self.effects.append(
            CloseTask(key=f"{task.key}:closed", at=at, cause=cause, task_key=task.key, outcome="cancelled")
        )
        del self.open[task.key]

    def cancel_all(self, at: datetime, *, cause: Cause) -> None:
        for task in list(self.open.values()):
            self.cancel(task, at, cause=cause)

    def give(self, task: Task, owner_id: UUID | None, at: datetime, *, cause: Cause, to_team: bool = False) -> None:
        """Hand a task over; its promise stays what it is."""
        to = "team" if to_team else str(self.facts.assignment_version)
        self.effects.append(
            GiveTask(
                key=f"{task.key}:give:{to}", at=at, cause=cause, task_key=task.key, owner_id=owner_id, to_team=to_team
            )
        )
        self.open[task.key] = replace(task, owner_id=owner_id, owner_code="")

    def give_all(self, owner_id: UUID | None, at: datetime, *, cause: Cause) -> None:
        for task in list(self.open.values()):
            if task.owner_id != owner_id:
                self.give(task, owner_id, at, cause=cause)

    def moved_by_gate(self, task: Task, at: datetime) -> bool:
        """Put a task off whose due time is not (or no longer) one at which the number may be called or written to."""
        due_at = self.legal(task.task, task.due_at)
        if due_at <= task.due_at:
            return False
        clock = clock_of(self.process, self.facts, step=task.step, task=task.task)
        deadline_at = clock.add(due_at, self._grace(task))
        self.open[task.key] = replace(task, due_at=due_at, deadline_at=deadline_at)
        self.effects.append(
            MoveTask(
                key=f"{task.key}:moved:{due_at:%Y%m%dT%H%M%S.%f}" + (f":{self.replans}" if self.replans else ""),
                at=at,
                cause="cap",
                task_key=task.key,
                due_at=due_at,
                deadline_at=deadline_at,
            )
        )
        return True

    def plan_again(self, state: StepState, *, cause: Literal["calendar", "process_moved"], number: int) -> None:
        """Give the open tasks the times that the present calendars and steps give them, planned at `state.due_at`.

        Args:
            cause, number: what makes it necessary, and how often that has been so far.

        A promise that was broken keeps the time it was broken at. A task comes forward at most to now, and a deadline
        that would lie in the past stays what it was: what people were told so far was true.
        """
        self.replans = state.replans
        for task in list(self.open.values()):
            if not task.promise_open:
                continue
            strict = task.promise == "first_call" or isinstance(self.process.steps[task.step].due, Promised)
            planned = state.due_at if task.key == state.task and state.due_at is not None else task.opened_at
            clock = clock_of(self.process, self.facts, step=task.step, task=task.task)
            due_at = self.legal(task.task, clock.next_open(planned if strict else max(planned, task.opened_at)))
            if due_at < min(task.due_at, self.now):
                due_at = min(task.due_at, self.legal(task.task, clock.next_open(self.now)))
            deadline_at = clock.add(due_at, self._grace(task))
            if deadline_at <= self.now:
                deadline_at = max(deadline_at, task.deadline_at)
            if (due_at, deadline_at) != (task.due_at, task.deadline_at):
                self.open[task.key] = replace(task, due_at=due_at, deadline_at=deadline_at)
                self.effects.append(
                    MoveTask(
                        key=f"{task.key}:{cause}:{number}",
                        at=self.now,
                        cause=cause,
                        task_key=task.key,
                        due_at=due_at,
                        deadline_at=deadline_at,
                    )
                )

    def rename(self, task: Task, step: str, *, number: int) -> None:
        """A task belongs to another step of another version of the process, whose `number`-th move this is."""
        key = f"{task.key}:renamed:{number}"
        name = self.process.steps[step].name
        message = self.process.ladder.message
        if task.task == "message" and self.process.steps[step].task != "message" and message is not None:
            name = message.name
        self.effects.append(
            RenameTask(key=key, at=self.now, cause="process_moved", task_key=task.key, step=step, name=name)
        )
        self.open[task.key] = replace(task, step=step)

    def _open(
        self,
        key: str,
        at: datetime,
        *,
        cause: Cause,
        step: str,
        task: Literal["call", "message"],
        name: Text,
        promise: PromiseKind,
        planned: datetime,
        grace: timedelta,
    ) -> None:
        owner_id = self.facts.owner.id if self.facts.owner is not None else None
        clock = clock_of(self.process, self.facts, step=step, task=task)
        due_at = self.legal(task, clock.next_open(planned))
        deadline_at = clock.add(due_at, grace)
        self.effects.append(
            OpenTask(
                key=key,
                at=at,
                cause=cause,
                step=step,
                task=task,
                name=name,
                promise=promise,
                due_at=due_at,
                deadline_at=deadline_at,
                window=window_name(self.process, task=task, asked=self.facts.asked_to_be_called),
                owner_id=owner_id,
            )
        )
        self.open[key] = Task(
            key=key,
            step=step,
            task=task,
            promise=promise,
            due_at=due_at,
            deadline_at=deadline_at,
            opened_at=self.now,
            owner_id=owner_id,
        )

    def _grace(self, task: Task) -> timedelta:
        step, message = self.process.steps[task.step], self.process.ladder.message
        beside = task.task == "message" and step.task != "message"
        return message.grace if beside and message is not None else step.grace
