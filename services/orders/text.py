"""Text of orders: codes to read out, words to search by."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which are misread or misheard."""
_CODES: Final = 32**8
_SCATTER: Final = 681_446_790_919
"""An odd number near the golden section of 32**8: it turns 1, 2, 3 … into codes far apart, each number into its own."""

CODE: Final = re.compile(r"DH-?([0-9A-Z]{8})", re.IGNORECASE)


def order_code(number: int) -> str:
    """The code of the n-th order, e.g. 'DH-4F7K2M9Q'; different numbers below 32**8 give different codes."""
    value = number * _SCATTER % _CODES
    digits = []
    for _ in range(8):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "DH-" + "".join(reversed(digits))


def read_code(text: str) -> str | None:
    """An order code as somebody typed it ('dh4f7k2m9q'), or None if it is none."""
    match = CODE.fullmatch(text.strip())
    return f"DH-{match[1].upper()}" if match else None


def words(text: str) -> list[str]:
    """The words of a text without accents, in lower case: 'Đặng Thị Ố' → ['dang', 'thi', 'o']."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return re.findall(r"[a-z0-9]+", "".join(char for char in plain if not unicodedata.combining(char)))
