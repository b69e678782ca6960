"""GHN's own lists of provinces, districts and wards, in both eras: the country's official units under codes of its own.

Source of the units: the list that comes with the product (services/orders/addresses/data/README.md). GHN's codes are not
the statistics office's, its names of provinces have no prefix ('Hà Nội'), and `extension_names` holds other spellings; the
shapes are those of master-data (documentation id=60, 78, 61) and of v3/master-data (developer.ghn.vn, 2026).
"""

import csv
import gzip
import io
import unicodedata
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

_LIST = Path(__file__).parents[3] / "services" / "orders" / "addresses" / "data" / "changes_2025.csv.gz"
_FIRST_PROVINCE, _FIRST_DISTRICT = 201, 1442
_FIRST_NEW_PROVINCE, _FIRST_NEW_WARD = 1_000_001, 1_003_000
_PROVINCE_PREFIXES = ("Thành phố ", "Tỉnh ")
_PREFIXES = (*_PROVINCE_PREFIXES, "Quận ", "Huyện ", "Thị xã ", "Phường ", "Xã ", "Thị trấn ", "Đặc khu ")


@dataclass(eq=False)
class Place:
    """One unit; `code` is GHN's."""

    code: str
    name: str
    parent: "Place | None" = field(default=None, repr=False)
    parts: dict[str, "Place"] = field(default_factory=dict, repr=False)
    """By the official name."""

    @cached_property
    def extension_names(self) -> list[str]:
        plain = _without_prefix(self.name)
        spellings = (self.name, plain, *(f"{prefix}{plain}" for prefix in _PROVINCE_PREFIXES if self.parent is None))
        lower = [spelling.lower() for spelling in spellings]
        return list(dict.fromkeys([*lower, *(_without_accents(each) for each in lower)]))

    @cached_property
    def _called(self) -> dict[str, list["Place"]]:
        """What it holds, by every spelling."""
        found: dict[str, list[Place]] = {}
        for place in self.parts.values():
            for spelling in place.extension_names:
                found.setdefault(spelling, []).append(place)
        return found

    def part(self, name: str) -> "Place | None":
        """The one place of that name in it; None if there is none or several."""
        wanted = name.strip().lower()
        found = self._called.get(wanted) or self._called.get(_without_accents(wanted), [])
        exact = [place for place in found if place.name.lower() == wanted]
        return exact[0] if len(exact) == 1 else found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Country:
    """The units of both eras."""

    old: Place
    """Provinces with districts with wards."""
    new: Place
    """Provinces with wards."""
    old_districts: dict[int, Place]
    new_wards: dict[str, Place]

    def old_ward(self, *, district_id: int, ward_code: str) -> Place | None:
        district = self.old_districts.get(district_id)
        return next((ward for ward in district.parts.values() if ward.code == ward_code), None) if district else None

    def old_ward_by_name(self, *, province: str, district: str, ward: str) -> Place | None:
        return _within(self.old, province, district, ward)

    def new_ward_by_name(self, *, province: str, ward: str) -> Place | None:
        return _within(self.new, province, ward)


def _within(place: Place | None, *names: str) -> Place | None:
    for name in names:
        place = place.part(name) if place else None
    return place


@cache
def country() -> Country:
    """Read once: ten thousand wards."""
    old: dict[str, Place] = {}
    new: dict[str, Place] = {}
    districts: dict[int, Place] = {}
    new_wards: dict[str, Place] = {}
    with gzip.open(_LIST) as packed:
        rows = list(csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")))
    for row in rows:
        province = old.get(row["province"])
        if province is None:
            province = Place(str(_FIRST_PROVINCE + len(old)), _without_prefix(row["province"]))
            old[row["province"]] = province
        district = province.parts.get(row["district"])
        if district is None:
            number = _FIRST_DISTRICT + len(districts)
            district = districts[number] = province.parts[row["district"]] = Place(
                str(number), row["district"], province
            )
        if row["ward"] and row["ward"] not in district.parts:
            code = f"{district.code[1:]}{len(district.parts) + 1:02d}"  # with a leading zero where the district has one
            district.parts[row["ward"]] = Place(code, row["ward"], district)
    for row in sorted(rows, key=lambda row: (row["newProvinceCode"], row["newWardCode"])):
        merged = new.get(row["newProvince"])
        if merged is None:
            merged = Place(str(_FIRST_NEW_PROVINCE + len(new)), _without_prefix(row["newProvince"]))
            new[row["newProvince"]] = merged
        if row["newWard"] not in merged.parts:
            code = str(_FIRST_NEW_WARD + len(new_wards))
            new_wards[code] = merged.parts[row["newWard"]] = Place(code, row["newWard"], merged)
    return Country(Place("", "", parts=old), Place("", "", parts=new), districts, new_wards)


def _without_prefix(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)


def _without_accents(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
