"""The rows of an uploaded workbook as a stream, parsed by a child process that cannot take the service with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, cast

import orjson

from shared.workbook.check import XLSX, check_workbook
from shared.workbook.errors import (
    WorkbookAreaTooLarge,
    WorkbookDamaged,
    WorkbookHasNoRows,
    WorkbookHeaderMissing,
    WorkbookRefused,
    WorkbookRowTooLong,
    WorkbookTimedOut,
    WorkbookTooManyColumns,
    WorkbookTooManyRows,
)
from shared.workbook.frames import LENGTH, MAX_FRAME, Format, Frame, RefusedFrame, Request
from shared.workbook.headings import Column, F, Headings
from shared.workbook.limits import Limits

CHUNK_ROWS: Final = 500
"""Rows a chunk by default: one set-based statement of the import."""
DEFAULT_LIMITS: Final = Limits()

_ROOT: Final = Path(__file__).resolve().parents[2]
_OUT_OF_LIMITS: Final = frozenset({signal.SIGABRT, signal.SIGKILL, signal.SIGXCPU})
"""How the child ends when an allocation fails, the machine is out of memory, or its CPU time is up."""
_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
_REFUSALS: Final[dict[str, type[WorkbookRefused]]] = {
    "area-too-large": WorkbookAreaTooLarge,
    "damaged": WorkbookDamaged,
    "row-too-long": WorkbookRowTooLong,
    "too-many-columns": WorkbookTooManyColumns,
}


@dataclass(frozen=True, slots=True)
class SheetHeader(Generic[F]):
    """What is known before the first row.

    `above` are the texts of the rows above the header, `row` is Excel's row number of the header, and `other_sheets` are the
    visible sheets that are not read.
    """

    sheet: str
    above: tuple[tuple[str, ...], ...]
    row: int
    columns: tuple[Column[F], ...]
    other_sheets: tuple[str, ...]

    @property
    def fields(self) -> dict[F, str]:
        """Meaning → the name that the sheet gives it."""
        return {column.field: column.label for column in self.columns if column.field}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the columns without a meaning to us; their texts are in `SheetRow.extra`."""
        return tuple(column.label for column in self.columns if not column.field)


@dataclass(frozen=True, slots=True)
class SheetRow(Generic[F]):
    """One row with anything in it, under Excel's row number. Empty cells are left out.

    `cells` are all texts in the order of the header's columns, for the workbook of verdicts.
    """

    number: int
    cells: tuple[str, ...]
    values: dict[F, str]
    extra: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows: Excel's numbers, and a line for each with the texts of the header's columns in their order, as JSON."""

    numbers: list[int]
    lines: bytes


class _Allowance:
    """How many rows a file may have, in all its sheets together."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.taken = 0

    @property
    def exceeded(self) -> bool:
        return self.limit is not None and self.taken > self.limit


class Sheet(Generic[F]):
    """A sheet with a column that is needed; iterate it once for its rows in chunks."""

    def __init__(self, child: _Child, header: SheetHeader[F], first: Frame, allowance: _Allowance) -> None:
        self._child = child
        self._frame: Frame | None = first
        """What the child said last of the rows, until it is taken up."""
        self._allowance = allowance
        self.header = header

    @property
    def is_empty(self) -> bool:
        """Whether nothing is below the header; asked before the rows are walked."""
        return self._frame is not None and self._frame["kind"] == "end"

    async def __aiter__(self) -> AsyncIterator[list[SheetRow[F]]]:
        async for chunk in self.texts():
            yield [self._row(number, cells) for number, cells in chunk]

    async def texts(self) -> AsyncIterator[list[tuple[int, list[str]]]]:
        """The rows as Excel's number and the texts of the header's columns. Iterate this, the pages or the sheet, once."""
        async for page in self.pages():
            lines = page.lines.split(b"\n")
            yield [(number, orjson.loads(line)) for number, line in zip(page.numbers, lines, strict=True)]

    async def pages(self) -> AsyncIterator[Page]:
        """The rows as the child has written them.

        Raises:
            WorkbookRefused: there are too many, one is too long, or the child may not go on.
        """
        while (page := await self._next()) is not None:
            if self._allowance.exceeded:
                while await self._next() is not None:
                    pass  # so that the refusal can tell how many there are
                raise WorkbookTooManyRows(rows=self._allowance.taken, limit=self._allowance.limit)
            yield page

    async def _next(self) -> Page | None:
        frame = self._frame = self._frame or await self._child.receive()
        if frame["kind"] == "end":
            return None
        if frame["kind"] == "refused":
            raise _refusal(frame)
        if frame["kind"] != "page":
            raise _Unexpected(frame["kind"])
        self._frame = None
        page = Page(frame["numbers"], await self._child.receive_block())
        self._allowance.taken += len(page.numbers)
        return page

    def _row(self, number: int, cells: list[str]) -> SheetRow[F]:
        values: dict[F, str] = {}
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
    headings: Headings[F],
    *,
    formats: Collection[Format] = XLSX,
    missing: type[WorkbookRefused] = WorkbookHeaderMissing,
    max_rows: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[Sheet[F]]:
    """Checks an uploaded file, parses it in a child process and streams the rows of its first sheet with a column that
    is needed. Memory here is that of one chunk, whatever the size of the file.

        async with open_sheet(path, HEADINGS, max_rows=50_000) as sheet:
            async for rows in sheet:
                ...

    Args:
        path: the file; it is not changed.
        headings: what its columns may be called, and which are needed.
        formats: what is read, by content; `xlsx` always is.
        missing: the refusal, made with `found`, where no sheet has a column that is needed.
        max_rows: more rows than these are refused; how many there are is known when they have been walked.
        chunk_rows: rows a chunk; chunks with very long rows are shorter.
        limits: what the file may take of the machine.

    Raises:
        WorkbookRefused: the file cannot be read; the subclass and its sentences say why. What is wrong with its rows (too
            many, one too long, too much for the machine) comes when they are walked, also after some chunks.
    """
    async with _parsed(path, headings, formats=formats, chunk_rows=chunk_rows, limits=limits, max_sheets=1) as child:
        sheet = await _sheet(child, await child.receive(), headings, _Allowance(max_rows), missing=missing)
        if sheet.is_empty:
            raise WorkbookHasNoRows(sheet=sheet.header.sheet)
        yield sheet


