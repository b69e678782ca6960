"""What the workflows of imports ask of this service. Each activity may run twice; the database lets it take effect once."""

from __future__ import annotations

from temporalio import activity

from services.leads.imports.live import topic_of
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
from shared.streams import Hints
from shared.temporal import beating, implements


class ImportActivities:
    """The activities over one database."""

    def __init__(self, turns: Turns, undo: Undo, hints: Hints) -> None:
        self._turns = turns
        self._undo = undo
        self._hints = hints

    @implements(IMPORT_ADVANCE)
    async def advance(self, ref: ImportRef) -> Advance:
        """Goes on with an import for one turn."""

        async def beat(last_row: int) -> None:
            activity.heartbeat(last_row)
            await self._hints.tell(topic_of(ref.import_id))

        async with beating():
            row = await self._turns.take(ref.import_id, beat=beat)
        await self._hints.tell(topic_of(ref.import_id))
        return Advance(done=row["state"] != "running", outcome=row["state"], view=view(dict(row)))

    @implements(IMPORT_UNDO_CHOOSE)
    async def choose(self, place: UndoPlace) -> UndoBatch:
        return await self._undo.choose(place)

    @implements(IMPORT_UNDO_REMOVE)
    async def remove(self, batch: UndoBatch) -> Advance:
        row = await self._undo.remove(batch)
        await self._hints.tell(topic_of(batch.import_id))
        return Advance(done=row["state"] != "undoing", outcome=row["state"], view=view(dict(row)))
