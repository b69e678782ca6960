"""The sheet of leads in an uploaded workbook, read by the guarded reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from services.leads.workbook.columns import HEADINGS, Field
from services.leads.workbook.errors import WorkbookPhoneColumnMissing
from shared.workbook import reading
from shared.workbook.limits import Limits

Sheet = reading.Sheet[Field]
SheetHeader = reading.SheetHeader[Field]
SheetRow = reading.SheetRow[Field]


@asynccontextmanager
async def open_sheet(
    path: Path,
    *,
    max_rows: int | None = None,
    chunk_rows: int = reading.CHUNK_ROWS,
    phone_labels: Sequence[str] = (),
    limits: Limits = reading.DEFAULT_LIMITS,
) -> AsyncIterator[Sheet]:
    """`shared.workbook.reading.open_sheet` for the first sheet with a phone column.

    Args:
        phone_labels: further names of phone columns, as `plain` writes them.

    Raises:
        WorkbookRefused: the file cannot be imported.
    """
    async with reading.open_sheet(
        path,
        replace(HEADINGS, further=phone_labels),
        missing=WorkbookPhoneColumnMissing,
        max_rows=max_rows,
        chunk_rows=chunk_rows,
        limits=limits,
    ) as sheet:
        yield sheet
