"""The rows of an uploaded workbook as a stream, parsed by a child process that cannot take the service with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import orjson

from services.leads.workbook.check import check_workbook
from services.leads.workbook.columns import FIELDS, Column, Field
from services.leads.workbook.errors import (
    WorkbookAreaTooLarge,
    WorkbookDamaged,
    WorkbookHasNoRows,
    WorkbookPhoneColumnMissing,
    WorkbookRefused,
    WorkbookRowTooLong,
    WorkbookTimedOut,
    WorkbookTooManyColumns,
    WorkbookTooManyRows,
)
from services.leads.workbook.frames import LENGTH, MAX_FRAME, Frame, HeaderFrame, Refusal, RefusedFrame, Request
from services.leads.workbook.limits import Limits

CHUNK_ROWS: Final = 500
"""Rows a chunk by default: one set-based statement of the import."""
DEFAULT_LIMITS: Final = Limits()

_ROOT: Final = Path(__file__).resolve().parents[3]
_OUT_OF_LIMITS: Final = frozenset({signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU})
"""How the child ends when an allocation fails, the machine is out of memory, or its CPU time is up."""
_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
_REFUSALS: Final[dict[Refusal, type[WorkbookRefused]]] = {
    "area-too-large": WorkbookAreaTooLarge,
    "damaged": WorkbookDamaged,
    "no-phone-column": WorkbookPhoneColumnMissing,
    "row-too-long": WorkbookRowTooLong,
    "too-many-columns": WorkbookTooManyColumns,
}


@dataclass(frozen=True, slots=True)
class SheetHeader:
    """What is known before the first row.

    `row` is Excel's row number of the header, `row_count` counts the rows below it that hold anything, and
    `other_sheets` are the visible sheets that are not read.
    """

    sheet: str
    row: int
    columns: tuple[Column, ...]
    row_count: int
    other_sheets: tuple[str, ...]

    @property
    def fields(self) -> dict[Field, str]:
        """Meaning → the name that the sheet gives it."""
        return {column.field: column.label for column in self.columns if column.field}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the columns without a meaning to us; their texts are in `SheetRow.extra`."""
        return tuple(column.label for column in self.columns if not column.field)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row with anything in it, under Excel's row number. Empty cells are left out.

    `cells` are all texts in the order of the header's columns, for the workbook of verdicts.
    """

    number: int
    cells: tuple[str, ...]
    values: dict[Field, str]
    extra: dict[str, str]


class Sheet:
    """The sheet of a workbook that has a phone column; iterate it once for its rows in chunks."""

    def __init__(self, child: _Child, header: SheetHeader) -> None:
        self._child = child
        self.header = header

    async def __aiter__(self) -> AsyncIterator[list[SheetRow]]:
        async for chunk in self.texts():
            yield [self._row(number, cells) for number, cells in chunk]

    async def texts(self) -> AsyncIterator[list[tuple[int, list[str]]]]:
        """The rows as Excel's number and the texts of the header's columns. Iterate this or the sheet, once."""
        while (frame := await self._child.receive())["kind"] != "end":
            if frame["kind"] == "refused":
                raise _refusal(frame)
            if frame["kind"] != "rows":
                raise _Unexpected(frame["kind"])
            yield frame["rows"]

    def _row(self, number: int, cells: list[str]) -> SheetRow:
        values: dict[Field, str] = {}
        extra: dict[str, str] = {}
        for column, text in zip(self.header.columns, cells, strict=True):
            if not text:
                continue
            if column.field:
                values[column.field] = text
            else:
                extra[column.label] = text
        return SheetRow(number, tuple(cells), values, extra)


@asynccontextmanager
async def open_sheet(
    path: Path,
    *,
    max_rows: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    phone_labels: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[Sheet]:
    """Checks an uploaded workbook, parses it in a child process and streams the rows of its first sheet with a phone
    column. Memory here is that of one chunk, whatever the size of the file.

        async with open_sheet(path, max_rows=50_000) as sheet:
            async for rows in sheet:
                ...

    Args:
        path: the file; it is not changed.
        max_rows: more rows than these are refused before the first is read.
        chunk_rows: rows a chunk; chunks with very long rows are shorter.
        phone_labels: further names of phone columns, as `columns.plain` writes them.
        limits: what the file may take of the machine.

    Raises:
        WorkbookRefused: the file cannot be imported; the subclass and its sentences say why. Only `WorkbookTimedOut`
            and `WorkbookAreaTooLarge` can also come after the first chunk.
    """
    checked = await asyncio.to_thread(_checked, path, limits)
    child = await _Child.start(checked, chunk_rows=chunk_rows, phone_labels=phone_labels, limits=limits)
    try:
        yield Sheet(child, _header(await child.receive(), max_rows=max_rows))
    finally:
        await child.stop()


def _checked(path: Path, limits: Limits) -> Path:
    check_workbook(path, limits=limits)
    return path.resolve()


def _header(frame: Frame, *, max_rows: int | None) -> SheetHeader:
    if frame["kind"] == "refused":
        raise _refusal(frame)
    if frame["kind"] != "header":
        raise _Unexpected(frame["kind"])
    if not frame["row_count"]:
        raise WorkbookHasNoRows(sheet=frame["sheet"])
    if max_rows is not None and frame["row_count"] > max_rows:
        raise WorkbookTooManyRows(rows=frame["row_count"], limit=max_rows)
    return _known_header(frame)


def _known_header(frame: HeaderFrame) -> SheetHeader:
    fields = {str(field): field for field in FIELDS}
    return SheetHeader(
        sheet=frame["sheet"],
        row=frame["row"],
        columns=tuple(
            Column(index, label, fields[field] if field else None) for index, label, field in frame["columns"]
        ),
        row_count=frame["row_count"],
        other_sheets=tuple(frame["other_sheets"]),
    )


def _refusal(frame: RefusedFrame) -> WorkbookRefused:
    return _REFUSALS[frame["code"]](**frame["members"])


class _Unexpected(RuntimeError):
    """The child broke its protocol or died of a mistake of ours; its standard error has the reason."""


class _Child:
    """The parsing process and the time it may still take."""

    def __init__(self, process: Process, *, wall_seconds: float) -> None:
        self._process = process
        self._wall_seconds = wall_seconds
        self._remaining = wall_seconds

    @classmethod
    async def start(cls, path: Path, *, chunk_rows: int, phone_labels: Sequence[str], limits: Limits) -> _Child:
        request: Request = {
            "path": str(path),
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds,
            "chunk_rows": chunk_rows,
            "phone_labels": list(phone_labels),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "services.leads.workbook.child",
            json.dumps(request),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            # Nothing of ours, least of all its secrets: only where the code is.
            env={"PYTHONPATH": os.pathsep.join([str(_ROOT)])},
        )
        return cls(process, wall_seconds=limits.wall_seconds)

    async def receive(self) -> Frame:
        """The next frame. The child's death is told as what it means for the file."""
        assert self._process.stdout is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._remaining):
                length = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))[0]
                if length > MAX_FRAME:
                    raise _Unexpected(f"frame of {length} bytes")
                content = await self._process.stdout.readexactly(length)
        except TimeoutError:
            raise WorkbookTimedOut(seconds=round(self._wall_seconds)) from None
        except asyncio.IncompleteReadError:
            raise await self._why_it_died() from None
        self._remaining -= loop.time() - began
        return cast(Frame, orjson.loads(content))

    async def _why_it_died(self) -> Exception:
        code = await self._process.wait()
        if -code in _OUT_OF_LIMITS:
            return WorkbookAreaTooLarge()
        if -code in _CRASHES:
            return WorkbookDamaged()
        return _Unexpected(f"the parser ended with {code}")

    async def stop(self) -> None:
        """Ends the child if it still runs, and collects it."""
        assert self._process.stdout is not None
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        # What it had written is taken off the pipe, which closes only when it is empty.
        while await self._process.stdout.read(MAX_FRAME):
            pass
        await self._process.wait()
