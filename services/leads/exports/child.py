"""The process that writes an exported workbook: `python -m services.leads.exports.child '<path>'`, rows on its input.

A workbook of 200,000 rows is half a minute of Python; in a process of its own it keeps no request waiting. Every text is a
cell of the format Text, so nothing starts a formula and '0912…' and '+84…' stay as they are.
"""

from __future__ import annotations

import sys
from typing import Any, BinaryIO, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from services.leads.exports.frames import frames

MAX_CELL: Final = 32_767
"""Characters that Excel allows in a cell."""
_FORMATS: Final = {"text": "@", "number": "0", "time": "dd/mm/yyyy hh:mm"}


def write(path: str, pipe: BinaryIO) -> None:
    """Writes a workbook from a first frame with sheet, headings, kinds and widths, frames of rows, and a last one that
    says 'end'.

    Raises:
        EOFError: there was no last frame, so the workbook would not be whole.
    """
    incoming = frames(pipe)
    about = next(incoming)
    book = Workbook(write_only=True)
    sheet = book.create_sheet(about["sheet"])
    sheet.freeze_panes = "B2"
    for index, width in enumerate(about["widths"], 1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    header = []
    for heading in about["headings"]:
        cell = WriteOnlyCell(sheet, heading)
        cell.font = Font(bold=True)
        header.append(cell)
    sheet.append(header)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{about['rows'] + 1}"
    # One cell a column, filled anew for each row: a row is written before the next is made, and styling costs most.
    template = []
    for kind in about["kinds"]:
        cell = WriteOnlyCell(sheet)
        cell.number_format = _FORMATS[kind]
        template.append((cell, kind == "text"))
    whole = False
    for frame in incoming:
        if frame == "end":
            whole = True
            break
        for row in frame:
            cells: list[Any] = []
            for (cell, is_text), value in zip(template, row, strict=True):
                if value is None or value == "":
                    cells.append(None)
                    continue
                if is_text:
                    cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:MAX_CELL]
                    cell.data_type = "s"
                else:
                    cell.value = value
                cells.append(cell)
            sheet.append(cells)
    if not whole:
        raise EOFError
    book.save(path)


def main() -> None:
    write(sys.argv[1], sys.stdin.buffer)


if __name__ == "__main__":
    main()
