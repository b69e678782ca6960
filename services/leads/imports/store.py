"""Imports in the database: their rows are staged, then move to the raw inbox page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg
import orjson

from services.leads.driver import Connection, Pool
from services.leads.imports.rows import Row, rows_of
from services.leads.intake.items import Origin
from services.leads.workbook.columns import Field
from services.leads.workbook.sheets import Sheet, SheetHeader
from shared.workbook.headings import Column

Mode = Literal["import", "dry_run"]
State = Literal["running", "checked", "done", "cancelled", "failed", "undoing", "undone"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A workbook that was checked and is to be imported, or only tried."""

    id: UUID
    file_name: str
    file_hash: bytes
    header: SheetHeader
    columns: tuple[Column[Field], ...]
    header_key: str
    origin: Origin
    uploader: str
    received_at: datetime
    mode: Mode
    only_new: bool
    may_distribute: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The import that a file had before."""

    id: UUID
    state: State
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of rows."""

    leads: int = 0
    duplicates: int = 0
    rejected: int = 0
    repeated: int = 0


_INSERT: Final = """
INSERT INTO imports (id, file_name, file_hash, source_id, uploaded_by, uploader, marketer, asked, sheet, columns, row_count,
    created_at, received_at, mode, only_new, may_distribute, header_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, 0, $11, $11, $12, $13, $14, $15)
ON CONFLICT (file_hash) WHERE mode = 'import' AND NOT only_new AND state <> 'undone' DO NOTHING RETURNING id
"""
_COUNT: Final = "UPDATE imports SET row_count = $2 WHERE id = $1"
_KNOWN: Final = """
SELECT id, state, created_at FROM imports
WHERE file_hash = $1 AND mode = 'import' AND NOT only_new AND state <> 'undone'
"""
_LOAD: Final = """
SELECT id, state, mode, only_new, may_distribute, source_id, uploaded_by, uploader, marketer, asked, columns, received_at,
    row_count, rows_done, leads, duplicates, rejected, repeated, row_cursor, undone, undo_by, undo_reason, round, undo_round
FROM imports WHERE id = $1
"""
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, $2))"
_WANTED: Final = "SELECT row_cursor <= $2 FROM imports WHERE id = $1 AND state = 'running'"
_HOLD: Final = "SELECT row_cursor FROM imports WHERE id = $1 AND state = 'running' AND mode = $2 FOR NO KEY UPDATE"
_STAGED: Final = """
SELECT numbers, lines FROM import_pages WHERE import_id = $1 AND first_row > $2 ORDER BY first_row LIMIT 1
"""
_UNSTAGE: Final = "DELETE FROM import_pages WHERE import_id = $1 AND first_row = $2"
_ADVANCE: Final = """
UPDATE imports SET row_cursor = $2, rows_done = rows_done + $3 + $4 + $5 + $6, leads = leads + $3,
    duplicates = duplicates + $4, rejected = rejected + $5, repeated = repeated + $6
WHERE id = $1
"""
_FINISH: Final = """
UPDATE imports SET state = CASE mode WHEN 'import' THEN 'done' ELSE 'checked' END, finished_at = now()
WHERE id = $1 AND state = 'running' AND mode = $2
    AND NOT EXISTS (SELECT 1 FROM import_pages WHERE import_id = $1 AND first_row > row_cursor)
"""
_FORGET_TRIAL: Final = "DELETE FROM import_trial_windows WHERE import_id = $1"
_FORGET_VERDICTS: Final = "DELETE FROM import_verdicts WHERE import_id = $1"
_FAIL: Final = """
UPDATE imports SET state = 'failed', problem_vi = $2, problem_en = $3, finished_at = now()
WHERE id = $1 AND state = 'running'
"""
_CANCEL: Final = """
UPDATE imports SET state = 'cancelled', finished_at = now() WHERE id = $1 AND state = 'running' RETURNING 1
"""
_RESUME: Final = """
UPDATE imports SET state = 'running', problem_vi = '', problem_en = '', finished_at = NULL, round = round + 1
WHERE id = $1 AND state IN ('failed', 'cancelled')
    AND (rows_done = row_count OR EXISTS (SELECT 1 FROM import_pages WHERE import_id = $1 AND first_row > row_cursor))
RETURNING round
"""
_TAKE_IN: Final = """
UPDATE imports SET mode = 'import', state = 'running', received_at = $2, row_cursor = 0, rows_done = 0, leads = 0,
    duplicates = 0, rejected = 0, repeated = 0, finished_at = NULL, problem_vi = '', problem_en = '', round = round + 1,
    only_new = $3
WHERE id = $1 AND mode = 'dry_run' AND state IN ('checked', 'cancelled', 'failed')
    AND EXISTS (SELECT 1 FROM import_pages WHERE import_id = $1)
    AND NOT EXISTS (SELECT 1 FROM imports o WHERE o.file_hash = imports.file_hash AND o.mode = 'import'
                    AND NOT o.only_new AND o.state <> 'undone' AND NOT $3)
RETURNING round
"""


