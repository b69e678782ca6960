"""Notes between colleagues."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from services.orders.access import Reader, ensure_readable, lock_readable
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from services.orders.notes import reading, service
from services.orders.notes.reading import NotePage, NoteVersion, QuestionPage, Side, Unread
from services.orders.notes.service import NewNote, NoteEdit, Withdrawal
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["notes"])


class NoteWritten(BaseModel):
    note_id: UUID


class Seen(BaseModel):
    seen: int


class NoteVersions(BaseModel):
    items: list[NoteVersion]
    next: None = None


@router.post("/orders/{order_id}/notes", status_code=201, response_model=NoteWritten)
async def write_note(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    processes: ProcessesDep,
    once: OnceDep,
    order_id: UUID,
    note: NewNote,
) -> Response:
    """Writes to colleagues about an order. `@code` mentions somebody, who may read the order while it is open; with `ask`
    they owe an answer, which is a promise: kept by a note that `answers` this one, broken when it is late."""

    async def effect(session: Session) -> NoteWritten:
        order = await lock_readable(session, order_id, who)
        within = timedelta(hours=runtime.settings.answer_within_hours)
        written = await service.write(session, processes, order, note, who, within=within, now=clock())
        return NoteWritten(note_id=written)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.patch("/orders/{order_id}/notes/{note_id}", response_model=NoteWritten)
async def edit_note(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, note_id: UUID, wanted: NoteEdit
) -> NoteWritten:
    """Changes your own note within ten minutes; what it said before is kept. Questions that it asks stay as they are."""
    async with runtime.db.transaction() as session:
        order = await lock_readable(session, order_id, who)
        await service.edit(session, order, note_id, wanted, who, now=clock())
    return NoteWritten(note_id=note_id)


@router.post("/orders/{order_id}/notes/{note_id}/withdraw", response_model=NoteWritten)
async def withdraw_question(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, note_id: UUID, wanted: Withdrawal
) -> NoteWritten:
    """The question need not be answered any more: the promises of those who have not answered are cancelled."""
    async with runtime.db.transaction() as session:
        order = await lock_readable(session, order_id, who)
        await service.withdraw(session, order, note_id, wanted, who, now=clock())
    return NoteWritten(note_id=note_id)


@router.post("/orders/{order_id}/notes/read", response_model=Seen)
async def read_notes(who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID) -> Seen:
    """You have seen the notes of this order: its mentions and answers to you are not unread any more."""
    async with runtime.db.transaction() as session:
        await ensure_readable(session, order_id, who)
        return Seen(seen=await service.read(session, order_id, who, now=clock()))


@router.get("/orders/{order_id}/notes")
async def list_notes(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> NotePage:
    """What colleagues wrote about an order, the newest first."""
    async with runtime.db.read() as session:
        await ensure_readable(session, order_id, who)
        return await reading.of_order(session, order_id, who=who, limit=limit, after=after, now=clock())


@router.get("/orders/{order_id}/notes/{note_id}/versions")
async def list_note_versions(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, note_id: UUID
) -> NoteVersions:
    """What a note said before it was edited, the latest first."""
    async with runtime.db.read() as session:
        await ensure_readable(session, order_id, who)
        return NoteVersions(items=await reading.versions(session, order_id, note_id, who=who, now=clock()))


@router.get("/notes/questions")
async def list_questions(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    side: Annotated[Side, Query(description="to_me ('hỏi tôi') or by_me ('tôi hỏi')")] = "to_me",
    only_open: bool = True,
    limit: Limit = 50,
    after: UUID | None = None,
) -> QuestionPage:
    """'Hỏi tôi / tôi hỏi': questions to you or by you, the newest first."""
    async with runtime.db.read() as session:
        return await reading.questions(
            session, who, side=side, only_open=only_open, limit=limit, after=after, now=clock()
        )


@router.get("/notes/unread")
async def count_unread(who: Reader, runtime: RuntimeDep, clock: ClockDep) -> Unread:
    """How much of what colleagues wrote to you is unread, and how many answers you owe."""
    async with runtime.db.read() as session:
        return await reading.unread(session, who.account_id, now=clock())
