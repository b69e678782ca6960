"""Text as typed → the numbers in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from shared.phone import problems
from shared.phone.model import Phone, PhoneKind, PhoneProblem, PhoneReading, PhoneRule, Unread
from shared.phone.numbering import (
    COUNTRY_CODE,
    MAX_DIGITS,
    MIN_DIGITS,
    MOBILE_HEADS,
    Number,
    is_complete_mobile,
    resolve,
)
from shared.phone.text import CleanText, Segment, Word, clean, segments

MAX_PHONES: Final = 5
"""Numbers kept of one text: a customer with more does not exist, a pasted list does."""
MAX_TEXT: Final = 1_000
"""Characters. A longer text is a message, and reading it costs more than it is worth."""
MAX_WORDS: Final = 40
"""Words of digits read together: two numbers typed digit by digit are 20."""

_SEPARATORS: Final = str.maketrans("", "", " .-()\u00a0")
_PLAIN_NUMBER: Final = re.compile(r"[\"'’=]*(\d{8,15})[.,]0{1,2}\"?")
"""A whole number that a spreadsheet or a script wrote with decimals."""
_EXPONENT: Final = re.compile(r"[\"'’=]*(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})\"?")
_LIST_INDEX: Final = re.compile(r"[.):]\s+")
_MAX_STRAY_DIGITS: Final = 2
"""A longer word beside a complete number is something else; this short, it may be a slip within the number."""


_NO_RULES: Final[tuple[PhoneRule, ...]] = ()
_COUNTRY_CODE_ONLY: Final = (PhoneRule.COUNTRY_CODE,)
_MISSING_ZERO_ONLY: Final = (PhoneRule.MISSING_ZERO,)
_GUESSES: Final = frozenset({PhoneRule.MISSING_ZERO, PhoneRule.DOUBLE_ZERO})


def read_phones(text: str) -> PhoneReading:
    """The phone numbers in a text that a person typed or a spreadsheet mangled.

    Args:
        text: one field or cell, as it came.

    Returns:
        At most `MAX_PHONES` numbers in order of appearance, the first being the primary one, and the parts that
        look like a number but are none. Without any number, `problem` says what to correct.
    """
    text = text.strip()
    if ordinary := _ordinary(text):
        return PhoneReading((Phone(ordinary[0], text, PhoneKind.MOBILE, ordinary[1]),))
    if not text:
        return PhoneReading((), problem=problems.EMPTY)
    if len(text) > MAX_TEXT:
        return PhoneReading((), problem=problems.TEXT_TOO_LONG)
    cleaned = clean(text)
    if not cleaned.text.strip():
        return PhoneReading((), problem=problems.EMPTY)
    if cleaned.text.startswith("#"):
        return PhoneReading((), problem=problems.EXCEL_ERROR)
    if number := _spreadsheet_number(cleaned.text.strip()):
        return _of_spreadsheet(number, text)
    return _collect(_findings(cleaned), text, cleaned.rules)


def ordinary_number(text: str) -> str | None:
    """The number of a text that `read_phones` reads without analysis; None where it has to look."""
    found = _ordinary(text.strip())
    return found[0] if found else None


def _ordinary(text: str) -> tuple[str, tuple[PhoneRule, ...]] | None:
    """Nearly every text is one mobile number of today in an ordinary spelling; these need no analysis."""
    digits = text if text.isdigit() else text.translate(_SEPARATORS)
    length = len(digits)
    if length == 10 and digits[0] == "0":
        national, rules = digits[1:], _NO_RULES
    elif length == 9:
        national, rules = digits, _MISSING_ZERO_ONLY
    elif length == 11 and digits.startswith(COUNTRY_CODE):
        national, rules = digits[2:], _COUNTRY_CODE_ONLY
    elif length == 12 and digits.startswith("+" + COUNTRY_CODE):
        national, rules = digits[3:], _COUNTRY_CODE_ONLY
    else:
        return None
    if national[:3] in MOBILE_HEADS and national.isdigit() and national.isascii():
        return f"+{COUNTRY_CODE}{national}", rules
    return None


def _spreadsheet_number(text: str) -> str | PhoneProblem | None:
    """The digits of a number written with decimals or an exponent; a problem when some of them are lost.

    Excel shows a narrow column as 9.12E+08, and a file saved from that has no other digits. One trailing zero may be
    left out by writers that keep every digit.
    """
    if (match := _PLAIN_NUMBER.fullmatch(text)) and (match[1][0] != "0" or len(match[1]) > 9):
        return match[1]
    if not (match := _EXPONENT.fullmatch(text)):
        return None
    mantissa = match[1] + (match[2] or "").rstrip("0")
    length = int(match[3]) + 1
    if len(mantissa) > length:
        return None
    if len(mantissa) < length - 1:
        return problems.ROUNDED_BY_EXCEL
    return mantissa.ljust(length, "0")


def _of_spreadsheet(number: str | PhoneProblem, text: str) -> PhoneReading:
    if isinstance(number, PhoneProblem):
        return PhoneReading((), (Unread(text, number),), number)
    resolved = resolve(number)
    if isinstance(resolved, PhoneProblem):
        return PhoneReading((), (Unread(text, resolved),), resolved)
    rules = tuple(sorted({PhoneRule.EXCEL_NUMBER, *resolved.rules}))
    return PhoneReading((Phone(resolved.e164, text, resolved.kind, rules),))


@dataclass(frozen=True, slots=True)
class _Finding:
    """Neighbouring words and what they are."""

    words: Sequence[Word]
    result: Number | PhoneProblem

    @property
    def digits(self) -> int:
        return sum(len(word.digits) for word in self.words)

    def typed(self, text: str) -> str:
        return text[self.words[0].start : self.words[-1].end]


def _findings(cleaned: CleanText) -> list[_Finding]:
    return [finding for segment in segments(cleaned) for finding in _of_segment(segment)]


def _of_segment(segment: Segment) -> list[_Finding]:
    words = segment.words
    if len(words) > MAX_WORDS:
        return [_Finding(words, problems.TOO_MANY_NUMBERS)]
    if segment.before_letters and len(words) > 1 and len(words[-1].digits) <= _MAX_STRAY_DIGITS:
        # '0912345678 2 hộp': the 2 counts boxes, unless the number is not complete without it.
        if found := _numbers(words[:-1], segment):
            return found
        if len(words[-2].digits) > 4:
            words = words[:-1]
    if found := _numbers(words, segment):
        return found
    return [
        finding
        for chunk in _split(words, lambda _, word: word.after_list_separator)
        for finding in _of_chunk(chunk, segment)
    ]


def _of_chunk(words: Sequence[Word], segment: Segment) -> list[_Finding]:
    """Words with nothing but spaces, dots and dashes between, which are not numbers to the last word."""
    if found := _numbers(words, segment):
        return found
    parts = _split(words, lambda before, word: is_complete_mobile(before.digits) or is_complete_mobile(word.digits))
    found = [finding for part in parts for finding in _numbers(part, segment) or [_Finding(part, _joined(part))]]
    if any(_is_stray(part, parts, segment) for part in parts):
        return [_Finding(words, _joined(words))]
    return found


def _is_stray(part: Sequence[Word], parts: Sequence[Sequence[Word]], segment: Segment) -> bool:
    """Whether a digit or two beside a complete number make that number doubtful: '0912345678 9' has a digit too many.
    Not when they count something ('2 hộp'), belong to a word ('17h30') or number a line ('1. 0912…')."""
    if len(parts) == 1 or sum(len(word.digits) for word in part) > _MAX_STRAY_DIGITS:
        return False
    if part is parts[0]:
        is_of_word = segment.after_letters and part[0] is segment.words[0]
        return not is_of_word and _LIST_INDEX.fullmatch(parts[1][0].gap) is None
    return not (segment.before_letters and part[-1] is segment.words[-1])


def _split(words: Sequence[Word], is_cut: Callable[[Word, Word], bool]) -> list[Sequence[Word]]:
    cuts = [0, *(place for place, pair in enumerate(pairwise(words), 1) if is_cut(*pair)), len(words)]
    return [words[left:right] for left, right in pairwise(cuts)]


def _joined(words: Sequence[Word]) -> PhoneProblem:
    result = resolve("".join(word.digits for word in words), plus=words[0].plus)
    return result if isinstance(result, PhoneProblem) else problems.UNCLEAR


def _numbers(words: Sequence[Word], segment: Segment) -> list[_Finding]:
    """The words as numbers with nothing left over, with the fewest guesses; empty when that is impossible. What stands
    before a currency and would be a number only with a 0 at the front is a price."""
    price = segment.words[-1] if segment.before_currency else None
    best: list[tuple[int, list[_Finding]] | None] = [None] * len(words)
    best.append((0, []))
    for first in reversed(range(len(words))):
        for group in _groups(words, first):
            rest = best[first + len(group)]
            if rest is None or not (number := _number(group)):
                continue
            if group[-1] is price and PhoneRule.MISSING_ZERO in number.rules:
                continue
            guesses = rest[0] + (not _GUESSES.isdisjoint(number.rules))
            known = best[first]
            if known is None or guesses < known[0]:
                best[first] = (guesses, [_Finding(group, number), *rest[1]])
    return best[0][1] if best[0] else []


def _groups(words: Sequence[Word], first: int) -> Iterator[Sequence[Word]]:
    """The runs of words from `first` on that have as many digits as a number can have."""
    digits = 0
    for end in range(first, len(words)):
        if end > first and words[end].plus:
            return
        digits += len(words[end].digits)
        if digits > MAX_DIGITS:
            return
        if digits >= MIN_DIGITS:
            yield words[first : end + 1]


def _number(words: Sequence[Word]) -> Number | None:
    digits = "".join(word.digits for word in words)
    if any(PhoneRule.LETTER_L in word.rules for word in words) and not is_complete_mobile(digits):
        return None
    result = resolve(digits, plus=words[0].plus)
    if isinstance(result, PhoneProblem):
        return None
    if any(word.after_list_separator for word in words[1:]):
        gaps = {word.gap for word in words[1:]}
        evenly = len(gaps) == 1 and len(words) > 2 and not any(sign.isspace() for sign in words[1].gap)
        if not evenly or (PhoneRule.MISSING_ZERO in result.rules and words[1].gap != ","):
            return None
    return result


def _collect(findings: Sequence[_Finding], text: str, rules: frozenset[PhoneRule]) -> PhoneReading:
    numbers: dict[str, _Finding] = {}
    unread: list[Unread] = []
    for finding in findings:
        if isinstance(finding.result, PhoneProblem):
            unread.append(Unread(finding.typed(text), finding.result))
        elif finding.result.e164 not in numbers and len(numbers) == MAX_PHONES:
            unread.append(Unread(finding.typed(text), problems.TOO_MANY_NUMBERS))
        else:
            numbers.setdefault(finding.result.e164, finding)
    if not numbers:
        return PhoneReading((), tuple(unread), _main_problem(findings))
    several = {PhoneRule.TWO_NUMBERS} if len(numbers) > 1 else set()
    phones = tuple(
        _phone(finding, finding.result, text, rules | several)
        for finding in numbers.values()
        if isinstance(finding.result, Number)
    )
    return PhoneReading(phones, tuple(part for part in unread if _count_digits(part.typed) >= MIN_DIGITS))


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _phone(finding: _Finding, number: Number, text: str, rules: frozenset[PhoneRule]) -> Phone:
    every = rules.union(number.rules, *(word.rules for word in finding.words))
    return Phone(number.e164, finding.typed(text), number.kind, tuple(sorted(every)))


def _main_problem(findings: Sequence[_Finding]) -> PhoneProblem:
    """What is wrong with the part that looks most like a number."""
    if not findings:
        return problems.NO_DIGITS
    longest = max(findings, key=lambda finding: finding.digits)
    if len(findings) > 1 and longest.digits < MIN_DIGITS:
        return problems.UNCLEAR
    assert isinstance(longest.result, PhoneProblem), "called only when nothing is a number"
    return longest.result