async def add(connection: Connection, upload: Upload) -> bool:
    """Keeps an upload without its rows, in the caller's transaction; False when the same file came before.

    Waits for another transaction that is just keeping the same file.
    """
    origin = upload.origin
    added = await connection.fetchval(
        _INSERT,
        upload.id,
        upload.file_name,
        upload.file_hash,
        origin.source_id,
        origin.created_by,
        upload.uploader,
        origin.marketer,
        origin.asked_to_be_called,
        upload.header.sheet,
        orjson.dumps([(column.label, column.field) for column in upload.columns]).decode(),
        upload.received_at,
        upload.mode,
        upload.only_new,
        upload.may_distribute,
        upload.header_key,
    )
    return added is not None


async def stage(connection: Connection, import_id: UUID, sheet: Sheet) -> None:
    """Copies a sheet's rows next to their import, as a stream: memory is that of one page.

    Raises:
        WorkbookRefused: there is something wrong with them; the caller's transaction is void.
    """
    rows = 0

    async def records() -> AsyncIterator[tuple[UUID, int, list[int], bytes]]:
        nonlocal rows
        async for page in sheet.pages():
            rows += len(page.numbers)
            yield import_id, page.numbers[0], page.numbers, page.lines

    columns = ("import_id", "first_row", "numbers", "lines")
    await connection.copy_records_to_table("import_pages", records=records(), columns=columns)
    await connection.execute(_COUNT, import_id, rows)


async def known(connection: Connection | Pool, file_hash: bytes) -> Known | None:
    """The import of the same file, unless it was undone or took only what was new."""
    row = await connection.fetchrow(_KNOWN, file_hash)
    return Known(**row) if row else None


