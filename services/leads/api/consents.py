"""Consent: what is kept of a number, and what people say later. For answers to the requests of data subjects too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.dependencies import ConsentKeeper
from services.leads.api.do_not_call import EntryOut, one_phone
from services.leads.consent import acts, do_not_call
from services.leads.consent.acts import Act, Purpose
from services.leads.driver import connection_of, mark_outbox_written, write_outbox
from services.leads.state import RuntimeDep
from shared.db import ReadSession, Session
from shared.errors import Invalid
from shared.given import GivenInstant
from shared.idempotency import OnceDep
from shared.phone.masking import national

router = APIRouter(prefix="/v1/consents", tags=["consent"])

Line = Annotated[str, Field(max_length=500)]


class ConsentIn(BaseModel):
    """What somebody agreed to, or no longer agrees to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "phone": "0912 345 678",
                "act": "withdrawn",
                "purposes": ["advertising_call", "message"],
                "how": "nói qua điện thoại",
                "reason": "Chỉ muốn được gọi về đơn đang đặt",
            }
        },
    )

    phone: str = Field(min_length=1, max_length=200)
    act: Literal["given", "withdrawn"]
    purposes: list[Purpose] = Field(min_length=1, max_length=3)
    how: str = Field(min_length=1, max_length=100, description="how they said so: form, call, message, letter, …")
    at: GivenInstant | None = Field(default=None, description="when, if not just now")
    channel: str = Field(default="", max_length=50)
    page: Line = ""
    text: str = Field(default="", max_length=4_000, description="the wording that they agreed to")
    reason: Line = ""
    lead_id: UUID | None = None


class ActOut(BaseModel):
    purpose: Purpose
    act: Literal["given", "withdrawn"]
    at: datetime
    how: str = Field(description="left_number: the lead itself; refusal: level L1.3; otherwise as it was recorded")
    channel: str
    page: str
    text: str
    reason: str
    lead_id: UUID | None
    by: str = Field(description="staff code")


class StandingOut(BaseModel):
    purpose: Purpose
    state: Literal["given", "withdrawn", "ended", "none"] = Field(description="ended: 30 days after care ended")
    since: datetime | None


class ListChangeOut(BaseModel):
    source: str
    act: Literal["added", "changed", "removed"]
    kind: str
    until: datetime | None
    at: datetime
    reason: str
    by: str
    import_id: UUID | None


class ConsentsOut(BaseModel):
    """Everything that is kept on the consent of one number."""

    phone: str
    standing: list[StandingOut] = Field(description="what holds now, for each purpose")
    acts: list[ActOut] = Field(description="oldest first")
    do_not_call: list[EntryOut]
    do_not_call_changes: list[ListChangeOut] = Field(description="oldest first")


@router.get("/{phone}")
async def consents_of(phone: str, _: ConsentKeeper, runtime: RuntimeDep) -> ConsentsOut:
    """Everything kept on the consent of a number, in any spelling: what it asked for and on which page, with the wording;
    what it took back, when and how; and how it came onto the do-not-call list and off it."""
    number = one_phone(phone)
    async with runtime.db.read() as session:
        return await _consents(session, number)


@router.post("", status_code=201, response_model=ConsentsOut)
async def record_consent(body: ConsentIn, who: ConsentKeeper, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Records that somebody gave consent or took it back. Nothing is ever changed; the last word holds."""
    number, now = one_phone(body.phone), datetime.now(UTC)
    if body.at is not None and body.at > now:
        raise Invalid(errors=[{"field": "body.at", "message": "ở tương lai / in the future", "code": "future"}])

    async def effect(session: Session) -> ConsentsOut:
        act = Act(
            body.purposes[0],
            body.act,
            body.at or now,
            body.how,
            channel=body.channel,
            page=body.page,
            text=body.text,
            reason=body.reason,
            lead_id=body.lead_id,
            by=who.code,
        )
        purposes = list(dict.fromkeys(body.purposes))
        connection = await connection_of(session)
        if await write_outbox(connection, await acts.record(connection, [number], purposes, act, who.account_id)):
            mark_outbox_written(session)
        return await _consents(session, number)

    return await once.run(runtime.db, str(who.account_id), effect)


async def _consents(session: ReadSession, phone: str) -> ConsentsOut:
    found = await acts.of_phone(session, phone)
    entries = await do_not_call.of_phone(await connection_of(session), phone)
    changes: list[Any] = list(await acts.list_changes(session, phone))
    return ConsentsOut(
        phone=national(phone),
        standing=[
            StandingOut.model_validate(one, from_attributes=True) for one in acts.standing(found, now=datetime.now(UTC))
        ],
        acts=[ActOut.model_validate(act, from_attributes=True) for act in found],
        do_not_call=[EntryOut.of(entry, show=national) for entry in entries],
        do_not_call_changes=[ListChangeOut.model_validate(row._mapping) for row in changes],
    )
