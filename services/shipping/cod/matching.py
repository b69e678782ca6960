"""Which parcel a line is about: by waybill, then by our own reference, then by the order's code. Set by set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.cod.lines import Line

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

Match = tuple[UUID | None, str]
"""The shipment, and by what it was found: 'waybill', 'reference', 'order', or nothing."""
NO_MATCH: Final[Match] = (None, "")


async def match(
    connection: Connection | asyncpg.Pool[asyncpg.Record], connection_id: UUID, lines: Sequence[Line]
) -> list[Match]:
    """The parcels of lines, in their order. Carriers also write our code where theirs should stand and the other way
    round, so what is not found as one is looked for as the other.

    Args:
        connection_id: the shop at the carrier whose statement it is: parcels of others are not its business.
    """
    found = await _look_up(connection, _AS_WRITTEN, connection_id, [line.waybill for line in lines])
    matches = [_first(found, "waybill", line.waybill) for line in lines]
    keys = {place: (line.waybill_key, line.code_key) for place, line in enumerate(lines) if matches[place] is NO_MATCH}
    for by, statement, columns in _FURTHER:
        left = [place for place in keys if matches[place] is NO_MATCH]
        if not left:
            break
        wanted = {place: [keys[place][column] for column in columns] for place in left}
        found = await _look_up(connection, statement, connection_id, (key for each in wanted.values() for key in each))
        for place, several in wanted.items():
            matches[place] = _first(found, by, *several)
    return matches


async def _look_up(
    connection: Connection | asyncpg.Pool[asyncpg.Record], statement: str, connection_id: UUID, keys: Iterable[str]
) -> dict[str, UUID]:
    wanted = list({key for key in keys if key})
    if not wanted:
        return {}
    return {row["key"]: row["id"] for row in await connection.fetch(statement, connection_id, wanted)}


def _first(found: dict[str, UUID], by: str, *keys: str) -> Match:
    for key in keys:
        if key in found:
            return found[key], by
    return NO_MATCH


# Nearly all are, and nothing has to be reckoned for them.
_AS_WRITTEN: Final = """
SELECT k.key, s.id FROM unnest($2::text[]) AS k(key) CROSS JOIN LATERAL (
    SELECT id FROM shipments WHERE connection_id = $1 AND waybill = k.key AND waybill <> ''
    LIMIT 1  -- by index, whatever the statistics say
) AS s
"""
# By the attempts, which do not change any more when the parcel does, so that the index costs nothing while it travels.
_BY_WAYBILL: Final = """
SELECT k.key, s.id FROM unnest($2::text[]) AS k(key) CROSS JOIN LATERAL (
    SELECT s.id FROM creation_attempts a JOIN shipments s ON s.id = a.shipment_id AND s.waybill = a.waybill
    WHERE upper(regexp_replace(a.waybill, '[^A-Za-z0-9]', '', 'g')) = k.key AND a.waybill <> '' AND s.connection_id = $1
    LIMIT 1
) AS s
"""
_BY_REFERENCE: Final = """
SELECT k.key, s.id FROM unnest($2::text[]) AS k(key) CROSS JOIN LATERAL (
    SELECT s.id FROM creation_attempts a JOIN shipments s ON s.id = a.shipment_id
    WHERE upper(regexp_replace(a.reference, '[^A-Za-z0-9]', '', 'g')) = k.key AND s.connection_id = $1
        AND s.waybill <> ''
    LIMIT 1
) AS s
"""
# An order that was sent twice is not found by its code alone: which of its parcels it was, the line does not say.
_BY_ORDER: Final = """
SELECT k.key, s.id FROM unnest($2::text[]) AS k(key) CROSS JOIN LATERAL (
    SELECT (array_agg(s.id))[1] AS id FROM shippable_orders o JOIN shipments s ON s.order_id = o.order_id
    WHERE o.code <> '' AND upper(regexp_replace(o.code, '[^A-Za-z0-9]', '', 'g')) = k.key
        AND s.connection_id = $1 AND s.waybill <> ''
    HAVING count(*) = 1
) AS s
"""
_FURTHER: Final = (
    ("waybill", _BY_WAYBILL, (0,)),
    ("reference", _BY_REFERENCE, (1, 0)),
    ("order", _BY_ORDER, (1, 0)),
    ("waybill", _BY_WAYBILL, (1,)),
)
"""By what, how, and in which of a line's keys (0 its waybill, 1 its code)."""
