"""The rows of an uploaded file or a pasted list."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.shipping.status_files.problems import StatusFileEmpty, StatusFileTooLong, StatusFileWithoutCodes
from shared.workbook.frames import Format
from shared.workbook.headings import Headings
from shared.workbook.reading import open_sheet

Meaning = Literal["waybill", "reference", "status", "at", "reason"]

HEADINGS: Final[Headings[Meaning]] = Headings(
    aliases={
        "waybill": (
            *(
                "ma van don",
                "van don",
                "so van don",
                "mvd",
                "ma vd",
                "ma van chuyen",
                "ma don giao hang",
                "ma don ghtk",
            ),
            *("ma don ghn", "ma phieu gui", "ma buu gui", "so hieu buu gui", "waybill", "waybill number", "tracking"),
            *("tracking number", "tracking code", "tracking no", "label", "bill", "ma bill", "ma"),
        ),
        "reference": (
            *("ma don hang", "ma don", "don hang", "so don hang", "ma tham chieu", "ma don shop", "ma don cua shop"),
            *(
                "ma don rieng",
                "ma don doi tac",
                "ma don khach hang",
                "reference",
                "order",
                "order code",
                "order number",
            ),
            *("client order code", "partner id"),
        ),
        "status": (
            *("trang thai", "trang thai don", "trang thai don hang", "trang thai van don", "trang thai giao hang"),
            *("trang thai hien tai", "tinh trang", "tinh trang don hang", "ma trang thai", "status", "order status"),
            *("status code", "state"),
        ),
        "at": (
            *("thoi gian", "thoi gian cap nhat", "thoi gian trang thai", "thoi diem", "ngay cap nhat", "cap nhat luc"),
            *("ngay gio", "ngay trang thai", "time", "at", "date", "updated at", "status time", "update time"),
        ),
        "reason": ("ly do", "ly do that bai", "ly do hoan", "nguyen nhan", "reason"),
    },
    needed=("waybill", "reference"),
)
FORMATS: Final[tuple[Format, ...]] = ("xlsx", "xls", "csv")
MAX_ROWS: Final = 20_000
"""Rows that are judged and applied within a request (measured: docs/shipping/status-files.md)."""
CHUNK: Final = 2_000
MAX_CODE: Final = 100
MAX_STATUS: Final = 200
MAX_REASON: Final = 300
ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""In which people and carriers' pages write times."""

_SEPARATORS: Final = re.compile(r"[\s,;|]+")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it was read.

    Args:
        number: Excel's row, or the place in the list.
        at: UTC; None: the row has no time, or none that can be read.
    """

    number: int
    code: str
    other_code: str
    told: str
    at: datetime | None
    time_unreadable: bool
    reason: str


async def lines_of(path: Path, *, now: datetime) -> AsyncIterator[list[Line]]:
    """The rows of a file in chunks.

    Raises:
        WorkbookRefused: it cannot be read, has no column of codes, or too many rows.
    """
    async with open_sheet(
        path, HEADINGS, formats=FORMATS, missing=StatusFileWithoutCodes, max_rows=MAX_ROWS, chunk_rows=CHUNK
    ) as sheet:
        async for rows in sheet:
            yield [_line(row.number, row.values, now=now) for row in rows]


def _line(number: int, values: dict[Meaning, str], *, now: datetime) -> Line:
    waybill, reference = values.get("waybill", "")[:MAX_CODE], values.get("reference", "")[:MAX_CODE]
    typed = values.get("at", "")
    at = read_time(typed, now=now) if typed else None
    return Line(
        number=number,
        code=waybill or reference,
        other_code=reference if waybill else "",
        told=values.get("status", "")[:MAX_STATUS],
        at=at,
        time_unreadable=bool(typed) and at is None,
        reason=values.get("reason", "")[:MAX_REASON],
    )


def pasted(text: str) -> Iterator[list[Line]]:
    """The codes of a pasted list, whatever stands between them, in chunks.

    Raises:
        StatusFileEmpty, StatusFileTooLong
    """
    codes = [code for code in _SEPARATORS.split(text) if code]
    if not codes:
        raise StatusFileEmpty
    if len(codes) > MAX_ROWS:
        raise StatusFileTooLong(rows=len(codes), limit=MAX_ROWS)
    for start in range(0, len(codes), CHUNK):
        yield [
            Line(number, code[:MAX_CODE], "", "", None, False, "")
            for number, code in enumerate(codes[start : start + CHUNK], start + 1)
        ]


def read_time(text: str, *, now: datetime) -> datetime | None:
    """A time as people here and carriers' pages write it, in Vietnam's time unless it names a zone; None: it is none.

    A day without a time of day is its end, but not later than now: what happened that day is told by it.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _day_first(text, now=now)
    if len(text) == len("2026-11-22"):
        return _end_of(at, now=now)
    return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)


def _day_first(text: str, *, now: datetime) -> datetime | None:
    day, clock = _DAY_FIRST.search(text), _CLOCK.search(text)
    if day is None:
        return None
    try:
        date = datetime(int(day[3]), int(day[2]), int(day[1]), tzinfo=ZONE)
        if clock is None:
            return _end_of(date, now=now)
        return date.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0)).astimezone(UTC)
    except ValueError:
        return None


def _end_of(day: datetime, *, now: datetime) -> datetime:
    end = datetime.combine(day.date(), time(23, 59, 59), tzinfo=ZONE).astimezone(UTC)
    begin = datetime.combine(day.date(), time(), tzinfo=ZONE).astimezone(UTC)
    return min(end, now) if begin <= now else end
