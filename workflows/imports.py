"""One workbook, from its upload until every row has its verdict; and the same in reverse."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import (
    IMPORT_ADVANCE,
    IMPORT_UNDO_CHOOSE,
    IMPORT_UNDO_REMOVE,
    ORDERS_WITHDRAW,
    ImportRef,
    UndoPlace,
)
from shared.contracts.workflows import IMPORT, IMPORT_UNDO, ImportInput
from workflows.calls import call, show
from workflows.length import go_on_as_new, is_long
from workflows.turns import take_turns


@workflow.defn(name=IMPORT.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ImportWorkflow:
    """Turn after turn: the rows, and how far they are, are the database's. Cancelling is a row there as well."""

    @workflow.run
    async def run(self, input: ImportInput) -> str:
        """How the import ended: done, checked (a dry run), cancelled, failed."""
        return await take_turns(
            IMPORT_ADVANCE, ImportRef(import_id=input.import_id), summary="the next rows", input=input
        )


@workflow.defn(name=IMPORT_UNDO.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ImportUndoWorkflow:
    """Batch after batch from the last row up: leads says what nobody has touched, orders takes back what nobody has
    worked on, leads removes what orders has taken back. Each step may be repeated; none can be skipped."""

    @workflow.run
    async def run(self, input: ImportInput) -> str:
        """How it ended: undone."""
        place = UndoPlace(import_id=input.import_id, before_row=0)
        while True:
            batch = await call(IMPORT_UNDO_CHOOSE, place, summary="what nobody has touched")
            if batch.lead_ids or batch.duplicate_ids:
                batch = await call(ORDERS_WITHDRAW, batch, summary="orders nobody has worked on")
            advance = await call(IMPORT_UNDO_REMOVE, batch, summary="out of leads")
            show(advance.view)
            if advance.done:
                return advance.outcome
            place = UndoPlace(import_id=input.import_id, before_row=batch.first_row)
            # Undone rows are not chosen again, so a new run may begin at the end once more.
            if is_long(input):
                go_on_as_new(input)
