"""Imports and their rows as people look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared.db import ReadSession

_SELECT: Final = """
SELECT id, file_name, source_id, uploaded_by, uploader, sheet, columns, header_key, mode, only_new, row_count, rows_done,
    leads, duplicates, rejected, repeated, undone, undo_by, undo_reason, undone_at, row_cursor,
    (SELECT count(*) FROM import_kept k WHERE k.import_id = imports.id) AS kept,
    state, problem_vi, problem_en, created_at, finished_at
FROM imports WHERE (:everything OR uploaded_by = ANY(CAST(:people AS uuid[])))
"""
_ONE: Final = text(_SELECT + " AND id = :id")
_PAGE: Final = text(
    _SELECT + " AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid)) ORDER BY id DESC LIMIT :limit"
)
_TAKEN_IN: Final = """
SELECT r.row_no, CASE WHEN k.lead_id IS NULL THEN r.verdict ELSE 'kept' END AS verdict,
    coalesce(k.reason, r.reason) AS reason, r.reason_vi AS vi, r.reason_en AS en, convert_from(r.body, 'UTF8') AS cells,
    CASE WHEN r.verdict IN ('lead', 'duplicate') THEN r.id END AS lead_id, l.anchor_id, a.received_at AS anchor_at,
    CASE WHEN a.import_id = r.import_id THEN a.row_no END AS anchor_row
FROM raw_items r {kept} JOIN import_kept k ON k.import_id = r.import_id AND k.lead_id = r.id
    LEFT JOIN leads l ON l.id = r.id LEFT JOIN raw_items a ON a.id = l.anchor_id
WHERE r.import_id = :id AND r.row_no > :after AND {verdict}
ORDER BY r.row_no LIMIT :limit
"""
_KEPT_ROWS: Final = text(_TAKEN_IN.format(kept="INNER", verdict="k.import_id = :id"))
# Nothing in the raw inbox waits or is repeated: it need not be looked through for that.
_IN_RAW_INBOX: Final = "CAST(:verdict AS text) IN ('', r.verdict) AND :verdict NOT IN ('waiting', 'repeated')"
# A row stands in the raw inbox, or it was tried or repeated and has its verdict only, or it waits in a page.
_ROWS: Final = text(
    f"""
SELECT * FROM (
    ({_TAKEN_IN.format(kept="LEFT", verdict=_IN_RAW_INBOX)})
    UNION ALL
    (SELECT x.row_no, x.verdict, x.reason, x.vi, x.en, x.cells,
        CASE WHEN x.verdict = 'repeated' THEN x.anchor_id END,
        CASE WHEN x.verdict = 'duplicate' THEN x.anchor_id END, a.received_at, x.anchor_row
    FROM import_verdicts x LEFT JOIN raw_items a ON a.id = x.anchor_id
    WHERE x.import_id = :id AND x.row_no > :after AND CAST(:verdict AS text) IN ('', x.verdict)
    ORDER BY x.row_no LIMIT :limit)
    UNION ALL
    (SELECT w.row_no, 'waiting', '', '', '', w.cells, NULL, NULL, NULL, NULL
    FROM import_pages p CROSS JOIN LATERAL ROWS FROM (
        unnest(p.numbers), string_to_table(convert_from(p.lines, 'UTF8'), chr(10))) AS w (row_no, cells)
    WHERE p.import_id = :id AND p.first_row > :cursor AND w.row_no > :after AND CAST(:verdict AS text) IN ('', 'waiting')
        AND p.first_row >= coalesce(
            (SELECT max(first_row) FROM import_pages WHERE import_id = :id AND first_row <= :after), 0)
    ORDER BY p.first_row, w.row_no LIMIT :limit)
) AS rows ORDER BY row_no LIMIT :limit
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


async def rows(session: ReadSession, made: Any, *, verdict: str = "", after: int, limit: int) -> Sequence[Any]:
    """Rows of an import that was read here, in the order of the sheet.

    Args:
        after: Excel's number of the last row of the page before.
    """
    values = {"id": made.id, "after": after, "limit": limit}
    if verdict == "kept":
        return (await session.execute(_KEPT_ROWS, values)).all()
    return (await session.execute(_ROWS, {**values, "cursor": made.row_cursor, "verdict": verdict})).all()


_MAPPINGS: Final = text(
    """
SELECT header_key, labels, columns, updated_by, updated_at FROM import_mappings
WHERE (CAST(:after AS text) IS NULL OR header_key > :after) ORDER BY header_key LIMIT :limit
"""
)
_MAPPING: Final = text(
    "SELECT header_key, labels, columns, updated_by, updated_at FROM import_mappings WHERE header_key = :key"
)


async def mappings(session: ReadSession, *, after: str | None, limit: int) -> Sequence[Any]:
    """Remembered column mappings, by key."""
    return (await session.execute(_MAPPINGS, {"after": after, "limit": limit})).all()


async def mapping(session: ReadSession, key: str) -> Any | None:
    return (await session.execute(_MAPPING, {"key": key})).one_or_none()
