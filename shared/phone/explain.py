"""How a text was read, in words: each number with the steps that led to it, and what was left out and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from shared.phone import problems
from shared.phone.model import PhoneKind, PhoneProblem, PhoneReading, PhoneRule
from shared.phone.reading import MAX_TEXT, read_phones


@dataclass(frozen=True, slots=True)
class Sentence:
    """A step, as a code and in words."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One number. `operator` is whom its prefix was given to: since 2018 a customer may have taken the number elsewhere."""

    e164: str
    typed: str
    kind: PhoneKind
    operator: str
    steps: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A part of the text with digits that is no number."""

    typed: str
    problem: PhoneProblem


@dataclass(frozen=True, slots=True)
class Explanation:
    numbers: tuple[Explained, ...]
    ignored: tuple[Ignored, ...]
    problem: PhoneProblem | None


STEPS: Final[dict[PhoneRule, tuple[str, str]]] = {
    PhoneRule.AREA_2017: ("đổi mã vùng cũ sang mã vùng từ năm 2017", "replaced the area code by the one of 2017"),
    PhoneRule.COUNTRY_CODE: ("bỏ mã nước +84 ở đầu", "took the country code +84 off"),
    PhoneRule.DOUBLE_ZERO: ("bỏ một số 0 gõ thừa ở đầu", "took a 0 off that was typed twice"),
    PhoneRule.EXCEL_NUMBER: (
        "đọc lại số mà Excel đã đổi thành số thập phân",
        "read a number that Excel had made decimal",
    ),
    PhoneRule.FULL_WIDTH: (
        "đổi chữ số toàn chiều rộng (０９…) sang chữ số thường",
        "made full-width digits plain ones",
    ),
    PhoneRule.HIDDEN_CHARACTERS: ("bỏ ký tự ẩn không nhìn thấy", "took out characters that nobody sees"),
    PhoneRule.LETTER_L: ("đọc chữ l hoặc I là số 1", "read l or I as 1"),
    PhoneRule.LETTER_O: ("đọc chữ o hoặc O là số 0", "read o or O as 0"),
    PhoneRule.MISSING_ZERO: ("thêm số 0 bị mất ở đầu", "added the 0 that was lost at the front"),
    PhoneRule.OTHER_DIGITS: (
        "đổi chữ số của hệ chữ khác sang chữ số thường",
        "made digits of another script plain ones",
    ),
    PhoneRule.PREFIX_2018: (
        "đổi đầu số 11 số cũ sang đầu số từ năm 2018",
        "replaced the 11-digit prefix by that of 2018",
    ),
    PhoneRule.TWO_NUMBERS: ("tách nhiều số trong cùng một ô", "parted several numbers in one field"),
}

_SIGNS: Final = ".,:/-"
_DIGITS: Final = re.compile(r"\d[\d.,:/\-]*[^\W\d_]*\d*")
"""Digits with the signs between them and the letters that belong to them: 1.250.000đ, 17h30, 2/9."""

OPERATORS: Final = {
    "Viettel": "32 33 34 35 36 37 38 39 86 96 97 98",
    "MobiFone": "70 76 77 78 79 896 897 898 899 90 93",
    "VinaPhone": "81 82 83 84 85 88 91 94",
    "Vietnamobile": "522 523 528 56 58 92",
    "Gmobile": "59 993 994 995 996 997 998 999",
    "Wintel": "559",
    "iTel": "87",
}
"""Operator → beginnings of national numbers (Ministry's allocations of 2018 and later)."""
_BY_HEAD: Final = {head: operator for operator, heads in OPERATORS.items() for head in heads.split()}

AREAS: Final = {
    "203": "Quảng Ninh",
    "204": "Bắc Giang",
    "205": "Lạng Sơn",
    "206": "Cao Bằng",
    "207": "Tuyên Quang",
    "208": "Thái Nguyên",
    "209": "Bắc Kạn",
    "210": "Phú Thọ",
    "211": "Vĩnh Phúc",
    "212": "Sơn La",
    "213": "Lai Châu",
    "214": "Lào Cai",
    "215": "Điện Biên",
    "216": "Yên Bái",
    "218": "Hòa Bình",
    "219": "Hà Giang",
    "220": "Hải Dương",
    "221": "Hưng Yên",
    "222": "Bắc Ninh",
    "225": "Hải Phòng",
    "226": "Hà Nam",
    "227": "Thái Bình",
    "228": "Nam Định",
    "229": "Ninh Bình",
    "232": "Quảng Bình",
    "233": "Quảng Trị",
    "234": "Thừa Thiên Huế",
    "235": "Quảng Nam",
    "236": "Đà Nẵng",
    "237": "Thanh Hóa",
    "238": "Nghệ An",
    "239": "Hà Tĩnh",
    "24": "Hà Nội",
    "251": "Đồng Nai",
    "252": "Bình Thuận",
    "254": "Bà Rịa – Vũng Tàu",
    "255": "Quảng Ngãi",
    "256": "Bình Định",
    "257": "Phú Yên",
    "258": "Khánh Hòa",
    "259": "Ninh Thuận",
    "260": "Kon Tum",
    "261": "Đắk Nông",
    "262": "Đắk Lắk",
    "263": "Lâm Đồng",
    "269": "Gia Lai",
    "270": "Vĩnh Long",
    "271": "Bình Phước",
    "272": "Long An",
    "273": "Tiền Giang",
    "274": "Bình Dương",
    "275": "Bến Tre",
    "276": "Tây Ninh",
    "277": "Đồng Tháp",
    "28": "TP. Hồ Chí Minh",
    "290": "Cà Mau",
    "291": "Bạc Liêu",
    "292": "Cần Thơ",
    "293": "Hậu Giang",
    "294": "Trà Vinh",
    "296": "An Giang",
    "297": "Kiên Giang",
    "299": "Sóc Trăng",
}
"""Area code without its 0 → where its landlines stand, by the provinces of that time (Decision 2036/QĐ-BTTTT, 2016)."""


def explain(text: str) -> Explanation:
    """Reads a text as `read_phones` does, and says how."""
    reading = read_phones(text)
    return Explanation(
        numbers=tuple(
            Explained(
                phone.e164,
                phone.typed,
                phone.kind,
                _whose(phone.e164, phone.kind),
                tuple(Sentence(rule, *STEPS[rule]) for rule in phone.rules),
            )
            for phone in reading.phones
        ),
        ignored=tuple(one for _, one in sorted([*_unread(text, reading), *_short(text, reading)], key=itemgetter(0))),
        problem=reading.problem,
    )


def _unread(text: str, reading: PhoneReading) -> Iterable[tuple[int, Ignored]]:
    """Each with its place in the text; they come in its order."""
    at = 0
    for part in reading.unread:
        at = max(at, text.find(part.typed, at))
        yield at, Ignored(part.typed, part.problem)
        at += len(part.typed)


def _short(text: str, reading: PhoneReading) -> Iterable[tuple[int, Ignored]]:
    """What intake passes over without a word because it is too short for a number: '250k', '2 hộp', '17h30'."""
    if len(text.strip()) > MAX_TEXT:
        return
    rest = text
    for typed in (*(phone.typed for phone in reading.phones), *(part.typed for part in reading.unread)):
        rest = rest.replace(typed, "\n" * len(typed), 1)
    for match in _DIGITS.finditer(rest):
        yield match.start(), Ignored(match[0].rstrip(_SIGNS), problems.TOO_SHORT)


def _whose(e164: str, kind: PhoneKind) -> str:
    national = e164[3:]
    if kind is PhoneKind.MOBILE:
        return _BY_HEAD.get(national[:3]) or _BY_HEAD.get(national[:2], "")
    if kind is PhoneKind.LANDLINE:
        return AREAS.get(national[:3]) or AREAS.get(national[:2], "")
    return ""
