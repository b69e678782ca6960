"""One carrier connection: asks about shipments whose callbacks are overdue, round after round."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import POLL_OVERDUE, ConnectionRef
from shared.contracts.workflows import POLLING, PollingInput
from workflows.nudged import Nudged


@workflow.defn(name=POLLING.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class CarrierPollingWorkflow(Nudged):
    """Which shipments are overdue, and when the next one will be, is the database's knowledge."""

    @workflow.run
    async def run(self, input: PollingInput) -> None:
        """Until the connection is deleted."""
        await self.go_round(POLL_OVERDUE, ConnectionRef(connection_id=input.connection_id), input=input)
