"""What colleagues do with notes: write, answer, edit, withdraw a question, read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import staff
from services.orders.care.processes import Processes
from services.orders.notes.mentions import mentioned
from services.orders.notes.topics import notes_of
from services.orders.promises import asked
from services.orders.promises.asked import DueInThePast, Request
from services.orders.record import Order
from shared.auth import Principal
from shared.db import ReadSession, Session, tell_after_commit
from shared.errors import Mistake, NotFound, Problem
from shared.given import GivenInstant

EDIT_WITHIN: Final = timedelta(minutes=10)
"""As long as a result can be taken back (rule D15): afterwards others have read it, and act on it."""
GRACE: Final = timedelta(minutes=30)
"""From the time by which an answer is due (and its owner is reminded) until the promise breaks and their superior is told."""
LATEST: Final = timedelta(days=90)
"""So far ahead an answer may be asked for; beyond lies a typing mistake."""
MENTIONS_MOST: Final = 20
OFFICE: Final = "office"
"""The calendar in whose time colleagues answer, if the order's care process has it; else that in which it calls."""


class NoteNotFound(NotFound):
    vi = "Đơn này không có ghi chú đó. Tải lại đơn."
    en = "The order has no such note. Load it again."


class MentionUnknown(Problem):
    type = "mention-unknown"
    status = 422
    vi = "Không có đồng nghiệp nào đang làm việc có mã: {codes}. Kiểm tra lại mã sau dấu @."
    en = "No active colleague has the code: {codes}. Check what follows the @."


class TooManyMentions(Problem):
    type = "too-many-mentions"
    status = 422
    vi = "Một ghi chú nhắc tối đa {most} người. Bớt người, hoặc chia thành nhiều ghi chú."
    en = "A note mentions {most} people at most. Name fewer, or write several notes."


class NobodyAsked(Problem):
    type = "nobody-asked"
    status = 422
    vi = "Đề nghị trả lời cần nhắc ít nhất một đồng nghiệp khác bằng @mã. Thêm rồi gửi lại."
    en = "A question has to mention at least one other colleague by @code. Add one and send again."


class AnswerTooFarAhead(Problem):
    type = "answer-too-far-ahead"
    status = 422
    vi = "Hạn trả lời cách quá xa ({days} ngày là tối đa). Kiểm tra lại ngày."
    en = "The answer is asked for too far ahead ({days} days at most). Check the date."


class NotYourNote(Problem):
    type = "not-your-note"
    status = 403
    vi = "Chỉ người viết mới sửa được ghi chú này. Viết ghi chú mới để bổ sung."
    en = "Only its author can edit a note. Write another one instead."


class TooLateToEdit(Problem):
    type = "too-late-to-edit"
    status = 409
    vi = "Chỉ sửa được ghi chú trong {minutes} phút sau khi viết. Viết ghi chú mới để bổ sung."
    en = "A note can be edited for {minutes} minutes. Write another one instead."


class NotYourQuestion(Problem):
    type = "not-your-question"
    status = 403
    vi = "Chỉ người hỏi mới rút lại đề nghị trả lời."
    en = "Only whoever asked can withdraw a question."


class NothingAsked(Problem):
    type = "nothing-asked"
    status = 409
    vi = "Ghi chú này không còn đề nghị trả lời nào đang chờ. Tải lại đơn."
    en = "No answer to this note is waited for. Load the order again."


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(
        min_length=1, max_length=4000, description="@code mentions a colleague", examples=["@NV02 xem giúp"]
    )

    @field_validator("text")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip() or "\x00" in value:
            raise Mistake("ghi chú đang trống hoặc có ký tự không lưu được", "must say something")
        return value.strip()


class NewNote(_Text):
    """A note to colleagues."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "@NV02 khách hỏi bảo hành, em trả lời giúp chị", "ask": True},
                {"text": "Bảo hành 12 tháng ạ", "answers": "0193a5d0-1a1b-7c1d-8e1f-202122232425"},
            ]
        },
    )

    ask: bool = Field(default=False, description="'đề nghị trả lời': everybody who is mentioned owes an answer")
    answer_by: GivenInstant | None = Field(
        default=None, description="until when; some business hours (CHOT_ANSWER_WITHIN_HOURS) if left out"
    )
    answers: UUID | None = Field(default=None, description="the note that this one answers")


class NoteEdit(_Text):
    pass


class Withdrawal(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "đã gọi hỏi trực tiếp"}]})

    reason: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class _Colleague:
    account_id: UUID
    code: str


_COLLEAGUES: Final = text(
    """
SELECT DISTINCT ON (upper(code)) account_id, code FROM staff_members
WHERE version > 0 AND active AND upper(code) = ANY(CAST(:codes AS text[])) ORDER BY upper(code), account_id
"""
)
_WRITE: Final = text(
    """
