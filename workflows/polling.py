"""One carrier connection: asks about shipments whose callbacks are overdue, round after round."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import POLL_OVERDUE, ConnectionRef
from shared.contracts.workflows import POLLING, PollingInput
from workflows.calls import call, show
from workflows.nudged import Nudged


@workflow.defn(name=POLLING.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class CarrierPollingWorkflow(Nudged):
    """Which shipments are overdue, and when the next one will be, is the database's knowledge."""

    @workflow.run
    async def run(self, input: PollingInput) -> None:
        """Until the connection is deleted."""
        connection = ConnectionRef(connection_id=input.connection_id)
        while True:
            self.nudged = False
            advance = await call(POLL_OVERDUE, connection)
            show(advance.view)
            if advance.done:
                return
            await self.wait(advance.next_due, summary="next round")
            if await self.is_long(history_limit=input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))
