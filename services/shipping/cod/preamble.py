"""What stands above the header of a statement: the number of the session, the day of the transfer. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.shipping.cod.amounts import day
from shared.workbook.headings import plain

MAX_NUMBER: Final = 60
_NUMBER_LABELS: Final = frozenset(
    {
        *("ma phien", "so phien", "phien", "phien doi soat", "ma phien doi soat", "so phien doi soat", "ma doi soat"),
        *(
            "so doi soat",
            "ma phien chuyen tien",
            "phien chuyen tien",
            "so bang ke",
            "ma bang ke",
            "ma phieu",
            "so phieu",
        ),
        *("so phieu doi soat", "session", "session id", "session number", "statement", "statement number"),
    }
)
_DAY_LABELS: Final = frozenset(
    {
        *("ngay thanh toan", "ngay chuyen khoan", "ngay chuyen tien", "ngay tra tien", "ngay doi soat"),
        *("payment date", "paid on", "transfer date"),
    }
)
_NUMBER_IN_A_TITLE: Final = re.compile(
    r"\b(?:phien|bang ke)(?:\s+(?:doi soat|chuyen tien|so|ma))*[\s:#]+([a-z\d][a-z\d._/-]*\d[a-z\d._/-]*|\d+)"
)
_DAY_IN_A_TITLE: Final = re.compile(r"\b(?:ngay|date)\b")


@dataclass(frozen=True, slots=True)
class Preamble:
    number: str = ""
    paid_on: date | None = None


def read_preamble(rows: Iterable[Sequence[str]]) -> Preamble:
    """Number and day, where the rows above a header tell them, as 'Mã phiên: X', as two cells, or inside a title."""
    number, paid_on, in_title = "", None, ""
    for label, value, text in _said(rows):
        if label in _NUMBER_LABELS and value and not number:
            number = value[:MAX_NUMBER]
        elif label in _DAY_LABELS and value and paid_on is None:
            paid_on = day(value)
        elif not in_title and (match := _NUMBER_IN_A_TITLE.search(_folded(text))):
            in_title = match[1].upper()
        if paid_on is None and _DAY_IN_A_TITLE.search(plain(text)):
            paid_on = day(text)
    return Preamble(number or in_title, paid_on)


def _folded(text: str) -> str:
    """Without capitals and accents, but with its signs, which numbers have."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _said(rows: Iterable[Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """(what the label says, the value beside it, the cell's own text)"""
    for row in rows:
        cells = [cell for cell in row if cell]
        for place, cell in enumerate(cells):
            label, colon, value = cell.partition(":")
            beside = cells[place + 1] if place + 1 < len(cells) else ""
            yield plain(label), (value.strip() or beside) if colon else beside, cell
