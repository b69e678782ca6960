"""The bare workflow that care is measured against: one activity that does nothing, on the same Temporal server."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench"


@workflow.defn
class BareWorkflow:
    """Runs one activity and ends."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity_method(Counter.nothing, start_to_close_timeout=timedelta(seconds=30))


class Counter:
    """Counts the runs of an activity that does nothing."""

    def __init__(self) -> None:
        self._runs = 0
        self._more = asyncio.Event()

    @activity.defn
    async def nothing(self) -> None:
        self._runs += 1
        self._more.set()

    async def wait(self, runs: int) -> None:
        """Until the activity has run so often since the start."""
        while self._runs < runs:
            self._more.clear()
            await self._more.wait()
