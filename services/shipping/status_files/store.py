"""Status files and their rows in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from services.shipping.status_files.judging import Judged, Row
from services.shipping.status_files.reading import Line
from shared.auth import Principal
from shared.contracts.events.shipping import ShipmentStatus

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

_COLUMNS: Final = ("file_id", "number", "code", "other_code", "told", "at", "time_unreadable", "reason")
_FORGET: Final = "DELETE FROM status_files WHERE content_hash = $1 AND by_id = $2 AND state = 'previewed'"
_ADD: Final = """
INSERT INTO status_files (id, name, content_hash, connection_id, status, at, rows, by_id, by_code, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9)
"""
# A waybill counts before our reference, and that before the code of the order, whose living parcel is meant.
_FIND: Final = """
WITH told AS (
    SELECT r.number, v.code, v.place FROM status_file_rows r
    CROSS JOIN LATERAL (VALUES (r.code, 0), (r.other_code, 1)) AS v(code, place)
    WHERE r.file_id = $1 AND v.code <> ''
), candidates AS (
    -- By index for each code, whatever the statistics say of tables that have just grown.
    SELECT t.number, d.id, t.place * 3 + d.rank AS rank FROM told t CROSS JOIN LATERAL (
        SELECT s.id, 0 AS rank FROM shipments s
        WHERE s.connection_id = ANY(ARRAY(SELECT id FROM carrier_connections)) AND s.waybill = t.code AND s.waybill <> ''
        UNION ALL
        SELECT s.id, 1 FROM shipments s WHERE s.reference = t.code
        UNION ALL
        SELECT s.id, 2 FROM shippable_orders o JOIN shipments s ON s.order_id = o.order_id AND s.superseded_at IS NULL
        WHERE o.code = t.code AND o.code <> ''
    ) AS d
), visible AS (
    SELECT d.number, d.id, d.rank FROM candidates d JOIN shipments s ON s.id = d.id
    JOIN shippable_orders o ON o.order_id = s.order_id
    WHERE ($2::uuid IS NULL OR s.connection_id = $2)
        AND ($3 OR o.closer_id = $4 OR o.owner_id = $4
            OR o.closer_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $4)
            OR o.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $4))
), ranked AS (
    SELECT number, id, rank, min(rank) OVER (PARTITION BY number) AS first FROM visible
), best AS (
    SELECT number, (array_agg(DISTINCT id))[1] AS id, count(DISTINCT id) AS found FROM ranked WHERE rank = first
    GROUP BY number
)
UPDATE status_file_rows r SET shipment_id = CASE WHEN b.found = 1 THEN b.id END,
    verdict = CASE WHEN b.found = 1 THEN '' WHEN b.found > 1 THEN 'ambiguous' ELSE 'unknown_code' END
FROM status_file_rows a LEFT JOIN best b USING (number)
WHERE a.file_id = $1 AND (r.file_id, r.number) = (a.file_id, a.number)
"""
_LOCK: Final = "SELECT * FROM status_files WHERE id = $1 FOR UPDATE"
_SHIPMENTS: Final = """
SELECT DISTINCT shipment_id FROM status_file_rows
WHERE file_id = $1 AND shipment_id IS NOT NULL AND ($2::uuid IS NULL OR shipment_id > $2)
ORDER BY shipment_id LIMIT $3
"""
_ROWS: Final = """
SELECT number, shipment_id, told, at, time_unreadable, reason FROM status_file_rows
WHERE file_id = $1 AND shipment_id = ANY($2::uuid[]) ORDER BY number
"""
_JUDGED: Final = """
UPDATE status_file_rows r SET {column} = j.verdict, carrier_status = j.code, before = j.before, after = j.after
FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[]) AS j(number, verdict, code, before, after)
WHERE r.file_id = $1 AND r.number = j.number
"""


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is said of a file, and by whom. `at` is the time of rows without one, UTC."""

    id: UUID
    name: str
    content_hash: bytes
    connection_id: UUID | None
    status: ShipmentStatus | None
    at: datetime
    by: Principal
    created_at: datetime


async def add(connection: Connection, file: NewFile) -> None:
    """Keeps a file; a preview of the same by the same person is forgotten."""
    await connection.execute(_FORGET, file.content_hash, file.by.account_id)
    await connection.execute(
        _ADD,
        *(file.id, file.name, file.content_hash, file.connection_id, file.status, file.at),
        *(file.by.account_id, file.by.code, file.created_at),
    )


async def add_lines(connection: Connection, file_id: UUID, lines: Sequence[Line]) -> None:
    records = [
        (file_id, line.number, line.code, line.other_code, line.told, line.at, line.time_unreadable, line.reason)
        for line in lines
    ]
    await connection.copy_records_to_table("status_file_rows", records=records, columns=_COLUMNS)
    await connection.execute("UPDATE status_files SET rows = rows + $2 WHERE id = $1", file_id, len(records))


async def find_parcels(connection: Connection, file: NewFile) -> None:
    """Says of each row which parcel it is about, of those that the person may see."""
    await connection.execute(_FIND, file.id, file.connection_id, file.by.sees_all, file.by.account_id)


async def lock(connection: Connection, file_id: UUID) -> asyncpg.Record | None:
    """The file, which nobody else changes until the transaction ends."""
    return await connection.fetchrow(_LOCK, file_id)


async def parcels_after(connection: Connection, file_id: UUID, after: UUID | None, *, limit: int) -> list[UUID]:
    """The parcels that a file is about, in the order of their ids."""
    return [row["shipment_id"] for row in await connection.fetch(_SHIPMENTS, file_id, after, limit)]


async def rows_of(connection: Connection, file_id: UUID, parcels: Sequence[UUID]) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = {}
    for row in await connection.fetch(_ROWS, file_id, list(parcels)):
        found.setdefault(row["shipment_id"], []).append(
            Row(row["number"], row["told"], row["at"], row["time_unreadable"], row["reason"])
        )
    return found


async def keep(
    connection: Connection, file_id: UUID, judged: Sequence[Judged], *, column: Literal["verdict", "result"]
) -> None:
    columns = zip(*[(j.row.number, j.verdict, j.code, j.before, j.after) for j in judged], strict=True)
    await connection.execute(_JUDGED.format(column=column), file_id, *map(list, columns))