INSERT INTO notes (id, order_id, author_id, author_code, text, at, answers_id)
VALUES (:id, :order_id, :author_id, :author_code, :text, :at, :answers_id)
"""
)
_MENTION: Final = text(
    """
INSERT INTO note_mentions (id, note_id, order_id, account_id, code, asker_id, promise_id)
SELECT t.id, :note_id, :order_id, t.account_id, t.code, :asker_id, t.promise_id
FROM unnest(CAST(:ids AS uuid[]), CAST(:accounts AS uuid[]), CAST(:codes AS text[]), CAST(:promises AS uuid[]))
    AS t (id, account_id, code, promise_id)
ON CONFLICT (note_id, code) DO NOTHING
"""
)
_NOTE: Final = text("SELECT * FROM notes WHERE id = :id AND order_id = :order_id")
_KEEP_VERSION: Final = text("INSERT INTO note_versions (note_id, version, text, at) VALUES (:id, :version, :text, :at)")
_EDIT: Final = text("UPDATE notes SET text = :text, version = version + 1, edited_at = :now WHERE id = :id")
_OWED: Final = text(
    """
SELECT m.id, m.account_id, m.asker_id FROM note_mentions m
WHERE m.note_id = :note_id AND m.promise_id IS NOT NULL AND m.answer_id IS NULL AND m.withdrawn_at IS NULL
ORDER BY m.id
"""
)
_ANSWERED: Final = text(
    "UPDATE note_mentions SET answer_id = :answer_id, read_at = coalesce(read_at, :now) WHERE id = ANY(CAST(:ids AS uuid[]))"
)
_WITHDRAWN: Final = text(
    "UPDATE note_mentions SET withdrawn_at = :now, withdrawn_reason = :reason WHERE id = ANY(CAST(:ids AS uuid[]))"
)
_READ: Final = text(
    """
WITH read AS (
    UPDATE note_mentions SET read_at = :now
    WHERE order_id = :order_id AND account_id = :account_id AND read_at IS NULL RETURNING 1
), told AS (
    UPDATE note_mentions SET told_at = :now
    WHERE order_id = :order_id AND asker_id = :account_id AND answer_id IS NOT NULL AND told_at IS NULL
        AND account_id <> asker_id RETURNING 1
)
SELECT (SELECT count(*) FROM read) + (SELECT count(*) FROM told)
"""
)
# The process of the order's care; of an order that never was in care, the first that was published.
_PROCESS: Final = text(
    """
(SELECT 1 AS place, process AS key, process_version AS version FROM care WHERE order_id = :order_id)
UNION ALL (SELECT 2, key, version FROM process_versions ORDER BY published_at, key, version LIMIT 1)
ORDER BY place LIMIT 1
"""
)


async def write(
    session: Session,
    processes: Processes,
    order: Order,
    new: NewNote,
    who: Principal,
    *,
    within: timedelta,
    now: datetime,
) -> UUID:
    """Writes a note on a locked order; every colleague of whom an answer is asked owes it, and whoever owed this one has
    kept their word.

    Args:
        within: business time in which an answer is due if the note does not say until when.

    Raises:
        NoteNotFound, MentionUnknown, TooManyMentions, NobodyAsked, DueInThePast, AnswerTooFarAhead: it cannot be written.
    """
    answered = await _note(session, order, new.answers) if new.answers is not None else None
    people = [each for each in await _colleagues(session, new.text) if each.account_id != who.account_id]
    if new.ask and not people:
        raise NobodyAsked
    due_at = await _due(session, processes, order, new, within=within, now=now) if new.ask else None
    note_id: UUID = uuid7()
    await session.execute(
        _WRITE,
        {
            "id": note_id,
            "order_id": order.id,
            "author_id": who.account_id,
            "author_code": who.code,
            "text": new.text,
            "at": now,
            "answers_id": new.answers,
        },
    )
    await _mention(session, order, note_id, people, who, due_at=due_at, now=now)
    if answered is not None:
        await _answer(session, order, answered.id, note_id, who, now=now)
        _tell(session, answered.author_id)
    return note_id


async def _note(session: ReadSession, order: Order, note_id: UUID) -> Any:
    row = (await session.execute(_NOTE, {"id": note_id, "order_id": order.id})).one_or_none()
    if row is None:
        raise NoteNotFound
    return row


async def _colleagues(session: ReadSession, text: str) -> list[_Colleague]:
    codes = mentioned(text)
    if len(codes) > MENTIONS_MOST:
        raise TooManyMentions(most=MENTIONS_MOST)
    rows = await session.execute(_COLLEAGUES, {"codes": codes})
    found = {row.code.upper(): _Colleague(row.account_id, row.code) for row in rows}
    unknown = [code for code in codes if code not in found]
    if unknown:
        raise MentionUnknown(codes=", ".join(unknown))
    return [found[code] for code in codes]


async def _due(
    session: Session, processes: Processes, order: Order, new: NewNote, *, within: timedelta, now: datetime
) -> datetime:
    if new.answer_by is not None:
        if new.answer_by <= now:
            raise DueInThePast
        if new.answer_by > now + LATEST:
            raise AnswerTooFarAhead(days=LATEST.days)
        return new.answer_by
    row = (await session.execute(_PROCESS, {"order_id": order.id})).one()
    process = await processes.get(session, row.key, row.version, now=now, team=order.team)
    calendar = process.opening_hours.get(OFFICE) or process.calendar(process.windows.asked)
    return calendar.add(now, within)


async def _mention(
    session: Session,
    order: Order,
    note_id: UUID,
    people: Sequence[_Colleague],
    who: Principal,
    *,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Mentions people, and asks them where an answer is due."""
    if not people:
        return
    ids = [uuid7() for _ in people]
    promises = [uuid7() if due_at is not None else None for _ in people]
    for id, person, promise_id in zip(ids, people, promises, strict=True):  # a handful, each with its own promise
        if due_at is not None and promise_id is not None:
            request = Request(
                subject_id=id,
                owner_id=person.account_id,
                asked_by_id=who.account_id,
                due_at=due_at,
                deadline_at=due_at + GRACE,
                promise_id=promise_id,
            )
            await asked.ask(session, order, request, now=now)
    await session.execute(
        _MENTION,
        {
            "ids": ids,
            "accounts": [person.account_id for person in people],
            "codes": [person.code for person in people],
            "promises": promises,
            "note_id": note_id,
            "order_id": order.id,
            "asker_id": who.account_id,
        },
    )
    _tell(session, *(person.account_id for person in people), who.account_id)


