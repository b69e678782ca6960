"""The units in the database: loaded set-based, found by what people type, followed from one era into the other."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.addresses.loading import Era, File, Units
from services.orders.addresses.naming import read_query, unit_key
from shared.db import ReadSession, Session

Tier = Literal["province", "district", "ward"]


class UnitView(BaseModel):
    """An official unit with those that it lies in."""

    era: Era = Field(description="three_tier until 2025-06-30, two_tier since")
    code: str = Field(description="of the statistics office; names one unit in each era", examples=["26740"])
    tier: Tier
    name: str = Field(examples=["Phường Sài Gòn"])
    district_code: str = Field(description="of a ward of the old era")
    district: str
    province_code: str = Field(examples=["79"])
    province: str = Field(examples=["Thành phố Hồ Chí Minh"])
    retired: bool = Field(description="a later list left it out: still known, not offered any more")


class Successor(BaseModel):
    """A new unit that an old one became, in whole or in part."""

    unit: UnitView
    default: bool = Field(description="the one to take when nothing more is known; none of several may be it")


class Loaded(BaseModel):
    units: int
    changes: int
    retired: int = Field(description="units that were known and are not in this list")
    unchanged: bool = Field(description="this very file was the last one loaded of its kind; nothing was done")


_LAST: Final = text("SELECT checksum FROM address_unit_loads WHERE file = :file ORDER BY id DESC LIMIT 1")
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('chot:address_units'))")
# A unit is found by its own words and by those of what it lies in: 'bến nghé, q1'.
_WRITE: Final = text(
    """
INSERT INTO address_units (era, code, name, parent, province, own_key, short_key, search)
SELECT era, code, name, parent, province, own, short, to_tsvector('simple', words)
FROM unnest(CAST(:era AS text[]), CAST(:code AS text[]), CAST(:name AS text[]), CAST(:parent AS text[]),
    CAST(:province AS text[]), CAST(:own AS text[]), CAST(:short AS text[]), CAST(:words AS text[]))
    AS t (era, code, name, parent, province, own, short, words)
ON CONFLICT (era, code) DO UPDATE SET name = excluded.name, parent = excluded.parent, province = excluded.province,
    own_key = excluded.own_key, short_key = excluded.short_key, search = excluded.search, retired_at = NULL
"""
)
_RETIRE: Final = text(
    """
UPDATE address_units SET retired_at = :now
WHERE era = :era AND retired_at IS NULL AND parent IS NOT NULL AND province = ANY(CAST(:provinces AS text[]))
    AND code <> ALL(CAST(:codes AS text[])) RETURNING code
"""
)
_CHANGES: Final = text(
    """
INSERT INTO address_unit_changes (old_code, new_code, is_default)
SELECT * FROM unnest(CAST(:old AS text[]), CAST(:new AS text[]), CAST(:is_default AS boolean[]))
ON CONFLICT (old_code, new_code) DO UPDATE SET is_default = excluded.is_default
"""
)
_FORGET_CHANGES: Final = text("DELETE FROM address_unit_changes WHERE old_code = ANY(CAST(:old AS text[]))")
_KEEP_LOAD: Final = text(
    """
INSERT INTO address_unit_loads (id, file, checksum, source, licence, units, changes, retired, loaded_at, by_code)
VALUES (:id, :file, :checksum, :source, :licence, :units, :changes, :retired, :now, :by)
"""
)


async def load(
    session: Session, units: Units, *, file: File, content: bytes, source: str, licence: str, by: str, now: datetime
) -> Loaded:
    """Takes a list over, whole or not at all. What the list of an era leaves out of a province that it lists is retired, not
    forgotten: old orders name it.

    Args:
        content: the file as it came, to know it again.
    """
    await session.execute(_LOCK)
    checksum = hashlib.sha256(content).hexdigest()
    if (await session.execute(_LAST, {"file": file})).scalar() == checksum:
        return Loaded(units=len(units.units), changes=len(units.changes), retired=0, unchanged=True)
    await _write(session, units)
    retired = 0
    if file != "changes":
        listed = {"codes": [code for _, code in units.units], "provinces": [u.province for u in units.units.values()]}
        gone = await session.execute(_RETIRE, {"era": file, "now": now, **listed})
        retired = len(gone.all())
    pairs = list(units.changes)
    await session.execute(_FORGET_CHANGES, {"old": list({old for old, _ in pairs})})
    await session.execute(
        _CHANGES,
        {
            "old": [old for old, _ in pairs],
            "new": [new for _, new in pairs],
            "is_default": [units.changes[pair] for pair in pairs],
        },
    )
    loaded = Loaded(units=len(units.units), changes=len(pairs), retired=retired, unchanged=False)
    about = {"id": uuid7(), "file": file, "checksum": checksum, "source": source, "licence": licence, "now": now}
    counts = loaded.model_dump(exclude={"unchanged"})
    await session.execute(_KEEP_LOAD, {**about, **counts, "by": by})
    return loaded


async def is_untouched(session: Session) -> bool:
    """Whether no list was ever loaded: of neither era is there a ward. Until the transaction ends nobody else loads one."""
    await session.execute(_LOCK)
    return not (await session.execute(_ANY_WARD)).scalar_one()


async def _write(session: Session, units: Units) -> None:
    rows = []
    for unit in units.units.values():
        key = unit_key(unit.name)
        above = [key.own]
        parent = unit.parent
        while parent is not None:
            over = units.units[unit.era, parent]
            above.append(unit_key(over.name).own)
            parent = over.parent
        rows.append((unit.era, unit.code, unit.name, unit.parent, unit.province, key.own, key.short, " ".join(above)))
    columns = ("era", "code", "name", "parent", "province", "own", "short", "words")
    await session.execute(_WRITE, {name: [row[i] for row in rows] for i, name in enumerate(columns)})


_SELECT: Final = """
SELECT u.era, u.code, u.tier, u.name, CASE WHEN u.tier = 'ward' AND u.era = 'three_tier' THEN u.parent ELSE '' END
    AS district_code, CASE WHEN u.tier = 'ward' AND u.era = 'three_tier' THEN d.name ELSE '' END AS district,
    u.province AS province_code, p.name AS province, u.retired_at IS NOT NULL AS retired
