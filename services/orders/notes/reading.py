"""Notes as people read them: those of an order, and 'hỏi tôi / tôi hỏi'."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import sees_numbers, sees_numbers_of
from services.orders.hiding import hidden_in
from services.orders.notes.topics import NOTES
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_READ
from shared.db import ReadSession
from shared.phone.hiding import hidden
from shared.streams import State, Topic

Side = Literal["to_me", "by_me"]


class MentionView(BaseModel):
    code: str = Field(description="staff code that the text names")
    account_id: UUID = Field(description="who it concerns now: after a hand-over, the new holder of the order")
    read_at: datetime | None
    asked: bool = Field(description="an answer was asked for")
    due_at: datetime | None
    outcome: str = Field(description="of the answer: open, kept, broken, cancelled; empty if none was asked for")
    answer_id: UUID | None


class NoteView(BaseModel):
    id: UUID
    at: datetime
    author_code: str
    text: str
    answers_id: UUID | None = Field(description="the note that it answers")
    version: int = Field(description="more than 1: it was edited")
    edited_at: datetime | None
    mentions: list[MentionView]


class NotePage(BaseModel):
    items: list[NoteView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class NoteVersion(BaseModel):
    version: int
    text: str
    at: datetime


class Question(BaseModel):
    """Something that a colleague asked of another."""

    id: UUID
    note_id: UUID
    order_id: UUID
    order_code: str
    text: str
    asked_by: str
    asked_of: str
    asked_at: datetime
    due_at: datetime
    outcome: str = Field(description="open, kept, broken (late, and perhaps answered since), cancelled")
    overdue: bool
    answer_id: UUID | None
    answer: str = Field(description="its text")
    answered_at: datetime | None


class QuestionPage(BaseModel):
    items: list[Question]
    next: UUID | None


class Unread(BaseModel):
    mentions: int = Field(description="notes that mention you and that you have not seen")
    answers: int = Field(description="answers to your questions that you have not seen")
    owed: int = Field(description="answers that you owe")
    overdue: int = Field(description="of these, late")


_NOTES: Final = text(
    """
SELECT n.id, n.at, n.author_code, n.text, n.answers_id, n.version, n.edited_at, coalesce((
    SELECT jsonb_agg(jsonb_build_object('code', m.code, 'account_id', m.account_id, 'read_at', m.read_at,
        'asked', m.promise_id IS NOT NULL, 'due_at', p.due_at, 'answer_id', m.answer_id,
        'outcome', CASE WHEN p.id IS NULL THEN '' ELSE coalesce(p.outcome, 'open') END) ORDER BY m.id)
    FROM note_mentions m LEFT JOIN promises p ON p.id = m.promise_id WHERE m.note_id = n.id), '[]') AS mentions
FROM notes n WHERE n.order_id = :order_id AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)
_VERSIONS: Final = text(
    """
SELECT v.version, v.text, v.at, n.author_code FROM note_versions v JOIN notes n ON n.id = v.note_id
WHERE n.id = :id AND n.order_id = :order_id ORDER BY v.version DESC
"""
)
_QUESTIONS: Final = """
SELECT m.id, m.note_id, m.order_id, o.code AS order_code, n.text, n.author_code AS asked_by,
    coalesce(s.code, m.code) AS asked_of, n.at AS asked_at, p.due_at, coalesce(p.outcome, 'open') AS outcome,
    m.answer_id IS NULL AND m.withdrawn_at IS NULL AND p.due_at < :now AS overdue, m.answer_id,
    coalesce(a.text, '') AS answer, a.at AS answered_at, coalesce(a.author_code, '') AS answered_by,
    o.owner_id, o.closer_id, o.level_since, l.kind = 'open' AS is_open
FROM note_mentions m JOIN notes n ON n.id = m.note_id JOIN orders o ON o.id = m.order_id
JOIN levels l ON l.code = o.level JOIN promises p ON p.id = m.promise_id LEFT JOIN notes a ON a.id = m.answer_id
LEFT JOIN staff_members s ON s.account_id = m.account_id AND s.version > 0
WHERE m.{side} = :viewer AND (NOT :only_open OR (m.answer_id IS NULL AND m.withdrawn_at IS NULL))
  AND (CAST(:after AS uuid) IS NULL OR m.id < :after)
ORDER BY m.id DESC LIMIT :limit
"""
_SIDES: Final = {
    "to_me": text(_QUESTIONS.format(side="account_id")),
    "by_me": text(_QUESTIONS.format(side="asker_id")),
}
_UNREAD: Final = text(
    """
SELECT
    (SELECT count(*) FROM note_mentions WHERE account_id = :viewer AND read_at IS NULL) AS mentions,
    (SELECT count(*) FROM note_mentions WHERE asker_id = :viewer AND promise_id IS NOT NULL
        AND answer_id IS NOT NULL AND told_at IS NULL AND account_id <> asker_id) AS answers,
    count(p.id) AS owed, count(p.id) FILTER (WHERE p.due_at < :now) AS overdue
FROM note_mentions m JOIN promises p ON p.id = m.promise_id
WHERE m.account_id = :viewer AND m.answer_id IS NULL AND m.withdrawn_at IS NULL
"""
)
_NEWS: Final = text(
    """
SELECT m.id, m.note_id, m.order_id, o.code AS order_code, n.author_code AS by, m.promise_id IS NOT NULL AS asked, n.at
FROM note_mentions m JOIN notes n ON n.id = m.note_id JOIN orders o ON o.id = m.order_id
WHERE m.account_id = :viewer AND m.read_at IS NULL ORDER BY m.id DESC LIMIT 10
"""
)


