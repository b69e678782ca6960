"""Amounts, days and codes as carriers and accountants write them into cells. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Final

MAX_DONG: Final = 10**13
"""What an amount is below; more is a code that stands in the wrong column."""

_SHORT: Final = 30
"""Characters of nearly all amounts; longer texts are not remembered."""
_CURRENCY: Final = re.compile(r"vn[dđ]|[dđ₫]ồng|[dđ]ong|[đ₫]", re.IGNORECASE)
_SPACES: Final = re.compile(r"[\s'’\u00a0\u202f]+")
_MINUS: Final = str.maketrans({"−": "-", "–": "-", "—": "-"})
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_GROUPED_WITH_FRACTION: Final = re.compile(r"(\d{1,3}(?:\.\d{3})+),(\d{1,2})|(\d{1,3}(?:,\d{3})+)\.(\d{1,2})")
_DECIMAL: Final = re.compile(r"(\d+)[.,](\d+)")
_NOT_OF_A_CODE: Final = re.compile(r"[^A-Z0-9]+")
_ISO_DAY: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_DAY: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)")


def dong(text: str) -> int | None:
    """An amount in đồng; None for an empty cell or a dash.

    Thousands are grouped with points, commas or spaces; amounts below zero have a sign before or behind, or stand in
    brackets. Fractions, which programs write though the đồng has none in use, are rounded.

    Raises:
        ValueError: it is no amount.
    """
    if text.isdigit() and text.isascii():
        return _bounded(int(text))
    return _again(text) if len(text) <= _SHORT else _written(text)


@lru_cache(maxsize=5_000)
def _again(text: str) -> int | None:
    """Prices and fees repeat from line to line, and reading one takes as long as all else that is done with its cell."""
    return _written(text)


def _written(text: str) -> int | None:
    plain = _SPACES.sub("", _CURRENCY.sub("", text.translate(_MINUS)))
    if plain in ("", "-"):
        return None
    negative = False
    if plain.startswith("(") and plain.endswith(")"):
        negative, plain = True, plain[1:-1]
    if plain.startswith(("-", "+")):
        negative, plain = negative != (plain[0] == "-"), plain[1:]
    elif plain.endswith("-"):
        negative, plain = not negative, plain[:-1]
    amount = _bounded(_magnitude(plain))
    return -amount if negative else amount


def _magnitude(plain: str) -> int:
    if plain.isdigit() and plain.isascii():
        return int(plain)
    if not plain.isascii():
        raise ValueError("not an amount")
    if _GROUPED.fullmatch(plain):
        return int(plain.replace(".", "").replace(",", ""))
    if match := _GROUPED_WITH_FRACTION.fullmatch(plain):
        whole, fraction = (match[1], match[2]) if match[1] else (match[3], match[4])
        return _rounded(whole.replace(".", "").replace(",", ""), fraction)
    if match := _DECIMAL.fullmatch(plain):
        return _rounded(match[1], match[2])
    raise ValueError("not an amount")


def _rounded(whole: str, fraction: str) -> int:
    return int(whole) + (fraction[0] >= "5")


def _bounded(amount: int) -> int:
    if amount >= MAX_DONG:
        raise ValueError("not an amount")
    return amount


def day(text: str) -> date | None:
    """The first day in a text, written as 2026-11-22, 22/11/2026, 22-11-2026 or 22.11.2026; None without one."""
    for pattern, (year, month, number) in ((_ISO_DAY, (1, 2, 3)), (_DAY, (3, 2, 1))):
        if match := pattern.search(text):
            try:
                return date(int(match[year]), int(match[month]), int(match[number]))
            except ValueError:
                continue
    return None


def code_key(text: str) -> str:
    """'s22.sgp 39-j31' → 'S22SGP39J31': the letters and digits of a code, by which codes are compared.

    The database has the same as an expression: `upper(regexp_replace(…, '[^A-Za-z0-9]', '', 'g'))`.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D"))
    return _NOT_OF_A_CODE.sub("", text.upper())
