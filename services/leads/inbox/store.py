"""Raw items in the database, for those who look at them and settle them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from services.leads.inbox import arrivals, own
from services.leads.inbox.reread import RawItem
from services.leads.intake.items import VerdictName
from services.leads.repository.leads import Viewer
from shared.db import ReadSession

_COLUMNS: Final = """
r.id, r.channel, r.source_id, r.received_at, r.content_type, r.body, r.import_id, r.row_no, r.verdict, r.reason, r.reason_vi,
r.reason_en, r.fields, r.origin, r.created_by, r.remote_ip
"""
_MAY_SEE: Final = """(:everything OR r.created_by = ANY(CAST(:people AS uuid[]))
    OR r.source_id IN (SELECT id FROM sources WHERE marketer = ANY(CAST(:codes AS text[]))))"""
_FILTERS: Final[Mapping[str, str]] = {
    "reason": "r.reason = :reason",
    "channel": "r.channel = :channel",
    "source_id": "r.source_id = :source_id",
    "import_id": "r.import_id = :import_id",
    "since": "r.received_at >= :since",
    "until": "r.received_at < :until",
    "after": "(r.received_at, r.id) < (:after_time, :after_id)",
    "digits": """(r.digits LIKE '%' || CAST(:digits AS text) || '%' OR r.id IN (
        SELECT id FROM leads WHERE phone = ANY(CAST(:phones AS text[]))
        UNION ALL SELECT id FROM leads WHERE other_phones <> '{}' AND other_phones && CAST(:phones AS text[])))""",
}
# Written out, because a parameter would keep the planner from the index of rejected items.
_OF_VERDICT: Final[Mapping[str, str]] = {
    name: f"r.verdict = '{name}'" for name in ("lead", "duplicate", "rejected", "dismissed", "undone")
}
_PLACE: Final = text("SELECT received_at FROM raw_items WHERE id = :id")
_ONE: Final = text(f"SELECT {_COLUMNS} FROM raw_items r WHERE r.id = :id AND {_MAY_SEE}")
_CORRECTIONS: Final = text(
    """
SELECT at, by, kind, before, after, verdict, was, reason FROM raw_corrections WHERE raw_item_id = :id ORDER BY id
"""
)
# Imports before raw items before numbers: the order in which an import's worker takes them too.
_LOCK_IMPORTS: Final = "SELECT 1 FROM imports WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LOCK: Final = """
SELECT id, channel, source_id, received_at, content_type, body, import_id, row_no, verdict, reason, fields::text AS fields,
    origin::text AS origin, created_by
FROM raw_items WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_DISMISS: Final = "UPDATE raw_items SET verdict = 'dismissed' WHERE id = $1"
_KEEP: Final = """
INSERT INTO raw_corrections (id, raw_item_id, at, by_id, by, kind, before, after, verdict, was, reason)
SELECT id, item, at, by_id, by, kind, before::jsonb, after::jsonb, verdict, was, reason
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[])
    AS c (id, item, at, by_id, by, kind, before, after, verdict, was, reason)
"""
_COUNT: Final = """
UPDATE imports i SET rejected = i.rejected - c.leads - c.duplicates, leads = i.leads + c.leads,
    duplicates = i.duplicates + c.duplicates
FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS c (id, leads, duplicates) WHERE i.id = c.id
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the inbox is narrowed to; None does not narrow. `digits` are part of a number as typed, `phones` the same as
    whole numbers."""

    verdict: str | None = None
    reason: str | None = None
    channel: str | None = None
    source_id: UUID | None = None
    import_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    digits: str | None = None
    phones: tuple[str, ...] = ()

    @property
    def verdicts(self) -> Collection[str]:
        """Those that can fit: what became a lead or a duplicate has no reason."""
        if self.verdict is not None:
            return {self.verdict}
        return arrivals.NOT_TAKEN if self.reason is not None else arrivals.TAKEN | arrivals.NOT_TAKEN


@dataclass(frozen=True, slots=True)
class Settlement:
    """How somebody settled a raw item. `before` is None when nothing had been read of it."""

    raw: RawItem
    at: datetime
    by_id: UUID
    by: str
    kind: str
    verdict: str
    reason: str = ""
    before: Mapping[str, str] | None = None
    after: Mapping[str, str] | None = None


def _visible_to(viewer: Viewer) -> dict[str, Any]:
    return {
        "everything": viewer.everything or viewer.unassigned,
        "people": list(viewer.people),
        "codes": list(viewer.codes),
    }


