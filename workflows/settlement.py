"""One statement of a carrier, until its lines are compared and its money is on the bank account."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import SETTLEMENT_ADVANCE, StatementRef
from shared.contracts.workflows import SETTLEMENT, SettlementInput
from workflows.nudged import Nudged


@workflow.defn(name=SETTLEMENT.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class SettlementWorkflow(Nudged):
    """Turn after turn until every line is compared; then it waits for the bank, of whose credits a nudge tells."""

    @workflow.run
    async def run(self, input: SettlementInput) -> None:
        await self.go_round(SETTLEMENT_ADVANCE, StatementRef(statement_id=input.statement_id), input=input)
