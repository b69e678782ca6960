"""The Vietnamese numbering plan: one string of digits → one number, or what is wrong with it.

`national` below is the national significant number: without country code and without the 0 at the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import phonenumbers

from shared.phone import problems
from shared.phone.model import PhoneKind, PhoneProblem, PhoneRule

COUNTRY_CODE: Final = "84"
MOBILE_LENGTH: Final = 9
"""Digits of a national mobile number since 2018."""
LONG_LENGTH: Final = 10
"""Digits of a national landline number, and of a mobile number before 2018."""
MIN_DIGITS: Final = 7
"""The shortest foreign numbers with their country code."""
MAX_DIGITS: Final = 17
"""'00' and the 15 digits that E.164 allows."""

PREFIXES_2018: Final = {
    # Viettel
    "162": "32",
    "163": "33",
    "164": "34",
    "165": "35",
    "166": "36",
    "167": "37",
    "168": "38",
    "169": "39",
    # MobiFone
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    # VinaPhone
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    # Vietnamobile
    "186": "56",
    "188": "58",
    # Gmobile
    "199": "59",
}
"""Old → new mobile prefix, the last seven digits kept (Decision 798/QĐ-BTTTT, 2018)."""


AREAS_2017: Final = {
    "4": "24",  # Hà Nội
    "53": "233",  # Quảng Trị
    "54": "234",  # Thừa Thiên Huế
    "55": "255",  # Quảng Ngãi
    "57": "257",  # Phú Yên
    "60": "260",  # Kon Tum
    "61": "251",  # Đồng Nai
    "62": "252",  # Bình Thuận
    "63": "263",  # Lâm Đồng
    "64": "254",  # Bà Rịa – Vũng Tàu
    "66": "276",  # Tây Ninh
    "67": "277",  # Đồng Tháp
    "68": "259",  # Ninh Thuận
    "72": "272",  # Long An
    "73": "273",  # Tiền Giang
    "74": "294",  # Trà Vinh
    "75": "275",  # Bến Tre
    "500": "262",  # Đắk Lắk
    "501": "261",  # Đắk Nông
    "510": "235",  # Quảng Nam
    "511": "236",  # Đà Nẵng
    "650": "274",  # Bình Dương
    "651": "271",  # Bình Phước
    "710": "292",  # Cần Thơ
    "711": "293",  # Hậu Giang
}
"""Old → new area code (Decision 2036/QĐ-BTTTT, 2016; in force from June 2017), the subscriber's digits kept. Only those
whose old form is nothing else today: 08 of Ho Chi Minh City, 033, 038, 077 … are mobile prefixes now, 020 to 029 the
beginnings of new area codes, and 030, 031 of tax codes."""
_OLD_SUBSCRIBERS: Final = ("3", "6")
"""First digits of nearly all landlines of that time. Tax codes of the same length go on with 0, what is made up with 1 or 2."""


def _heads(*prefixes: str) -> frozenset[str]:
    """Every three-digit head that begins with one of the prefixes."""
    return frozenset(
        prefix + str(rest).zfill(3 - len(prefix)) if len(prefix) < 3 else prefix
        for prefix in prefixes
        for rest in range(10 ** (3 - len(prefix)))
    )


MOBILE_HEADS: Final = (
    _heads("32", "33", "34", "35", "36", "37", "38", "39")
    | _heads("51", "56", "58", "59", "522", "523", "528", "559")
    | _heads("70", "76", "77", "78", "79")
    | _heads("81", "82", "83", "84", "85", "86", "87", "88", "896", "897", "898", "899")
    | _heads("90", "91", "92", "93", "94", "95", "96", "97", "98", "990", "991")
    | _heads("993", "994", "995", "996", "997", "998", "999")
)
"""First three digits of national mobile numbers: what `phonenumbers` knows as mobile, without 30 and 31 (given to no
operator, but tax codes of Ho Chi Minh City begin so) and without 1xx (satellite and test ranges)."""

HOTLINES: Final = ("1800", "1900")
HOTLINE_LENGTHS: Final = range(7, 11)
"""1900 and three to six digits (four to six are real; three is one with a digit missing)."""
SHORT_CODE_LENGTHS: Final = range(3, 7)
"""Emergency, operator and message codes: 113, 1080, 9029, 18001."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that exists in the numbering plan."""

    e164: str
    kind: PhoneKind
    rules: tuple[PhoneRule, ...] = ()


def resolve(digits: str, *, plus: bool = False) -> Number | PhoneProblem:
    """Reads one number.

    Whether 84 at the front is the country code or VinaPhone's 084 without its 0 is decided by length: 841234567 is
    0841234567, but 84381234567 is +84 381234567.

    Args:
        digits: ASCII digits only, at least one.
        plus: whether a + stood before them.
    """
    if plus and digits[0] != "0":
        return _after_country_code(digits[2:]) if digits.startswith(COUNTRY_CODE) else _foreign(digits)
    if digits.startswith("00" + COUNTRY_CODE):
        return _after_country_code(digits[4:])
    if digits.startswith("00"):
        return _double_zero(digits)
    if digits.startswith("0" + COUNTRY_CODE) and len(digits) >= len("084") + MOBILE_LENGTH:
        return _after_country_code(digits[3:])
    if digits[0] == "0":
        return _national(digits[1:]) or _old_landline(digits[1:]) or _problem_of(digits[1:])
    if digits.startswith(COUNTRY_CODE) and len(digits) > MOBILE_LENGTH:
        return _after_country_code(digits[2:])
    return _without_zero(digits)


