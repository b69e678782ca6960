"""Takes imports in, chunk by chunk: each chunk's items and the place behind it are committed together, so that whoever
goes on after a crash, here or elsewhere, begins exactly behind the last committed row."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.driver import Connection
from services.leads.imports import store
from services.leads.imports.rows import Import, item_of
from services.leads.intake import raw
from services.leads.intake.accept import accept
from services.leads.intake.batcher import INTERNAL
from services.leads.intake.items import Item, Origin, Verdict
from services.leads.sources import Sources
from services.leads.workbook.errors import WorkbookRefused
from services.leads.workbook.reading import CHUNK_ROWS, Sheet, open_sheet
from shared.db import Database, is_unavailable
from shared.errors import Problem
from shared.telemetry import correlated, logger

log = logger(__name__)

PAUSE: Final = 1.0
"""Seconds between looks for imports that nobody works on, when no upload woke us."""


class Runner:
    """Works on imports until cancelled, one at a time. Several processes share them.

    Args:
        db: the service's database.
        sources: to find those that rows name.
        window: length of the duplicate window.
        arrived: set when an upload was kept.
    """

    def __init__(self, db: Database, *, sources: Sources, window: timedelta, arrived: asyncio.Event) -> None:
        self._db = db
        self._sources = sources
        self._window = window
        self._arrived = arrived

    async def run(self) -> None:
        while True:
            self._arrived.clear()
            if await self.step():
                continue
            try:
                await asyncio.wait_for(self._arrived.wait(), PAUSE)
            except TimeoutError:
                pass

    async def step(self) -> bool:
        """Works on one import until its end; False when there is none to work on."""
        import_id = await store.claim(await self._db.driver())
        if import_id is None:
            return False
        with correlated(str(import_id)):
            async with self._lease(import_id):
                await self._work(import_id)
        return True

    @asynccontextmanager
    async def _lease(self, import_id: UUID) -> AsyncIterator[None]:
        """Keeps the import to ourselves, and gives it back whatever happens."""
        pool = await self._db.driver()

        async def keep() -> None:
            while True:
                await asyncio.sleep(store.LEASE / 3)
                await store.renew(pool, import_id)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await store.leave(pool, import_id)

    async def _work(self, import_id: UUID) -> None:
        pool = await self._db.driver()
        try:
            rows = await self._take_in(import_id)
        except WorkbookRefused as refusal:
            await store.fail(pool, import_id, vi=refusal.detail("vi"), en=refusal.detail("en"))
        except Exception as error:
            if is_unavailable(error):
                raise
            log.exception("import failed", import_id=str(import_id))
            ours = Problem()
            await store.fail(pool, import_id, vi=ours.detail("vi"), en=ours.detail("en"))
        else:
            if rows is not None:
                await store.finish(pool, import_id, rows=rows)

    async def _take_in(self, import_id: UUID) -> int | None:
        """Takes in what is left of an import. Returns how many rows it has; None when another process went on with it."""
        row = await store.load(await self._db.driver(), import_id)
        of = await self._describe(row)
        with tempfile.TemporaryDirectory(prefix="chot-import-") as directory:
            path = Path(directory) / "upload.xlsx"
            await asyncio.to_thread(path.write_bytes, row["content"])
            async with open_sheet(path) as sheet:
                return await self._take_in_sheet(sheet, of, done=row["rows_done"])

    async def _describe(self, row: asyncpg.Record) -> Import:
        source = await self._sources.by_id(row["source_id"]) if row["source_id"] else None
        plain = Origin("excel", source_id=row["source_id"])
        origin = source.origin() if source else plain
        origin = replace(
            origin, marketer=row["marketer"], asked_to_be_called=row["asked"], created_by=row["uploaded_by"]
        )
        return Import(
            row["id"],
            row["created_at"],
            origin,
            source.product if source else "",
            await self._sources.by_name(),
            correlation_id=str(row["id"]),
        )

    async def _take_in_sheet(self, sheet: Sheet, of: Import, *, done: int) -> int | None:
        seen = 0
        async for rows in sheet:
            fresh = rows[max(0, done - seen) :]
            seen += len(rows)
            for start in range(0, len(fresh), CHUNK_ROWS):
                chunk = [item_of(row, sheet.header, of) for row in fresh[start : start + CHUNK_ROWS]]
                place = seen - len(fresh) + start
                if not await self._take_in_chunk(of.id, chunk, place=place):
                    return None
        return seen

    async def _take_in_chunk(self, import_id: UUID, items: Sequence[Item], *, place: int) -> bool:
        """Takes a chunk in and moves the import's place behind it; False when another process has gone on meanwhile."""
        pool = await self._db.driver()
        async with pool.acquire() as connection, connection.transaction():
            if await store.place(connection, import_id) != place:
                return False
            verdicts = await self._accept(connection, items)
            counts = Counter(verdict.verdict for verdict in verdicts)
            await store.advance(
                connection,
                import_id,
                leads=counts["lead"],
                duplicates=counts["duplicate"],
                rejected=counts["rejected"],
            )
        self._db.wake_relay()
        return True

    async def _accept(self, connection: Connection, items: Sequence[Item]) -> list[Verdict]:
        """All items together; if that fails, each alone, and one that fails alone is kept as a rejection."""
        try:
            async with connection.transaction():
                accepted = await accept(connection, items, window=self._window)
                return [outcome for outcome in accepted.outcomes if isinstance(outcome, Verdict)]
        except Exception as error:
            if is_unavailable(error):
                raise
            if len(items) > 1:
                return [(await self._accept(connection, [item]))[0] for item in items]
            if items[0].content == INTERNAL:
                raise
            log.exception("row could not be taken in", item=str(items[0].id))
            return await self._accept(connection, [raw.unprocessed(items[0], INTERNAL)])
