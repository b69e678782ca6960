"""The process that parses an uploaded workbook: `python -m shared.workbook.child '<request as JSON>'`.

It limits itself before it opens the file, because a sparse sheet of 1.4 KB makes the parser ask for 400 GB and abort,
and it imports little, because it starts once for each file.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import orjson

from shared.workbook.frames import Frame, Refusal, Request, write_block, write_frame
from shared.workbook.headings import HEADER_ROWS, Column, Headings, describe
from shared.workbook.text import DelimitedText

MAX_COLUMNS: Final = 200
MAX_ROW_CHARACTERS: Final = 100_000
"""Three of the longest cells that Excel allows."""
CHUNK_CHARACTERS: Final = 1_000_000
"""A chunk ends here even if it has fewer rows than asked for."""
_EXACT: Final = 10**15
"""Below this, a double holds every whole number."""

Cell = str | float | bool | date | time | timedelta


class Refused(Exception):
    """The workbook cannot be imported."""

    def __init__(self, code: Refusal, **members: Any) -> None:
        super().__init__(code)
        self.frame: Frame = {"kind": "refused", "code": code, "members": members}


@contextmanager
def parsing() -> Iterator[None]:
    """Whatever goes wrong inside the parser is the file's fault."""
    try:
        yield
    except MemoryError as error:
        raise Refused("area-too-large") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of the parser is not an Exception
        raise Refused("damaged") from error


class Table(Protocol):
    """One table of a file. Its rows can be walked again and again; each is converted when it is reached."""

    name: str

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Excel's row numbers, and the cells from column A on, as many in each row."""
        ...


class Sheet:
    """One parsed worksheet."""

    def __init__(self, name: str, parsed: Any) -> None:
        self.name = name
        self._parsed = parsed
        # The parser's rows begin at row 1, but at the first column that holds anything.
        self._before: list[Cell] = [""] * (parsed.start[1] if parsed.start else 0)

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        with parsing():
            rows = self._parsed.iter_rows()
            # Handed through where nothing is to be added: a loop here takes as long as the parser's own.
            yield from enumerate((self._before + cells for cells in rows) if self._before else rows, 1)


class TextTable:
    """The only table of a file of delimited text."""

    name = ""

    def __init__(self, path: str) -> None:
        with parsing():
            self._text = DelimitedText(Path(path))
            self._width = max(map(len, self._text.rows()), default=0)

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        with parsing():
            for number, cells in enumerate(self._text.rows(), 1):
                yield number, [*cells, *[""] * (self._width - len(cells))]


def as_text(cell: Cell) -> str:
    """A cell's value without its format: whole numbers without '.0', dates as ISO."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)


def _holds(cell: Cell) -> bool:
    """Whether there is anything in a cell."""
    return not isinstance(cell, str) or bool(cell.strip())


def first_rows(table: Table) -> list[list[str]]:
    return [[as_text(cell) for cell in cells] for _, cells in islice(table.rows(), HEADER_ROWS)]


def fitting(tables: Iterable[Table], headings: Headings[str]) -> Iterator[tuple[Table, int]]:
    """The tables with a column that is needed, and the Excel row of the header of each.

    Raises:
        Refused: none has one.
    """
    found: list[list[str]] = []
    fits = False
    for table in tables:
        rows = first_rows(table)
        place = headings.find(rows)
        if place is not None:
            fits = True
            yield table, place + 1
        found += rows
    if not fits:
        raise Refused("no-header", found=describe(found))


def survey(table: Table, header_row: int, headings: Headings[str]) -> list[Column[str]]:
    """The columns that hold anything. Walks a table until that is known of each: mostly no further than its header.

    Raises:
        Refused: too many columns.
    """
    header: list[str] = []
    used: set[int] = set()
    for number, cells in table.rows():
        if number < header_row:
            continue
        used.update(index for index, cell in enumerate(cells) if index not in used and _holds(cell))
        if len(used) > MAX_COLUMNS:
            raise Refused("too-many-columns", columns=len(used), limit=MAX_COLUMNS)
        if number == header_row:
            header = [as_text(cell) for cell in cells]
        if len(used) == len(cells):
            break
    return headings.name(header, used)


def _contents(cells: list[Cell]) -> tuple[int, bool]:
    """Characters of a row's texts, and whether there is anything in it."""
    try:
        # Nearly all rows are texts only; a call for each cell would take as long as the parser.
        together = "".join(cells)  # type: ignore[arg-type]  # raises TypeError when a cell is no text
    except TypeError:
        return sum([len(cell) for cell in cells if isinstance(cell, str)]), True
    return len(together), bool(together) and not together.isspace()