def is_complete_mobile(digits: str) -> bool:
    """Whether the digits alone, with their 0 or country code, are a mobile number of today."""
    if len(digits) == MOBILE_LENGTH + 1:
        return digits[0] == "0" and digits[1:4] in MOBILE_HEADS
    return len(digits) == MOBILE_LENGTH + 2 and digits.startswith(COUNTRY_CODE) and digits[2:5] in MOBILE_HEADS


def _national(national: str, *rules: PhoneRule) -> Number | None:
    if len(national) == MOBILE_LENGTH and national[:3] in MOBILE_HEADS:
        return Number(f"+{COUNTRY_CODE}{national}", PhoneKind.MOBILE, rules)
    if len(national) != LONG_LENGTH:
        return None
    if prefix := PREFIXES_2018.get(national[:3]):
        return Number(f"+{COUNTRY_CODE}{prefix}{national[3:]}", PhoneKind.MOBILE, (*rules, PhoneRule.PREFIX_2018))
    if national[0] == "2" and _is_landline(national):
        return Number(f"+{COUNTRY_CODE}{national}", PhoneKind.LANDLINE, rules)
    return None


def _old_landline(national: str, *rules: PhoneRule) -> Number | None:
    """A landline as it was written until 2017; only with its 0 or its country code, because without it would be a guess
    upon a guess."""
    for length in (1, 2, 3):
        area, subscriber = AREAS_2017.get(national[:length]), national[length:]
        if area is None or not subscriber.startswith(_OLD_SUBSCRIBERS):
            continue
        if len(area + subscriber) == LONG_LENGTH and _is_landline(area + subscriber):
            return Number(f"+{COUNTRY_CODE}{area}{subscriber}", PhoneKind.LANDLINE, (*rules, PhoneRule.AREA_2017))
    return None


def _after_country_code(rest: str) -> Number | PhoneProblem:
    national = rest.removeprefix("0")
    if national.startswith(COUNTRY_CODE) and len(national) > LONG_LENGTH:
        # A form that puts +84 in front of what already had it.
        national = national[2:].removeprefix("0")
    return (
        _national(national, PhoneRule.COUNTRY_CODE)
        or _old_landline(national, PhoneRule.COUNTRY_CODE)
        or _problem_of(national)
    )


def _double_zero(digits: str) -> Number | PhoneProblem:
    """00 and a country is dialling abroad, which only a + makes certain; 00 and a whole mobile number is a slip."""
    national = digits[2:]
    if len(national) == MOBILE_LENGTH and (number := _national(national, PhoneRule.DOUBLE_ZERO)):
        return number
    return problems.FOREIGN_WITHOUT_PLUS if _foreign_e164(national) else _problem_of(digits[1:])


def _without_zero(digits: str) -> Number | PhoneProblem:
    if number := _national(digits, PhoneRule.MISSING_ZERO):
        return number
    if _is_hotline(digits):
        return problems.HOTLINE
    if len(digits) in SHORT_CODE_LENGTHS:
        return problems.SHORT_CODE
    if len(digits) < MOBILE_LENGTH:
        return problems.missing_digits(MOBILE_LENGTH + 1 - len(digits))
    if len(digits) <= LONG_LENGTH:
        return problems.unknown_prefix(digits[:3])
    return problems.FOREIGN_WITHOUT_PLUS if _foreign_e164(digits) else problems.extra_digits(len(digits) - LONG_LENGTH)


def _problem_of(national: str) -> PhoneProblem:
    """What is wrong with a number that had its 0 or its country code."""
    if _is_hotline(national):
        return problems.HOTLINE
    long = national[:1] in ("1", "2")
    if len(national) < MOBILE_LENGTH or (national[:1] == "2" and len(national) == MOBILE_LENGTH):
        wanted = LONG_LENGTH if national[:1] == "2" else MOBILE_LENGTH
        return problems.missing_digits(wanted - len(national))
    if len(national) <= (LONG_LENGTH if long else MOBILE_LENGTH):
        return problems.unknown_prefix("0" + national[:2])
    return problems.extra_digits(len(national) - (LONG_LENGTH if long else MOBILE_LENGTH))


def _is_hotline(digits: str) -> bool:
    return digits.startswith(HOTLINES) and len(digits) in HOTLINE_LENGTHS


def _is_landline(national: str) -> bool:
    number = phonenumbers.PhoneNumber(country_code=84, national_number=int(national))
    return phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE


def _foreign(digits: str) -> Number | PhoneProblem:
    if e164 := _foreign_e164(digits):
        return Number(e164, PhoneKind.FOREIGN)
    return problems.FOREIGN_INVALID


def _foreign_e164(digits: str) -> str | None:
    """The canonical form of country code and number when that country has such a number."""
    try:
        number = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return None
    if number.country_code == int(COUNTRY_CODE) or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
