"""Slips or labels of many parcels, until they are one PDF."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import PRINT_ADVANCE, PrintRef
from shared.contracts.workflows import PRINT, PrintInput
from workflows.nudged import Nudged


@workflow.defn(name=PRINT.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PrintWorkflow(Nudged):
    """Turn after turn: which pages there are is the database's."""

    @workflow.run
    async def run(self, input: PrintInput) -> None:
        await self.go_round(PRINT_ADVANCE, PrintRef(print_id=input.print_id), input=input)
