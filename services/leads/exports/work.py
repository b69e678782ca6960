"""Writes workbooks of leads: pages from the database to a child process, its file into the database."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson
from sqlalchemy import literal_column

from services.leads.driver import Connection, write_outbox
from services.leads.exports import store
from services.leads.exports.columns import COLUMNS, Reader, cells, headings
from services.leads.exports.frames import LENGTH
from services.leads.exports.live import topic_of
from services.leads.jobs import JobWorker
from services.leads.listing import query, words
from services.leads.listing.cursor import Place
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import SHOWN, Viewer, people_below
from shared.contracts.events.leads_everyday import EXPORT_MADE, ExportMade
from shared.db import Database, is_unavailable
from shared.errors import Language
from shared.outbox import event_row
from shared.streams import Hints
from shared.telemetry import logger

log = logger(__name__)

PAGE: Final = 1_000
"""Leads read at a time: what one process has of them in memory."""
WITHIN: Final = 60
"""Seconds for one page."""
ATTEMPTS: Final = 3
"""Beginnings of one export whose process died; with so many deaths before its own end, it is what makes them. Processes
that are told to stop, as for a new version, do not count."""
FORGET_EVERY: Final = 60.0
"""Seconds between looks for workbooks whose day is over."""

_SHEET: Final[dict[Language, str]] = {"vi": "Danh sách số", "en": "Leads"}
_ROWS: Final = SHOWN.add_columns(
    literal_column("(SELECT s.name FROM sources s WHERE s.id = leads.source_id)").label("source_name"),
    literal_column("(SELECT a.at FROM assignments a WHERE a.lead_id = leads.id AND a.assignment = 1)").label(
        "first_assigned_at"
    ),
)
_ROOT: Final = Path(__file__).resolve().parents[3]


class WriterFailed(Exception):
    """The child that writes ended before the workbook was whole."""


class ExportWorker(JobWorker):
    """Works on exports.

    Args:
        db: the service's database.
        arrived: set when somebody asks for one.
        zone: in which times are written.
        hints: tell the streams that follow an export how far it is.
    """

    table = "exports"
    open = "state = 'running'"

    def __init__(self, db: Database, *, arrived: asyncio.Event, zone: str, hints: Hints) -> None:
        super().__init__(db, arrived=arrived)
        self._zone = ZoneInfo(zone)
        self._hints = hints
        self._forgot_at = float("-inf")

    async def step(self) -> bool:
        if time.monotonic() - self._forgot_at > FORGET_EVERY:
            await store.forget_expired(await self.db.driver())
            self._forgot_at = time.monotonic()
        return await super().step()

    async def work(self, job_id: UUID) -> bool:
        pool = await self.db.driver()
        job = await store.load(pool, job_id)
        if job is None:
            return True
        try:
            if job["attempts"] > ATTEMPTS:
                raise WriterFailed
            await self._export(job)
        except asyncio.CancelledError:
            await store.not_counted(pool, job_id)
            raise
        except Exception as error:
            if is_unavailable(error):
                raise
            log.exception("export failed", export_id=str(job_id))
            await store.fail(pool, job_id)
        await self._hints.tell(topic_of(job_id))
        return True

    async def _export(self, job: asyncpg.Record) -> None:
        with tempfile.TemporaryDirectory(prefix="chot-export-") as directory:
            path = Path(directory) / "leads.xlsx"
            rows = await self._write(job, path)
            pool = await self.db.driver()
            async with pool.acquire() as connection, connection.transaction():
                await _keep(connection, job, path, rows=rows)
        self.db.wake_relay()

    async def _write(self, job: asyncpg.Record, path: Path) -> int:
        pool = await self.db.driver()
        filters = LeadFilters.model_validate_json(job["filters"])
        reader = Reader(job["language"], self._zone, job["with_numbers"])
        written = 0
        async with _writer(path) as writer:
            about = {
                "sheet": _SHEET[reader.language],
                "headings": headings(reader.language),
                "kinds": [column.kind for column in COLUMNS],
                "widths": [column.width for column in COLUMNS],
                "rows": job["expected"],
            }
            await _send(writer, about)
            async for page in self._pages(job, filters):
                await _send(writer, await asyncio.to_thread(lambda rows: [cells(row, reader) for row in rows], page))
                written += len(page)
                await store.progress(pool, job["id"], written)
                await self._hints.tell(topic_of(job["id"]))
            await _send(writer, "end")
        return written

    async def _pages(self, job: asyncpg.Record, filters: LeadFilters) -> AsyncIterator[list[Any]]:
        sees = orjson.loads(job["sees"])
        if filters.search() is not None:
            # A file is for good: it is not to lack what was imported a moment before.
            async with (await self.db.driver()).acquire() as connection:
                await words.catch_up_with_all(connection)
        after: Place | None = None
        while True:
            async with self.db.read() as session:
                people, codes = await people_below(session, job["by_id"], job["by"])
                viewer = Viewer(
                    everything=sees["everything"], unassigned=sees["unassigned"], people=people, codes=codes
                )
                rows = await query.page(
                    session, viewer, filters, order="oldest", after=after, limit=PAGE, columns=_ROWS, within=WITHIN
                )
            if rows:
                yield list(rows)
            if len(rows) < PAGE:
                return
            after = query.place_of(rows[-1], "oldest")


async def _keep(connection: Connection, job: asyncpg.Record, path: Path, *, rows: int) -> None:
    size = 0
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, store.PIECE):
            await store.put(connection, job["id"], size // store.PIECE, piece)
            size += len(piece)
    now = datetime.now(UTC)
    if not await store.finish(connection, job["id"], rows=rows, size=size, at=now):
        raise WriterFailed  # finished elsewhere: the pieces must not be doubled
    fact = ExportMade(
        export_id=job["id"],
        at=now,
        by_id=job["by_id"],
        by=job["by"],
        filters=tuple(sorted(orjson.loads(job["filters"]))),
        rows=rows,
        with_numbers=job["with_numbers"],
    )
    await write_outbox(connection, [event_row(EXPORT_MADE, fact, subject=job["id"])])


@asynccontextmanager
async def _writer(path: Path) -> AsyncIterator[Process]:
    """The child; when the block ends without an error, the workbook is whole.

    Raises:
        WriterFailed: it is not.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.leads.exports.child", str(path), stdin=PIPE, cwd=_ROOT
    )
    try:
        yield child
        assert child.stdin is not None, "it was asked for"
        child.stdin.close()
        if await child.wait() != 0:
            raise WriterFailed
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _send(child: Process, frame: Any) -> None:
    content = orjson.dumps(frame)
    assert child.stdin is not None, "it was asked for"
    child.stdin.write(LENGTH.pack(len(content)) + content)
    try:
        await child.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        raise WriterFailed from None
