"""Text of orders: codes to read out, words to search by, telephone numbers to show and to read."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import phonenumbers

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


_OLD_MOBILE: Final = re.compile(r"(?:\+?84|0084|0)?(1[0-9]{2})([0-9]{7})")
_MOBILE_SINCE_2018: Final = {
    **{f"16{digit}": f"3{digit}" for digit in "23456789"},
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    "186": "56",
    "188": "58",
    "199": "59",
}
"""Prefixes of mobile numbers with eleven digits → those of 2018-09-15 (Ministry of Information and Communications)."""


def read_phone(text: str) -> str | None:
    """A number that somebody typed, in E.164, or None if no such number can exist."""
    typed = unicodedata.normalize("NFKC", text).replace("o", "0").replace("O", "0")
    old = _OLD_MOBILE.fullmatch(re.sub(r"[^0-9+]", "", typed))
    if old is not None and old[1] in _MOBILE_SINCE_2018:
        typed = f"+84{_MOBILE_SINCE_2018[old[1]]}{old[2]}"
    try:
        number = phonenumbers.parse(typed, "VN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
