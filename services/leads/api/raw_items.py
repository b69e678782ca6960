"""The raw inbox: everything that reached us, why some of it is no lead, and how that is put right."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.create import LeadVerdict, verdict_model
from services.leads.api.dependencies import Corrector, Limit, Reader
from services.leads.inbox import settle, store
from services.leads.inbox.store import Filters
from services.leads.intake.items import Channel
from services.leads.intake.raw import digits_of
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import Session
from shared.errors import Language, NotFound, language_of
from shared.given import GivenInstant
from shared.idempotency import OnceDep
from shared.phone import read_phones
from shared.phone.hiding import hidden

router = APIRouter(prefix="/v1/raw-items", tags=["raw inbox"])

_MAYBE_A_NUMBER: Final = re.compile(r"\d(?:[ .\-()]{0,3}\d){7,}")
"""Digits that are no number, but nearly: one is missing, or one too many."""
MAX_SHOWN: Final = 20_000
"""Characters of a body that are shown."""

InboxVerdict = Literal["lead", "duplicate", "rejected", "dismissed", "undone"]
Text = Annotated[str | None, Field(default=None, max_length=2_000)]


class RawItemOut(BaseModel):
    id: UUID = Field(description="also the id of the lead that came of it")
    channel: str
    source_id: UUID | None
    received_at: datetime
    verdict: InboxVerdict = Field(
        description="'dismissed': somebody said that it is no lead; 'undone': went with its import"
    )
    reason: str = Field(description="why it was rejected, as a code")
    message: str = Field(description="the same in words, and what to do")
    fields: dict[str, str] = Field(description="of what is no lead: what was read of it; numbers masked as everywhere")
    content_type: str
    body: str | None = Field(description="as it came; only for those who may reveal numbers")
    remote_ip: str = Field(description="the address a form was sent from")
    import_id: UUID | None
    row: int | None = Field(description="Excel's row number")


class CorrectionOut(BaseModel):
    """What somebody did to an item."""

    at: datetime
    by: str = Field(description="staff code")
    kind: Literal["corrected", "dismissed", "replayed"]
    before: dict[str, str] | None = Field(description="the changed fields as they were read")
    after: dict[str, str]
    was: str = Field(description="code of the rejection until then")
    verdict: InboxVerdict = Field(description="what it was from then on")
    reason: str


class RawItemWithHistory(RawItemOut):
    corrections: list[CorrectionOut]


class RawItemPage(BaseModel):
    items: list[RawItemOut]
    next: UUID | None


class CorrectionIn(BaseModel):
    """The fields that are to be read instead; what is left out stays as it was read. The body stays as it came."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"phone": "0912 345 678", "reason": "Gọi lại số Zalo, khách đọc số"}},
    )

    phone: Text
    other_phone: Text
    name: Text
    product: Text
    note: Text
    address: Text
    reason: str = Field(min_length=1, max_length=500, description="how you know, for those who ask later")


class DismissalIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Nhân viên gửi thử biểu mẫu"}})

    reason: str = Field(min_length=1, max_length=500)


def _filters(
    verdict: Annotated[InboxVerdict | None, Query()] = None,
    reason: Annotated[str | None, Query(max_length=100, description="code of a rejection")] = None,
    channel: Annotated[Channel | None, Query()] = None,
    source_id: Annotated[UUID | None, Query()] = None,
    import_id: Annotated[UUID | None, Query()] = None,
    since: Annotated[GivenInstant | None, Query(description="arrived at or after")] = None,
    until: Annotated[GivenInstant | None, Query(description="arrived before")] = None,
    phone: Annotated[
        str | None, Query(min_length=3, max_length=50, description="a number in any spelling, or part of one as typed")
    ] = None,
) -> Filters:
    typed = digits_of(phone) if phone else ""
    return Filters(
        verdict=verdict,
        reason=reason,
        channel=channel,
        source_id=source_id,
        import_id=import_id,
        since=since,
        until=until,
        # Without what people write before a number in several ways.
        digits=(re.sub(r"\A(?:0*84|0+)(?=\d{3})", "", typed) or typed) if phone else None,
        phones=tuple(found.e164 for found in read_phones(phone).phones) if phone else (),
    )


