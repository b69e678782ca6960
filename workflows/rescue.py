"""The call about one failed delivery, until the COD desk has it too or it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import RESCUE_CALL_ADVANCE, RescueCallRef
from shared.contracts.workflows import RESCUE_CALL, RescueCallInput
from workflows.calls import call, jitter, show
from workflows.nudged import Nudged

SPREAD: Final = timedelta(seconds=60)
"""What failed overnight is handed over at one moment of the morning; the workflows wake within this time."""


@workflow.defn(name=RESCUE_CALL.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class RescueCallWorkflow(Nudged):
    """Waits for the desk's turn or a nudge, and lets orders look at its database."""

    @workflow.run
    async def run(self, input: RescueCallInput) -> str:
        """How it ended: handed_over, or over (decided, or the parcel went on)."""
        while True:
            self.nudged = False
            advance = await call(
                RESCUE_CALL_ADVANCE, RescueCallRef(task_id=input.task_id), summary="whose turn is it to call?"
            )
            show(advance.view)
            if advance.done:
                return advance.outcome
            due = advance.next_due
            wake_at = None if due is None else due + jitter(input.task_id.hex, within=SPREAD)
            await self.wait(wake_at, summary="then the COD desk has the call too")
            await self.go_on_as_new_if_long(input)