def _texts(cells: list[Cell]) -> list[str]:
    try:
        return [*map(str.strip, cells)]  # type: ignore[arg-type]  # raises TypeError when a cell is no text
    except TypeError:
        return [as_text(cell) for cell in cells]


def send_rows(pipe: BinaryIO, table: Table, header_row: int, columns: list[Column[str]], *, chunk_rows: int) -> None:
    """Sends the rows below the header that hold anything, page by page.

    Raises:
        Refused: a row is too long.
    """
    indexes = [column.index for column in columns]
    numbers: list[int] = []
    rows: list[list[str]] = []
    total = 0
    for number, cells in table.rows():
        if number <= header_row:
            continue
        characters, holds = _contents(cells)
        if characters > MAX_ROW_CHARACTERS:
            raise Refused("row-too-long", row=number, limit=MAX_ROW_CHARACTERS)
        if not holds:
            continue
        numbers.append(number)
        rows.append(_texts(cells if len(cells) == len(indexes) else [cells[index] for index in indexes]))
        total += characters
        if len(rows) == chunk_rows or total >= CHUNK_CHARACTERS:
            _send_page(pipe, numbers, rows)
            numbers, rows, total = [], [], 0
    if rows:
        _send_page(pipe, numbers, rows)


def _send_page(pipe: BinaryIO, numbers: list[int], rows: list[list[str]]) -> None:
    write_frame(pipe, {"kind": "page", "numbers": numbers})
    write_block(pipe, _lines(rows))


def _lines(rows: list[list[str]]) -> bytes:
    """A JSON list a line. All rows at once take a twentieth of what each by itself takes."""
    lines = orjson.dumps(rows)[1:-1].replace(b'"],["', b'"]\n["')
    if lines.count(b"\n") == len(rows) - 1:
        return lines
    # One of the cells ends like a row does, in “"],[”.
    return b"\n".join([orjson.dumps(row) for row in rows])


def tables_of(request: Request) -> tuple[list[str], Iterator[Table]]:
    """The names of the visible tables of a file, and the tables one by one."""
    path = request["path"]
    if request["format"] == "csv":
        return [], iter([TextTable(path)])
    # Only now, so that the limits hold for the parser from its first line on.
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    with parsing():
        workbook = CalamineWorkbook.from_path(path)
    names = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]

    def sheets() -> Iterator[Table]:
        for name in names:
            with parsing():
                sheet = Sheet(name, workbook.get_sheet_by_name(name))
            yield sheet

    return names, sheets()


def serve(request: Request, pipe: BinaryIO) -> None:
    """Parses the file of the request and sends header and rows of its tables, and the end, or a refusal."""
    headings: Headings[str] = Headings(**request["headings"])
    names, tables = tables_of(request)
    for table, header_row in islice(fitting(tables, headings), request["max_sheets"]):
        columns = survey(table, header_row, headings)
        write_frame(
            pipe,
            {
                "kind": "header",
                "sheet": table.name,
                "above": first_rows(table)[: header_row - 1],
                "row": header_row,
                "columns": [(column.index, column.label, column.field) for column in columns],
                "other_sheets": [name for name in names if name != table.name],
            },
        )
        send_rows(pipe, table, header_row, columns, chunk_rows=request["chunk_rows"])
        write_frame(pipe, {"kind": "end"})
    write_frame(pipe, {"kind": "end"})


def limit_itself(request: Request) -> None:
    for what, amount in (
        (resource.RLIMIT_AS, request["memory_bytes"]),
        (resource.RLIMIT_CPU, request["cpu_seconds"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (least, least))


def main() -> None:
    request: Request = json.loads(sys.argv[1])
    limit_itself(request)
    # Nothing here refers to itself, and looking for what does takes a tenth of the time.
    gc.disable()
    pipe = sys.stdout.buffer
    try:
        serve(request, pipe)
    except Refused as refused:
        write_frame(pipe, refused.frame)
    except MemoryError:
        write_frame(pipe, Refused("area-too-large").frame)


if __name__ == "__main__":
    main()
