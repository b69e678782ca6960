"""The one decision about an order in care: what is owed now, and when to ask again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.orders.care.effects import AddMark, Cause, Decision, RemindOwner, RequestReassignment, TellManager
from services.orders.care.facts import Command, Facts, Interaction, Task
from services.orders.care.pending import Happening
from services.orders.care.process import NOW, CareProcess
from services.orders.care.sentence import sentence
from services.orders.care.timers import Timer, timers
from services.orders.care.transition import conversed, counted, transition_for
from services.orders.care.walk import Walk
from shared.contracts.levels import CARE_AGAIN, CLEAN, main_level


def decide(process: CareProcess, facts: Facts, now: datetime) -> Decision:
    """Decide what an order's care owes at an instant.

    Everything that happened since the last decision is taken in its own order: what was recorded (interactions,
    assignments, the customer's return, levels set by others) and what the passing of time broke or ended. A call made
    in time counts as made in time however late this is asked. Reminders and escalations speak to people now: they are
    made, in order and with the time at which they were owed, if what they are about is still open.

    Idempotent: with its effects applied and its state stored, the same question at the same instant has no effect.

    Args:
        process: a sound process (`check.require_sound`) with its public holidays closed.
        facts: read under the lock of the order's row.
        now: the present instant; facts later than this are taken as of now.

    Raises:
        UnknownResult: an interaction has a result that its step does not know; it should never have been recorded.
        shared.calendar.NeverOpen: a calendar of the process has no time left.
    """
    care = Deciding(process, facts, now)
    care.run()
    return care.decision()


class Deciding(Walk):
    """What each thing that happened means for the order."""

    def run(self) -> None:
        self.plan_again()
        if not self.forbidden() and self.facts.state is None:
            self.follow_level(self.state.entered_at, cause="assigned")
        while True:
            event = self.next_event()
            if event is not None:
                self.handle(event)
            elif not self.forbidden() and not self.mend():
                break
        self.state = replace(self.state, level=self.level, planned_in=self.business_time())

    def decision(self) -> Decision:
        """What is to be written, after the run."""
        due = [timer.at for timer in timers(self.process, self.facts, self.state, self.tasks.open)]
        pause = self.facts.pause
        if self.state.paused and not self.state.ended and pause is not None and pause.until is not None:
            due.append(pause.until)
        return Decision(
            effects=tuple(self.effects),
            state=self.state,
            next_due=min(due, default=None),
            sentence=sentence(self.process, self.facts, self.state, self.tasks.open, now=self.now),
        )

    # --- in which order things happened ---------------------------------------------------------------------------

    def next_event(self) -> Happening | Timer | None:
        """The next thing to consider: what was recorded, unless a deadline or timeout passed before it; then the rest."""
        passed = [
            timer for timer in timers(self.process, self.facts, self.state, self.tasks.open) if timer.at <= self.now
        ]
        if not self.happenings:
            return min(passed, key=lambda timer: (timer.at, not timer.hard), default=None)
        first = min((timer for timer in passed if timer.hard), key=lambda timer: timer.at, default=None)
        if first is not None and first.at < self.happenings[0].at:
            return first
        return self.happenings.pop(0)

    def handle(self, event: Happening | Timer) -> None:
        match event:
            case Timer():
                self.time_passed(event)
            case Happening(what="interaction", interaction=Interaction() as made, at=at):
                self.contacted(made, at)
            case Happening(what="assignment", at=at):
                self.assigned(at)
            case Happening(what="came_again", at=at):
                self.came_again(at)
            case Happening(what="level", at=at):
                self.follow_level(at, cause="level_set")
            case Happening(what="command", command=Command() as command, at=at):
                self.commanded(command, at)
            case Happening(what="pause", at=at):
                self.state = replace(self.state, paused=True, task=None)
                self.tasks.cancel_all(at, cause="paused")
            case Happening(what="resume", at=at):
                since = self.state.care_since if self.state.called else at
                self.state = replace(self.state, paused=False, care_since=since)

    # --- what was recorded ----------------------------------------------------------------------------------------

    def contacted(self, made: Interaction, at: datetime) -> None:
        self.state = replace(self.state, seen=max(self.state.seen, made.number))
        if self.state.ended:
            return
        if made.inbound and (made.result is None or not self.process.results[made.result].reached):
            self.state = conversed(self.process, self.state)
            self.returned(at, cause="customer_contacted")
        elif made.result is not None:
            self.answered(made, made.result, at)
        elif made.kind == "message":
            self.message_sent(made, at)

    def answered(self, made: Interaction, result: str, at: datetime) -> None:
        before = self.state
        self.state = counted(self.process, before, result=result)
        if before.last_at is not None and at < before.last_at:
            return  # logged late: it counts, but a later call has already decided where the order stands
        task = self.main_task()
        due_at = task.due_at if task is not None else None
        there = transition_for(self.process, before, result=result, at=at, due_at=due_at)
        self.state = replace(self.state, last_at=at, last_result=result, misses=self.state.misses + there.missed)
        if there.mark is not None:
            key = f"mark:{there.mark}:{made.number}"
            self.effects.append(AddMark(key=key, at=at, cause="call_result", mark=there.mark))
        if there.stays:
            return
        if task is not None:
            self.tasks.done(task, at, cause="call_result", interaction=made)
        self.enter(there.step, at, cause="call_result", interaction=made)
        if there.missed:
            self.tasks.tell_of_missed_call(self.state, self.visit, at)

    def message_sent(self, made: Interaction, at: datetime) -> None:
        task = self.main_task()
        if self.step.task == "message" and self.step.done is not None:
            if task is not None:
                self.tasks.done(task, at, cause="message_sent", interaction=made)
            self.enter(self.resolved(self.step.done), at, cause="message_sent")
            return
        for side in self.tasks.side(self.state):
            self.tasks.done(side, at, cause="message_sent", interaction=made)

    def came_again(self, at: datetime) -> None:
        self.state = replace(self.state, came_again_at=self.facts.customer_came_again_at)
        # Where another level ended the care (a cancelled order), the customer's return is a new order (rule D9); at a final
        # level of L1 that the process does not name they are called as if it did (rule D10).
        if self.state.ended and self.step.end and self.step.came_again is not None:
            self.reopen(at, cause="came_again")
        elif self.state.ended and not self.step.end and main_level(self.level) == CLEAN:
            self.reopen(at, cause="came_again")
            self.care_again(at, cause="came_again")
            return
        if not self.state.ended:
            self.returned(at, cause="came_again")

    def returned(self, at: datetime, *, cause: Cause) -> None:
        """The customer came back: what is owed is owed now, where the step says so."""
        target = self.step.came_again
        if target == NOW:
            self.bring_forward(at, cause=cause)
        elif target is not None:
            self.new_round(at)
            self.enter(self.resolved(target), at, cause=cause, due_now=True)

    def bring_forward(self, at: datetime, *, cause: Cause) -> None:
        """What is owed later is owed now, or as soon as the gate lets it."""
        task = self.main_task()
        if task is not None and task.due_at > self.tasks.legal(task.task, self.now):
            self.tasks.cancel(task, at, cause=cause)
            self.state = replace(self.state, due_at=self.now, planned_from=None)
            self.open_task(at, cause=cause)

    def commanded(self, command: Command, at: datetime) -> None:
        self.state = replace(self.state, commanded=max(self.state.commanded, command.number), commanded_at=at)
        if self.state.ended or self.state.paused:
            return  # something else came first
        if command.kind == "bring_forward":
            self.bring_forward(at, cause="operator")
        else:
            self.enter(command.to if command.to is not None else self.state.step, at, cause="operator")

    def assigned(self, at: datetime) -> None:
        self.state = replace(self.state, assignment=self.facts.assignment_version)
        from_pool = self.step.claimed is not None or self.facts.assignment_cause == "claim"
        claimed = self.step.claimed or self.process.steps[self.process.pool].claimed
        if self.state.ended:
            if self.step.archive and self.facts.owner is not None and claimed is not None:
                self.reopen(at, cause="claimed")
                self.enter(self.resolved(claimed), at, cause="claimed")
        elif self.facts.owner is not None and from_pool and claimed is not None:
            self.new_round(at)
            self.enter(self.resolved(claimed), at, cause="claimed")
        elif self.facts.is_floating and self.step.owner != "floating_pool":
            self.enter(self.process.pool, at, cause="released")
        elif self.facts.owner is not None and self.step.promise == "first_call" and not self.state.called:
            self.enter(self.state.step, at, cause="reassigned")  # the new owner's clock begins (rule D39)
        else:
            self.tasks.give_all(self.owner_id, at, cause="reassigned")

    def follow_level(self, at: datetime, *, cause: Cause) -> None:
        """Go where the order's level says, because care begins or because somebody else set it."""
        self.level = level = self.facts.level
        if level in self.process.resume:
            if cause == "level_set" and not self.state.ended and self.step.level == level:
                return
            if self.state.ended:
                self.reopen(at, cause=cause)
            self.enter(self.resolved(self.process.resume[level]), at, cause=cause)
        elif not self.state.ended:
            end = next((name for name, step in self.process.steps.items() if step.end and step.level == level), None)
            if end is not None:
                self.enter(end, at, cause=cause)
            elif not self.facts.is_at_own_open_level:
                self.leave(level, at, cause=cause)
            elif cause == "assigned":
                self.care_again(at, cause=cause)
            # Else it is a level of the company's own that the process does not name: what is owed is owed there too.

    def care_again(self, at: datetime, *, cause: Cause) -> None:
        """Call now, as the process does with an order that is taken up again."""
        step = self.process.resume.get(CARE_AGAIN, self.process.start)
        self.enter(self.resolved(step), at, cause=cause, due_now=True)

    # --- what time brought ----------------------------------------------------------------------------------------

    def time_passed(self, timer: Timer) -> None:
        match timer:
            case Timer(what="timeout", at=at):
                self.time_out(at)
            case Timer(what="deadline", task=Task() as task, at=at):
                if not self.tasks.moved_by_gate(task, at):
                    self.deadline(task, at)
            case Timer(what="remind", task=Task() as task, at=at):
                self.state = replace(self.state, done=(*self.state.done, "remind"))
                self.remind(task, at, key=f"{task.key}:remind")
            case Timer(what="rung", task=Task() as task, rung=rung, at=at):
                self.state = replace(self.state, done=(*self.state.done, str(rung)))
                self.escalate(task, rung, at)
            case Timer(what="unowned", at=at):
                version = self.facts.assignment_version
                self.state = replace(self.state, manager_told=version)
                self.tell_manager(None, at, key=f"unowned:{version}:tell_manager", cause="no_owner")

    def deadline(self, task: Task, at: datetime) -> None:
        self.tasks.broken(task, at)
        if task.key != self.state.task:
            self.tasks.cancel(self.tasks.open[task.key], at, cause="overdue")
        else:
            self.time_out(at)

    def time_out(self, at: datetime) -> None:
        if self.step.timeout is not None:
            self.enter(self.resolved(self.step.timeout), at, cause="overdue")

    def escalate(self, task: Task, number: int, at: datetime) -> None:
        rung = self.process.rungs_of(self.state.step)[number]
        key = f"{task.key}:{rung.do}:{number}"
        match rung.do:
            case "remind_owner":
                self.remind(task, at, key=key)
            case "tell_manager":
                self.tell_manager(task, at, key=key, cause="overdue")
            case "open_to_team":
                self.tasks.give(task, None, at, cause="overdue", to_team=True)
            case "request_reassignment":
                self.effects.append(
                    RequestReassignment(
                        key=key,
                        at=at,
                        cause="overdue",
                        owner_id=self.owner_id,
                        untouched_on=self.untouched_on(at),
                        at_most=self.process.takings_per_shift,
                    )
                )
            case "release_to_pool":
                self.enter(self.process.pool, at, cause="overdue")

    def untouched_on(self, at: datetime) -> datetime | None:
        """The local day on which nobody has called the number yet; None if somebody has."""
        if self.state.called:
            return None
        calendar = self.process.calendar(self.process.windows.asked)
        return calendar.midnight(calendar.local(at).date())

    def remind(self, task: Task, at: datetime, *, key: str) -> None:
        if task.owner_id is not None:
            self.effects.append(RemindOwner(key=key, at=at, cause="due", task_key=task.key, owner_id=task.owner_id))

    def tell_manager(self, task: Task | None, at: datetime, *, key: str, cause: Cause) -> None:
        owner = self.facts.owner
        self.effects.append(
            TellManager(
                key=key,
                at=at,
                cause=cause,
                manager_id=owner.manager_id if owner is not None else None,
                owner_id=self.owner_id,
                task_key=task.key if task is not None else None,
            )
        )

    # --- what must always hold ------------------------------------------------------------------------------------

    def forbidden(self) -> bool:
        """End the care of a number that must not be called; true if that was to be done."""
        since = self.facts.do_not_call_since
        if self.state.ended or since is None or not self.facts.must_not_be_called():
            return False
        self.enter(self.process.do_not_call, min(max(since, self.state.entered_at), self.now), cause="do_not_call")
        return True

    def silenced(self) -> bool:
        """Take away messages that must not be sent any more; true if there were any."""
        messages = [task for task in self.tasks.open.values() if task.task == "message"]
        if self.facts.no_messages_since is None or not messages:
            return False
        if self.step.task == "message" and self.step.done is not None:
            self.enter(self.resolved(self.step.done), self.now, cause="do_not_call")
        else:
            for task in messages:
                self.tasks.cancel(task, self.now, cause="do_not_call")
        return True

    def mend(self) -> bool:
        """Ask for an owner who is missing, open a task that is missing, move a call out of a time that is illegal."""
        before = len(self.effects)
        if self.state.ended or self.state.paused or self.step.task == "wait":
            return False
        if self.silenced():
            return True
        version = self.facts.assignment_version
        if self.facts.owner is None and self.state.owner_asked != version:
            self.state = replace(self.state, owner_asked=version)
            key = f"unowned:{version}:request"
            self.effects.append(RequestReassignment(key=key, at=self.now, cause="no_owner", owner_id=None))
        task = self.main_task()
        if task is None:
            resumed = self.facts.state is not None and self.facts.state.paused
            if self.state.due_at is None or self.state.due_at < self.now:
                self.state = replace(self.state, due_at=self.now, planned_from=None)
            self.open_task(self.now, cause="resumed" if resumed else "mended")
        elif task.promise_open:
            self.tasks.moved_by_gate(task, self.now)
        return len(self.effects) > before
