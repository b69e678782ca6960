"""Exports in the database: who asked for what, and the finished workbook in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.driver import Connection, Pool
from services.leads.listing.filters import LeadFilters
from shared.db import Database, ReadSession, Session
from shared.errors import Language

KEPT: Final = timedelta(days=1)
"""How long a workbook can be downloaded."""
PIECE: Final = 1 << 20
"""Bytes of one piece: what one request of the driver carries comfortably."""

_COLUMNS: Final = """
id, by_id, by, filters, with_numbers, language, state, expected, rows, bytes, created_at, finished_at, expires_at
"""
_INSERT: Final = text(
    """
INSERT INTO exports (id, by_id, by, filters, sees, with_numbers, language, expected, created_at)
VALUES (:id, :by_id, :by, CAST(:filters AS jsonb), CAST(:sees AS jsonb), :with_numbers, :language, :expected, :at)
"""
)
_ONE: Final = text(f"SELECT {_COLUMNS} FROM exports WHERE id = :id AND (:everything OR by_id = ANY(:people))")
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM exports WHERE (:everything OR by_id = ANY(:people)) AND (CAST(:after AS uuid) IS NULL OR id < :after)
ORDER BY id DESC LIMIT :limit
"""
)
_LOAD: Final = """
UPDATE exports SET attempts = attempts + 1, rows = 0 WHERE id = $1 AND state = 'running'
RETURNING id, by_id, by, filters::text AS filters, sees::text AS sees, with_numbers, language, expected, attempts, created_at
"""
_PROGRESS: Final = "UPDATE exports SET rows = $2 WHERE id = $1"
_PUT: Final = "INSERT INTO export_chunks (export_id, number, content) VALUES ($1, $2, $3)"
_DONE: Final = """
UPDATE exports SET state = 'done', rows = $2, bytes = $3, finished_at = $4, expires_at = $5
WHERE id = $1 AND state = 'running' RETURNING id
"""
_UNCOUNTED: Final = "UPDATE exports SET attempts = attempts - 1 WHERE id = $1 AND state = 'running'"
_FAIL: Final = "UPDATE exports SET state = 'failed', finished_at = now() WHERE id = $1 AND state = 'running'"
_PIECES: Final = "SELECT content FROM export_chunks WHERE export_id = $1 AND number = $2"
_DOWNLOADED: Final = text(
    "INSERT INTO export_downloads (id, export_id, at, by_id, by) VALUES (:id, :export_id, :at, :by_id, :by)"
)
_FORGET: Final = """
DELETE FROM export_chunks c USING exports e WHERE e.id = c.export_id AND e.expires_at < now()
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An export that somebody asks for. `everything` and `unassigned` are what they might see at that moment."""

    id: UUID
    by_id: UUID
    by: str
    filters: LeadFilters
    everything: bool
    unassigned: bool
    with_numbers: bool
    language: Language
    expected: int
    at: datetime


async def add(session: Session, wanted: Wanted) -> None:
    """Remembers for ever that somebody asked, and has it worked on."""
    await session.execute(
        _INSERT,
        {
            "id": wanted.id,
            "by_id": wanted.by_id,
            "by": wanted.by,
            "filters": wanted.filters.model_dump_json(exclude_defaults=True),
            "sees": orjson.dumps({"everything": wanted.everything, "unassigned": wanted.unassigned}).decode(),
            "with_numbers": wanted.with_numbers,
            "language": wanted.language,
            "expected": wanted.expected,
            "at": wanted.at,
        },
    )


async def one(session: ReadSession, export_id: UUID, *, everything: bool, people: Sequence[UUID]) -> Any | None:
    values = {"id": export_id, "everything": everything, "people": list(people)}
    return (await session.execute(_ONE, values)).one_or_none()


async def page(
    session: ReadSession, *, everything: bool, people: Sequence[UUID], after: UUID | None, limit: int
) -> Sequence[Any]:
    values = {"everything": everything, "people": list(people), "after": after, "limit": limit}
    return (await session.execute(_PAGE, values)).all()


async def load(pool: Pool, export_id: UUID) -> asyncpg.Record | None:
    """An export to be worked on from its beginning; None when it is over."""
    return await pool.fetchrow(_LOAD, export_id)


async def not_counted(pool: Pool, export_id: UUID) -> None:
    """Takes back the attempt that `load` counted: it was told to stop, which is no fault of the export."""
    await pool.execute(_UNCOUNTED, export_id)


async def progress(pool: Pool, export_id: UUID, rows: int) -> None:
    await pool.execute(_PROGRESS, export_id, rows)


async def put(connection: Connection, export_id: UUID, number: int, piece: bytes) -> None:
    await connection.execute(_PUT, export_id, number, piece)


async def finish(connection: Connection, export_id: UUID, *, rows: int, size: int, at: datetime) -> bool:
    """False when it was finished elsewhere."""
    return await connection.fetchval(_DONE, export_id, rows, size, at, at + KEPT) is not None


async def fail(pool: Pool, export_id: UUID) -> None:
    await pool.execute(_FAIL, export_id)


async def forget_expired(pool: Pool) -> None:
    """Deletes workbooks that cannot be downloaded any more; that they were made stays known."""
    await pool.execute(_FORGET)


async def downloaded(session: Session, export_id: UUID, *, by_id: UUID, by: str, at: datetime) -> None:
    await session.execute(_DOWNLOADED, {"id": uuid7(), "export_id": export_id, "at": at, "by_id": by_id, "by": by})


async def pieces(db: Database, export_id: UUID) -> AsyncIterator[bytes]:
    """The workbook, a piece in memory at a time."""
    pool = await db.driver()
    number = 0
    while (piece := await pool.fetchval(_PIECES, export_id, number)) is not None:
        yield piece
        number += 1
