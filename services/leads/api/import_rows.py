"""What became of each row of an import: page by page, and as a workbook."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from services.leads.api.dependencies import Importer, Limit
from services.leads.api.imports import visible
from services.leads.imports import listing
from services.leads.state import LeadsRuntime, RuntimeDep
from services.leads.workbook.outcome import Outcome
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL
from shared.errors import Forbidden, Language, language_of

if TYPE_CHECKING:
    from services.leads.workbook.writing import VerdictWorkbook

router = APIRouter(prefix="/v1/imports/{import_id}", tags=["imports"])

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PAGE: Final = 1_000
"""Rows read at a time for the workbook of verdicts."""

RowVerdict = Literal["lead", "duplicate", "rejected", "repeated", "waiting", "undone", "kept", "dismissed"]

_OUTCOMES: Final = {
    "lead": Outcome.ACCEPTED,
    "duplicate": Outcome.DUPLICATE,
    "rejected": Outcome.REJECTED,
    "repeated": Outcome.REPEATED,
    "waiting": Outcome.WAITING,
    "undone": Outcome.UNDONE,
    "kept": Outcome.KEPT,
    "dismissed": Outcome.REJECTED,
}
_KEPT: Final[dict[str, tuple[str, str]]] = {
    "worked_on": ("Đã có người chăm, giữ lại.", "Somebody has worked on it, it stays."),
    "changed": ("Đã sửa hoặc chuyển người chăm, giữ lại.", "It was changed or given on, it stays."),
    "came_again": ("Khách đã để lại số lần nữa, giữ lại.", "The customer left the number again, it stays."),
}


class RowOut(BaseModel):
    row: int = Field(description="Excel's row number")
    verdict: RowVerdict = Field(
        description="repeated: an earlier import has it; waiting: not (yet) taken in; kept: the undo left it"
    )
    reason: str = Field(description="why it was rejected or kept, as a code")
    message: str = Field(
        description="why it is rejected, repeated or a duplicate, and what to do; warnings of a dry run"
    )
    lead_id: UUID | None
    anchor_id: UUID | None = Field(description="for a duplicate: the lead that was first")
    anchor_row: int | None = Field(description="and its row, if it is in the same file")
    cells: list[str] | None = Field(
        description="the row's texts; only for the uploader and those who may reveal numbers"
    )


class RowPage(BaseModel):
    items: list[RowOut]
    next: int | None = Field(description="`after` of the next page; null on the last so far")


@router.get("/rows")
async def list_rows(
    import_id: UUID,
    who: Importer,
    runtime: RuntimeDep,
    request: Request,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, lt=2**31, description="Excel's number of the last row seen")] = 0,
    verdict: RowVerdict | None = None,
) -> RowPage:
    """What became of each row, in the order of the sheet."""
    language = language_of(request)
    async with runtime.db.read() as session:
        made = await visible(session, import_id, who)
        rows = await listing.rows(session, made, verdict=verdict or "", after=after, limit=limit)
    zone = ZoneInfo(runtime.settings.timezone)
    items = [_row(row, language, zone, with_cells=_may_see_cells(made, who)) for row in rows]
    return RowPage(items=items, next=items[-1].row if len(items) == limit else None)


@router.get("/verdicts.xlsx", response_class=FileResponse, responses={200: {"content": {XLSX: {}}}})
async def download_verdicts(
    import_id: UUID,
    who: Importer,
    runtime: RuntimeDep,
    request: Request,
    only: Annotated[
        Literal["rejected"] | None,
        Query(description="rejected: only these rows, in the columns of the upload, to correct and send again"),
    ] = None,
) -> FileResponse:
    """The workbook as it was sent, with what became of each row."""
    async with runtime.db.read() as session:
        made = await visible(session, import_id, who)
    if not _may_see_cells(made, who):
        raise Forbidden(permission=PHONES_REVEAL)
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="chot-verdicts-"))
    try:
        path = directory / "verdicts.xlsx"
        await _write_verdicts(path, runtime, made, language_of(request), only=only or "")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return FileResponse(
        path,
        media_type=XLSX,
        filename=f"{'dong-loi' if only else 'ket-qua'}-{import_id}.xlsx",
        background=BackgroundTask(shutil.rmtree, directory, ignore_errors=True),
    )


def _workbook(path: Path, columns: list[str], language: Language) -> VerdictWorkbook:
    from services.leads.workbook import writing  # here: openpyxl is 12 MiB, and takes a moment to load

    return writing.VerdictWorkbook(path, columns=columns, language=language)


async def _write_verdicts(path: Path, runtime: LeadsRuntime, made: Any, language: Language, *, only: str) -> None:
    zone = ZoneInfo(runtime.settings.timezone)
    verdicts = await asyncio.to_thread(_workbook, path, [label for label, _ in made.columns], language)

    def add(rows: list[RowOut]) -> None:
        for row in rows:
            verdicts.add(row.row, row.cells or [], _OUTCOMES[row.verdict], reason=row.message)

    after = 0
    try:
        while True:
            async with runtime.db.read() as session:
                rows = await listing.rows(session, made, verdict=only, after=after, limit=PAGE)
            await asyncio.to_thread(add, [_row(row, language, zone, with_cells=True) for row in rows])
            if len(rows) < PAGE:
                break
            after = rows[-1].row_no
    except BaseException:
        await asyncio.to_thread(verdicts.discard)
        raise
    # Packing two hundred thousand rows takes seconds, which others must not wait for.
    await asyncio.to_thread(verdicts.save)


def _may_see_cells(made: Any, who: Principal) -> bool:
    return made.uploaded_by == who.account_id or who.may(PHONES_REVEAL)


def _row(row: Any, language: Language, zone: ZoneInfo, *, with_cells: bool) -> RowOut:
    return RowOut(
        row=row.row_no,
        verdict=row.verdict,
        reason=row.reason,
        message=_message(row, language, zone),
        lead_id=row.lead_id,
        anchor_id=row.anchor_id,
        anchor_row=row.anchor_row,
        cells=orjson.loads(row.cells) if with_cells else None,
    )


def _message(row: Any, language: Language, zone: ZoneInfo) -> str:
    vi = language == "vi"
    if row.verdict == "waiting":
        return "Chưa nhận dòng này." if vi else "This row is not taken in."
    if row.verdict == "kept":
        return _KEPT[row.reason][0 if vi else 1]
    said = [row.vi if vi else row.en]
    if row.anchor_row is not None:
        said.append(f"Trùng số với dòng {row.anchor_row}." if vi else f"Same number as row {row.anchor_row}.")
    elif row.anchor_id is not None:
        at = f"{row.anchor_at.astimezone(zone):%d/%m/%Y %H:%M}"
        said.append(f"Số này đã về lúc {at}." if vi else f"This number came before, at {at}.")
    return " ".join(filter(None, said))
