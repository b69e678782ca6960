"""Long texts in parts that `read_phones` takes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PIECE: Final = 800
"""Characters read at a time: below what `read_phones` takes as one text."""
OVERLAP: Final = 60
"""A number that the end of a piece cuts is whole in the next: two numbers typed digit by digit are shorter."""


def pieces(text: str) -> Iterator[str]:
    """The text in parts to be read one by one; each number is whole in one of them."""
    start = 0
    while len(text) - start > PIECE:
        # Between words, so that no number is read twice, once whole and once without its beginning.
        cut = max(text.rfind(" ", start + OVERLAP, start + PIECE), text.rfind("\n", start + OVERLAP, start + PIECE))
        cut = cut if cut > start else start + PIECE
        yield text[start:cut]
        back = text.rfind(" ", start + 1, cut - OVERLAP)
        start = back if back > start else cut
    yield text[start:]
