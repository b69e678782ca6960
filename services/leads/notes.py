"""Notes that colleagues write on leads: kept for ever; the writer may mend one for a few minutes, its old words stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from services.leads.errors import NoteTooOld
from services.leads.text import cell
from shared.auth import Principal
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound

CHANGEABLE: Final = timedelta(minutes=10)
"""How long the writer may mend a note: as long as an own call result can be undone (rule D15)."""

MAX_NOTE: Final = 4_000
"""Characters: as of the note that a customer leaves."""


def _text(typed: str) -> str:
    note = cell(typed, MAX_NOTE)
    if not note:
        raise Mistake("ghi chú đang trống", "a note says something")
    return note


NoteText = Annotated[str, Field(min_length=1, max_length=MAX_NOTE), AfterValidator(_text)]


_ADD: Final = """
WITH put AS (
    INSERT INTO lead_notes (id, lead_id, at, by_id, by, text)
    SELECT n.id, n.lead_id, $3, $4, $5, $6 FROM unnest($1::uuid[], $2::uuid[]) AS n (id, lead_id)
)
UPDATE leads SET changed_at = $3 WHERE id = ANY($2::uuid[])
"""
_PAGE: Final = text(
    """
SELECT n.id, n.lead_id, n.at, n.by_id, n.by, n.text, n.changed_at, n.version,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('at', v.at, 'text', v.text) ORDER BY v.version), '[]')
     FROM lead_note_versions v WHERE v.note_id = n.id) AS before
FROM lead_notes n WHERE n.lead_id = :lead_id AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)
_LOCK: Final = text(
    "SELECT id, lead_id, at, by_id, text, version, changed_at FROM lead_notes WHERE id = :id AND lead_id = :lead_id FOR UPDATE"
)
_KEEP: Final = text(
    """
INSERT INTO lead_note_versions (note_id, version, at, text)
SELECT id, version, coalesce(changed_at, at), text FROM lead_notes WHERE id = :id
"""
)
_EDIT: Final = text("UPDATE lead_notes SET text = :text, changed_at = :at, version = version + 1 WHERE id = :id")
_TOUCH: Final = text("UPDATE leads SET changed_at = :at WHERE id = :lead_id")


async def add(connection: Connection, leads: Sequence[UUID], *, note: str, who: Principal, at: datetime) -> list[UUID]:
    """Writes the same note on each of some leads, which must be locked. Returns the notes' ids."""
    ids = [uuid7() for _ in leads]
    await connection.execute(_ADD, ids, list(leads), at, who.account_id, who.code, note)
    return ids


async def page(session: ReadSession, lead_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Any]:
    """The notes of a lead, newest first, with what they said before."""
    return (await session.execute(_PAGE, {"lead_id": lead_id, "after": after, "limit": limit})).all()


async def edit(session: Session, lead_id: UUID, note_id: UUID, *, note: str, who: Principal, at: datetime) -> None:
    """Mends an own note.

    Raises:
        NotFound: the lead has no such note.
        NoteTooOld: it is somebody else's, or stands too long already.
    """
    known = (await session.execute(_LOCK, {"id": note_id, "lead_id": lead_id})).one_or_none()
    if known is None:
        raise NotFound(what="note")
    if known.by_id != who.account_id or at - known.at > CHANGEABLE:
        raise NoteTooOld(minutes=int(CHANGEABLE / timedelta(minutes=1)))
    if known.text == note:
        return
    await session.execute(_KEEP, {"id": note_id})
    await session.execute(_EDIT, {"id": note_id, "text": note, "at": at})
    await session.execute(_TOUCH, {"lead_id": lead_id, "at": at})
