"""Official units are found by what people type, and lists of them are read as they are published."""

from __future__ import annotations

import pytest

from services.orders.addresses.loading import UnreadableUnits, read_units
from services.orders.addresses.naming import read_query, unit_key
from services.orders.addresses.provinces import BECAME, PROVINCES_34, PROVINCES_63


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("tp hcm", "thanh pho ho chi minh"),
        ("TPHCM", "thanh pho ho chi minh"),
        ("q.1", "quan 1"),
        ("Q1", "quan 1"),
        ("quận 01", "quan 1"),
        ("p. bến nghé", "phuong ben nghe"),
        ("P12", "phuong 12"),
        ("f.5", "phuong 5"),
        ("tx. An Khê", "thi xa an khe"),
        ("tt Củ Chi", "thi tran cu chi"),
        ("Đắc Lắc", "dak lak"),
        ("Thừa Thiên - Huế", "thua thien hue"),
        ("thừa thiên huế", "hue"),
        ("BRVT", "ba ria vung tau"),
        ("huyện Quan Hóa", "huyen quan hoa"),
        ("Hà Tĩnh", "ha tinh"),
    ],
)
def test_abbreviations_and_other_spellings_mean_the_official_name(typed: str, key: str) -> None:
    query = read_query(typed)
    assert query is not None
    assert query.key == key


def test_each_unit_of_a_line_is_looked_for_as_a_whole() -> None:
    query = read_query("P.1 Q.10 TP.HCM")
    assert query is not None
    assert query.exact == "phuong <-> 1 & quan <-> 10 & thanh <-> pho <-> ho <-> chi <-> minh:*"
    assert query.loose == "1 & 10 & ho & chi & minh:*"


def test_a_number_is_whole_and_a_word_may_be_its_beginning() -> None:
    number, word = read_query("quận 1"), read_query("bến ng")
    assert number is not None
    assert word is not None
    assert number.exact == "quan <-> 1"
    assert word.exact == "ben <-> ng:*"


@pytest.mark.parametrize("typed", ["", "  ", "…", ",;-", "'|&!:*"])
def test_what_has_no_word_looks_for_nothing(typed: str) -> None:
    assert read_query(typed) is None


def test_a_unit_is_known_with_its_kind_and_without() -> None:
    assert unit_key("Phường Bến Nghé").short == "ben nghe"
    assert unit_key("Phường 01").own == "phuong 1"
    assert unit_key("Đặc khu Hoàng Sa").short == "hoang sa"


def test_sixty_three_provinces_became_thirty_four() -> None:
    assert (len(PROVINCES_63), len(PROVINCES_34)) == (63, 34)
    assert BECAME.keys() == PROVINCES_63.keys()
    assert set(BECAME.values()) == PROVINCES_34.keys()
    stayed = [code for code, new in BECAME.items() if list(BECAME.values()).count(new) == 1]
    assert len(stayed) == 11
    # A code may name another province than before.
    assert (PROVINCES_63["44"], PROVINCES_34["44"]) == ("Tỉnh Quảng Bình", "Tỉnh Quảng Trị")


OFFICE = """\ufeffMã,Tên,Tên Tiếng Anh,Cấp,Mã QH,Quận Huyện,Mã TP,Tỉnh / Thành Phố
26740,Phường Bến Nghé,,Phường,760,Quận 1,79,Thành phố Hồ Chí Minh
1,Phường Phúc Xá,,Phường,1,Quận Ba Đình,1,Thành phố Hà Nội
,,,,318,Huyện Bạch Long Vĩ,31,Thành phố Hải Phòng
"""


def test_the_export_of_the_statistics_office_is_read_with_its_zeros_and_its_islands() -> None:
    units = read_units(OFFICE, file="three_tier").units
    ward = units["three_tier", "00001"]
    assert (ward.name, ward.parent, ward.province) == ("Phường Phúc Xá", "001", "01")
    assert units["three_tier", "318"].name == "Huyện Bạch Long Vĩ"
    assert len(units) == 8


CHANGES = """provinceCode,province,districtCode,district,wardCode,ward,newProvinceCode,newProvince,newWardCode,newWard
79,Thành phố Hồ Chí Minh,760,Quận 1,26740.0,Phường Bến Nghé,79,Thành phố Hồ Chí Minh,26740,Phường Sài Gòn
79,Thành phố Hồ Chí Minh,760,Quận 1,26737.0,Phường Đa Kao,79,Thành phố Hồ Chí Minh,26740,Phường Sài Gòn
79,Thành phố Hồ Chí Minh,760,Quận 1,26737.0,Phường Đa Kao,79,Thành phố Hồ Chí Minh,26737,Phường Tân Định
"""


def test_what_became_of_what_keeps_one_code_of_two_eras_apart() -> None:
    read = read_units(CHANGES, file="changes")
    assert read.units["three_tier", "26740"].name == "Phường Bến Nghé"
    assert read.units["two_tier", "26740"].name == "Phường Sài Gòn"
    assert read.changes["26740", "26740"] is True
    assert (read.changes["26737", "26740"], read.changes["26737", "26737"]) == (False, False)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "empty"),
        ("a,b\n1,2\n", 1, "no column"),
        (OFFICE.replace("26740", "267400"), 2, "no code of a ward"),
        (OFFICE.replace("26740", "x"), 2, "no code of a ward"),
        (OFFICE.replace("Phường Bến Nghé", " "), 2, "ward is empty"),
        (OFFICE + "26740,Phường Khác,,,760,Quận 1,79,Thành phố Hồ Chí Minh\n", 5, "26740 is Phường Bến Nghé"),
    ],
)
def test_a_list_that_cannot_be_read_names_its_line(content: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableUnits) as caught:
        read_units(content, file="three_tier")
    assert caught.value.members["line"] == line
    assert reason in caught.value.members["reason"]
