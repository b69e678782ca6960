"""What people type into phone fields, and the number it is."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.phone import MAX_PHONES, Phone, PhoneKind, PhoneRule, ProblemCode, read_phones
from shared.phone.numbering import MOBILE_HEADS, PREFIXES_2018

ESCAPES = ("\\n", "\\r", "\\t")


class Case(NamedTuple):
    written: str
    numbers: tuple[str, ...]
    problem: str | None
    rules: tuple[str, ...]
    why: str


def _decode(text: str) -> str:
    """'\\n', '\\t', '\\r' and '\\uXXXX' of the table → the character."""
    for escape in ESCAPES:
        text = text.replace(escape, escape.encode().decode("unicode_escape"))
    head, *tails = text.split("\\u")
    return head + "".join(chr(int(tail[:4], 16)) + tail[4:] for tail in tails)


def _cases() -> list[Case]:
    with (Path(__file__).parent / "data" / "phones.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Case(
            written=_decode(row["written"]),
            numbers=() if row["expected"].startswith("!") else tuple(row["expected"].split()),
            problem=row["expected"][1:] if row["expected"].startswith("!") else None,
            rules=() if row["rules"] == "-" else tuple(row["rules"].split(",")),
            why=row["why"],
        )
        for row in rows
    ]


CASES = _cases()


def _kind(e164: str) -> PhoneKind:
    if not e164.startswith("+84"):
        return PhoneKind.FOREIGN
    return PhoneKind.LANDLINE if e164.startswith("+842") else PhoneKind.MOBILE


@pytest.mark.parametrize("case", CASES, ids=[f"{line}-{case.why}" for line, case in enumerate(CASES, 2)])
def test_a_written_form_is_read_as_the_table_says(case: Case) -> None:
    reading = read_phones(case.written)

    assert tuple(phone.e164 for phone in reading.phones) == case.numbers
    assert (reading.problem.code if reading.problem else None) == case.problem
    assert tuple(sorted({rule for phone in reading.phones for rule in phone.rules})) == case.rules
    assert [phone.kind for phone in reading.phones] == [_kind(phone.e164) for phone in reading.phones]
    assert all(phone.typed in case.written for phone in reading.phones)


def test_the_table_is_large_and_has_no_case_twice() -> None:
    written = [case.written for case in CASES]

    assert len(set(written)) == len(written) >= 300


def test_every_rule_and_every_problem_of_one_number_has_a_case() -> None:
    assert {rule for case in CASES for rule in case.rules} == set(PhoneRule)
    of_whole_texts = {
        ProblemCode.MORE_THAN_ONE,
        ProblemCode.TEXT_TOO_LONG,
        ProblemCode.TOO_MANY_NUMBERS,
        ProblemCode.TOO_SHORT,
    }
    assert {case.problem for case in CASES if case.problem} == set(ProblemCode) - of_whole_texts


def test_each_number_remembers_the_part_it_was_read_from() -> None:
    reading = read_phones("  Vợ: +84 912.345.678 / chồng 0168 123 4567 ")

    assert [phone.typed for phone in reading.phones] == ["+84 912.345.678", "0168 123 4567"]
    assert reading.phones[0] == reading.primary


def test_a_short_second_number_is_named_beside_the_first() -> None:
    reading = read_phones("0912345678 / 098765432")

    assert [(part.typed, part.problem.vi) for part in reading.unread] == [
        ("098765432", "Số điện thoại thiếu 1 chữ số. Kiểm tra lại rồi lưu.")
    ]


def test_the_number_of_a_street_is_not_named_beside_a_phone_number() -> None:
    assert read_phones("0912345678, 123 Lê Lợi").unread == ()


@pytest.mark.parametrize(
    ("written", "vi", "en"),
    [
        (
            "091234567",
            "Số điện thoại thiếu 1 chữ số. Kiểm tra lại rồi lưu.",
            "1 digit is missing from the phone number. Check it and save again.",
        ),
        (
            "0912 345",
            "Số điện thoại thiếu 3 chữ số. Kiểm tra lại rồi lưu.",
            "3 digits are missing from the phone number. Check it and save again.",
        ),
        (
            "091234567890",
            "Số điện thoại thừa 2 chữ số. Kiểm tra lại rồi lưu; nếu là hai số, cách nhau bằng dấu /.",
            "The phone number has 2 digits too many. Check it and save again; put / between two numbers.",
        ),
        (
            "0451234567",
            "Đầu số 045 không có ở Việt Nam. Kiểm tra lại rồi lưu.",
            "No number in Vietnam begins with 045. Check it and save again.",
        ),
    ],
)
def test_a_refusal_counts_what_is_wrong_and_says_what_to_do(written: str, vi: str, en: str) -> None:
    problem = read_phones(written).problem

    assert problem is not None
    assert (problem.vi, problem.en) == (vi, en)


def test_a_pasted_list_is_cut_and_the_rest_is_named() -> None:
    numbers = [f"09123456{n:02}" for n in range(MAX_PHONES + 2)]

    reading = read_phones(", ".join(numbers))

    assert [phone.typed for phone in reading.phones] == numbers[:MAX_PHONES]
    assert [(part.typed, part.problem.code) for part in reading.unread] == [
        (number, ProblemCode.TOO_MANY_NUMBERS) for number in numbers[MAX_PHONES:]
    ]


def test_a_message_in_the_phone_field_is_refused() -> None:
    problem = read_phones("tư vấn giúp em " * 100 + "0912345678").problem

    assert problem is not None
    assert problem.code == ProblemCode.TEXT_TOO_LONG


def test_our_mobile_prefixes_are_those_of_phonenumbers_without_the_named_exceptions() -> None:
    def is_mobile(head: int) -> bool:
        number = phonenumbers.PhoneNumber(country_code=84, national_number=head * 10**6 + 345678)
        return phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE

    known = {str(head) for head in range(100, 1000) if is_mobile(head)}

    assert known - MOBILE_HEADS == {head for head in known if head[0] == "1" or head[:2] in ("30", "31")}
    assert known >= MOBILE_HEADS


def test_every_prefix_of_2018_leads_to_a_prefix_of_today() -> None:
    assert len(PREFIXES_2018) == 21
    assert all(any(head.startswith(new) for head in MOBILE_HEADS) for new in PREFIXES_2018.values())
    assert len(set(PREFIXES_2018.values())) == len(PREFIXES_2018)


# Any spelling of a number is that number -----------------------------------------------------------------------------

mobiles = st.builds(
    lambda head, rest: f"{head}{rest:06}", st.sampled_from(sorted(MOBILE_HEADS)), st.integers(0, 10**6 - 1)
)
"""National significant numbers, '912345678'."""
SCRIPTS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "๐๑๒๓๔๕๖๗๘๙", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]
MARKS = ["", "", "\u200b", "\u200e", "\u202c", "\ufeff"]
SEPARATORS = [" ", ".", "-", "  ", "\u00a0", "–", " - ", "\u3000"]
AROUND = [("", ""), (" ", "\n"), ("'", ""), ('="', '"'), ("SĐT: ", ""), ("(", ")"), ("", " (zalo)"), ("chị Lan - ", "")]


@st.composite
def spellings(draw: st.DrawFn, national: str) -> str:
    digits = draw(st.sampled_from(["0", "+84", "84", "0084", "+840", "840"])) + national
    digits = digits.translate(str.maketrans("0123456789", draw(st.sampled_from(SCRIPTS))))
    cuts = sorted(draw(st.sets(st.integers(1, len(digits) - 1), max_size=4)))
    separator = draw(st.sampled_from(SEPARATORS))
    pieces = [digits[left:right] for left, right in zip([0, *cuts], [*cuts, None], strict=True)]
    before, behind = draw(st.sampled_from(AROUND))
    return before + draw(st.sampled_from(MARKS)) + separator.join(pieces) + draw(st.sampled_from(MARKS)) + behind


@given(mobiles.flatmap(lambda national: st.tuples(st.just(national), spellings(national))))
def test_any_spelling_of_a_mobile_number_is_that_number(pair: tuple[str, str]) -> None:
    national, written = pair

    assert [phone.e164 for phone in read_phones(written).phones] == [f"+84{national}"]


@given(
    mobiles.flatmap(lambda national: st.tuples(st.just(national), spellings(national))),
    mobiles.flatmap(lambda national: st.tuples(st.just(national), spellings(national))),
    st.sampled_from([" / ", ", ", ";", "\n", " hoặc ", " & "]),
)
def test_any_spelling_of_two_numbers_is_both_in_order(
    first: tuple[str, str], second: tuple[str, str], sign: str
) -> None:
    reading = read_phones(first[1] + sign + second[1])

    assert [phone.e164 for phone in reading.phones] == list(dict.fromkeys([f"+84{first[0]}", f"+84{second[0]}"]))


@given(st.sampled_from(sorted(PREFIXES_2018)), st.integers(0, 10**7 - 1), st.sampled_from(["0", "+84", "84", ""]))
def test_a_number_before_and_after_2018_is_the_same(old: str, rest: int, front: str) -> None:
    before = read_phones(f"{front}{old}{rest:07}").primary
    after = read_phones(f"0{PREFIXES_2018[old]}{rest:07}").primary

    assert before is not None
    assert after is not None
    assert before.e164 == after.e164


@given(st.text(max_size=60) | st.text(alphabet="0123456789 +.-/,;oOlI()\n", max_size=60))
def test_a_canonical_number_is_read_as_itself(text: str) -> None:
    for phone in read_phones(text).phones:
        again = read_phones(phone.e164)

        assert [(found.e164, found.kind) for found in again.phones] == [(phone.e164, phone.kind)]


@given(st.text(max_size=60) | st.text(alphabet="0123456789 +.-/,;oOlI()\n", max_size=60))
def test_a_reading_has_either_numbers_or_a_problem(text: str) -> None:
    reading = read_phones(text)

    assert bool(reading.phones) == (reading.problem is None)
    assert len(reading.phones) <= MAX_PHONES
    assert len({phone.e164 for phone in reading.phones}) == len(reading.phones)
    assert all(phone.typed in text for phone in reading.phones)


def _spelled_with_a_mark(text: str) -> str:
    return text + "\u200b"


@given(mobiles, st.sampled_from([str, "{:0>10}".format, "84{}".format, "+84{}".format, "0084{}".format]))
def test_an_ordinary_number_is_read_like_one_that_needs_analysis(national: str, spell: Callable[[str], str]) -> None:
    def facts(phone: Phone | None) -> tuple[str, PhoneKind, set[PhoneRule]] | None:
        return (phone.e164, phone.kind, set(phone.rules) - {PhoneRule.HIDDEN_CHARACTERS}) if phone else None

    written = spell(national)

    assert facts(read_phones(written).primary) == facts(read_phones(_spelled_with_a_mark(written)).primary)