@router.get("")
async def list_raw_items(
    who: Reader,
    runtime: RuntimeDep,
    request: Request,
    filters: Annotated[Filters, Depends(_filters)],
    limit: Limit = 50,
    after: UUID | None = None,
) -> RawItemPage:
    """What reached us, newest first: yours, that of the people below you, and that of the sources credited to you."""
    language = language_of(request)
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await store.page(session, viewer, filters, after=after, limit=limit)
    items = [RawItemOut(**_shown(row, language, who)) for row in rows]
    return RawItemPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{item_id}")
async def get_raw_item(item_id: UUID, who: Reader, runtime: RuntimeDep, request: Request) -> RawItemWithHistory:
    """One item with everything that was done to it."""
    async with runtime.db.read() as session:
        row = await store.one(session, await viewer_of(session, who), item_id)
        if row is None:
            raise NotFound(what="raw item")
        done = await store.corrections(session, item_id)
    shows = _shows_numbers(row, who)
    corrections = [
        CorrectionOut(
            **{
                **one._mapping,
                "before": _texts(one.before, shows=shows) if one.before is not None else None,
                "after": _texts(one.after, shows=shows),
            }
        )
        for one in done
    ]
    return RawItemWithHistory(**_shown(row, language_of(request), who), corrections=corrections)


@router.post("/{item_id}/correct", response_model=LeadVerdict)
async def correct_raw_item(
    item_id: UUID, body: CorrectionIn, who: Corrector, once: OnceDep, runtime: RuntimeDep, request: Request
) -> Response:
    """Makes a rejected item a lead or a duplicate, as of the moment of its arrival and under its own id. Without a number
    that can be read it is answered 422, and nothing changes."""
    changes = {name: value for name, value in body.model_dump(exclude={"reason"}).items() if value is not None}

    async def effect(session: Session) -> LeadVerdict:
        verdict = await settle.correct(
            session, item_id, who, changes=changes, reason=body.reason, window=runtime.settings.duplicate_window
        )
        return verdict_model(verdict, language_of(request))

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{item_id}/dismiss", status_code=204)
async def dismiss_raw_item(item_id: UUID, body: DismissalIn, who: Corrector, runtime: RuntimeDep) -> None:
    """Says that a rejected item is no lead. A replay leaves it alone; it can still be corrected."""
    async with runtime.db.transaction() as session:
        await settle.dismiss(session, item_id, who, reason=body.reason)


def _shown(row: Any, language: Language, who: Principal) -> dict[str, Any]:
    return {
        "id": row.id,
        "channel": row.channel,
        "source_id": row.source_id,
        "received_at": row.received_at,
        "verdict": row.verdict,
        "reason": row.reason,
        "message": row.reason_vi if language == "vi" else row.reason_en,
        "fields": _texts(row.fields or {}, shows=_shows_numbers(row, who)),
        "content_type": row.content_type,
        "body": bytes(row.body).decode("utf-8", "replace")[:MAX_SHOWN] if who.may(PHONES_REVEAL) else None,
        "remote_ip": row.remote_ip,
        "import_id": row.import_id,
        "row": row.row_no,
    }


def _shows_numbers(row: Any, who: Principal) -> bool:
    """Who typed it sees what they typed."""
    return who.may(PHONES_REVEAL) or row.created_by == who.account_id


def _texts(fields: dict[str, str], *, shows: bool) -> dict[str, str]:
    """Fields with the digits in the middle of numbers, and of what may be one, as stars (rule D26)."""
    if shows:
        return fields
    return {name: _MAYBE_A_NUMBER.sub(_starred, hidden(text)) for name, text in fields.items()}


def _starred(found: re.Match[str]) -> str:
    places = [place for place, sign in enumerate(found[0]) if sign.isdigit()][4:-3]
    return "".join("*" if place in places else sign for place, sign in enumerate(found[0]))
