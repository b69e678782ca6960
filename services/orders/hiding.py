"""Numbers inside what people write, for those who see the customer's number masked (rule D26). Pure.

Of its own here as each service reads numbers for itself; leads, which makes customers of them, reads more spellings. Slips
and labels of shipping must show all, reporting shows no texts: only two services need the rule."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import phonenumbers
from pydantic import BaseModel

from services.orders.text import masked, read_phone

_MAY_HOLD_ONE: Final = re.compile(r"\d(?:\D{0,4}\d){7}")
"""Eight digits close together: no number that is read here has fewer."""
STARS: Final = "***"
"""What every masked number has in it."""
_LETTERED: Final = re.compile(r"(?<![^\W\d_])[0-9oOlI]{2,}(?![^\W\d_])")
_LETTERS: Final = str.maketrans("oOlI", "0011")
"""Letters that stand for digits, in a word that has no others."""
_DATE: Final = re.compile(r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])([/.-])(?:0?[1-9]|1[0-2])\1(?:19|20)\d\d(?!\d)")
_RUN: Final = re.compile(r"[(+]{0,2}\d(?:[ ./,;|&()_+-]{0,4}\d)*")
"""Digits with what people put into a number, or between two."""
_BETWEEN: Final = re.compile("[/,;|&+]")
"""What stands between two numbers rather than inside one."""
_MONEY: Final = re.compile(r" ?(?:đ|d\b|k\b|vn[dđ]|tr|ngh)", re.IGNORECASE)
_DIGITS_MOST: Final = 15
"""Of a number, after E.164; with 00 before it or a second 0 still no more here."""
_MOBILE: Final = 10
"""Digits of a mobile number of today with its 0."""
_WITHOUT_ZERO: Final = (9, 10)
"""Digits of a mobile number whose 0 a spreadsheet took: of today, and until 2018."""
_TAX_CODES: Final = ("030", "031")
"""No operator has them, but the tax codes of Ho Chi Minh City begin so."""
_KINDS: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }
)
"""A person's; hotlines and short codes are nobody's secret."""
_WRITTEN: Final = frozenset(
    {
        *("name", "customer", "recipient", "label", "contact"),
        *("address", "detail", "ward", "district", "province"),
        *("note", "text", "answer", "reason", "blocked_reason", "cancel_reason", "do_not_call_reason"),
    }
)
"""Fields of answers that hold what a customer or a colleague wrote."""
_BY_KEY: Final = frozenset({"fields", "changes", "do_not_call_list"})
"""Fields whose values, by the company's own keys, may all be written."""
_IDS: Final = frozenset({"id", "tags"})