@asynccontextmanager
async def open_sheets(
    path: Path,
    headings: Headings[F],
    *,
    formats: Collection[Format] = XLSX,
    missing: type[WorkbookRefused] = WorkbookHeaderMissing,
    max_rows: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[AsyncIterator[Sheet[F]]]:
    """As `open_sheet`, for every visible sheet with a column that is needed and rows below, one after the other.

        async with open_sheets(path, HEADINGS) as sheets:
            async for sheet in sheets:
                async for rows in sheet:
                    ...

    Args:
        max_rows: of all sheets together.

    Raises:
        WorkbookRefused: the file cannot be read; because of a later sheet, it comes after the rows of those before.
    """
    async with _parsed(path, headings, formats=formats, chunk_rows=chunk_rows, limits=limits, max_sheets=None) as child:
        yield _sheets(child, headings, missing=missing, max_rows=max_rows)


async def _sheets(
    child: _Child, headings: Headings[F], *, missing: type[WorkbookRefused], max_rows: int | None
) -> AsyncIterator[Sheet[F]]:
    allowance = _Allowance(max_rows)
    empty = ""
    while (frame := await child.receive())["kind"] != "end":
        sheet = await _sheet(child, frame, headings, allowance, missing=missing)
        if sheet.is_empty:
            empty = sheet.header.sheet
            continue
        yield sheet
        async for _ in sheet.pages():
            pass  # what the caller left
    if not allowance.taken:
        raise WorkbookHasNoRows(sheet=empty)


async def _sheet(
    child: _Child, frame: Frame, headings: Headings[F], allowance: _Allowance, *, missing: type[WorkbookRefused]
) -> Sheet[F]:
    """The sheet whose header a frame is, with what the child says of its rows first."""
    header = _header(frame, headings, missing=missing)
    return Sheet(child, header, await child.receive(), allowance)


@asynccontextmanager
async def _parsed(
    path: Path,
    headings: Headings[F],
    *,
    formats: Collection[Format],
    chunk_rows: int,
    limits: Limits,
    max_sheets: int | None,
) -> AsyncIterator[_Child]:
    checked, format = await asyncio.to_thread(_checked, path, limits, formats)
    request: Request = {
        "path": str(checked),
        "format": format,
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "chunk_rows": chunk_rows,
        "headings": headings.as_json(),
        "max_sheets": max_sheets,
    }
    child = await _Child.start(request, wall_seconds=limits.wall_seconds)
    try:
        yield child
    finally:
        await child.stop()


def _checked(path: Path, limits: Limits, formats: Collection[Format]) -> tuple[Path, Format]:
    return path.resolve(), check_workbook(path, limits=limits, formats=formats)


def _header(frame: Frame, headings: Headings[F], *, missing: type[WorkbookRefused]) -> SheetHeader[F]:
    if frame["kind"] == "refused":
        if frame["code"] == "no-header":
            raise missing(**frame["members"])
        raise _refusal(frame)
    if frame["kind"] != "header":
        raise _Unexpected(frame["kind"])
    meanings: dict[str, F] = {str(meaning): meaning for meaning in headings.meanings}
    return SheetHeader(
        sheet=frame["sheet"],
        above=tuple(map(tuple, frame["above"])),
        row=frame["row"],
        columns=tuple(
            Column(index, label, meanings[meaning] if meaning else None) for index, label, meaning in frame["columns"]
        ),
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
    async def start(cls, request: Request, *, wall_seconds: float) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "shared.workbook.child",
            json.dumps(request),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            # Nothing of ours, least of all its secrets: only where the code is.
            env={"PYTHONPATH": os.pathsep.join([str(_ROOT)])},
        )
        return cls(process, wall_seconds=wall_seconds)

    async def receive(self) -> Frame:
        """The next frame."""
        return cast(Frame, orjson.loads(await self.receive_block()))

    async def receive_block(self) -> bytes:
        """The next frame, or what follows it, as it is. The child's death is told as what it means for the file."""
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
        return content

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
