"""What a reading says: numbers with the rules that led to them, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PhoneKind(StrEnum):
    MOBILE = "mobile"
    LANDLINE = "landline"
    FOREIGN = "foreign"


class PhoneRule(StrEnum):
    """Why the canonical number differs from what was typed."""

    AREA_2017 = "area_2017"
    """The area code of a landline was replaced by the one of 2017."""
    COUNTRY_CODE = "country_code"
    """+84, 84, 0084 (also 084 and 840) stood before the number."""
    DOUBLE_ZERO = "double_zero"
    """The first 0 was typed twice."""
    EXCEL_NUMBER = "excel_number"
    """A spreadsheet had made a decimal or an exponent of it: 912345678.0, 9.12345678E8."""
    FULL_WIDTH = "full_width"
    HIDDEN_CHARACTERS = "hidden_characters"
    """Zero-width marks, direction marks, keycap marks were taken out."""
    LETTER_L = "letter_l"
    """l or I stood for 1."""
    LETTER_O = "letter_o"
    """o or O stood for 0."""
    MISSING_ZERO = "missing_zero"
    """The 0 at the front was lost, as spreadsheets do."""
    OTHER_DIGITS = "other_digits"
    """Digits of another script (Arabic-Indic, Devanagari, circled, …)."""
    PREFIX_2018 = "prefix_2018"
    """An 11-digit mobile prefix was replaced by the one of 2018."""
    TWO_NUMBERS = "two_numbers"
    """More than one number stood in the text."""


class ProblemCode(StrEnum):
    EMPTY = "empty"
    EXCEL_ERROR = "excel_error"
    EXTRA_DIGITS = "extra_digits"
    FOREIGN_INVALID = "foreign_invalid"
    FOREIGN_WITHOUT_PLUS = "foreign_without_plus"
    HOTLINE = "hotline"
    MISSING_DIGITS = "missing_digits"
    MORE_THAN_ONE = "more_than_one"
    NO_DIGITS = "no_digits"
    ROUNDED_BY_EXCEL = "rounded_by_excel"
    SHORT_CODE = "short_code"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_NUMBERS = "too_many_numbers"
    TOO_SHORT = "too_short"
    UNCLEAR = "unclear"
    UNKNOWN_PREFIX = "unknown_prefix"


@dataclass(frozen=True, slots=True)
class PhoneProblem:
    """Why a text is not a phone number, and what to do about it. The sentences repeat at most a prefix."""

    code: ProblemCode
    vi: str
    en: str

    def members(self) -> dict[str, str]:
        """What an answer says of it: `code`, `reason_vi`, `reason_en`."""
        return {"code": f"phone_{self.code}", "reason_vi": self.vi, "reason_en": self.en}


@dataclass(slots=True)
class Phone:
    """One number. `typed` is the part of the text it was read from, unchanged."""

    e164: str
    typed: str
    kind: PhoneKind
    rules: tuple[PhoneRule, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of the text that has digits but is no number."""

    typed: str
    problem: PhoneProblem


@dataclass(slots=True)
class PhoneReading:
    """The numbers in a text, in order of appearance and each once; `phones` is empty exactly when `problem` is set.

    `unread` holds what looks like a number but is none; beside a number, the '12' of a street is not mentioned.
    """

    phones: tuple[Phone, ...]
    unread: tuple[Unread, ...] = ()
    problem: PhoneProblem | None = None

    @property
    def primary(self) -> Phone | None:
        """The number that identifies the customer: the first one."""
        return self.phones[0] if self.phones else None