View = TypeVar("View", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Group:
    """Digits with nothing between them, at their place in the text as it was typed."""

    digits: str
    start: int
    end: int
    plus: bool
    parted: bool
    """From the group before, if there is one: another number may begin here."""


def hidden(text: str) -> str:
    """The text with every phone number in it masked; other figures stay."""
    if not _MAY_HOLD_ONE.search(text):
        return text
    plain, places = _plain(text)
    shown, upto = [], 0
    for run in _RUN.finditer(_DATE.sub(lambda date: "x" * len(date[0]), plain)):
        groups = list(_groups(run))
        money = _MONEY.match(plain, run.end()) is not None
        for start, end, phone in _numbers(groups, money=money):
            first, last = places[start], places[end - 1] + 1
            shown += [text[upto:first], phone]
            upto = last
    return "".join([*shown, text[upto:]])


def hidden_in(view: View) -> View:
    """An answer, or what is nested in one, with the numbers masked in all that people wrote."""
    found = {name: _of_field(name, getattr(view, name)) for name in type(view).model_fields}
    return view.model_copy(update=found)


def unmasked(sent: str, present: str) -> str:
    """Whoever sends back a text that they were shown with stars in it has not changed it."""
    return present if STARS in sent and sent == hidden(present) else sent


def unmasked_values(sent: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """The same of values by their names; those that are no texts are as they were sent."""

    def kept(value: Any, before: Any) -> Any:
        return unmasked(value, before) if isinstance(value, str) and isinstance(before, str) else value

    return {name: kept(value, present.get(name)) for name, value in sent.items()}


def _of_field(name: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return hidden_in(value)
    if isinstance(value, list):
        return [_of_field(name, each) for each in value]
    if name in _BY_KEY:
        return _of_value(value)
    return hidden(value) if name in _WRITTEN and isinstance(value, str) else value


def _of_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: each if key in _IDS or key.endswith("_id") else _of_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_of_value(each) for each in value]
    return hidden(value) if isinstance(value, str) and not _is_id(value) else value


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def _plain(text: str) -> tuple[str, list[int]]:
    """The text with ASCII digits and without what nobody sees, and where each of its signs was typed."""
    signs, places = [], []
    for place, sign in enumerate(text):
        found = sign if sign.isascii() else _ascii(sign)
        if found:
            signs.append(found)
            places.append(place)
    plain = "".join(signs)
    return _LETTERED.sub(lambda word: word[0].translate(_LETTERS) if _is_number(word[0]) else word[0], plain), places


def _is_number(word: str) -> bool:
    return 2 * sum(sign.isdigit() for sign in word) >= len(word)


def _ascii(sign: str) -> str:
    digit = unicodedata.digit(sign, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(sign)
    if category in ("Cf", "Me") or 0xFE00 <= ord(sign) <= 0xFE0F:
        return ""
    if category in ("Zs", "Pd"):
        return " " if category == "Zs" else "-"
    if sign == "…":
        return "."
    plain = unicodedata.normalize("NFKC", sign)
    return plain if len(plain) == 1 and plain.isascii() else sign


def _groups(run: re.Match[str]) -> Iterator[_Group]:
    before = 0
    for found in re.finditer(r"\d+", run[0]):
        between = run[0][before : found.start()]
        before = found.end()
        plus = between.rstrip("( ").endswith("+")
        # A bracket or the + that belong to the number go with it.
        lead = len(between) - len(between.rstrip("("))
        if plus:
            lead = len(between) - len(between[: between.rindex("+")].rstrip("("))
        start = run.start() + found.start() - lead
        yield _Group(found[0], start, run.start() + found.end(), plus, bool(_BETWEEN.search(between)))


def _numbers(groups: list[_Group], *, money: bool) -> Iterator[tuple[int, int, str]]:
    """The numbers of a run, masked, from left to right; each as short as it can be.

    Args:
        money: what follows the run says that its end is an amount.
    """
    first = 0
    while first < len(groups):
        last = _last(groups, first, money=money)
        if last is None:
            first += 1
            continue
        digits = "".join(group.digits for group in groups[first : last + 1])
        number = _twins(digits) or _masked(digits, plus=groups[first].plus, alone=True)
        if number is not None:
            yield groups[first].start, groups[last].end, number
        first = last + 1


def _last(groups: list[_Group], first: int, *, money: bool) -> int | None:
    """Up to which group a number reaches that begins with the first one; None: none begins there."""
    digits = ""
    begins = first == 0 or groups[first].parted
    for place in range(first, len(groups)):
        if place > first and groups[place].plus:
            return None
        digits += groups[place].digits
        if place == first and _twins(digits):
            return place
        if len(digits) > _DIGITS_MOST:
            return None
        ends = groups[place + 1].parted if place + 1 < len(groups) else not money
        if _masked(digits, plus=groups[first].plus, alone=begins and ends) is not None:
            return place
    return None


def _twins(digits: str) -> str | None:
    """Two mobile numbers typed without anything between them."""
    if len(digits) != 2 * _MOBILE:
        return None
    both = [_masked(half, plus=False, alone=False) for half in (digits[:_MOBILE], digits[_MOBILE:])]
    return "".join(each for each in both if each) if all(both) else None


def _masked(digits: str, *, plus: bool, alone: bool) -> str | None:
    """A number as it is shown masked; None: these digits are none.

    Args:
        alone: nothing else stands with them; then the 0 at their front may be missing.
    """
    if plus:
        typed = f"+{digits}"
    elif digits.startswith(("0084", "084")) and len(digits) > _MOBILE:
        typed = f"+84{digits[digits.index('84') + 2 :]}"
    elif digits.startswith("84") and len(digits) > _MOBILE:
        typed = f"+{digits}"
    elif digits.startswith("00") and len(digits) == _MOBILE + 1:
        typed = digits[1:]
    elif digits.startswith("0") and len(digits) in (_MOBILE, _MOBILE + 1):
        typed = digits
    elif alone and len(digits) in _WITHOUT_ZERO and digits[0] != "0":
        typed = f"0{digits}"
    else:
        return None
    if typed.startswith(_TAX_CODES):
        return None
    found = read_phone(typed)
    if found is None or phonenumbers.number_type(phonenumbers.parse(found)) not in _KINDS:
        return None
    return masked(found)
