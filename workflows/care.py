"""The care of one order, from its first assignment until it is closed, given up or archived."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import CARE_ADVANCE, Advance, OrderRef
from shared.contracts.base import Instant
from shared.contracts.workflows import CARE, CareInput
from workflows.calls import call, jitter, show
from workflows.nudged import Nudged

SPREAD: Final = timedelta(seconds=60)
"""Thousands of tasks are due at 08:00; their workflows wake within this time, while each task keeps its due time."""
SHARED_MINUTES: Final = 5
"""An instant on a whole five minutes is one that many orders share: opening hours, promises, retries."""


# Auto-upgrade: the workflow only waits and asks, every decision is the activity's, so any newer worker may go on with
# it; pinned, a care of sixty days would keep its first worker alive for as long. Recorded histories are replayed in the
# tests.
@workflow.defn(name=CARE.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class CareWorkflow(Nudged):
    """Wait until something is due or a nudge comes, let orders look at its database, show where it stands, again."""

    @workflow.init
    def __init__(self, input: CareInput) -> None:
        self._order = OrderRef(order_id=input.order_id)

    @workflow.run
    async def run(self, input: CareInput) -> str:
        """How the care ended: the last step of the process, or the level that took the order out of care."""
        while True:
            advance = await self._look()
            if advance.done:
                return advance.outcome
            await self.wait(self._wake_at(advance.next_due), summary=_summary(advance))
            await self.go_on_as_new_if_long(input)

    async def _look(self) -> Advance:
        self.nudged = False
        advance = await call(CARE_ADVANCE, self._order, summary="what is owed now?")
        show(advance.view)
        return advance

    def _wake_at(self, due: Instant | None) -> Instant | None:
        shared = due is not None and due.second == 0 and due.minute % SHARED_MINUTES == 0
        return due + jitter(self._order.order_id.hex, within=SPREAD) if due is not None and shared else due


def _summary(advance: Advance) -> str:
    """What the timer waits for, in the list of timers of the Temporal UI."""
    owner = advance.view.owner or "nobody"
    task = f"{advance.view.due_at:%d/%m %H:%M} UTC" if advance.view.due_at else "no task"
    return f"{advance.view.level} {owner}, due {task}"
