"""`POST /v1/leads/lookup`: is this number known? Asked while somebody types a new customer in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.leads import lookup
from services.leads.api.dependencies import LanguageDep, Reader
from services.leads.api.leads import LeadOut, lead_out, shown_phone, shown_text
from services.leads.level_catalogue import name_of
from services.leads.listing import query
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import Viewer, viewer_of
from services.leads.state import RuntimeDep
from services.leads.text import words
from shared.auth import Principal
from shared.db import ReadSession
from shared.errors import Language
from shared.phone import read_phones
from shared.phone.masking import national

router = APIRouter(prefix="/v1/leads", tags=["leads"])

SAME_NAME: Final = 5
"""Leads with the same name that are shown."""


class LookupIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"phone": "0912 345 678", "name": "Nguyễn Thị Lan"}}
    )

    phone: str = Field(default="", max_length=2_000, description="as far as it is typed, in any spelling")
    name: str = Field(default="", max_length=200)


class KnownLead(BaseModel):
    """A lead that you may see."""

    id: UUID
    name: str
    level: str
    level_name: str
    product: str
    received_at: datetime
    changed_at: datetime = Field(description="last activity")
    leads: int = Field(description="how often the number has come")


class NumberOut(BaseModel):
    phone: str
    known: bool
    sentence: str
    duplicate_until: datetime | None = Field(description="a lead typed in now would be a duplicate; until then")
    owner: str | None = Field(description="staff code of whoever has it in care")
    returning_customer: bool
    do_not_call: list[str] = Field(description="all, calls, messages: what the do-not-call list forbids")
    flag: str = Field(description="test or competitor, if the number was marked so")
    lead: KnownLead | None = Field(description="only if you may see it")


class LookupOut(BaseModel):
    readable: bool = Field(description="a whole number stands in `phone`")
    problem: str = Field(description="what is still wrong with it, in words")
    numbers: list[NumberOut]
    same_name: list[LeadOut] = Field(description="if no number is known: leads that you may see with this name")


@router.post("/lookup")
async def look_up(body: LookupIn, who: Reader, runtime: RuntimeDep, language: LanguageDep) -> LookupOut:
    """Tells whether a number is known: open window, owner, level, last activity, whether they bought before, and whether
    they must not be called. Of somebody else's lead it tells only who has it."""
    zone = ZoneInfo(runtime.settings.timezone)
    reading = read_phones(body.phone)
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await lookup.known(session, [found.e164 for found in reading.phones]) if reading.phones else []
        numbers = [_number(row, viewer, who, language, zone) for row in rows]
        namesakes: list[LeadOut] = []
        if not any(number.known for number in numbers):
            namesakes = await _same_name(session, viewer, body.name, who, language)
    problem = reading.problem
    return LookupOut(
        readable=problem is None,
        problem="" if problem is None or not body.phone else problem.vi if language == "vi" else problem.en,
        numbers=numbers,
        same_name=namesakes,
    )


def _number(row: Any, viewer: Viewer, who: Principal, language: Language, zone: ZoneInfo) -> NumberOut:
    lead = None
    if row.id is not None and viewer.sees(row):
        name = shown_text(row.name, shown_phone(row, who))  # a second number may stand in it
        lead = KnownLead.model_validate({**row._mapping, "name": name, "level_name": name_of(row, language)})
    return NumberOut(
        phone=national(row.phone),
        known=row.id is not None,
        sentence=_sentence(row, lead, language, zone),
        duplicate_until=row.closes_at,
        owner=row.owner_code,
        returning_customer=row.handed_over,
        do_not_call=sorted(row.do_not_call),
        flag=row.flag,
        lead=lead,
    )


def _sentence(row: Any, lead: KnownLead | None, language: Language, zone: ZoneInfo) -> str:
    vi = language == "vi"
    if row.id is None:
        parts = ["Số mới." if vi else "A new number."]
    else:
        parts = []
        if lead is not None:
            at = f"{lead.received_at.astimezone(zone):%d/%m/%Y %H:%M}"
            named = f"{lead.name}, " if lead.name else ""
            parts.append(
                f"{named}{lead.level_name} ({lead.level}), số về {at}."
                if vi
                else f"{named}{lead.level_name} ({lead.level}), came {at}."
            )
        if row.owner_code:
            parts.append(f"Đang được {row.owner_code} chăm." if vi else f"{row.owner_code} has it in care.")
        else:
            parts.append("Số đã có, chưa có người chăm." if vi else "It is known and nobody has it in care.")
        if row.closes_at is not None:
            until = f"{row.closes_at.astimezone(zone):%d/%m/%Y %H:%M}"
            parts.append(
                f"Nhập lại sẽ thành đơn trùng (đến {until})."
                if vi
                else f"Typed in again it would be a duplicate (until {until})."
            )
    if row.handed_over:
        parts.append("Khách cũ, đã từng nhận hàng." if vi else "A returning customer.")
    if row.do_not_call:
        parts.append("Số nằm trong danh sách không gọi." if vi else "The number is on the do-not-call list.")
    return " ".join(parts)


async def _same_name(
    session: ReadSession, viewer: Viewer, name: str, who: Principal, language: Language
) -> list[LeadOut]:
    wanted = words(name)
    if len(wanted) < 2:
        return []  # half of the country shares a single name
    rows = await query.page(session, viewer, LeadFilters(q=name), order="newest", after=None, limit=SAME_NAME)
    return [lead_out(row, who, language) for row in rows if words(row.name) == wanted]
