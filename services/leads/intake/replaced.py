"""Duplicate windows as they were before a row of an import opened a new one: what its undo puts back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from services.leads.driver import Connection
from services.leads.intake.items import Item
from services.leads.intake.windows import Judged, Number

_KEEP: Final = """
INSERT INTO import_replaced_windows (import_id, phone, product_group, product, anchor_id, opened_at, closes_at, ended)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::timestamptz[],
    $8::boolean[])
ON CONFLICT DO NOTHING
"""


async def keep(connection: Connection, items: Iterable[Item], before: Mapping[str, Number], judged: Judged) -> None:
    """Writes down the windows that these items replace, in the transaction in which they do.

    Args:
        before: their numbers, locked, as they were.
    """
    if not before:
        return
    imports = {item.id: item.place[0] for item in items if item.place is not None}
    rows = [
        (
            imports[opened.anchor_id],
            phone,
            old.product_group,
            old.product,
            old.anchor_id,
            old.opened_at,
            old.closes_at,
            old.ended,
        )
        for phone, number in before.items()
        for old in number.windows
        if (opened := judged.opened.get((phone, old.product_group))) and opened.anchor_id in imports
    ]
    if rows:
        await connection.execute(_KEEP, *([*column] for column in zip(*rows, strict=True)))
