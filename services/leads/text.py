"""Text from outside, made fit for the database, and names compared without accents."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNWANTED: Final = dict.fromkeys(
    [
        *(sign for sign in range(0x20) if chr(sign) not in "\n\t"),  # PostgreSQL has no NUL, XML none of the others
        0x7F,
        *range(0x200E, 0x2010),  # direction marks make a text look like another
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ]
)

_WORD: Final = re.compile("[a-z0-9]+")


def cell(text: str, limit: int) -> str:
    """One field as it is stored: without control characters, direction marks, lone surrogates and space around it, in
    NFC, at most `limit` characters."""
    if not text:
        return text
    # What is printable has none of the unwanted signs.
    if not (text.isprintable() and (text.isascii() or unicodedata.is_normalized("NFC", text))):
        text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode()).translate(_UNWANTED)
    text = text.strip()
    return text if len(text) <= limit else text[:limit].rstrip()


def plain(text: str) -> str:
    """'Số ĐIỆN-thoại' → 'sodienthoai': only letters and digits, without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in letters if letter.isalnum())


def words(text: str) -> list[str]:
    """'Số ĐIỆN-thoại' → ['so', 'dien', 'thoai']: as the database's `plain_words` keeps them to be searched."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _WORD.findall(kept)
