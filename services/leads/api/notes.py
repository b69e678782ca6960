"""Notes on a lead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads import notes
from services.leads.api.dependencies import Editor, Limit, Reader
from services.leads.api.leads import shown_phone, shown_text, visible
from services.leads.driver import connection_of
from services.leads.notes import NoteText
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads", tags=["notes"])


class NoteIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"text": "Khách hẹn gọi lại sau lương"}})

    text: NoteText


class BeforeOut(BaseModel):
    at: datetime
    text: str


class NoteOut(BaseModel):
    id: UUID
    lead_id: UUID
    at: datetime
    by_id: UUID
    by: str = Field(description="staff code")
    text: str
    changed_at: datetime | None
    before: list[BeforeOut] = Field(description="what it said before, oldest first")


class NotePage(BaseModel):
    items: list[NoteOut]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@router.post("/{lead_id}/notes", status_code=201, response_model=NoteOut)
async def add_note(lead_id: UUID, body: NoteIn, who: Editor, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Writes a note on a lead."""

    async def effect(session: Session) -> NoteOut:
        await visible(session, who, lead_id)
        await leads.lock_one(session, lead_id)
        at = datetime.now(UTC)
        await notes.add(await connection_of(session), [lead_id], note=body.text, who=who, at=at)
        (row,) = await notes.page(session, lead_id, after=None, limit=1)
        return NoteOut.model_validate(row._mapping)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/{lead_id}/notes")
async def list_notes(
    lead_id: UUID, who: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None
) -> NotePage:
    """The notes of a lead, newest first."""
    async with runtime.db.read() as session:
        show = shown_phone(await visible(session, who, lead_id), who)
        rows = await notes.page(session, lead_id, after=after, limit=limit)
    items = [_shown(NoteOut.model_validate(row._mapping), show, who) for row in rows]
    return NotePage(items=items, next=items[-1].id if len(items) == limit else None)


def _shown(note: NoteOut, show: Callable[[str], str], who: Principal) -> NoteOut:
    """A note as somebody may see it; whoever wrote it sees what they wrote."""
    if note.by_id == who.account_id:
        return note
    before = [one.model_copy(update={"text": shown_text(one.text, show)}) for one in note.before]
    return note.model_copy(update={"text": shown_text(note.text, show), "before": before})


@router.put("/{lead_id}/notes/{note_id}", status_code=204)
async def edit_note(lead_id: UUID, note_id: UUID, body: NoteIn, who: Editor, runtime: RuntimeDep) -> None:
    """Mends a note of your own within ten minutes; what it said before is kept and shown."""
    async with runtime.db.transaction() as session:
        await visible(session, who, lead_id)
        await leads.lock_one(session, lead_id)
        await notes.edit(session, lead_id, note_id, note=body.text, who=who, at=datetime.now(UTC))
