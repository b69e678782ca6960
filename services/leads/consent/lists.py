"""Do-not-call lists that come as files: rows kept first, then put on the list chunk by chunk, then told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from services.leads.consent.errors import ListEmpty, ListTooLong, ListUnreadable
from services.leads.driver import Connection
from services.leads.text import cell
from services.leads.workbook.sheets import open_sheet
from shared.contracts.events.leads_everyday import DoNotCallKind
from shared.db import ReadSession
from shared.phone import read_phones

Mode = Literal["add", "replace"]
ListSource = Literal["authority", "complaint", "import"]

MAX_ROWS: Final = 1_000_000
CHUNK: Final = 5_000
"""Rows of one transaction: about a fifth of a second."""
MAX_TYPED: Final = 100
"""Characters kept of a row: the number, and of a wrong one enough to recognise it."""

_ZIP: Final = b"PK\x03\x04"
_BREAKS: Final = str.maketrans("", "", "\t\n\r")
_MOBILE: Final = re.compile(r"(?:\+?84|0)([35789]\d{8})")
"""What nearly every row of a list looks like; the rest is read with all the care of intake."""

_INSERT: Final = """
INSERT INTO do_not_call_imports (id, file_name, file_hash, source, kind, mode, reason, by_id, by, row_count, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (file_hash, source, kind, mode) DO NOTHING RETURNING id
"""
_SAME: Final = "SELECT id FROM do_not_call_imports WHERE file_hash = $1 AND source = $2 AND kind = $3 AND mode = $4"
_REVIVE: Final = """
UPDATE do_not_call_imports SET state = 'running', problem_vi = '', problem_en = '', finished_at = NULL
WHERE id = $1 AND state = 'failed' RETURNING id
"""
# What a later file has replaced, or would be replaced by this one, is not in force any more.
_AGAIN: Final = """
UPDATE do_not_call_imports i SET state = 'running', file_name = $2, reason = $3, by_id = $4, by = $5, created_at = $6,
    finished_at = NULL, rows_done = 0, added = 0, known = 0, repeated = 0, rejected = 0, removed = 0, told_until = '',
    told_from = NULL
WHERE id = $1 AND state = 'done' AND EXISTS (
    SELECT 1 FROM do_not_call_imports o WHERE o.source = i.source AND o.id <> i.id AND o.created_at > i.created_at
        AND (o.mode = 'replace' OR i.mode = 'replace'))
RETURNING id
"""
_FORGET_REJECTED: Final = "DELETE FROM do_not_call_rejected WHERE import_id = $1"
_KEEP: Final = (
    "INSERT INTO do_not_call_files (import_id, number, rows) SELECT $1, * FROM unnest($2::integer[], $3::text[])"
)
_COLUMNS: Final = """
SELECT id, file_name, source, kind, mode, reason, by_id, by, state, row_count, rows_done, added, known, repeated, rejected,
    removed, problem_vi, problem_en, created_at, finished_at FROM do_not_call_imports
"""
_ONE: Final = text(f"{_COLUMNS} WHERE id = :id")
_PAGE: Final = text(f"{_COLUMNS} WHERE CAST(:after AS uuid) IS NULL OR id < :after ORDER BY id DESC LIMIT :limit")
_REJECTED: Final = text(
    """
SELECT row_no, typed, vi, en FROM do_not_call_rejected WHERE import_id = :id AND row_no > :after ORDER BY row_no LIMIT :limit
"""
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was checked and is to be put on the list."""

    id: UUID
    file_name: str
    file_hash: bytes
    source: ListSource
    kind: DoNotCallKind
    mode: Mode
    reason: str
    by_id: UUID
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """Rows as numbers: those that can be read, and those that cannot with what is wrong."""

    phones: list[str]
    repeated: int
    rejected: list[tuple[int, str, str, str]]


async def rows_of(path: Path, content: bytes) -> list[str]:
    """The rows of an uploaded file in chunks, each row as '<number>\\t<text>' on a line.

    Args:
        path: the file, for the reader of workbooks.
        content: the same.

    Raises:
        WorkbookRefused, ListUnreadable, ListEmpty, ListTooLong: it is no list of ours.
    """
    if content.startswith(_ZIP):
        chunks = await _sheet_rows(path)
    else:
        chunks = await asyncio.to_thread(_text_rows, content)
    if not chunks:
        raise ListEmpty
    return chunks


async def _sheet_rows(path: Path) -> list[str]:
    async with open_sheet(path, max_rows=MAX_ROWS, chunk_rows=CHUNK) as sheet:
        return [_chunk((row.number, _typed(row.values.get("phone", ""))) for row in rows) async for rows in sheet]


def _text_rows(content: bytes) -> list[str]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ListUnreadable from None
    if b"\0" in content:
        raise ListUnreadable
    rows = [(number, typed) for number, line in enumerate(lines, 1) if (typed := _typed(line))]
    if len(rows) > MAX_ROWS:
        raise ListTooLong(limit=MAX_ROWS)
    return [_chunk(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)]


def _chunk(rows: Iterable[tuple[int, str]]) -> str:
    return "\n".join(f"{number}\t{typed}" for number, typed in rows)


def _typed(written: str) -> str:
    return cell(written.translate(_BREAKS), MAX_TYPED)


def count(chunks: Iterable[str]) -> int:
    return sum(chunk.count("\n") + 1 for chunk in chunks)


def read_rows(chunk: str) -> Read:
    """Reads one chunk. Pure; a fraction of a second."""
    seen: dict[str, None] = {}
    repeated = 0
    rejected = []
    for line in chunk.split("\n"):
        number, _, typed = line.partition("\t")
        phones, problem = _phones(typed)
        if problem is not None:
            rejected.append((int(number), typed, *problem))
        elif any(phone not in seen for phone in phones):
            seen.update(dict.fromkeys(phones))
        else:
            repeated += 1
    return Read(list(seen), repeated, rejected)


def _phones(typed: str) -> tuple[list[str], tuple[str, str] | None]:
    mobile = _MOBILE.fullmatch(typed)
    if mobile is not None:
        return [f"+84{mobile[1]}"], None
    reading = read_phones(typed)
    problem = reading.problem
    return [found.e164 for found in reading.phones], (problem.vi, problem.en) if problem else None


async def add(connection: Connection, upload: Upload, chunks: Sequence[str]) -> tuple[UUID, bool]:
    """Keeps an upload, in the caller's transaction.

    Returns:
        Its import, and whether there is something to do: the same file for the same purpose is imported once, but one
        that failed goes on, and one that a later file put out of force is put on the list again.
    """
    added = await connection.fetchval(
        _INSERT,
        upload.id,
        upload.file_name,
        upload.file_hash,
        upload.source,
        upload.kind,
        upload.mode,
        upload.reason,
        upload.by_id,
        upload.by,
        count(chunks),
        upload.at,
    )
    if added is None:
        known = await connection.fetchval(_SAME, upload.file_hash, upload.source, upload.kind, upload.mode)
        if await connection.fetchval(_REVIVE, known) is not None:
            return known, True
        by = (upload.file_name, upload.reason, upload.by_id, upload.by, upload.at)
        if await connection.fetchval(_AGAIN, known, *by) is None:
            return known, False
        await connection.execute(_FORGET_REJECTED, known)
        await _keep_rows(connection, known, chunks)
        return known, True
    await _keep_rows(connection, upload.id, chunks)
    return upload.id, True


async def _keep_rows(connection: Connection, import_id: UUID, chunks: Sequence[str]) -> None:
    for start in range(0, len(chunks), 20):
        some = chunks[start : start + 20]
        await connection.execute(_KEEP, import_id, list(range(start, start + len(some))), list(some))


async def one(session: ReadSession, import_id: UUID) -> Any | None:
    return (await session.execute(_ONE, {"id": import_id})).one_or_none()


async def page(session: ReadSession, *, after: UUID | None, limit: int) -> Sequence[Any]:
    """Imports, newest first."""
    return (await session.execute(_PAGE, {"after": after, "limit": limit})).all()


async def rejected(session: ReadSession, import_id: UUID, *, after: int, limit: int) -> Sequence[Any]:
    """The rows that are no numbers, in their order."""
    return (await session.execute(_REJECTED, {"id": import_id, "after": after, "limit": limit})).all()
