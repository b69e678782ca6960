"""What a result leads to: the table that answers a salesperson at once, and that `decide` follows too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.orders.care.facts import StepState
from services.orders.care.process import KEEP, NEXT_TRY, SKIP_TRY, STAY, CareProcess, Promised


class UnknownResult(ValueError):
    """The step has no answer to this result. `allowed` lists the results it knows."""

    def __init__(self, *, step: str, result: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"step {step!r} does not know the result {result!r}")
        self.step = step
        self.result = result
        self.allowed = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Where a result leads.

    `stays` means that the present step and its task go on (then `step` and `level` are the present ones). `missed` says
    that it was an attempt that moves up the ladder. `needs_reason`: the result must be logged with a reason.
    """

    step: str
    level: str
    stays: bool = False
    missed: bool = False
    mark: str | None = None
    needs_reason: bool = False


def transition_for(
    process: CareProcess,
    state: StepState,
    *,
    result: str,
    at: datetime | None = None,
    due_at: datetime | None = None,
) -> Transition:
    """Look up what a result means at the present step, with everything counted so far.

    Args:
        state: as it is before this result.
        at, due_at: when the call was made and when the open task is due. An unanswered call well before a time that
            was promised to the customer changes nothing: the promise stands.

    Raises:
        UnknownResult: the step has no answer to it (an ended care knows none).
    """
    goes = process.table.get((state.step, result))
    if goes is None or result not in process.results:
        raise UnknownResult(step=state.step, result=result, allowed=allowed_results(process, state.step))
    reached = process.results[result].reached
    step = process.steps[state.step]
    early = (
        not reached
        and isinstance(step.due, Promised)
        and at is not None
        and due_at is not None
        and at < due_at - step.grace
    )
    if early or goes.to == STAY:
        return Transition(step=state.step, level=state.level, stays=True, mark=goes.mark)
    after = counted(process, state, result=result)
    if not reached and after.unanswered >= process.caps.unanswered_in_care:
        target, missed = process.ladder.then, True
    else:
        target, missed = resolve(process, after, goes.to)
    there = process.steps[target]
    return Transition(
        step=target,
        level=state.level if there.level == KEEP else there.level,
        missed=missed,
        mark=goes.mark,
        needs_reason=there.needs == "reason",
    )


def allowed_results(process: CareProcess, step: str) -> tuple[str, ...]:
    """The results that may be logged at a step, in the order of the process."""
    return tuple(result for result in process.results if (step, result) in process.table)


def counted(process: CareProcess, state: StepState, *, result: str) -> StepState:
    """The state with this attempt counted: a conversation starts the retries afresh."""
    if process.results[result].reached:
        return conversed(process, state)
    return replace(
        state,
        called=True,
        unanswered=state.unanswered + 1,
        switched_off=state.switched_off + (result == process.ladder.switched_off),
    )


def conversed(process: CareProcess, state: StepState) -> StepState:
    """The state after somebody spoke with us."""
    rounds = {step: count for step, count in state.rounds.items() if not is_retry(process, step)}
    return replace(state, called=True, ladder=0, misses=0, switched_off=0, rounds=rounds)


def is_retry(process: CareProcess, step: str) -> bool:
    """Whether a step is there because nobody answered."""
    return process.steps[step].promise == "retry"


def resolve(process: CareProcess, state: StepState, target: str) -> tuple[str, bool]:
    """The step that a target means now, and whether the ladder was climbed for it."""
    missed = False
    while True:
        if target in (NEXT_TRY, SKIP_TRY):
            missed = True
            place = state.ladder + (1 if target == SKIP_TRY else 0)
            exhausted = place >= len(process.ladder.steps) or state.switched_off >= process.ladder.switched_off_limit
            target = process.ladder.then if exhausted else process.ladder.steps[place]
        step = process.steps[target]
        if step.max is None or step.then is None or state.rounds.get(target, 0) < step.max:
            return target, missed
        target = step.then


def entered(process: CareProcess, state: StepState, step: str) -> tuple[Mapping[str, int], Mapping[str, int], int]:
    """The visits, rounds and place on the ladder after entering a step."""
    visits = {**state.visits, step: state.visits.get(step, 0) + 1}
    rounds = {**state.rounds, step: state.rounds.get(step, 0) + 1}
    ladder = process.ladder.steps.index(step) + 1 if step in process.ladder.steps else state.ladder
    return visits, rounds, ladder