"""
_JOINS: Final = """
JOIN address_units p ON p.era = u.era AND p.code = u.province
LEFT JOIN address_units d ON d.era = u.era AND d.code = u.parent
"""
_FIND: Final = f"""
{_SELECT} FROM address_units u {_JOINS}
WHERE u.era = :era AND u.retired_at IS NULL AND u.search @@ to_tsquery('simple', :query)
    AND (CAST(:tier AS text) IS NULL OR u.tier = :tier) AND (CAST(:within AS text) IS NULL OR :within IN (u.parent, u.province))
ORDER BY (u.own_key = :key OR u.short_key = :short) DESC, (position(:typed IN lower(u.name COLLATE pg_c_utf8)) > 0) DESC,
    (starts_with(u.own_key, :key) OR starts_with(u.short_key, :short)) DESC,
    length(u.code), length(u.own_key), u.code
LIMIT :limit
"""
_SEARCH: Final = text(_FIND)
_CHILDREN: Final = text(
    f"""
{_SELECT} FROM address_units u {_JOINS}
WHERE u.era = :era AND u.parent IS NOT DISTINCT FROM :parent AND u.retired_at IS NULL AND u.code > :after
ORDER BY u.code LIMIT :limit
"""
)
_ONE: Final = text(
    f"{_SELECT} FROM address_units u {_JOINS} WHERE u.era = :era AND u.code = ANY(CAST(:codes AS text[]))"
)
_BECAME: Final = text(
    f"""
{_SELECT}, c.is_default, c.old_code FROM address_unit_changes c
JOIN address_units u ON u.era = 'two_tier' AND u.code = c.new_code {_JOINS}
WHERE c.old_code = ANY(CAST(:codes AS text[])) ORDER BY c.is_default DESC, u.code
"""
)
_WAS: Final = text(
    f"""
{_SELECT} FROM address_unit_changes c JOIN address_units u ON u.era = 'three_tier' AND u.code = c.old_code {_JOINS}
WHERE c.new_code = :code ORDER BY u.code
"""
)
_ANY_WARD: Final = text("SELECT EXISTS (SELECT 1 FROM address_units WHERE length(code) = 5)")
_LOADED: Final = text("SELECT EXISTS (SELECT 1 FROM address_units WHERE era = :era AND length(code) = 5)")


def _view(row: Any) -> UnitView:
    return UnitView.model_validate(dict(row._mapping))


async def search(
    session: ReadSession, typed: str, *, era: Era, tier: Tier | None = None, within: str | None = None, limit: int = 20
) -> list[UnitView]:
    """Units that are meant by what somebody typed, the likeliest first.

    Args:
        within: code of the province or district that they lie in.
    """
    query = read_query(typed)
    if query is None:
        return []
    plain = typed.strip()
    if plain.isascii() and plain.isdigit() and len(plain) in (2, 3, 5):
        named = (await get(session, era, [plain])).get(plain)
        if named is not None and tier in (None, named.tier):
            return [named]
    asked = {"era": era, "tier": tier, "within": within, "key": query.key, "short": query.short, "limit": limit}
    # Of names that are the same without accents, the one that was typed with them.
    asked["typed"] = unicodedata.normalize("NFC", plain).lower()
    for tsquery in (query.exact, query.loose):
        rows = (await session.execute(_SEARCH, {**asked, "query": tsquery})).all()
        if rows:
            return [_view(row) for row in rows]
    return []


async def children(
    session: ReadSession, *, era: Era, parent: str | None, limit: int, after: str = ""
) -> list[UnitView]:
    """What lies directly in a unit, by code; without one the provinces."""
    rows = await session.execute(_CHILDREN, {"era": era, "parent": parent, "after": after, "limit": limit})
    return [_view(row) for row in rows]


async def get(session: ReadSession, era: Era, codes: Sequence[str]) -> Mapping[str, UnitView]:
    """Those of the units that exist, by code, retired ones included."""
    rows = await session.execute(_ONE, {"era": era, "codes": list(codes)})
    return {row.code: _view(row) for row in rows}


async def became(session: ReadSession, codes: Sequence[str]) -> list[Successor]:
    """The new units of old ones, the default first."""
    rows = await session.execute(_BECAME, {"codes": list(codes)})
    found: dict[str, Successor] = {}
    for row in rows:
        found.setdefault(row.code, Successor(unit=_view(row), default=row.is_default))
    return list(found.values())


async def was(session: ReadSession, code: str) -> list[UnitView]:
    """The old units of which a new one was made, in whole or in part."""
    return [_view(row) for row in await session.execute(_WAS, {"code": code})]


async def has_wards(session: ReadSession, era: Era) -> bool:
    """Whether the list of an era was loaded; provinces are always there."""
    return bool((await session.execute(_LOADED, {"era": era})).scalar_one())
