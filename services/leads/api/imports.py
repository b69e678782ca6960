"""Imports of workbooks: upload, dry run, progress, cancel, go on, undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.create import typed_by
from services.leads.api.dependencies import Corrector, Importer, Limit
from services.leads.driver import Connection, write_outbox
from services.leads.errors import SourceUnknown
from services.leads.imports import listing, mapping, receive, store, undo
from services.leads.imports.errors import ImportNotThere
from services.leads.imports.live import topic_of
from services.leads.imports.views import view
from services.leads.intake.items import Origin
from services.leads.repository.leads import viewer_of
from services.leads.state import LeadsRuntime, Parts, PartsDep, RuntimeDep, parts_of
from services.leads.text import cell
from shared import outbox
from shared.auth import Principal
from shared.contracts.commands import WorkflowCommand
from shared.contracts.permissions import LEADS_DISTRIBUTE
from shared.contracts.workflows import start_import, start_import_undo
from shared.db import ReadSession
from shared.errors import Language, NotFound, language_of

router = APIRouter(prefix="/v1/imports", tags=["imports"])

MAX_REASON: Final = 500


class ImportOut(BaseModel):
    id: UUID
    file_name: str
    mode: Literal["import", "dry_run"] = Field(description="dry_run: every verdict, no lead")
    only_new: bool = Field(description="rows that an earlier import has taken in are left out")
    state: Literal["running", "checked", "done", "cancelled", "failed", "undoing", "undone"]
    message: str = Field(description="where it stands, in a sentence")
    problem: str = Field(description="why it failed and what to do; empty otherwise")
    sheet: str
    columns: dict[str, str | None] = Field(description="name of each column → what it is read as; null: kept, not read")
    header_key: str = Field(description="what the mapping of columns is remembered under")
    row_count: int
    rows_done: int
    leads: int
    duplicates: int
    rejected: int
    repeated: int = Field(description="rows that an earlier import has taken in; only with only_new")
    undone: int = Field(description="leads and duplicates that the undo has taken back")
    kept: int = Field(
        description="leads that the undo left, because somebody has worked on them or their number came again"
    )
    undo_by: str = Field(description="staff code of who undid it")
    undo_reason: str
    uploader: str
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None


class ImportPage(BaseModel):
    items: list[ImportOut]
    next: UUID | None


class TakeIn(BaseModel):
    only_new: bool = Field(default=False, description="leave out rows that an earlier import has taken in")


class UndoIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"reason": "Nhầm tệp của tháng trước"}})

    reason: str = Field(min_length=3, max_length=MAX_REASON, description="why; stands in the import for ever")


@router.post("", status_code=201)
async def upload(
    who: Importer,
    runtime: RuntimeDep,
    parts: PartsDep,
    request: Request,
    file: Annotated[UploadFile, File(description="an .xlsx with a column of phone numbers, 200,000 rows at most")],
    source_id: Annotated[
        UUID | None, Form(description="where the list comes from, unless a row says otherwise")
    ] = None,
    asked_to_be_called: Annotated[
        bool | None,
        Form(
            description="the people on the list left their numbers themselves; otherwise the advertising limits hold; "
            "default: what the source says, without a source false"
        ),
    ] = None,
    mode: Annotated[
        Literal["import", "dry_run"], Form(description="dry_run: all verdicts as they would be now, no lead")
    ] = "import",
    only_new: Annotated[
        bool, Form(description="leave out rows that an earlier import has taken in; also for the same file again")
    ] = False,
    columns: Annotated[
        str, Form(description='how columns are read, as JSON: {"Liên hệ": "phone", "Mã": null}; remembered')
    ] = "",
) -> ImportOut:
    """Checks a workbook, keeps its rows and takes them in in the background: look at `GET /v1/imports/{id}`, or open a
    stream of its progress (`POST /v1/streams/tickets`).

    The same file is refused with the import that it had (`workbook-imported-before`), so a request whose answer was lost
    can be repeated; if that import failed, it goes on.
    """
    order = receive.Order(
        file_name=cell(file.filename or "", receive.MAX_FILE_NAME),
        origin=await _origin(who, parts, source_id, asked=asked_to_be_called),
        uploader=who.code,
        mode=mode,
        only_new=only_new,
        may_distribute=who.may(LEADS_DISTRIBUTE),
        columns=mapping.parse(columns) if columns else None,
    )
    import_id = await receive.receive(runtime.db, file.file, order, zone=ZoneInfo(runtime.settings.timezone))
    async with runtime.db.read() as session:
        row = await listing.one(session, import_id, everything=True, people=[])
    return import_out(row, language_of(request))


async def _origin(who: Principal, parts: Parts, source_id: UUID | None, *, asked: bool | None) -> Origin:
    typed = typed_by(who)
    if source_id is None:
        return replace(typed, channel="excel", asked_to_be_called=bool(asked))
    source = await parts.sources.by_id(source_id)
    if source is None:
        raise SourceUnknown
    origin = source.origin(created_by=who.account_id)
    if asked is not None:
        origin = replace(origin, asked_to_be_called=asked)
    return replace(origin, marketer=source.marketer or typed.marketer)


@router.get("")
async def list_imports(
    who: Importer, runtime: RuntimeDep, request: Request, limit: Limit = 50, after: UUID | None = None
) -> ImportPage:
    """Your imports and those of the people below you, newest first."""
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await listing.page(session, everything=viewer.everything, people=viewer.people, after=after, limit=limit)
    items = [import_out(row, language_of(request)) for row in rows]
    return ImportPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{import_id}")
async def get_import(import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request) -> ImportOut:
    """How far an import is, and what came of it."""
    async with runtime.db.read() as session:
        return import_out(await visible(session, import_id, who), language_of(request))


@router.post("/{import_id}/cancel")
async def cancel_import(import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request) -> ImportOut:
    """Stops an import behind the rows that are being taken in now. These stay; the rest is not taken in. Afterwards it
    can go on (`/resume`) or be undone (`/undo`). Cancelling twice changes nothing."""

    async def change(connection: Connection) -> WorkflowCommand | Literal[False] | None:
        return None if await store.cancel(connection, import_id) else False

    return await _change(runtime, import_id, who, request, "cancelled", change)


@router.post("/{import_id}/resume")
async def resume_import(import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request) -> ImportOut:
    """Goes on with an import that was cancelled or has failed, behind its last row."""

    async def change(connection: Connection) -> WorkflowCommand | Literal[False] | None:
        round = await store.resume(connection, import_id)
        return start_import(import_id, round=round) if round else False

    return await _change(runtime, import_id, who, request, "running", change)


@router.post("/{import_id}/import")
async def import_tried(
    import_id: UUID, who: Importer, runtime: RuntimeDep, request: Request, body: TakeIn | None = None
) -> ImportOut:
    """Takes in what was only tried, without another upload. Its rows arrive now."""
    wish = body or TakeIn()

    async def change(connection: Connection) -> WorkflowCommand | Literal[False] | None:
        round = await store.take_in(connection, import_id, at=datetime.now(UTC), only_new=wish.only_new)
        return start_import(import_id, round=round) if round else False

    return await _change(runtime, import_id, who, request, "", change)


@router.post("/{import_id}/undo")
async def undo_import(
    import_id: UUID, body: UndoIn, who: Corrector, runtime: RuntimeDep, request: Request
) -> ImportOut:
    """Takes back what an import brought, as if it had never been: leads, duplicates, orders, figures of the reports.

    Leads that somebody has worked on, changed or given on stay, and so do those whose number came again since; they are
    listed by `GET /v1/imports/{id}/rows?verdict=kept`. The file may be imported again afterwards.
    """

    async def change(connection: Connection) -> WorkflowCommand | Literal[False] | None:
        round = await undo.begin(connection, import_id, by_id=who.account_id, by=who.code, reason=body.reason)
        return start_import_undo(import_id, round=round) if round else False

    return await _change(runtime, import_id, who, request, "undoing", change)


async def _change(
    runtime: LeadsRuntime,
    import_id: UUID,
    who: Principal,
    request: Request,
    wanted: str,
    change: Callable[[Connection], Awaitable[WorkflowCommand | Literal[False] | None]],
) -> ImportOut:
    """One move of an import's state with the command that it needs, in one transaction.

    Args:
        wanted: the state that makes a repetition of the request a success.
        change: the command to send, None for none, False when the state does not allow it.
    """
    async with runtime.db.read() as session:
        await visible(session, import_id, who)
    pool = await runtime.db.driver()
    async with pool.acquire() as connection, connection.transaction():
        command = await change(connection)
        if command:
            await write_outbox(connection, [outbox.command_row(command)])
    runtime.db.wake_relay()
    await parts_of(runtime).streams.hints.tell(topic_of(import_id))
    async with runtime.db.read() as session:
        row = await visible(session, import_id, who)
    if command is False and row.state != wanted:
        raise ImportNotThere(state=row.state, import_id=str(import_id))
    return import_out(row, language_of(request))


async def visible(session: ReadSession, import_id: UUID, who: Principal) -> Any:
    """An import that the principal may see.

    Raises:
        NotFound: there is none.
    """
    viewer = await viewer_of(session, who)
    row = await listing.one(session, import_id, everything=viewer.everything, people=viewer.people)
    if row is None:
        raise NotFound(what="import")
    return row


def import_out(row: Any, language: Language) -> ImportOut:
    vi = language == "vi"
    sentence = view(row._mapping)
    values = {
        **row._mapping,
        "problem": row.problem_vi if vi else row.problem_en,
        "message": sentence.sentence_vi if vi else sentence.sentence_en,
        "columns": dict(row.columns),
    }
    return ImportOut.model_validate(values)
