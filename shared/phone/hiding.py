"""Numbers inside what people write, for those who may not see them: a customer's message repeats the number that the order
shows masked (rule D26). Pure."""

from __future__ import annotations

import re
from typing import Final

from shared.phone.masking import masked
from shared.phone.pieces import PIECE, pieces
from shared.phone.reading import read_phones

_MAY_HOLD_ONE: Final = re.compile(r"\d(?:\D{0,4}\d){7}")
"""Eight digits close together: the shortest number that anybody reads has no fewer."""
_ROUNDS: Final = PIECE // 8
"""Readings of one piece. Each finds a few numbers, and one that is written in two ways only once; no more fit into it."""


def hidden(text: str) -> str:
    """The text with every phone number in it masked; other figures stay."""
    if not _MAY_HOLD_ONE.search(text):
        return text
    for piece in list(pieces(text)):
        for _ in range(_ROUNDS):
            found = {phone.typed: masked(phone.e164) for phone in read_phones(piece).phones}
            for typed in sorted(found, key=len, reverse=True):
                piece = piece.replace(typed, found[typed])
                text = text.replace(typed, found[typed])
            if not found:
                break
    return text
