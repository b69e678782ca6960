"""Text → words of digits: every script's digits, marks that nobody sees, letters that stand for digits."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from shared.phone.model import PhoneRule
from shared.phone.numbering import is_complete_mobile

LIST_SEPARATORS: Final = frozenset("/,;|&\n\t")
"""Signs that people put between two numbers. Some also put them inside one, see `reading`."""

_HIDDEN: Final = frozenset({"Cf", "Cc", "Me"})
"""Format characters (zero width, direction), control characters, keycaps."""
_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
_TWIN_DIGITS: Final = 20
"""Two mobile numbers typed without anything between them."""

_WORD: Final = re.compile(
    r"(?P<digits>(?<![^\W_])[oOlI]*\d[\doOlI]*(?![^\W_])"  # a whole word of digits and letters that look like digits
    r"|\d+)"  # digits with other letters beside them: SĐT0912…, 0912…zalo
    r"|[^\W\d_]+"  # letters
)
_LETTERS: Final = str.maketrans("oOlI", "0011")
_CONJUNCTIONS: Final = frozenset({"hoặc", "hoac", "hay", "và", "va", "or", "and"})
_CURRENCIES: Final = frozenset({"đ", "vnd", "vnđ", "đồng", "dong", "k", "tr", "triệu", "trieu", "nghìn", "ngàn"})
_PLUS_BEFORE: Final = re.compile(r"\+[\s(]*\Z")


@dataclass(frozen=True, slots=True)
class CleanText:
    """Plain characters, and for each its place in the text as typed."""

    text: str
    origins: tuple[int, ...]
    rules: frozenset[PhoneRule]


@dataclass(frozen=True, slots=True)
class Word:
    """Digits that stand together. `start` and `end` are places in the text as typed; `gap` is what stands before."""

    digits: str
    start: int
    end: int
    gap: str
    plus: bool = False
    rules: frozenset[PhoneRule] = frozenset()

    @property
    def after_list_separator(self) -> bool:
        return not LIST_SEPARATORS.isdisjoint(self.gap)


@dataclass(slots=True)
class Segment:
    """Words with no letters between them."""

    words: list[Word] = field(default_factory=list)
    after_letters: bool = False
    """Whether the first word stands close behind letters, as the 30 of '17h30'."""
    before_letters: bool = False
    """Whether a word follows with no more than spaces between, as in '2 hộp'; 'hoặc' does not count."""
    before_currency: bool = False
    """Whether that word is a currency, as in '343.000.000 đ'."""


def clean(text: str) -> CleanText:
    """Digits of every script become ASCII, spaces and dashes of every sort become ' ' and '-', hidden marks go."""
    characters: list[str] = []
    origins: list[int] = []
    rules: set[PhoneRule] = set()
    for place, character in enumerate(text):
        ordinary = character.isascii() and (character >= " " or character in "\n\t")
        plain = character if ordinary else _plain(character, rules)
        characters.append(plain)
        origins.extend([place] * len(plain))
    return CleanText("".join(characters), tuple(origins), frozenset(rules))


def _plain(character: str, rules: set[PhoneRule]) -> str:
    if character in "\r\x0b\x0c\x85\u2028\u2029":
        return "\n"
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    if category in _HIDDEN:
        rules.add(PhoneRule.HIDDEN_CHARACTERS)
        return ""
    if category == "Zs":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if character in "·•∙":
        return "."
    if character in "、，；":
        return ","
    plain = unicodedata.normalize("NFKC", character)
    if category == "Nd" and not plain.isascii():
        plain = str(unicodedata.decimal(character))
    if plain.isascii() and any(sign.isdigit() for sign in plain):
        rules.add(PhoneRule.FULL_WIDTH if ord(character) in _FULL_WIDTH else PhoneRule.OTHER_DIGITS)
    return plain


def segments(cleaned: CleanText) -> list[Segment]:
    """The words of digits, parted wherever letters stand between them."""
    found: list[Segment] = []
    current = Segment()
    end = 0
    close_to_letters = False
    for match in _WORD.finditer(cleaned.text):
        gap = cleaned.text[end : match.start()]
        end = match.end()
        if match["digits"]:
            if not current.words:
                current.after_letters = close_to_letters and not gap
            current.words += _words(match, gap, cleaned)
        elif current.words:
            current.before_letters = not gap.strip(" ") and match[0].casefold() not in _CONJUNCTIONS
            current.before_currency = current.before_letters and match[0].casefold() in _CURRENCIES
            found.append(current)
            current = Segment()
        close_to_letters = not match["digits"]
    if current.words:
        found.append(current)
    return found


def _words(match: re.Match[str], gap: str, cleaned: CleanText) -> list[Word]:
    written = match[0]
    digits = written.translate(_LETTERS)
    rules = frozenset(
        rule
        for rule, letters in ((PhoneRule.LETTER_O, "oO"), (PhoneRule.LETTER_L, "lI"))
        if any(letter in written for letter in letters)
    )
    plus = _PLUS_BEFORE.search(gap)
    begin = match.start() - len(gap) + plus.start() if plus else match.start()
    cuts = [0, len(digits)]
    half = len(digits) // 2
    if len(digits) == _TWIN_DIGITS and is_complete_mobile(digits[:half]) and is_complete_mobile(digits[half:]):
        cuts = [0, half, len(digits)]
    return [
        Word(
            digits[left:right],
            start=cleaned.origins[begin if left == 0 else match.start() + left],
            end=cleaned.origins[match.start() + right - 1] + 1,
            gap=gap if left == 0 else "",
            plus=plus is not None and left == 0,
            rules=rules,
        )
        for left, right in pairwise(cuts)
    ]
