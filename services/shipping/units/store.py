"""Carriers' lists of units as rows, and an address's units found in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.shipping.carriers.capabilities import Era
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.parcel import CarrierUnits, Level, Unit
from services.shipping.units.naming import keys_of, plain_name, unit_key

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

_WORDS: Final[dict[Level, tuple[str, str]]] = {
    "province": ("tỉnh/thành phố", "province"),
    "district": ("quận/huyện", "district"),
    "ward": ("phường/xã", "ward"),
}


@dataclass(frozen=True)
class Named:
    """The names of an address's units."""

    province: str
    ward: str
    district: str = ""

    @property
    def era(self) -> Era:
        return "old" if self.district else "new"


async def replace(connection: Connection, carrier: str, era: Era, units: Sequence[Unit], *, now: datetime) -> int:
    """A carrier's list as it is now, in place of the former one; in the caller's transaction; how many they are."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"carrier units {carrier} {era}")
    await connection.execute("DELETE FROM carrier_units WHERE carrier = $1 AND era = $2", carrier, era)
    rows = await asyncio.to_thread(_rows, carrier, era, units)
    await connection.copy_records_to_table(
        "carrier_units",
        columns=("carrier", "era", "level", "parent_code", "code", "name", "keys"),
        records=rows,
    )
    await connection.execute(_LIST, carrier, era, len(rows), now)
    return len(rows)


def _rows(carrier: str, era: Era, units: Sequence[Unit]) -> list[tuple[object, ...]]:
    """Of a whole country, a third of a second of work."""
    found = {(unit.level, unit.parent_code, unit.code): unit for unit in units}
    return [(carrier, era, *key, unit.name, keys_of(unit.name, unit.other_names)) for key, unit in found.items()]


async def find(connection: Connection, carrier: str, title: str, names: Named) -> CarrierUnits | Breach | None:
    """An address's units in a carrier's list, or why they are not there and what to do.

    Returns:
        None where the list was never fetched: the carrier is told the official names, and judges them itself.
    """
    if not await connection.fetchval(_IS_FETCHED, carrier, names.era):
        return None
    province = await _one(connection, carrier, title, names, "province", names.province, parent="")
    if isinstance(province, Breach):
        return province
    parent, district = province.code, None
    if names.district:
        found = await _one(connection, carrier, title, names, "district", names.district, parent=province.code)
        if isinstance(found, Breach):
            return found
        parent, district = found.code, found
    ward = await _one(connection, carrier, title, names, "ward", names.ward, parent=parent)
    return ward if isinstance(ward, Breach) else CarrierUnits(province=province, district=district, ward=ward)


async def _one(
    connection: Connection, carrier: str, title: str, names: Named, level: Level, name: str, *, parent: str
) -> Unit | Breach:
    wanted, short = plain_name(name), unit_key(name)
    rows = await connection.fetch(_FIND, carrier, names.era, level, parent, [wanted, short])
    # A district 'Cao Lãnh' and a town 'Thành phố Cao Lãnh' share the short name, not the whole one.
    exact = [row for row in rows if wanted in row["keys"]] or list(rows)
    if len(exact) == 1:
        return _unit(exact[0], level, parent)
    return _ambiguous(title, level, name, [row["name"] for row in exact]) if exact else _missing(title, level, name)


def _unit(row: asyncpg.Record, level: Level, parent: str) -> Unit:
    return Unit(level, row["code"], row["name"], parent)


def _missing(title: str, level: Level, name: str) -> Breach:
    vi, en = _WORDS[level]
    return Breach(
        "unit_unknown",
        f"{title} không có {vi} “{name}” trong danh mục của hãng nên không giao được tới đó. Kiểm tra địa chỉ của đơn, cập "
        "nhật danh mục của hãng, hoặc chọn hãng khác.",
        f"{title} has no {en} “{name}” in its list, so it does not deliver there. Check the order's address, refresh the "
        "carrier's list, or choose another carrier.",
    )


def _ambiguous(title: str, level: Level, name: str, candidates: Sequence[str]) -> Breach:
    vi, en = _WORDS[level]
    listed = ", ".join(sorted(candidates)[:5])
    return Breach(
        "unit_ambiguous",
        f"{title} có nhiều {vi} gọi là “{name}”: {listed}. Ghi đủ tên trong địa chỉ của đơn rồi đăng lại.",
        f"{title} has several {en}s named “{name}”: {listed}. Write the whole name in the order's address and post again.",
    )


_LIST: Final = """
INSERT INTO carrier_unit_lists (carrier, era, units, fetched_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (carrier, era) DO UPDATE SET units = excluded.units, fetched_at = excluded.fetched_at
"""
_FIND: Final = """
SELECT code, name, keys FROM carrier_units
WHERE carrier = $1 AND era = $2 AND level = $3 AND parent_code = $4 AND keys && $5::text[] ORDER BY code
"""
_IS_FETCHED: Final = "SELECT true FROM carrier_unit_lists WHERE carrier = $1 AND era = $2"
