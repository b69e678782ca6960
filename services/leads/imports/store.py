"""Imports in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text

from services.leads.driver import Connection, Pool
from services.leads.intake.items import Origin
from services.leads.workbook.reading import SheetHeader
from shared.db import ReadSession

LEASE: Final = 15.0
"""Seconds after which an import whose process died is taken up by another."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A workbook that was checked and is to be imported."""

    id: UUID
    file_name: str
    file_hash: bytes
    content: bytes
    header: SheetHeader
    origin: Origin
    uploader: str
    received_at: datetime


_INSERT: Final = """
INSERT INTO imports (id, file_name, file_hash, source_id, uploaded_by, uploader, marketer, asked, sheet, columns, row_count,
    created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12)
ON CONFLICT (file_hash) DO NOTHING RETURNING id
"""
# A file whose import failed may be sent again: it goes on behind the last row that was taken in.
_REVIVE: Final = """
UPDATE imports SET state = 'running', problem_vi = '', problem_en = '', finished_at = NULL
WHERE file_hash = $1 AND state = 'failed' RETURNING id
"""
_BY_HASH: Final = "SELECT id FROM imports WHERE file_hash = $1"
_KEEP_FILE: Final = "INSERT INTO import_files (import_id, content) VALUES ($1, $2) ON CONFLICT (import_id) DO NOTHING"
_CLAIM: Final = """
UPDATE imports SET lease_until = now() + $1 * interval '1 second'
WHERE id = (SELECT id FROM imports WHERE state = 'running' AND lease_until < now() ORDER BY id LIMIT 1
            FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_RENEW: Final = "UPDATE imports SET lease_until = now() + $2 * interval '1 second' WHERE id = $1"
_LEAVE: Final = "UPDATE imports SET lease_until = '-infinity' WHERE id = $1"
_LOAD: Final = """
SELECT i.id, i.source_id, i.uploaded_by, i.marketer, i.asked, i.created_at, i.rows_done, f.content
FROM imports i JOIN import_files f ON f.import_id = i.id WHERE i.id = $1
"""
_PLACE: Final = "SELECT rows_done FROM imports WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE"
_ADVANCE: Final = """
UPDATE imports SET rows_done = rows_done + $2 + $3 + $4, leads = leads + $2, duplicates = duplicates + $3,
    rejected = rejected + $4, lease_until = now() + $5 * interval '1 second'
WHERE id = $1
"""
_FINISH: Final = """
WITH done AS (
    UPDATE imports SET state = 'done', finished_at = now() WHERE id = $1 AND state = 'running' AND rows_done = $2 RETURNING id
)
DELETE FROM import_files USING done WHERE import_id = done.id
"""
_FAIL: Final = """
UPDATE imports SET state = 'failed', problem_vi = $2, problem_en = $3, finished_at = now()
WHERE id = $1 AND state = 'running'
"""


async def add(connection: Connection, upload: Upload) -> tuple[UUID, bool]:
    """Keeps an upload, in the caller's transaction.

    Returns:
        Its import, and whether there is something to do; False when the same file came before and is done or running.
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
        orjson.dumps([(column.label, column.field) for column in upload.header.columns]).decode(),
        upload.header.row_count,
        upload.received_at,
    )
    started = added or await connection.fetchval(_REVIVE, upload.file_hash)
    if started is None:
        return await connection.fetchval(_BY_HASH, upload.file_hash), False
    await connection.execute(_KEEP_FILE, started, upload.content)
    return started, True


async def known(pool: Pool, file_hash: bytes) -> UUID | None:
    """The import of the same file, unless it failed."""
    found: UUID | None = await pool.fetchval(_BY_HASH + " AND state <> 'failed'", file_hash)
    return found


async def claim(pool: Pool) -> UUID | None:
    """Takes the oldest import that nobody works on."""
    found: UUID | None = await pool.fetchval(_CLAIM, LEASE)
    return found


async def renew(pool: Pool, import_id: UUID) -> None:
    await pool.execute(_RENEW, import_id, LEASE)


async def leave(pool: Pool, import_id: UUID) -> None:
    """Lets another process take the import up at once."""
    await pool.execute(_LEAVE, import_id)


async def load(pool: Pool, import_id: UUID) -> asyncpg.Record:
    """An import with its file."""
    row = await pool.fetchrow(_LOAD, import_id)
    assert row is not None, "a running import has its file"
    return row


async def place(connection: Connection, import_id: UUID) -> int | None:
    """How many rows are done, held until the commit; None when the import no longer runs."""
    done: int | None = await connection.fetchval(_PLACE, import_id)
    return done


async def advance(connection: Connection, import_id: UUID, *, leads: int, duplicates: int, rejected: int) -> None:
    """Counts rows that were taken in within the same transaction."""
    await connection.execute(_ADVANCE, import_id, leads, duplicates, rejected, LEASE)


async def finish(pool: Pool, import_id: UUID, *, rows: int) -> None:
    """Ends an import all of whose rows are done; its file is needed no more."""
    await pool.execute(_FINISH, import_id, rows)


async def fail(pool: Pool, import_id: UUID, *, vi: str, en: str) -> None:
    """Ends an import that cannot go on; the rows taken in so far stay."""
    await pool.execute(_FAIL, import_id, vi, en)


_SELECT: Final = """
SELECT id, file_name, source_id, uploaded_by, uploader, sheet, columns, row_count, rows_done, leads, duplicates, rejected,
    state, problem_vi, problem_en, created_at, finished_at
FROM imports WHERE (:everything OR uploaded_by = ANY(CAST(:people AS uuid[])))
"""
_ONE: Final = text(_SELECT + " AND id = :id")
_PAGE: Final = text(
    _SELECT + " AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid)) ORDER BY id DESC LIMIT :limit"
)
_ROWS: Final = text(
    """
SELECT r.id, r.row_no, r.verdict, r.reason, r.reason_vi, r.reason_en, r.body, l.anchor_id, a.received_at AS anchor_at,
    CASE WHEN a.import_id = r.import_id THEN a.row_no END AS anchor_row
FROM raw_items r LEFT JOIN leads l ON l.id = r.id LEFT JOIN raw_items a ON a.id = l.anchor_id
WHERE r.import_id = :id AND r.row_no > :after AND CAST(:verdict AS text) IN ('', r.verdict)
ORDER BY r.row_no LIMIT :limit
"""
)


async def one(session: ReadSession, import_id: UUID, *, everything: bool, people: Sequence[UUID]) -> Any | None:
    """An import, if one of these people uploaded it."""
    found = await session.execute(_ONE, {"id": import_id, "everything": everything, "people": people})
    return found.one_or_none()


async def page(
    session: ReadSession, *, everything: bool, people: Sequence[UUID], after: UUID | None, limit: int
) -> Sequence[Any]:
    """Imports, newest first."""
    values = {"everything": everything, "people": people, "after": after, "limit": limit}
    return (await session.execute(_PAGE, values)).all()


async def rows(session: ReadSession, import_id: UUID, *, verdict: str = "", after: int, limit: int) -> Sequence[Any]:
    """Rows that were taken in, in the order of the sheet.

    Args:
        after: Excel's number of the last row of the page before.
    """
    values = {"id": import_id, "verdict": verdict, "after": after, "limit": limit}
    return (await session.execute(_ROWS, values)).all()
