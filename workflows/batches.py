"""Long work of orders, turn after turn: what is to be done, and how far it is, are the database's."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import (
    PROCESS_MOVE_ADVANCE,
    REPLAN_ADVANCE,
    WHAT_IF_ADVANCE,
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
from workflows.turns import take_turns


@workflow.defn(name=REPLAN.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ReplanWorkflow:
    """Plans open care again after a change of business time, no faster than the workflows it wakes are worked off."""

    @workflow.run
    async def run(self, input: ReplanInput) -> str:
        """How it ended: done."""
        return await take_turns(
            REPLAN_ADVANCE, ReplanRef(revision=input.revision), summary="the next open cares", input=input
        )


@workflow.defn(name=PROCESS_MOVE.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ProcessMoveWorkflow:
    """Previews a move of running care, or carries it out, no faster than it may be. Cancelling is a row in the database."""

    @workflow.run
    async def run(self, input: ProcessMoveInput) -> str:
        """How the phase ended: previewed, done, cancelled."""
        return await take_turns(
            PROCESS_MOVE_ADVANCE, ProcessMoveRef(move_id=input.move_id), summary="the next cares", input=input
        )


@workflow.defn(name=WHAT_IF.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class WhatIfWorkflow:
    """Lets recorded orders live through another care process. Cancelling is a row in the database."""

    @workflow.run
    async def run(self, input: WhatIfInput) -> str:
        """How it ended: done, cancelled, failed."""
        return await take_turns(WHAT_IF_ADVANCE, WhatIfRef(run_id=input.run_id), summary="the next orders", input=input)
