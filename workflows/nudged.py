"""What workflows share that only wait: for a nudge, which says 'look at the database', or for a moment."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from shared.contracts.activities import ActivityRef, Advance
from shared.contracts.base import Contract, Instant
from shared.contracts.commands import NUDGE
from shared.contracts.workflows import LongRunning
from workflows.calls import call, show
from workflows.length import go_on_as_new, is_long

ArgT = TypeVar("ArgT", bound=Contract)


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

    async def go_on_as_new_if_long(self, input: LongRunning) -> None:
        """Not before every handler has finished, so that no nudge is lost by it."""
        if is_long(input):
            await workflow.wait_condition(workflow.all_handlers_finished)
            go_on_as_new(input)

    async def go_round(self, ask: ActivityRef[ArgT, Advance], arg: ArgT, *, input: LongRunning) -> None:
        """Asks, waits until something is due or a nudge comes, and asks again, until there is nothing left to do.

        Args:
            ask: looks at the database and does what is due.
        """
        while True:
            self.nudged = False
            advance = await call(ask, arg)
            show(advance.view)
            if advance.done:
                return
            await self.wait(advance.next_due, summary="next round")
            await self.go_on_as_new_if_long(input)
