"""What workflows share that only wait: for a nudge, which says 'look at the database', or for a moment."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from shared.contracts.base import Instant
from shared.contracts.commands import NUDGE


class Nudged:
    """Base of such a workflow. Set `nudged` to False before looking at the database, then `wait`: a nudge that comes in
    between is not lost."""

    nudged = False

    @workflow.signal(name=NUDGE)
    def nudge(self) -> None:
        self.nudged = True

    async def wait(self, until: Instant | None, *, summary: str) -> None:
        """Until a nudge, or until a moment; None: only for a nudge.

        Args:
            summary: what the timer is for, in the Temporal UI.
        """
        timeout = None if until is None else max(until - workflow.now(), timedelta())
        try:
            await workflow.wait_condition(lambda: self.nudged, timeout=timeout, timeout_summary=summary)
        except TimeoutError:
            pass

    async def is_long(self, *, history_limit: int) -> bool:
        """Whether it is time to go on as new; returns when no handler would be lost by it.

        Args:
            history_limit: events after which it is; 0 = when the server suggests it.
        """
        info = workflow.info()
        if not info.is_continue_as_new_suggested() and not 0 < history_limit <= info.get_current_history_length():
            return False
        await workflow.wait_condition(workflow.all_handlers_finished)
        return True
