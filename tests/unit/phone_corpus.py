"""Written forms with what a person reads in them, made by rules of how people write; the same every time.

The rules are those seen in phone columns, page forms and chats of Vietnamese shops. Nothing of the module under test is
used: prefixes, area codes and what belongs to whom stand here once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

SIZE: Final = 5_000

MOBILE: Final = [
    "032",
    "033",
    "034",
    "035",
    "036",
    "037",
    "038",
    "039",
    "086",
    "096",
    "097",
    "098",
    "070",
    "076",
    "077",
    "078",
    "079",
    "090",
    "093",
    "081",
    "082",
    "083",
    "084",
    "085",
    "088",
    "091",
    "094",
    "056",
    "058",
    "092",
    "059",
    "087",
    "0522",
    "0523",
    "0528",
    "0559",
    "0896",
    "0897",
    "0898",
    "0899",
    "0993",
    "0994",
    "0995",
    "0996",
    "0997",
    "0998",
    "0999",
]
BEFORE_2018: Final = dict(
    pair.split(">")
    for pair in [
        "0162>032",
        "0163>033",
        "0164>034",
        "0165>035",
        "0166>036",
        "0167>037",
        "0168>038",
        "0169>039",
        "0120>070",
        "0121>079",
        "0122>077",
        "0126>076",
        "0128>078",
        "0123>083",
        "0124>084",
        "0125>085",
        "0127>081",
        "0129>082",
        "0186>056",
        "0188>058",
        "0199>059",
    ]
)
AREAS: Final = ["0203", "0210", "0225", "0236", "0237", "0238", "0251", "0254", "0263", "0274", "0292", "0296"]
BEFORE_2017: Final = {"04": "024", "064": "0254", "0511": "0236", "0650": "0274", "061": "0251", "054": "0234"}
FOREIGN: Final = {
    "+82": "10########",
    "+886": "9########",
    "+81": "90########",
    "+65": "91######",
    "+61": "412######",
    "+66": "81#######",
    "+1": "415555####",
    "+44": "7400######",
    "+49": "1512#######",
}

Label = tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """What was written, the numbers that a person reads in it, and the rule by which it was made."""

    written: str
    numbers: Label
    rule: str


def corpus(seed: int = 2026) -> list[Form]:
    """The labelled forms, each text once."""
    random = Random(seed)
    forms: dict[str, Form] = {}
    makers = _weighted()
    while len(forms) < SIZE:
        make = random.choice(makers)
        written, numbers = make(random)
        forms.setdefault(written, Form(written, numbers, make.__name__.lstrip("_")))
    return list(forms.values())


def _weighted() -> list[Callable[[Random], tuple[str, Label]]]:
    shares: dict[Callable[[Random], tuple[str, Label]], int] = {
        _plain: 18,
        _separated: 18,
        _abroad: 12,
        _spreadsheet: 6,
        _old_prefix: 8,
        _other_digits: 4,
        _letters: 3,
        _landline: 7,
        _old_landline: 3,
        _two: 12,
        _foreign: 4,
        _in_text: 14,
        _with_extension: 2,
        _beside_other_figures: 6,
        _price: 3,
        _date: 3,
        _identity: 3,
        _hotline: 2,
        _too_short_or_long: 4,
        _no_number: 4,
    }
    return [make for make, share in shares.items() for _ in range(share)]


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def _mobile(random: Random) -> str:
    head = random.choice(MOBILE)
    return head + _digits(random, 10 - len(head))


def _e164(national: str) -> str:
    return "+84" + national[1:]


def _grouped(random: Random, digits: str) -> str:
    """As people part ten digits: 4-3-3, 3-3-4, 4-2-2-2, by twos, with one sign all through."""
    sign = random.choice([" ", ".", "-", " ", ".", "\u00a0", " - ", "–", "  "])
    groups = {
        10: [(4, 3, 3), (3, 3, 4), (4, 2, 2, 2), (2, 2, 2, 2, 2), (3, 4, 3), (4, 6)],
        11: [(5, 3, 3), (4, 3, 4), (4, 7)],
    }
    places = random.choice(groups.get(len(digits), [(3, 3, len(digits) - 6)]))
    parts, start = [], 0
    for length in places:
        parts.append(digits[start : start + length])
        start += length
    return sign.join(parts)


def _plain(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    return random.choice(["{}", "{}", "{}", " {} ", "'{}", "{}.", "({})"]).format(number), (_e164(number),)


def _separated(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    return _grouped(random, number), (_e164(number),)


def _abroad(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    front = random.choice(["+84", "84", "0084", "+84 ", "(+84)", "(+84) ", "+84(0)", "+84 (0) ", "+840", "84-", "+84."])
    rest = number[1:]
    sign = random.choice(["", "", " ", ".", "-"])
    return front + sign.join((rest[:2], rest[2:5], rest[5:])), (_e164(number),)


def _spreadsheet(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    form = random.choice(["{}", "{}.0", "{}.00", '="0{}"', "84{}.0", "{},0"])
    return form.format(number[1:]), (_e164(number),)


def _old_prefix(random: Random) -> tuple[str, Label]:
    old, new = random.choice(list(BEFORE_2018.items()))
    rest = _digits(random, 7)
    written = old + rest
    front = random.choice([written, _grouped(random, written), "+84" + written[1:], "84" + written[1:], written[1:]])
    return front, (_e164(new + rest),)


def _other_digits(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    script = random.choice(["０１２３４５６７８９", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "٠١٢٣٤٥٦٧٨٩"])
    hidden = random.choice(["", "\u200b", "\u202a", "\u200e", "\ufeff"])
    return hidden + number.translate(str.maketrans("0123456789", script)), (_e164(number),)


def _letters(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    return random.choice("oO") + number[1:].replace("0", random.choice("oO0")), (_e164(number),)


def _subscriber(random: Random, area: str) -> str:
    return random.choice("36") + _digits(random, 10 - len(area))


def _landline(random: Random) -> tuple[str, Label]:
    area = random.choice([*AREAS, "024", "028", "024", "028"])
    rest = _subscriber(random, area)
    form = random.choice(
        ["{0}{1}", "({0}) {2} {3}", "{0}.{1}", "{0}-{2}-{3}", "{0} {2} {3}", "+84 {4} {1}", "({0}){1}"]
    )
    return form.format(area, rest, rest[:4], rest[4:], area[1:]), (_e164(area + rest),)


def _old_landline(random: Random) -> tuple[str, Label]:
    area, new = random.choice(list(BEFORE_2017.items()))
    rest = _subscriber(random, new)
    form = random.choice(["{0}{1}", "({0}) {2} {3}", "{0}.{1}", "{0} {2} {3}"])
    return form.format(area, rest, rest[:4], rest[4:]), (_e164(new + rest),)


def _two(random: Random) -> tuple[str, Label]:
    first, second = _separated(random), random.choice([_plain, _separated, _landline])(random)
    sign = random.choice([" / ", "/", " - ", ", ", "; ", " hoặc ", " hay ", "\n", " & ", " và ", " | ", " or "])
    if sign == " - ":
        # Between numbers that are parted by dashes themselves nobody writes a dash.
        first = _plain(random)
        second = _plain(random)
    return first[0].strip() + sign + second[0].strip(), tuple(dict.fromkeys((*first[1], *second[1])))


def _foreign(random: Random) -> tuple[str, Label]:
    code, pattern = random.choice(list(FOREIGN.items()))
    rest = "".join(_digits(random, 1) if sign == "#" else sign for sign in pattern)
    form = random.choice(["{0}{1}", "{0} {2} {3}", "{0}-{2}-{3}", "{0} {1}"])
    return form.format(code, rest, rest[:3], rest[3:]), (code + rest,)


def _in_text(random: Random) -> tuple[str, Label]:
    written, label = random.choice([_plain, _separated, _abroad, _old_prefix])(random)
    before = random.choice(
        ["", "SĐT: ", "sdt ", "đt:", "Zalo ", "chị Lan ", "Gọi em số ", "A.Hùng - ", "mẹ bé Na: ", "SĐT"]
    )
    behind = random.choice(
        [
            "",
            " (zalo)",
            " gọi sau 17h",
            ", lấy 2 hộp",
            " zalo nhé",
            " - chị Hoa",
            " gọi giờ hành chính",
            ". Ship cod",
            " ạ",
        ]
    )
    return before + written.strip() + behind, label


def _with_extension(random: Random) -> tuple[str, Label]:
    written, label = _landline(random)
    return written + random.choice([" máy lẻ 12", " ext 105", " ext. 21", ", nội bộ 301", " - máy lẻ 7"]), label


def _beside_other_figures(random: Random) -> tuple[str, Label]:
    written, label = _plain(random)
    number = written.strip(" .'()")
    form = random.choice(
        [
            "{}, 12/5 Lê Lợi, P.3, Q.10",
            "{} đặt 2 hộp giá 350k",
            "em lấy combo 3, {} nhé",
            "{} giao sau 17h30",
            "Lan 28 tuổi {}",
            "{} tổng 1.250.000đ",
            "nhà số 7 ngõ 112, đt {}",
            "cao 1m58 nặng 52kg, {}",
            "{} (đã cọc 200.000 đ)",
            "ngày 20/11 gọi {}",
        ]
    )
    return form.format(number), label


def _price(random: Random) -> tuple[str, Label]:
    thousands = random.randint(50, 9_999)
    form = random.choice(["{0}.000đ", "{0},000 VND", "giá {0}k", "{0}.000.000 đ", "{0}.000 vnđ/hộp", "cọc {0}k ck"])
    return form.format(thousands), ()


def _date(random: Random) -> tuple[str, Label]:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1960, 2026)
    form = random.choice(
        ["{0:02}/{1:02}/{2}", "{2}-{1:02}-{0:02}", "{0}.{1}.{2}", "{0:02}{1:02}{2}", "{0:02}/{1:02}/{2} 17:30"]
    )
    return form.format(day, month, year), ()


def _identity(random: Random) -> tuple[str, Label]:
    """Identity cards, tax codes, bank accounts, Facebook ids, order codes."""
    return random.choice(
        [
            "0" + random.choice(["01", "79", "31", "48"]) + random.choice("0123") + _digits(random, 8),
            "03" + random.choice("01") + _digits(random, 7),
            "190" + _digits(random, 11),
            "1000" + _digits(random, 11),
            "DH" + _digits(random, 6),
            "MST 010" + _digits(random, 7),
        ]
    ), ()


def _hotline(random: Random) -> tuple[str, Label]:
    return random.choice(["1900 {}", "1800{}", "1900.{}", "1900{}55"]).format(_digits(random, 4)), ()


def _too_short_or_long(random: Random) -> tuple[str, Label]:
    number = _mobile(random)
    return random.choice(
        [number[:9], number[:8], number[:6], number + _digits(random, 1), number + _digits(random, 2)]
    ), ()


def _no_number(random: Random) -> tuple[str, Label]:
    name = random.choice(["Lan", "Hoa", "Hùng", "Tuấn", "Ngọc"])
    form = random.choice(
        [
            "{0}",
            "{0}{1}@gmail.com",
            "không có",
            "{0} {2} tuổi",
            "xem fb",
            "???",
            "{2} hộp",
            "{0} nhà số {2}",
            "#N/A",
            "{0}.{1}",
        ]
    )
    return form.format(name, random.randint(1970, 2010), random.randint(1, 99)), ()


def measured(forms: list[Form], read: Callable[[str], Label]) -> tuple[float, float, Iterator[tuple[Form, Label]]]:
    """Precision and recall over all numbers, and the forms that were read otherwise than labelled."""
    right = found = labelled = 0
    wrong: list[tuple[Form, Label]] = []
    for form in forms:
        numbers = read(form.written)
        right += len(set(numbers) & set(form.numbers))
        found += len(numbers)
        labelled += len(form.numbers)
        if numbers != form.numbers:
            wrong.append((form, numbers))
    return right / found, right / labelled, iter(wrong)
