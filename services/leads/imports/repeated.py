"""“Only what is new”: rows that an earlier import has taken in, found again by their numbers and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.driver import Connection
from services.leads.imports.rows import Import, Row, places_of, row_key, row_of
from services.leads.intake.items import Candidate, Item

# Leads whose number was corrected since are not found by it, so a row with the wrong number would come as a new lead.
_EARLIER: Final = """
SELECT l.id, l.phone, l.other_phones, convert_from(r.body, 'UTF8') AS cells, r.row_no, i.columns, i.file_name
FROM leads l JOIN raw_items r ON r.id = l.id JOIN imports i ON i.id = r.import_id
WHERE l.phone = ANY($1::text[]) AND r.import_id <> $2
ORDER BY l.id
"""
_KEEP: Final = """
INSERT INTO import_verdicts (import_id, row_no, cells, verdict, reason, vi, en, anchor_id)
SELECT $1, row_no, cells, 'repeated', 'repeated', vi, en, lead_id
FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::uuid[]) AS r (row_no, cells, vi, en, lead_id)
"""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A row that stands in an earlier import."""

    row: Row
    lead_id: UUID
    file_name: str
    earlier_row: int


async def find(connection: Connection, of: Import, items: Sequence[Item], rows: Sequence[Row]) -> dict[UUID, Repeated]:
    """Those of the items whose row an earlier import has taken in as a lead or a duplicate."""
    candidates = {item.id: item.content for item in items if isinstance(item.content, Candidate)}
    phones = sorted({content.phones[0] for content in candidates.values()})
    earlier: dict[bytes, asyncpg.Record] = {}
    for found in await connection.fetch(_EARLIER, phones, of.id):
        values = row_of(found["row_no"], found["cells"]).values(places_of(orjson.loads(found["columns"])))
        earlier.setdefault(row_key((found["phone"], *found["other_phones"]), values), found)
    again = {}
    for item, row in zip(items, rows, strict=True):
        content = candidates.get(item.id)
        if content is None:
            continue
        same = earlier.get(row_key(content.phones, row.values(of.places)))
        if same is not None:
            again[item.id] = Repeated(row, same["id"], same["file_name"], same["row_no"])
    return again


async def keep(connection: Connection, import_id: UUID, repeated: Iterable[Repeated]) -> None:
    """Keeps rows with the verdict that they were taken in before."""
    rows = [
        (
            one.row.number,
            one.row.cells.decode(),
            f"Đã nhập ở dòng {one.earlier_row} của tệp “{one.file_name}”.",
            f"Taken in before, row {one.earlier_row} of “{one.file_name}”.",
            one.lead_id,
        )
        for one in repeated
    ]
    if rows:
        await connection.execute(_KEEP, import_id, *([*column] for column in zip(*rows, strict=True)))
