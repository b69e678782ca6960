"""Imports of workbooks: upload, progress, what became of each row."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from uuid_utils.compat import uuid7

from services.leads.api.create import typed_by
from services.leads.api.dependencies import Importer, Limit
from services.leads.errors import SourceUnknown
from services.leads.imports import store
from services.leads.imports.store import Upload
from services.leads.intake.items import Origin
from services.leads.repository.leads import viewer_of
from services.leads.state import LeadsRuntime, Parts, PartsDep, RuntimeDep
from services.leads.text import cell
from services.leads.workbook.reading import SheetHeader, open_sheet
from services.leads.workbook.template import template
from services.leads.workbook.writing import Outcome, VerdictWorkbook
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession
from shared.errors import Forbidden, Language, NotFound, language_of

router = APIRouter(prefix="/v1/imports", tags=["imports"])

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS: Final = 200_000
"""Rows of one import: what the limits of the workbook reader were measured for, twice over."""
MAX_FILE_NAME: Final = 200
PAGE: Final = 1_000
"""Rows read at a time for the workbook of verdicts."""

_OUTCOMES: Final = {"lead": Outcome.ACCEPTED, "duplicate": Outcome.DUPLICATE, "rejected": Outcome.REJECTED}


class ImportOut(BaseModel):
    id: UUID
    file_name: str
    state: Literal["running", "done", "failed"]
    problem: str = Field(description="why it failed and what to do; empty otherwise")
    sheet: str
    columns: dict[str, str | None] = Field(description="name of each column → what it is read as; null: kept, not read")
    row_count: int
    rows_done: int
    leads: int
    duplicates: int
    rejected: int
    uploader: str
    created_at: datetime
    finished_at: datetime | None


class ImportPage(BaseModel):
    items: list[ImportOut]
    next: UUID | None


class RowOut(BaseModel):
    row: int = Field(description="Excel's row number")
    verdict: Literal["lead", "duplicate", "rejected"]
    reason: str = Field(description="why it was rejected, as a code")
    message: str = Field(description="why it is rejected or a duplicate, and what to do")
    lead_id: UUID | None
    anchor_id: UUID | None = Field(description="for a duplicate: the lead that was first")
    anchor_row: int | None = Field(description="and its row, if it is in the same file")
    cells: list[str] | None = Field(
        description="the row's texts; only for the uploader and those who may reveal numbers"
    )


class RowPage(BaseModel):
    items: list[RowOut]
    next: int | None = Field(description="`after` of the next page; null on the last so far")


@router.post(
    "",
    status_code=201,
    response_model=ImportOut,
    responses={200: {"model": ImportOut, "description": "the same file came before: its import"}},
)
async def upload(
    who: Importer,
    runtime: RuntimeDep,
    parts: PartsDep,
    request: Request,
    response: Response,
    file: Annotated[UploadFile, File(description="an .xlsx with a column of phone numbers")],
    source_id: Annotated[
        UUID | None, Form(description="where the list comes from, unless a row says otherwise")
    ] = None,
    asked_to_be_called: Annotated[
        bool,
        Form(description="the people on the list left their numbers themselves; otherwise the advertising limits hold"),
    ] = False,
) -> ImportOut:
    """Checks a workbook and takes it in, in the background; look at `GET /v1/imports/{id}` for its progress.

    The same file is never imported twice: it is answered with the import that it had. If that failed, it goes on.
    """
    received_at = datetime.now(UTC)
    content = await file.read()
    file_hash = hashlib.sha256(content).digest()
    pool = await runtime.db.driver()
    import_id, started = await store.known(pool, file_hash), False
    if import_id is None:
        made = Upload(
            id=uuid7(),
            file_name=cell(file.filename or "", MAX_FILE_NAME),
            file_hash=file_hash,
            content=content,
            header=await _check(content),
            origin=await _origin(who, parts, source_id, asked=asked_to_be_called),
            uploader=who.code,
            received_at=received_at,
        )
        async with pool.acquire() as connection, connection.transaction():
            import_id, started = await store.add(connection, made)
    if started:
        parts.uploaded.set()
    else:
        response.status_code = 200
    async with runtime.db.read() as session:
        row = await store.one(session, import_id, everything=True, people=[])
    return _import(row, language_of(request))


async def _check(content: bytes) -> SheetHeader:
    """The header of a workbook that can be imported."""
    with tempfile.TemporaryDirectory(prefix="chot-upload-") as directory:
        path = Path(directory) / "upload.xlsx"
        await asyncio.to_thread(path.write_bytes, content)
        async with open_sheet(path, max_rows=MAX_ROWS) as sheet:
            return sheet.header


async def _origin(who: Principal, parts: Parts, source_id: UUID | None, *, asked: bool) -> Origin:
    typed = typed_by(who)
    if source_id is None:
        return replace(typed, channel="excel", asked_to_be_called=asked)
    source = await parts.sources.by_id(source_id)
    if source is None:
        raise SourceUnknown
    origin = source.origin(created_by=who.account_id)
    return replace(origin, marketer=source.marketer or typed.marketer)


@router.get("/template.xlsx", response_class=Response, responses={200: {"content": {XLSX: {}}}})
async def download_template(_: Importer, parts: PartsDep) -> Response:
    """A workbook to fill in, with an example and the known sources and products to choose from."""
    known = (await parts.sources.by_name()).values()
    products = sorted({source.product for source in known} - {""})
    content = await asyncio.to_thread(template, products=products, sources=sorted(source.name for source in known))
    return Response(
        content, media_type=XLSX, headers={"Content-Disposition": 'attachment; filename="mau-nhap-so.xlsx"'}
    )


@router.get("")
async def list_imports(
    who: Importer, runtime: RuntimeDep, request: Request, limit: Limit = 50, after: UUID | None = None
) -> ImportPage:
    """Your imports and those of the people below you, newest first."""
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await store.page(session, everything=viewer.everything, people=viewer.people, after=after, limit=limit)
    items = [_import(row, language_of(request)) for row in rows]
    return ImportPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{import_id}")
async def get_import(import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request) -> ImportOut:
    """How far an import is, and what came of it."""
    async with runtime.db.read() as session:
        return _import(await _visible(session, import_id, who), language_of(request))


@router.get("/{import_id}/rows")
async def list_rows(
    import_id: UUID,
    who: Importer,
    runtime: RuntimeDep,
    request: Request,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, description="Excel's number of the last row seen")] = 0,
    verdict: Literal["lead", "duplicate", "rejected"] | None = None,
) -> RowPage:
    """What became of each row, in the order of the sheet."""
    language = language_of(request)
    async with runtime.db.read() as session:
        made = await _visible(session, import_id, who)
        rows = await store.rows(session, import_id, verdict=verdict or "", after=after, limit=limit)
    zone = ZoneInfo(runtime.settings.timezone)
    items = [_row(row, language, zone, with_cells=_may_see_cells(made, who)) for row in rows]
    return RowPage(items=items, next=items[-1].row if len(items) == limit else None)


@router.get("/{import_id}/verdicts.xlsx", response_class=FileResponse, responses={200: {"content": {XLSX: {}}}})
async def download_verdicts(import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request) -> FileResponse:
    """The workbook as it was sent, with what became of each row."""
    async with runtime.db.read() as session:
        made = await _visible(session, import_id, who)
    if not _may_see_cells(made, who):
        raise Forbidden(permission=PHONES_REVEAL)
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="chot-verdicts-"))
    try:
        path = directory / "verdicts.xlsx"
        await _write_verdicts(path, runtime, made, language_of(request))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return FileResponse(
        path,
        media_type=XLSX,
        filename=f"ket-qua-{import_id}.xlsx",
        background=BackgroundTask(shutil.rmtree, directory, ignore_errors=True),
    )


async def _write_verdicts(path: Path, runtime: LeadsRuntime, made: Any, language: Language) -> None:
    zone = ZoneInfo(runtime.settings.timezone)
    with VerdictWorkbook(path, columns=[label for label, _ in made.columns], language=language) as verdicts:

        def add(rows: list[RowOut]) -> None:
            for row in rows:
                verdicts.add(row.row, row.cells or [], _OUTCOMES[row.verdict], reason=row.message)

        after = 0
        while True:
            async with runtime.db.read() as session:
                rows = await store.rows(session, made.id, after=after, limit=PAGE)
            await asyncio.to_thread(add, [_row(row, language, zone, with_cells=True) for row in rows])
            if len(rows) < PAGE:
                return
            after = rows[-1].row_no


async def _visible(session: ReadSession, import_id: UUID, who: Principal) -> Any:
    viewer = await viewer_of(session, who)
    row = await store.one(session, import_id, everything=viewer.everything, people=viewer.people)
    if row is None:
        raise NotFound(what="import")
    return row


def _may_see_cells(made: Any, who: Principal) -> bool:
    return made.uploaded_by == who.account_id or who.may(PHONES_REVEAL)


def _import(row: Any, language: Language) -> ImportOut:
    problem = row.problem_vi if language == "vi" else row.problem_en
    return ImportOut.model_validate({**row._mapping, "problem": problem, "columns": dict(row.columns)})


def _row(row: Any, language: Language, zone: ZoneInfo, *, with_cells: bool) -> RowOut:
    return RowOut(
        row=row.row_no,
        verdict=row.verdict,
        reason=row.reason,
        message=_message(row, language, zone),
        lead_id=row.id if row.verdict != "rejected" else None,
        anchor_id=row.anchor_id,
        anchor_row=row.anchor_row,
        cells=orjson.loads(row.body) if with_cells else None,
    )


def _message(row: Any, language: Language, zone: ZoneInfo) -> str:
    if row.verdict == "rejected":
        return str(row.reason_vi if language == "vi" else row.reason_en)
    if row.anchor_id is None:
        return ""
    if row.anchor_row is not None:
        return f"Trùng số với dòng {row.anchor_row}." if language == "vi" else f"Same number as row {row.anchor_row}."
    at = f"{row.anchor_at.astimezone(zone):%d/%m/%Y %H:%M}"
    return f"Số này đã về lúc {at}." if language == "vi" else f"This number came before, at {at}."
