"""`GET /v1/leads/{id}/history`: everything that ever happened to a lead."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.leads import level_catalogue
from services.leads.api.dependencies import LanguageDep, Limit, Reader
from services.leads.api.leads import explain, shown_phone, visible
from services.leads.errors import CursorUnreadable
from services.leads.labels import Words
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from services.leads.timeline import reading
from services.leads.timeline.reading import Entry, Kind
from services.leads.timeline.telling import Show, masked_texts, masked_values, tell
from services.leads.why import Sentence
from shared.db import ReadSession
from shared.given import is_reckoned_with
from shared.phone.masking import masked

router = APIRouter(prefix="/v1/leads", tags=["leads"])

OWNERS: Final = ("assigned", "released")
"""Entries that `why` puts in words."""


class EntryOut(BaseModel):
    at: datetime
    kind: Kind
    by: str = Field(description="staff code; empty: the customer or a rule of the system")
    sentence: str
    data: dict[str, Any] = Field(description="what the sentence is made of; numbers as you may see them")


class HistoryPage(BaseModel):
    items: list[EntryOut]
    next: str | None = Field(description="`after` of the next page; null on the last")


@router.get("/{lead_id}/history")
async def lead_history(
    lead_id: UUID,
    who: Reader,
    runtime: RuntimeDep,
    language: LanguageDep,
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
) -> HistoryPage:
    """Everything that ever happened to a lead, newest first: arrival, duplicates that came again, who held it and why,
    levels, changes, tags, notes, who looked at its number, consent. `Accept-Language` chooses the sentences' language."""
    async with runtime.db.read() as session:
        row = await visible(session, who, lead_id)
        show = shown_phone(row, who)
        entries = await reading.page(session, lead_id, after=_read(after), limit=limit)
        if show is masked:
            entries = [replace(entry, data=masked_texts(entry.data)) for entry in entries]
        steps = {}
        if any(entry.kind in OWNERS for entry in entries):
            steps = {step.assignment: step for step in await leads.history(session, lead_id)}
        levels = await level_catalogue.names(session)
        sentences = [await _sentence(session, entry, steps, show, levels) for entry in entries]
    items = [
        EntryOut(
            at=entry.at,
            kind=entry.kind,
            by=entry.by,
            sentence=sentence.vi if language == "vi" else sentence.en,
            data={name: _shown(value, show) for name, value in entry.data.items()},
        )
        for entry, sentence in zip(entries, sentences, strict=True)
    ]
    return HistoryPage(items=items, next=_cursor(entries[-1]) if len(entries) == limit else None)


async def _sentence(
    session: ReadSession, entry: Entry, steps: Mapping[int, Any], show: Show, levels: Words
) -> Sentence:
    if entry.kind not in OWNERS:
        return tell(entry, show, levels)
    sentence, _ = await explain(session, steps[entry.data["assignment"]], show)
    return sentence


def _shown(value: Any, show: Show) -> Any:
    return masked_values(value, show) if isinstance(value, dict) else value


def _cursor(entry: Entry) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([entry.at, entry.key])).rstrip(b"=").decode()


def _read(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    try:
        at, key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = datetime.fromisoformat(at), str(key)
    except (binascii.Error, ValueError, TypeError):
        raise CursorUnreadable from None
    if place[0].tzinfo is None or not is_reckoned_with(place[0]):
        raise CursorUnreadable
    return place
