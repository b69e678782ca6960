"""The letters on paper: Roboto, which has every Vietnamese one; the PDF brings along those that it uses."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

from font_roboto import Roboto, RobotoBold  # type: ignore[import-untyped]  # has no types
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

TEXT: Final = "Roboto"
BOLD: Final = "Roboto-Bold"
_UNKNOWN: Final = "?"


@cache
def register() -> frozenset[int]:
    """Makes the fonts known to the PDF library, once a process; returns the code points that both have."""
    faces = []
    for name, path in ((TEXT, Roboto), (BOLD, RobotoBold)):
        font = TTFont(name, path)
        pdfmetrics.registerFont(font)
        faces.append(set(font.face.charToGlyph))
    return frozenset(faces[0] & faces[1])


def printable(text: str) -> str:
    """A text in composed letters on one line; a sign that the font lacks (an emoji) becomes a question mark."""
    known = register()
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(sign if ord(sign) in known else _UNKNOWN for sign in composed if unicodedata.category(sign) != "Cf")


def width(text: str, *, size: float, bold: bool = False) -> float:
    """Points that a text takes on a line."""
    register()
    return float(pdfmetrics.stringWidth(text, BOLD if bold else TEXT, size))


def lines(text: str, *, size: float, within: float, bold: bool = False, at_most: int) -> list[str]:
    """A text broken at words into lines of a width in points; what does not fit on the last one is cut, with '…'."""
    found: list[str] = []
    line = ""
    for word in _pieces(printable(text), size=size, within=within, bold=bold):
        longer = f"{line} {word}" if line else word
        if width(longer, size=size, bold=bold) <= within:
            line = longer
            continue
        found.append(line)
        line = word
    found.append(line)
    if len(found) <= at_most:
        return found
    kept = found[:at_most]
    while width(kept[-1] + "…", size=size, bold=bold) > within:
        kept[-1] = kept[-1][:-1]
    kept[-1] += "…"
    return kept


def _pieces(text: str, *, size: float, within: float, bold: bool) -> list[str]:
    """The words of a text, those that are longer than a line in pieces."""
    pieces: list[str] = []
    for word in text.split():
        rest = word
        while width(rest, size=size, bold=bold) > within:
            length = next(
                n for n in range(len(rest) - 1, 0, -1) if n == 1 or width(rest[:n], size=size, bold=bold) <= within
            )
            pieces.append(rest[:length])
            rest = rest[length:]
        pieces.append(rest)
    return pieces
