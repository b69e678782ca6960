"""ViettelPost's own lists of provinces, districts and wards: three tiers in version 2, two in version 3.

Source: the partner document (`PROVINCE_ID/CODE/NAME`, `DISTRICT_ID/VALUE/NAME`, `WARDS_ID/NAME`); version 3 from a public
integration. The ids are ViettelPost's, not those of the statistics office.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from services.shipping.carriers.parcel import Level, Unit
from services.shipping.carriers.reading import text_of
from services.shipping.carriers.together import together
from services.shipping.carriers.viettelpost_reading import Fields, rows_of

Read: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[Any]]
"""(path, parameters) → the data of the answer."""


async def three_tiers(read: Read) -> Sequence[Unit]:
    """The list that was valid until 2025-06-30: one request for each province and district."""
    provinces = _units("province", await read("/v2/categories/listProvinceById", {"provinceId": "-1"}))
    districts = await _within(read, "/v2/categories/listDistrict", "provinceId", "district", provinces)
    return [*provinces, *districts, *await _within(read, "/v2/categories/listWards", "districtId", "ward", districts)]


async def two_tiers(read: Read) -> Sequence[Unit]:
    """The list since 2025-07-01: one request for each province."""
    provinces = _units("province", await read("/v3/categories/listProvinceNew", {}))
    return [*provinces, *await _within(read, "/v3/categories/listWardsNew", "provinceId", "ward", provinces)]


async def _within(read: Read, path: str, parameter: str, level: Level, parents: Sequence[Unit]) -> list[Unit]:
    """The units of a level that lie in those of the level above, which are asked for one by one."""
    answers = await together([partial(read, path, {parameter: parent.code}) for parent in parents])
    return [
        unit for parent, data in zip(parents, answers, strict=True) for unit in _units(level, data, parent=parent.code)
    ]


def _units(level: Level, data: Any, *, parent: str = "") -> list[Unit]:
    return [
        Unit(level=level, code=code, name=name, parent_code=parent)
        for row in rows_of(data)
        if (code := _first(row, f"{level}id", f"{level}sid")) and (name := _first(row, f"{level}name", f"{level}sname"))
    ]


def _first(row: Fields, *names: str) -> str:
    return next(filter(None, (text_of(row.get(name)) for name in names)), "")