async def of_order(
    session: ReadSession, order_id: UUID, *, who: Principal, limit: int, after: UUID | None, now: datetime
) -> NotePage:
    """The notes of an order, the newest first; whoever wrote one sees what they wrote."""
    whole = await sees_numbers_of(session, order_id, who, now=now)
    rows = await session.execute(_NOTES, {"order_id": order_id, "limit": limit, "after": after})
    notes = [NoteView.model_validate(dict(row._mapping)) for row in rows]
    items = [note if whole or note.author_code == who.code else hidden_in(note) for note in notes]
    return NotePage(items=items, next=items[-1].id if len(items) == limit else None)


async def versions(
    session: ReadSession, order_id: UUID, note_id: UUID, *, who: Principal, now: datetime
) -> list[NoteVersion]:
    """What a note said before it was edited, the latest first."""
    whole = await sees_numbers_of(session, order_id, who, now=now)
    rows = await session.execute(_VERSIONS, {"id": note_id, "order_id": order_id})
    return [
        NoteVersion(
            version=row.version, at=row.at, text=row.text if whole or row.author_code == who.code else hidden(row.text)
        )
        for row in rows
    ]


async def questions(
    session: ReadSession,
    who: Principal,
    *,
    side: Side,
    only_open: bool,
    limit: int,
    after: UUID | None,
    now: datetime,
) -> QuestionPage:
    """What is asked of somebody, or by them, the newest first."""
    values = {"viewer": who.account_id, "only_open": only_open, "limit": limit, "after": after, "now": now}
    rows = await session.execute(_SIDES[side], values)
    items = [_question(dict(row._mapping), who, now=now) for row in rows]
    return QuestionPage(items=items, next=items[-1].id if len(items) == limit else None)


def _question(row: dict[str, Any], who: Principal, *, now: datetime) -> Question:
    answered_by = row.pop("answered_by")
    if not sees_numbers(who, row, now=now):
        row["text"] = row["text"] if row["asked_by"] == who.code else hidden(row["text"])
        row["answer"] = row["answer"] if answered_by == who.code else hidden(row["answer"])
    return Question.model_validate(row)


async def unread(session: ReadSession, account_id: UUID, *, now: datetime) -> Unread:
    row = (await session.execute(_UNREAD, {"viewer": account_id, "now": now})).one()
    return Unread.model_validate(dict(row._mapping))


def topic(clock: Any) -> Topic:
    """What a person's screen shows of notes at once: `notes/{account}`, their own alone."""

    async def read(session: ReadSession, who: Principal, key: str) -> State | None:
        if key != str(who.account_id):
            return None
        counts = await unread(session, who.account_id, now=clock())
        news = await session.execute(_NEWS, {"viewer": who.account_id})
        return {"unread": counts.model_dump(), "news": [dict(row._mapping) for row in news]}

    return Topic(NOTES, ORDERS_READ, read)