async def _answer(
    session: Session, order: Order, note_id: UUID, answer_id: UUID, who: Principal, *, now: datetime
) -> None:
    """Whoever was asked has answered; an answer of somebody else ends nobody's promise."""
    owed = (await session.execute(_OWED, {"note_id": note_id})).all()
    mine = [row for row in owed if row.account_id == who.account_id]
    for row in mine:  # one, unless a hand-over made it two
        await asked.answered(session, order, subject_id=row.id, by=staff(who), at=now)
        _tell(session, row.account_id, row.asker_id)
    await session.execute(_ANSWERED, {"ids": [row.id for row in mine], "answer_id": answer_id, "now": now})


async def edit(
    session: Session, order: Order, note_id: UUID, wanted: NoteEdit, who: Principal, *, now: datetime
) -> None:
    """Changes the text of one's own note; what it said before is kept. Whom it newly mentions is told, nobody is asked.

    Raises:
        NoteNotFound, NotYourNote, TooLateToEdit, MentionUnknown, TooManyMentions: it stays as it is.
    """
    note = await _note(session, order, note_id)
    if note.author_id != who.account_id:
        raise NotYourNote
    if now - note.at > EDIT_WITHIN:
        raise TooLateToEdit(minutes=int(EDIT_WITHIN.total_seconds()) // 60)
    if note.text == wanted.text:
        return
    people = [each for each in await _colleagues(session, wanted.text) if each.account_id != who.account_id]
    before = {"id": note_id, "version": note.version, "text": note.text, "at": note.edited_at or note.at}
    await session.execute(_KEEP_VERSION, before)
    await session.execute(_EDIT, {"id": note_id, "text": wanted.text, "now": now})
    await _mention(session, order, note_id, people, who, due_at=None, now=now)


async def withdraw(
    session: Session, order: Order, note_id: UUID, wanted: Withdrawal, who: Principal, *, now: datetime
) -> None:
    """The question need not be answered any more.

    Raises:
        NoteNotFound, NotYourQuestion, NothingAsked: it is still asked, or was never.
    """
    await _note(session, order, note_id)
    owed = (await session.execute(_OWED, {"note_id": note_id})).all()
    if not owed:
        raise NothingAsked
    mine = [row for row in owed if row.asker_id == who.account_id]
    if not mine:
        raise NotYourQuestion
    for row in mine:
        await asked.withdraw(session, order, subject_id=row.id, cause="withdrawn", at=now)
        _tell(session, row.account_id, row.asker_id)
    await session.execute(_WITHDRAWN, {"ids": [row.id for row in mine], "reason": wanted.reason.strip(), "now": now})


async def read(session: Session, order_id: UUID, who: Principal, *, now: datetime) -> int:
    """Somebody has seen the notes of an order; returns how many of them were new to them."""
    values = {"order_id": order_id, "account_id": who.account_id, "now": now}
    seen = int((await session.execute(_READ, values)).scalar_one())
    if seen:
        _tell(session, who.account_id)
    return seen


def _tell(session: Session, *accounts: UUID) -> None:
    for account_id in set(accounts):
        tell_after_commit(session, notes_of(account_id))
