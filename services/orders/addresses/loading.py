"""Reading lists of official units: the statistics office's own export, and the tables of what became of what. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from services.orders.text import words
from shared.errors import Problem

Era = Literal["three_tier", "two_tier"]
"""Provinces, districts and wards until 2025-06-30; provinces and wards since."""
File = Literal["three_tier", "two_tier", "changes"]
"""What a file lists: the units of an era, or old units beside the new ones that they became."""

_WIDTH: Final = {"province": 2, "district": 3, "ward": 5}
_HEADERS: Final = {
    "ma": "ward_code",
    "ten": "ward",
    "ma qh": "district_code",
    "quan huyen": "district",
    "ma tp": "province_code",
    "ma tinh": "province_code",
    "tinh / thanh pho": "province",
    "wardcode": "ward_code",
    "districtcode": "district_code",
    "provincecode": "province_code",
    "newwardcode": "new_ward_code",
    "newprovincecode": "new_province_code",
    "newward": "new_ward",
    "newprovince": "new_province",
    "isdefaultnewward": "is_default",
}
"""Headers of danhmuchanhchinh.gso.gov.vn, and of the tables that are published as CSV, beside our own names."""
_TRUE: Final = frozenset({"true", "1", "t", "yes"})


class UnreadableUnits(Problem):
    type = "unreadable-units"
    status = 422
    vi = "Không đọc được danh mục: dòng {line}: {reason}. Không có gì được nạp; sửa tệp rồi nạp lại."
    en = "The list cannot be read: line {line}: {reason}. Nothing was loaded; correct the file and load it again."


@dataclass(frozen=True)
class Unit:
    """A unit of an era. Codes are the statistics office's: 2 digits for a province, 3 for a district, 5 for a ward."""

    era: Era
    code: str
    name: str
    parent: str | None
    province: str


@dataclass
class Units:
    """What a file said."""

    units: dict[tuple[Era, str], Unit] = field(default_factory=dict)
    changes: dict[tuple[str, str], bool] = field(default_factory=dict)
    """(Old code, new code) → whether it is the one to take when nothing more is known."""

    def add(self, unit: Unit, line: int) -> None:
        """
        Raises:
            UnreadableUnits: the file says two things of one code.
        """
        known = self.units.setdefault((unit.era, unit.code), unit)
        if known != unit:
            raise UnreadableUnits(
                line=line, reason=f"{unit.code} is {known.name} ({known.parent}), here {unit.name} ({unit.parent})"
            )


def read_units(text: str, *, file: File) -> Units:
    """The units in a CSV file with a header.

    Raises:
        UnreadableUnits: a column is missing, a code is none, or the file contradicts itself.
    """
    found = Units()
    for line, row in _rows(text, file=file):
        if file == "two_tier":
            _new_units(found, row, line, prefix="")
        else:
            old = _old_units(found, row, line)
            if file == "changes":
                new = _new_units(found, row, line, prefix="new_")
                found.changes[old, new] = row.get("is_default", "").lower() in _TRUE
                before = (
                    _code(row, "province_code", "province", line),
                    _code(row, "new_province_code", "province", line),
                )
                found.changes[before] = True
    if file == "changes":
        _one_default(found.changes)
    return found


def _rows(text: str, *, file: File) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        header = [_header(name) for name in next(reader)]
        needed = {"province_code", "province", "ward_code", "ward"}
        if file != "two_tier":
            needed |= {"district_code", "district"}
        if file == "changes":
            needed |= {"new_province_code", "new_province", "new_ward_code", "new_ward"}
        if needed - set(header):
            raise UnreadableUnits(line=1, reason=f"no column {', '.join(sorted(needed - set(header)))}")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=False))
    except StopIteration:
        raise UnreadableUnits(line=1, reason="the file is empty") from None
    except csv.Error as error:
        raise UnreadableUnits(line=reader.line_num, reason=str(error)) from None


def _header(name: str) -> str:
    plain = name.strip().lower()
    bare = " / ".join(" ".join(words(part)) for part in plain.split("/"))
    return _HEADERS.get(bare) or _HEADERS.get(plain.replace("_", "")) or plain


def _code(row: Mapping[str, str], column: str, tier: str, line: int) -> str:
    """A code with its leading zeros, which a spreadsheet may have taken ('79', '1.0' → '01')."""
    value = row.get(column, "").removesuffix(".0")
    if not value.isascii() or not value.isdigit() or len(value) > _WIDTH[tier]:
        raise UnreadableUnits(line=line, reason=f"{column} {value!r} is no code of a {tier}")
    return value.zfill(_WIDTH[tier])


def _name(row: Mapping[str, str], column: str, line: int) -> str:
    value = " ".join(row.get(column, "").split())
    if not value:
        raise UnreadableUnits(line=line, reason=f"{column} is empty")
    return value


def _old_units(found: Units, row: Mapping[str, str], line: int) -> str:
    """Adds the old units of a row; returns the code of the lowest: islands were districts without wards."""
    province = _code(row, "province_code", "province", line)
    found.add(Unit("three_tier", province, _name(row, "province", line), None, province), line)
    district = _code(row, "district_code", "district", line)
    found.add(Unit("three_tier", district, _name(row, "district", line), province, province), line)
    if not row.get("ward_code"):
        return district
    ward = _code(row, "ward_code", "ward", line)
    found.add(Unit("three_tier", ward, _name(row, "ward", line), district, province), line)
    return ward


def _new_units(found: Units, row: Mapping[str, str], line: int, *, prefix: str) -> str:
    province = _code(row, f"{prefix}province_code", "province", line)
    found.add(Unit("two_tier", province, _name(row, f"{prefix}province", line), None, province), line)
    ward = _code(row, f"{prefix}ward_code", "ward", line)
    found.add(Unit("two_tier", ward, _name(row, f"{prefix}ward", line), province, province), line)
    return ward


def _one_default(changes: dict[tuple[str, str], bool]) -> None:
    """A unit that became one other goes there; one that was split has at most the default that the file names."""
    became: dict[str, list[str]] = {}
    for old, new in changes:
        became.setdefault(old, []).append(new)
    for old, news in became.items():
        if len(news) == 1:
            changes[old, news[0]] = True
