"""Do-not-call lists as files, such as the national do-not-advertise list."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field, StringConstraints
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import ConsentKeeper, Limit
from services.leads.consent import lists
from services.leads.consent.lists import ListSource, Mode, Upload
from services.leads.state import PartsDep, RuntimeDep
from services.leads.text import cell
from shared.contracts.events.leads_everyday import DoNotCallKind
from shared.errors import Language, NotFound, language_of

router = APIRouter(prefix="/v1/do-not-call/imports", tags=["consent"])

MAX_FILE_NAME: Final = 200


class ListOut(BaseModel):
    id: UUID
    file_name: str
    source: ListSource
    kind: DoNotCallKind
    mode: Mode
    reason: str
    by: str = Field(description="staff code")
    state: Literal["running", "telling", "done", "failed"] = Field(
        description="telling: all rows are on the list, and the numbers among the leads are being marked"
    )
    problem: str = Field(description="why it failed and what to do; empty otherwise")
    row_count: int
    rows_done: int
    added: int = Field(description="rows with a number that was not on the list")
    known: int = Field(description="rows with a number that this source had listed before")
    repeated: int = Field(description="rows with a number that stands in the file before")
    rejected: int = Field(description="rows without a number, see /rejected")
    removed: int = Field(description="numbers that are not in the file and were taken off (mode replace)")
    created_at: datetime
    finished_at: datetime | None


class ListPage(BaseModel):
    items: list[ListOut]
    next: UUID | None


class RejectedOut(BaseModel):
    row: int = Field(description="line of the text, or Excel's row number")
    typed: str
    message: str


class RejectedPage(BaseModel):
    items: list[RejectedOut]
    next: int | None


@router.post(
    "",
    status_code=201,
    response_model=ListOut,
    responses={200: {"description": "the same file came before: its import"}},
)
async def upload_list(
    who: ConsentKeeper,
    runtime: RuntimeDep,
    parts: PartsDep,
    request: Request,
    response: Response,
    file: Annotated[
        UploadFile, File(description=".xlsx with a column of numbers, or UTF-8 text with one on each line")
    ],
    reason: Annotated[str, Form(), StringConstraints(strip_whitespace=True, min_length=3, max_length=500)],
    source: Annotated[ListSource, Form(description="whose list it is")] = "authority",
    kind: Annotated[DoNotCallKind, Form(description="what it forbids")] = "all",
    mode: Annotated[Mode, Form(description="replace: numbers that are not in the file leave the list")] = "add",
) -> ListOut:
    """Takes a list of up to a million numbers; it is put on the do-not-call list in the background.

    Only what files of the same source brought is replaced: numbers that people themselves or colleagues put on the list
    stay on it. The same file, for the same source, kind and mode, is imported once, unless a later one has put it out of
    force: whoever replaced the list by mistake sends the right file again.
    """
    content = await file.read()
    with tempfile.TemporaryDirectory(prefix="chot-list-") as directory:
        path = Path(directory) / "list"
        await asyncio.to_thread(path.write_bytes, content)
        chunks = await lists.rows_of(path, content)
    made = Upload(
        id=uuid7(),
        file_name=cell(file.filename or "", MAX_FILE_NAME),
        file_hash=hashlib.sha256(content).digest(),
        source=source,
        kind=kind,
        mode=mode,
        reason=reason,
        by_id=who.account_id,
        by=who.code,
        at=datetime.now(UTC),
    )
    pool = await runtime.db.driver()
    async with pool.acquire() as connection, connection.transaction():
        import_id, is_new = await lists.add(connection, made, chunks)
    if is_new:
        parts.listed.set()
    else:
        response.status_code = 200
    async with runtime.db.read() as session:
        return _list(await lists.one(session, import_id), language_of(request))


@router.get("")
async def list_lists(
    _: ConsentKeeper, runtime: RuntimeDep, request: Request, limit: Limit = 50, after: UUID | None = None
) -> ListPage:
    """Imported lists, newest first."""
    async with runtime.db.read() as session:
        rows = await lists.page(session, after=after, limit=limit)
    items = [_list(row, language_of(request)) for row in rows]
    return ListPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{import_id}")
async def get_list(import_id: UUID, _: ConsentKeeper, runtime: RuntimeDep, request: Request) -> ListOut:
    """How far a list is, and what came of its rows."""
    async with runtime.db.read() as session:
        row = await lists.one(session, import_id)
    if row is None:
        raise NotFound(what="list")
    return _list(row, language_of(request))


@router.get("/{import_id}/rejected")
async def list_rejected(
    import_id: UUID,
    _: ConsentKeeper,
    runtime: RuntimeDep,
    request: Request,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, lt=2**31, description="row of the last one seen")] = 0,
) -> RejectedPage:
    """The rows that are no numbers, and what is wrong with each."""
    vi = language_of(request) == "vi"
    async with runtime.db.read() as session:
        rows = await lists.rejected(session, import_id, after=after, limit=limit)
    items = [RejectedOut(row=row.row_no, typed=row.typed, message=row.vi if vi else row.en) for row in rows]
    return RejectedPage(items=items, next=items[-1].row if len(items) == limit else None)


def _list(row: Any, language: Language) -> ListOut:
    problem = row.problem_vi if language == "vi" else row.problem_en
    return ListOut.model_validate({**row._mapping, "problem": problem})
