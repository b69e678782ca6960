"""GHN's own lists of provinces, districts and wards: three tiers under master-data, two under v3/master-data.

Sources: https://api.ghn.vn/home/docs/detail?id=60, 78, 61; developer.ghn.vn "Get Province (New)", "Get Ward (New)" (2026).
The codes are GHN's, not those of the statistics office; codes of wards are texts that may begin with a zero.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from services.shipping.carriers.parcel import Level, Unit
from services.shipping.carriers.reading import text_of
from services.shipping.carriers.together import together

Read: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[Any]]
"""(path, parameters) → the data of the answer."""
PAGE: Final = 200
"""Rows of a page in v3, at most."""
ACTIVE: Final = "1"
"""`status`; 2 is disabled, 10 deleted."""


async def three_tiers(read: Read) -> Sequence[Unit]:
    """The list that was valid until 2025-06-30: one request for each district."""
    found = _old("province", await read("/master-data/province", {}), "Province", parent="")
    districts = _old("district", await read("/master-data/district", {}), "District", parent="ProvinceID")
    found += districts
    answers = await together([partial(read, "/master-data/ward", {"district_id": each.code}) for each in districts])
    for wards in answers:
        found += _old("ward", wards, "Ward", parent="DistrictID")
    return found


async def two_tiers(read: Read) -> Sequence[Unit]:
    """The list since 2025-07-01: a request for each page of each province."""
    provinces = _new("province", await _all(read, "/v3/master-data/province/all", {}))
    found = list(provinces)
    path = "/v3/master-data/ward/all-by-province-id"
    answers = await together([partial(_all, read, path, {"province_id": each.code}) for each in provinces])
    for province, wards in zip(provinces, answers, strict=True):
        found += _new("ward", wards, parent=province.code)
    return found


async def _all(read: Read, path: str, parameters: Mapping[str, str]) -> list[Any]:
    rows: list[Any] = []
    while True:
        page = await read(path, {**parameters, "offset": str(len(rows)), "limit": str(PAGE)})
        if not isinstance(page, list) or not page:
            return rows
        rows += page
        if len(page) < PAGE:
            return rows


def _old(level: Level, data: Any, prefix: str, *, parent: str) -> list[Unit]:
    code_field = f"{prefix}Code" if level == "ward" else f"{prefix}ID"
    return [
        Unit(level, code, name, text_of(row.get(parent)) if parent else "", _names(row.get("NameExtension")))
        for row in _rows(data)
        if (code := text_of(row.get(code_field))) and (name := text_of(row.get(f"{prefix}Name")))
    ]


def _new(level: Level, data: Any, *, parent: str = "") -> list[Unit]:
    return [
        Unit(level, code, name, parent, _names(row.get("extension_names")))
        for row in _rows(data)
        if text_of(row.get("status")) == ACTIVE
        and (code := text_of(row.get("_id")))
        and (name := text_of(row.get("name")))
    ]


def _rows(data: Any) -> Sequence[Mapping[str, Any]]:
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


def _names(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(text_of, value))) if isinstance(value, list) else ()
