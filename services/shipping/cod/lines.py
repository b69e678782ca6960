"""Rows of a statement as lines: codes, COD, fees by kind, what is paid out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from services.shipping.cod.amounts import code_key, dong
from services.shipping.cod.layouts import FEES, MONEY, Field
from shared.workbook.headings import plain

MAX_CODE: Final = 100
"""Characters kept of what stands where a code should."""
_TOTALS: Final = ("tong", "cong", "total", "sum", "grand total")
"""How rows begin that repeat the sums of those above."""
_SESSION_CHARACTERS: Final = 60


@dataclass(slots=True)
class Line:
    """One row about one parcel. Money in đồng; None where the sheet has no such column."""

    sheet: int
    row: int
    waybill: str
    code: str
    status: str
    cod: int | None
    compensation: int | None
    delivery_fee: int | None
    """That of the delivery with its insurance: what carriers quote."""
    fee: int | None
    """All fees together."""
    fees: dict[str, int]
    """By kind; those of nothing are left out."""
    net: int | None
    unreadable: str

    @property
    def waybill_key(self) -> str:
        return code_key(self.waybill)

    @property
    def code_key(self) -> str:
        return code_key(self.code)

    @property
    def label(self) -> str:
        """How people find it again."""
        return self.waybill or self.code


@dataclass
class SheetReader:
    """Reads the rows of one sheet.

    Fees that a sheet writes below zero, because it adds up to what is paid out, are turned into what they are: which sign
    a column uses is what most of its amounts in the first rows have.

    Args:
        sheet: its place from 0.
        fields: meanings of its columns, in the order of a row's cells.
        labels: their names.
    """

    sheet: int
    fields: Sequence[Field | None]
    labels: Sequence[str]
    session: str = ""
    """The carrier's number of the session, where a column has it."""
    ignored: int = 0
    """Rows that repeat sums, or say nothing about money."""
    _places: dict[Field, int] = field(init=False)
    _signs: dict[Field, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {meaning: place for place, meaning in enumerate(self.fields) if meaning is not None}
        self._money = [(meaning, self._places[meaning]) for meaning in MONEY if meaning in self._places]
        self._fees = [meaning for meaning in FEES if meaning in self._places]

    def read(self, rows: Sequence[tuple[int, list[str]]]) -> list[Line]:
        """The lines of some rows, in order. The first call has the first rows."""
        read = [self._row(number, cells) for number, cells in rows]
        found = [each for each in read if each is not None]
        self._learn_signs(found)
        return [self._line(*each) for each in found]

    def _row(self, number: int, cells: list[str]) -> tuple[int, list[str], dict[Field, int | None], list[str]] | None:
        amounts: dict[Field, int | None] = {}
        unreadable: list[str] = []
        for meaning, place in self._money:
            try:
                amounts[meaning] = dong(cells[place])
            except ValueError:
                amounts[meaning] = None
                unreadable.append(self.labels[place])
        codes = self._text("waybill", cells) + self._text("code", cells)
        coded = any(character.isdigit() for character in codes)
        if not (coded or any(amounts.values()) or unreadable) or self._repeats_sums(cells, coded=coded):
            self.ignored += 1
            return None
        return number, cells, amounts, unreadable

    def _repeats_sums(self, cells: list[str], *, coded: bool) -> bool:
        if coded:
            code = self._text("waybill", cells) or self._text("code", cells)
            # Nearly all end so as they are written, which is told at once.
            if (code[-4:].isdigit() and code.isascii()) or code_key(code)[-4:].isdigit():
                return False
        first = plain(next((cell for cell in cells if cell), ""))
        return any(first == word or first.startswith(f"{word} ") for word in _TOTALS)

    def _learn_signs(self, rows: Sequence[tuple[int, list[str], dict[Field, int | None], list[str]]]) -> None:
        for meaning in self._fees:
            if meaning in self._signs:
                continue
            written = [amount for _, _, amounts, _ in rows if (amount := amounts[meaning])]
            if written:
                self._signs[meaning] = -1 if sum(amount < 0 for amount in written) * 2 > len(written) else 1

    def _line(self, number: int, cells: list[str], amounts: dict[Field, int | None], unreadable: list[str]) -> Line:
        fees = {
            meaning.removeprefix("fee_"): amount * self._signs[meaning]
            for meaning in self._fees
            if (amount := amounts[meaning])
        }
        total = fees.pop("total", None)
        known = total if total is not None else sum(fees.values())
        if not self.session and "session" in self._places:
            self.session = self._text("session", cells)[:_SESSION_CHARACTERS]
        return Line(
            sheet=self.sheet,
            row=number,
            waybill=self._text("waybill", cells)[:MAX_CODE],
            code=self._text("code", cells)[:MAX_CODE],
            status=self._text("status", cells)[:MAX_CODE],
            cod=self._amount("cod", amounts, unreadable),
            compensation=self._amount("compensation", amounts, unreadable),
            delivery_fee=fees.get("delivery", 0) + fees.get("insurance", 0) if "fee_delivery" in self._places else None,
            fee=known if self._fees else None,
            fees=fees,
            net=amounts.get("net"),
            unreadable=", ".join(unreadable),
        )

    def _amount(self, meaning: Field, amounts: dict[Field, int | None], unreadable: Sequence[str]) -> int | None:
        """An empty cell of a column that the sheet has means nothing was paid; one that cannot be read means nothing."""
        place = self._places.get(meaning)
        if place is None or (unreadable and self.labels[place] in unreadable):
            return None
        return amounts[meaning] or 0

    def _text(self, meaning: Field, cells: list[str]) -> str:
        place = self._places.get(meaning)
        return cells[place] if place is not None else ""


def as_json(value: object) -> str:
    return orjson.dumps(value).decode()
