"""The parcels that a file is about, as its rows are judged against them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.carriers.codes import CodeTable
from services.shipping.codes import catalogue
from services.shipping.rows import entries_of, entry_of
from services.shipping.status_files.judging import Parcel, Row
from services.shipping.status_files.words import Dictionary
from services.shipping.timeline import Entry

if TYPE_CHECKING:
    from services.shipping.work import Connection

_SILENT: Final = Dictionary(CodeTable({}, {}))
"""Of a parcel that no carrier has."""
_PARCELS: Final = """
SELECT s.id, coalesce(c.carrier, '') AS carrier, s.reference, s.waybill, s.status, s.cod,
    s.superseded_at IS NOT NULL AS superseded, s.settled_at IS NOT NULL AS settled
FROM shipments s LEFT JOIN carrier_connections c ON c.id = s.connection_id
WHERE s.id = ANY($1::uuid[]) ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A parcel with the words of its carrier. `entry_ids` are those of its entries, in their order."""

    reference: str
    parcel: Parcel
    words: Dictionary
    entry_ids: tuple[UUID, ...]


async def known(
    connection: Connection, ids: Sequence[UUID], rows: dict[UUID, list[Row]], *, locked: bool
) -> dict[UUID, Known]:
    """What is known of parcels.

    Args:
        rows: parcel → what a file says of it, for codes that stand in no carrier's table.
        locked: whether they stay as they are until the transaction ends.
    """
    found = await connection.fetch(_PARCELS + (" FOR UPDATE OF s" if locked else ""), list(ids))
    entries = await entries_of(connection, ids)
    carriers = {row["id"]: row["carrier"] for row in found}
    strange = {
        *((carriers[row["shipment_id"]], row["raw_status"]) for row in entries if row["meaning_version"] is not None),
        *((carriers[shipment_id], row.told) for shipment_id, told in rows.items() for row in told if row.told),
    }
    tables = await catalogue.tables(connection, [], carriers=set(carriers.values()) - {""}, held=strange)
    words = {carrier: Dictionary(table) for carrier, table in tables.items()}
    held: dict[UUID, list[tuple[UUID, Entry]]] = defaultdict(list)
    for row in entries:
        held[row["shipment_id"]].append((row["id"], entry_of(row, tables[carriers[row["shipment_id"]]])))
    return {
        row["id"]: Known(
            row["reference"],
            Parcel(
                waybill=row["waybill"],
                status=row["status"],
                cod=row["cod"],
                superseded=row["superseded"],
                settled=row["settled"],
                entries=tuple(entry for _, entry in held[row["id"]]),
            ),
            words.get(row["carrier"]) or _SILENT,
            tuple(entry_id for entry_id, _ in held[row["id"]]),
        )
        for row in found
    }
