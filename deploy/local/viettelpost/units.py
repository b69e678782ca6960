"""A corner of ViettelPost's lists of provinces, districts and wards, in both forms. The ids are invented.

Bến Nghé is the old ward whose code at the statistics office, 26740, now names Phường Sài Gòn.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A unit and what lies in it."""

    id: int
    name: str
    code: str = ""
    parts: tuple["Place", ...] = ()


OLD = (
    Place(
        1,
        "Hà Nội",
        "HNI",
        (Place(4, "Quận Cầu Giấy", "104", (Place(41, "Phường Dịch Vọng Hậu"), Place(42, "Phường Quan Hoa"))),),
    ),
    Place(
        2,
        "Hồ Chí Minh",
        "HCM",
        (Place(43, "Quận 1", "201", (Place(431, "Phường Bến Nghé"), Place(432, "Phường Bến Thành"))),),
    ),
    Place(4, "Đà Nẵng", "DNG", (Place(71, "Quận Hải Châu", "401", (Place(721, "Phường Hải Châu I"),)),)),
)
NEW = (
    Place(101, "Thành phố Hà Nội", "HNI", (Place(1041, "Phường Cầu Giấy"), Place(1042, "Phường Nghĩa Đô"))),
    Place(102, "Thành phố Hồ Chí Minh", "HCM", (Place(2431, "Phường Sài Gòn"), Place(2432, "Phường Bến Thành"))),
    Place(104, "Thành phố Đà Nẵng", "DNG", (Place(4721, "Phường Hải Châu"),)),
)


def provinces(tier: tuple[Place, ...]) -> list[dict[str, object]]:
    return [{"PROVINCE_ID": each.id, "PROVINCE_CODE": each.code, "PROVINCE_NAME": each.name} for each in tier]


def districts(province_id: int) -> list[dict[str, object]]:
    """Of a province in the old form; -1 means of all."""
    return [
        {"DISTRICT_ID": each.id, "DISTRICT_VALUE": each.code, "DISTRICT_NAME": each.name, "PROVINCE_ID": province.id}
        for province in OLD
        if province_id in (-1, province.id)
        for each in province.parts
    ]


def old_wards(district_id: int) -> list[dict[str, object]]:
    """Of a district in the old form; -1 means of all."""
    return [
        {"WARDS_ID": ward.id, "WARDS_NAME": ward.name, "DISTRICT_ID": district.id}
        for province in OLD
        for district in province.parts
        if district_id in (-1, district.id)
        for ward in district.parts
    ]


def new_wards(province_id: int) -> list[dict[str, object]]:
    """Of a province in the new form."""
    return [
        {"WARDS_ID": ward.id, "WARDS_NAME": ward.name, "PROVINCE_ID": province.id}
        for province in NEW
        if province.id == province_id
        for ward in province.parts
    ]


def names(province_id: int, district_id: int, ward_id: int) -> tuple[str, str, str] | None:
    """Ward, district and province by their ids in the old form; None where they do not lie in one another."""
    for province in OLD:
        for district in province.parts:
            for ward in district.parts:
                if (province.id, district.id, ward.id) == (province_id, district_id, ward_id):
                    return ward.name, district.name, province.name
    return None