async def load(connection: Connection | Pool, import_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(_LOAD, import_id)
    assert row is not None, "imports are never deleted"
    return row


def columns_of(row: asyncpg.Record) -> tuple[tuple[str, Field | None], ...]:
    """Label and meaning of an import's columns, in the order of its rows' cells."""
    return tuple((label, field) for label, field in orjson.loads(row["columns"]))


async def begin_chunk(connection: Connection, import_id: UUID, *, after: int) -> bool:
    """Has the rows behind a place to itself until the commit; False when they have their verdicts, or the import no longer
    runs. Waits for another process that is just taking them in."""
    await connection.execute(_ALONE, str(import_id), after)
    return bool(await connection.fetchval(_WANTED, import_id, after))


async def hold(connection: Connection, import_id: UUID, mode: Mode) -> int | None:
    """Excel's number of the last row that has its verdict, held until the commit; None when the import no longer runs."""
    cursor: int | None = await connection.fetchval(_HOLD, import_id, mode)
    return cursor


async def staged(pool: Pool, import_id: UUID, *, after: int) -> list[Row]:
    """The next page of rows without a verdict; none behind the last."""
    page = await pool.fetchrow(_STAGED, import_id, after)
    return rows_of(page["numbers"], page["lines"]) if page is not None else []


async def unstage(connection: Connection, import_id: UUID, *, first: int) -> None:
    """Takes the page away that begins with this row: its rows are in the raw inbox now, or known from an earlier import."""
    await connection.execute(_UNSTAGE, import_id, first)


async def advance(connection: Connection, import_id: UUID, counts: Counts, *, to: int) -> None:
    """Counts rows that got their verdicts within the same transaction, and moves behind the last of them."""
    await connection.execute(_ADVANCE, import_id, to, counts.leads, counts.duplicates, counts.rejected, counts.repeated)


async def finish(pool: Pool, import_id: UUID, mode: Mode) -> None:
    """Ends an import all of whose rows have their verdict."""
    await pool.execute(_FINISH, import_id, mode)
    if mode == "dry_run":
        await pool.execute(_FORGET_TRIAL, import_id)


async def fail(pool: Pool, import_id: UUID, *, vi: str, en: str) -> None:
    """Ends an import that cannot go on; the rows taken in so far stay."""
    await pool.execute(_FAIL, import_id, vi, en)


async def cancel(connection: Connection, import_id: UUID) -> bool:
    """Stops an import behind the chunk that is being taken in now; False when it does not run."""
    return await connection.fetchval(_CANCEL, import_id) is not None


async def resume(connection: Connection, import_id: UUID) -> int | None:
    """Lets an import go on behind its last row. Returns the round of its workflow; None when there is nothing to resume."""
    round: int | None = await connection.fetchval(_RESUME, import_id)
    return round


async def take_in(connection: Connection, import_id: UUID, *, at: datetime, only_new: bool) -> int | None:
    """Makes an import of a dry run that has ended. Returns the round of its workflow; None when it is none, or its file
    was imported meanwhile."""
    round: int | None = await connection.fetchval(_TAKE_IN, import_id, at, only_new)
    if round is not None:
        await connection.execute(_FORGET_TRIAL, import_id)
        await connection.execute(_FORGET_VERDICTS, import_id)
    return round


KEPT_DAYS: Final = 30
"""Rows of uploads that were only tried, or not taken in to their end, are somebody's numbers: so long may they be wanted."""
_FORGET: Final = """
DELETE FROM import_pages x USING (
    SELECT p.import_id, p.first_row FROM imports i JOIN import_pages p ON p.import_id = i.id
    WHERE i.finished_at < now() - $1 * interval '1 day' AND (i.mode = 'dry_run' OR p.first_row > i.row_cursor)
    LIMIT $2
) old WHERE (x.import_id, x.first_row) = (old.import_id, old.first_row)
"""
_FORGET_TRIED: Final = """
DELETE FROM import_verdicts x USING (
    SELECT v.import_id, v.row_no FROM imports i JOIN import_verdicts v ON v.import_id = i.id
    WHERE i.finished_at < now() - $1 * interval '1 day' AND i.mode = 'dry_run'
    LIMIT $2
) old WHERE (x.import_id, x.row_no) = (old.import_id, old.row_no)
"""


async def forget_old(pool: Pool, *, pages: int, verdicts: int) -> None:
    """Deletes staged rows, and verdicts of dry runs, that nobody has wanted for `KEPT_DAYS`; their imports and counts stay.

    Args:
        pages, verdicts: how many at most.
    """
    await pool.execute(_FORGET, KEPT_DAYS, pages)
    await pool.execute(_FORGET_TRIED, KEPT_DAYS, verdicts)


_PHONE_LABELS: Final = """
SELECT DISTINCT label FROM (
    SELECT c.key AS label FROM import_mappings, jsonb_each_text(columns) AS c WHERE c.value = 'phone'
    ORDER BY updated_at DESC LIMIT 200
) AS labels
"""
_MAPPING: Final = "SELECT columns FROM import_mappings WHERE header_key = $1"
_REMEMBER: Final = """
INSERT INTO import_mappings (header_key, labels, columns, updated_by, updated_at)
VALUES ($1, $2::jsonb, $3::jsonb, $4, now())
ON CONFLICT (header_key) DO UPDATE SET columns = excluded.columns, labels = excluded.labels,
    updated_by = excluded.updated_by, updated_at = excluded.updated_at
"""


async def phone_labels(pool: Pool) -> list[str]:
    """Names that the company has said are phone columns."""
    return [row["label"] for row in await pool.fetch(_PHONE_LABELS)]


async def mapping(pool: Pool, header_key: str) -> dict[str, Field | None] | None:
    """How files with this header are read: label → meaning, None if nobody has said."""
    found = await pool.fetchval(_MAPPING, header_key)
    return orjson.loads(found) if found else None


async def remember(
    connection: Connection | Pool,
    header_key: str,
    labels: Sequence[str],
    wanted: Mapping[str, Field | None],
    *,
    by: str,
) -> None:
    """Keeps how files with this header are read from now on."""
    await connection.execute(
        _REMEMBER, header_key, orjson.dumps(list(labels)).decode(), orjson.dumps(dict(wanted)).decode(), by
    )