async def page(
    session: ReadSession, viewer: Viewer, filters: Filters, *, after: UUID | None, limit: int
) -> Sequence[Any]:
    """Raw items that the viewer may see, the newest arrival first.

    Args:
        after: the last item of the page before.
    """
    place: dict[str, Any] = {}
    if after is not None:
        reached = (await session.execute(_PLACE, {"id": after})).scalar()
        place = {"after": after, "after_time": reached, "after_id": after}
    sql, values = statement(viewer, filters, place=place, limit=limit)
    return (await session.execute(text(sql), values)).all()


def statement(viewer: Viewer, filters: Filters, *, place: Mapping[str, Any], limit: int) -> tuple[str, dict[str, Any]]:
    """A page, with its values.

    Args:
        place: time and id of the last item of the page before; empty for the first one.
    """
    narrowed = {name: getattr(filters, name) for name in Filters.__slots__ if getattr(filters, name) not in (None, ())}
    values = {**narrowed, **place, **_visible_to(viewer), "phones": list(filters.phones), "limit": limit}
    conditions = {name: condition for name, condition in _FILTERS.items() if name in values}
    if filters.verdict is not None:
        conditions["verdict"] = _OF_VERDICT[filters.verdict]
    if not arrivals.ELSEWHERE.isdisjoint(conditions):
        where = " AND ".join([_MAY_SEE, *conditions.values()])
        sql = f"SELECT {_COLUMNS} FROM raw_items r WHERE {where} ORDER BY r.received_at DESC, r.id DESC LIMIT :limit"
    else:
        of_place = [conditions.pop(name) for name in ("since", "until", "after") if name in conditions]
        others = list(conditions.values())
        if own.fits(viewer, limit=limit):
            sql = arrivals.statement(_COLUMNS, others, of_place, verdicts=filters.verdicts, kinds=own.KINDS)
        else:
            sql = arrivals.statement(_COLUMNS, [_MAY_SEE, *others], of_place, verdicts=filters.verdicts)
    return sql, {name: value for name, value in values.items() if f":{name}" in sql}


async def one(session: ReadSession, viewer: Viewer, item_id: UUID) -> Any | None:
    """One raw item, if the viewer may see it."""
    return (await session.execute(_ONE, {"id": item_id, **_visible_to(viewer)})).one_or_none()


async def corrections(session: ReadSession, item_id: UUID) -> Sequence[Any]:
    """What was done to a raw item, oldest first."""
    return (await session.execute(_CORRECTIONS, {"id": item_id})).all()


async def lock(connection: Connection, ids: Sequence[UUID], *, imports: Iterable[UUID]) -> list[RawItem]:
    """Raw items as they are now, held until the commit.

    Args:
        imports: the imports that the items belong to, whose counters may move.
    """
    held = sorted(set(imports))
    if held:
        await connection.fetch(_LOCK_IMPORTS, held)
    return [_raw_item(row) for row in await connection.fetch(_LOCK, ids)]


def _raw_item(row: asyncpg.Record) -> RawItem:
    values = dict(row)
    for name in ("fields", "origin"):
        values[name] = orjson.loads(values[name]) if values[name] else None
    return RawItem(**values)


async def dismiss(connection: Connection, item_id: UUID) -> None:
    """Says of a locked item that it is no lead and need not become one."""
    await connection.execute(_DISMISS, item_id)


async def keep(connection: Connection, settlements: Iterable[Settlement]) -> None:
    """Writes down who settled what."""
    rows = [
        (
            uuid7(),
            one.raw.id,
            one.at,
            one.by_id,
            one.by,
            one.kind,
            orjson.dumps(one.before).decode(),
            orjson.dumps(one.after or {}).decode(),
            one.verdict,
            one.raw.reason,
            one.reason,
        )
        for one in settlements
    ]
    if rows:
        await connection.execute(_KEEP, *([*column] for column in zip(*rows, strict=True)))


async def move_counters(connection: Connection, settled: Iterable[tuple[UUID | None, VerdictName]]) -> None:
    """Moves the counters of locked imports: rows that were rejected and are leads or duplicates now.

    Args:
        settled: import (None: not of an import) and new verdict of each item.
    """
    counts: Counter[tuple[UUID, VerdictName]] = Counter(
        (import_id, verdict) for import_id, verdict in settled if import_id is not None and verdict != "rejected"
    )
    imports = sorted({import_id for import_id, _ in counts})
    if imports:
        leads = [counts[import_id, "lead"] for import_id in imports]
        duplicates = [counts[import_id, "duplicate"] for import_id in imports]
        await connection.execute(_COUNT, imports, leads, duplicates)
