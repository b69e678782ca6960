"""The workbook that answers an import: every row of the upload and what became of it.

Every text is written as text, in cells of the format Text, so that nothing starts a formula (not even when somebody
edits the cell) and '0912…' and '+84…' stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.leads.workbook.outcome import Outcome
from shared.errors import Language

TEXT_FORMAT: Final = "@"
MAX_CELL: Final = 32_767
"""Characters that Excel allows in a cell."""
_WIDTH: Final = 22
_WIDE: Final = 60
"""Column widths, in characters."""


_OUTCOMES: Final[dict[Language, dict[Outcome, str]]] = {
    "vi": {
        Outcome.ACCEPTED: "Đã nhận",
        Outcome.DUPLICATE: "Đơn trùng",
        Outcome.REJECTED: "Bị loại",
        Outcome.REPEATED: "Đã nhập trước đó",
        Outcome.WAITING: "Chưa nhận",
        Outcome.UNDONE: "Đã hoàn tác",
        Outcome.KEPT: "Giữ lại",
    },
    "en": {
        Outcome.ACCEPTED: "Accepted",
        Outcome.DUPLICATE: "Duplicate",
        Outcome.REJECTED: "Rejected",
        Outcome.REPEATED: "Imported before",
        Outcome.WAITING: "Not taken in",
        Outcome.UNDONE: "Undone",
        Outcome.KEPT: "Kept",
    },
}
_HEADINGS: Final[dict[Language, tuple[str, str, str]]] = {
    "vi": ("Dòng", "Kết quả", "Lý do"),
    "en": ("Row", "Result", "Reason"),
}
_SHEET: Final[dict[Language, str]] = {"vi": "Kết quả nhập", "en": "Import result"}
_FILLS: Final = {
    Outcome.DUPLICATE: PatternFill("solid", fgColor="FFF2CC"),
    Outcome.REJECTED: PatternFill("solid", fgColor="F8CBAD"),
}
_BOLD: Final = Font(bold=True)


def safe_text(text: str) -> str:
    """Without the control characters that XML cannot hold, cut at what a cell can hold."""
    return ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:MAX_CELL]


class VerdictWorkbook:
    """A workbook with every row of an import and its verdict, written row by row with flat memory. Blocking.

        with VerdictWorkbook(path, columns=header_labels, language="vi") as verdicts:
            verdicts.add(12, row.cells, Outcome.REJECTED, reason=problem.vi)

    The file appears, whole, when the block ends without an error, or with `save`.
    """

    def __init__(self, path: Path, *, columns: Sequence[str], language: Language = "vi") -> None:
        self._path = path
        self._outcomes = _OUTCOMES[language]
        self._book = Workbook(write_only=True)
        self._sheet: WriteOnlyWorksheet = self._book.create_sheet(_SHEET[language])
        row, result, reason = _HEADINGS[language]
        self._sheet.freeze_panes = "D2"
        for index, width in enumerate([8, 14, _WIDE, *[_WIDTH] * len(columns)], 1):
            self._sheet.column_dimensions[get_column_letter(index)].width = width
        self._append([row, result, reason, *columns], font=_BOLD)

    def __enter__(self) -> Self:
        return self

    def add(self, number: int, cells: Sequence[str], outcome: Outcome, *, reason: str = "") -> None:
        """Adds a row.

        Args:
            number: Excel's row number in the file that was uploaded.
            cells: its texts, in the order of `columns`.
            outcome: what became of it.
            reason: the sentence that says why and what to do; empty when there is nothing to say.
        """
        self._append([number, self._outcomes[outcome], reason, *cells], fill=_FILLS.get(outcome))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.save()
        else:
            self.discard()

    def save(self) -> None:
        """Packs the rows; the file appears, whole."""
        partial = self._write()
        partial.replace(self._path)

    def discard(self) -> None:
        """Ends without a file."""
        # Saving is what takes away the temporary file of the rows.
        self._write().unlink()

    def _write(self) -> Path:
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            self._book.save(partial)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return partial

    def _append(
        self, values: Sequence[str | int], *, font: Font | None = None, fill: PatternFill | None = None
    ) -> None:
        cells = []
        for value in values:
            cell = WriteOnlyCell(self._sheet, safe_text(value) if isinstance(value, str) else value)
            if isinstance(value, str):
                cell.data_type = "s"
                cell.number_format = TEXT_FORMAT
            if font:
                cell.font = font
            if fill:
                cell.fill = fill
            cells.append(cell)
        self._sheet.append(cells)
