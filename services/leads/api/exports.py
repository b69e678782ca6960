"""Exports of leads to Excel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Exporter, Limit
from services.leads.exports import store
from services.leads.exports.errors import ExportFailed, ExportGone, ExportNotReady, ExportTooLarge
from services.leads.exports.store import Wanted
from services.leads.listing import query
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import viewer_of
from services.leads.state import PartsDep, RuntimeDep
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession, Session
from shared.errors import Forbidden, NotFound, language_of
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads/exports", tags=["exports"])

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS: Final = 200_000
"""Leads of one workbook: half a minute of writing, 30 MB."""


class ExportIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"filter": {"main_level": ["L1"], "campaign": ["tet-2027"]}, "with_numbers": False}
        },
    )

    filter: LeadFilters = Field(default_factory=LeadFilters, description="as for the list")
    with_numbers: bool = Field(default=False, description="whole numbers instead of masked ones; needs phones.reveal")


class ExportOut(BaseModel):
    id: UUID
    by: str = Field(description="staff code")
    filter: dict[str, Any]
    with_numbers: bool
    state: Literal["running", "done", "failed"]
    expected: int = Field(description="leads when it was asked for")
    rows: int = Field(description="rows written so far")
    bytes: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="until then the workbook can be downloaded")


class ExportPage(BaseModel):
    items: list[ExportOut]
    next: UUID | None


@router.post("", status_code=201, response_model=ExportOut)
async def start_export(
    body: ExportIn, who: Exporter, once: OnceDep, runtime: RuntimeDep, parts: PartsDep, request: Request
) -> Response:
    """Writes the leads that fit a filter, of those that you may see, into a workbook in the background.

    Look at `GET /v1/leads/exports/{id}` for its progress; when it is done, `/file` is the workbook, for a day. That you
    asked, with which filter, whether with whole numbers, and each download are kept for ever.
    """
    if body.with_numbers and not who.may(PHONES_REVEAL):
        raise Forbidden(permission=PHONES_REVEAL)

    async def effect(session: Session) -> ExportOut:
        viewer = await viewer_of(session, who)
        expected = await query.count(session, viewer, body.filter, most=MAX_ROWS)
        if expected > MAX_ROWS:
            raise ExportTooLarge(limit=MAX_ROWS)
        wanted = Wanted(
            id=uuid7(),
            by_id=who.account_id,
            by=who.code,
            filters=body.filter,
            everything=viewer.everything,
            unassigned=viewer.unassigned,
            with_numbers=body.with_numbers,
            language=language_of(request),
            expected=expected,
            at=datetime.now(UTC),
        )
        await store.add(session, wanted)
        return _export(await store.one(session, wanted.id, everything=True, people=[]))

    answer = await once.run(runtime.db, str(who.account_id), effect)
    parts.exported.set()
    return answer


@router.get("")
async def list_exports(who: Exporter, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> ExportPage:
    """Your exports and those of the people below you, newest first: who took what out."""
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await store.page(session, everything=viewer.everything, people=viewer.people, after=after, limit=limit)
    items = [_export(row) for row in rows]
    return ExportPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{export_id}")
async def get_export(export_id: UUID, who: Exporter, runtime: RuntimeDep) -> ExportOut:
    """How far an export is."""
    async with runtime.db.read() as session:
        return _export(await _seen(session, export_id, who))


@router.get("/{export_id}/file", response_class=StreamingResponse, responses={200: {"content": {XLSX: {}}}})
async def download(export_id: UUID, who: Exporter, runtime: RuntimeDep) -> StreamingResponse:
    """The workbook, for whoever asked for it; each download is kept."""
    now = datetime.now(UTC)
    async with runtime.db.transaction() as session:
        row = await store.one(session, export_id, everything=False, people=[who.account_id])
        if row is None:
            raise NotFound(what="export")
        if row.with_numbers and not who.may(PHONES_REVEAL):
            raise Forbidden(permission=PHONES_REVEAL)
        if row.state == "failed":
            raise ExportFailed(export_id=str(export_id))
        if row.state == "running":
            raise ExportNotReady(rows=row.rows, expected=row.expected)
        if row.expires_at <= now:
            raise ExportGone
        await store.downloaded(session, export_id, by_id=who.account_id, by=who.code, at=now)
    name = f"so-{row.created_at:%Y%m%d-%H%M}.xlsx"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(row.bytes)}
    return StreamingResponse(store.pieces(runtime.db, export_id), media_type=XLSX, headers=headers)


async def _seen(session: ReadSession, export_id: UUID, who: Principal) -> Any:
    viewer = await viewer_of(session, who)
    row = await store.one(session, export_id, everything=viewer.everything, people=viewer.people)
    if row is None:
        raise NotFound(what="export")
    return row


def _export(row: Any) -> ExportOut:
    return ExportOut.model_validate({**row._mapping, "filter": row.filters})
