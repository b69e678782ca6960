"""What the workflows of imports ask of this service. Each activity may run twice; the database lets it take effect once."""

from __future__ import annotations

from temporalio import activity

from services.leads.imports.turn import Turns
from services.leads.imports.undo import Undo
from services.leads.imports.views import view
from shared.contracts.activities import (
    IMPORT_ADVANCE,
    IMPORT_UNDO_CHOOSE,
    IMPORT_UNDO_REMOVE,
    Advance,
    ImportRef,
    UndoBatch,
    UndoPlace,
)
from shared.temporal import beating, implements


class ImportActivities:
    """The activities over one database."""

    def __init__(self, turns: Turns, undo: Undo) -> None:
        self._turns = turns
        self._undo = undo

    @implements(IMPORT_ADVANCE)
    async def advance(self, ref: ImportRef) -> Advance:
        """Goes on with an import for one turn."""
        async with beating():
            row = await self._turns.take(ref.import_id, beat=activity.heartbeat)
        return Advance(done=row["state"] != "running", outcome=row["state"], view=view(dict(row)))

    @implements(IMPORT_UNDO_CHOOSE)
    async def choose(self, place: UndoPlace) -> UndoBatch:
        return await self._undo.choose(place)

    @implements(IMPORT_UNDO_REMOVE)
    async def remove(self, batch: UndoBatch) -> Advance:
        row = await self._undo.remove(batch)
        return Advance(done=row["state"] != "undoing", outcome=row["state"], view=view(dict(row)))
