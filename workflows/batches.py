"""Long work of orders, turn after turn: what is to be done, and how far it is, are the database's."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import (
    PROCESS_MOVE_ADVANCE,
    REPLAN_ADVANCE,
    WHAT_IF_ADVANCE,
    Advance,
    ProcessMoveRef,
    ReplanRef,
    WhatIfRef,
)
from shared.contracts.workflows import (
    PROCESS_MOVE,
    REPLAN,
    WHAT_IF,
    ProcessMoveInput,
    ReplanInput,
    WhatIfInput,
)
from workflows.calls import call, show


@workflow.defn(name=REPLAN.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ReplanWorkflow:
    """Plans open care again after a change of business time, no faster than the workflows it wakes are worked off."""

    @workflow.run
    async def run(self, input: ReplanInput) -> str:
        """How it ended: done."""
        while True:
            advance = await call(REPLAN_ADVANCE, ReplanRef(revision=input.revision), summary="the next open cares")
            show(advance.view)
            if advance.done:
                return advance.outcome
            await _rest(advance)
            if _is_long(input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))


@workflow.defn(name=PROCESS_MOVE.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ProcessMoveWorkflow:
    """Previews a move of running care, or carries it out, no faster than it may be. Cancelling is a row in the database."""

    @workflow.run
    async def run(self, input: ProcessMoveInput) -> str:
        """How the phase ended: previewed, done, cancelled."""
        while True:
            advance = await call(PROCESS_MOVE_ADVANCE, ProcessMoveRef(move_id=input.move_id), summary="the next cares")
            show(advance.view)
            if advance.done:
                return advance.outcome
            await _rest(advance)
            if _is_long(input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))


@workflow.defn(name=WHAT_IF.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class WhatIfWorkflow:
    """Lets recorded orders live through another care process. Cancelling is a row in the database."""

    @workflow.run
    async def run(self, input: WhatIfInput) -> str:
        """How it ended: done, cancelled, failed."""
        while True:
            advance = await call(WHAT_IF_ADVANCE, WhatIfRef(run_id=input.run_id), summary="the next orders")
            show(advance.view)
            if advance.done:
                return advance.outcome
            if _is_long(input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))


async def _rest(advance: Advance) -> None:
    if advance.next_due is not None and advance.next_due > workflow.now():
        await workflow.sleep(
            max(advance.next_due - workflow.now(), timedelta()), summary="lets woken workflows catch up"
        )


def _is_long(history_limit: int) -> bool:
    info = workflow.info()
    return info.is_continue_as_new_suggested() or 0 < history_limit <= info.get_current_history_length()
