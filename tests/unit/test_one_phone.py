"""Fields with one number, and numbers as telephone systems tell them."""

from __future__ import annotations

import pytest

from services.orders.telephone.numbers import outside_number
from shared.phone import PhoneProblem, ProblemCode, one_phone, read_phone


@pytest.mark.parametrize(
    "typed",
    ["0381234567", "84381234567", "+84 38 123 4567", "0084381234567", "038.123.4567", "01681234567", "+841681234567",
     "１６８１２３４５６７", "o381234567", "84 168 123 4567", "084381234567", "00381234567", "381234567.0", "0381234567 (vợ)",
     "gọi 0381234567", "0381234567 / +84381234567", "0381234567, 12 Lê Lợi"],
)  # fmt: skip
def test_a_number_is_one_number_however_it_is_written(typed: str) -> None:
    assert one_phone(typed) == read_phone(typed) == "+84381234567"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("028 3825 4114", "+842838254114"),
        ("028 3825 4114 máy lẻ 101", "+842838254114"),
        ("04 3825 4114", "+842438254114"),
        ("+65 9123 4567", "+6591234567"),
    ],
)
def test_landlines_and_numbers_abroad_are_numbers(typed: str, number: str) -> None:
    assert read_phone(typed) == number


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", ProblemCode.EMPTY),
        ("0912345678 / 0987654321", ProblemCode.MORE_THAN_ONE),
        ("0912345678 / 098765432", ProblemCode.MISSING_DIGITS),
        ("1900 1234", ProblemCode.HOTLINE),
        ("113", ProblemCode.SHORT_CODE),
        ("0065 9123 4567", ProblemCode.FOREIGN_WITHOUT_PLUS),
        ("0301234567", ProblemCode.UNKNOWN_PREFIX),
        ("không có", ProblemCode.NO_DIGITS),
    ],
)
def test_a_field_with_one_number_says_why_it_takes_nothing_else(typed: str, code: ProblemCode) -> None:
    problem = one_phone(typed)
    assert isinstance(problem, PhoneProblem)
    assert problem.code == code
    assert read_phone(typed) is None


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("0912345678", "+84912345678"),
        ("84912345678", "+84912345678"),
        ("912345678", "+84912345678"),
        ("0912345678#", "+84912345678"),
        ("sip:84912345678@10.0.0.5:5060;user=phone", "+84912345678"),
        ("sips:+84912345678@sip.example.vn", "+84912345678"),
        ('"Chị Lan, Huế" <sip:0912345678@10.0.0.5>', "+84912345678"),
        ("tel:+84-912-345-678", "+84912345678"),
        ("PJSIP/0912345678@trunk", "+84912345678"),
        ("PJSIP/trunk/sip:0912345678@10.0.0.5", "+84912345678"),
        ("trunk/0912345678", "+84912345678"),
        ("02838254114", "+842838254114"),
        ("006591234567", "+6591234567"),
        ("19001234", "+8419001234"),
        ("+841800123456", "+841800123456"),
        ("069 234567", "+8469234567"),
    ],
)
def test_a_telephone_outside_is_known_however_a_system_tells_of_it(told: str, number: str) -> None:
    assert outside_number(told) == number


@pytest.mark.parametrize(
    "told",
    ["101", "1001", "6001", "sip:101@203.113.131.10", "PJSIP/101", "PJSIP/101-0000000c", "*97", "s", "113", "anonymous",
     "sip:anonymous@anonymous.invalid", "unknown", "", "\x00", "90912345678", "sip:lan84912345678@10.0.0.5"],
)  # fmt: skip
def test_extensions_codes_and_who_hides_are_no_telephone_outside(told: str) -> None:
    assert outside_number(told) is None
