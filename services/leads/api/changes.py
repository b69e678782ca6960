"""What people decide about a lead: correct it, release it from being a duplicate, merge it, mark it as spam."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.leads.api.dependencies import Corrector, Editor, LanguageDep
from services.leads.api.leads import LeadOut, lead_out, visible
from services.leads.changes import correct, merge, release, spam
from services.leads.changes.errors import NothingToChange, PastCare
from services.leads.changes.facts import SpamKind
from services.leads.changes.held import By
from services.leads.distributor import DISTRIBUTOR
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import NumberUnreadable
from services.leads.intake.items import MAX_ADDRESS, MAX_NAME, MAX_NOTE, MAX_PRODUCT, MAX_TYPED
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from services.leads.text import cell
from shared.auth import Principal
from shared.db import Session, wake_after_commit
from shared.errors import Language
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep
from shared.phone import read_phones
from shared.phone.hiding import hidden

router = APIRouter(prefix="/v1/leads", tags=["corrections"])

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Typed = Annotated[str, Field(max_length=2_000)]


class Because(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Hai người dùng chung một số"}})

    reason: Reason


class MergeIn(Because):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"other_id": "0193a5b4-8d2f-7a10-8b21-5e6f70819203", "reason": "Cùng một khách, hai số"}
        },
    )

    other_id: UUID = Field(description="the other of the two; which is older is found here")


class SpamIn(Because):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"kind": "competitor", "reason": "Số của công ty khác"}}
    )

    kind: SpamKind


class CorrectionIn(BaseModel):
    """Only what is sent is changed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"phone": "0912 345 679", "reason": "Khách đọc lại số"}}
    )

    phone: Typed | None = Field(default=None, description="the number to call, as written; further ones are added")
    other_phones: list[Typed] | None = Field(default=None, max_length=10, description="all further numbers")
    name: Typed | None = None
    product: Typed | None = None
    note: Annotated[str, Field(max_length=20_000)] | None = None
    address: Annotated[str, Field(max_length=5_000)] | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class CorrectionOut(BaseModel):
    lead: LeadOut
    left_behind: list[UUID] = Field(
        description="duplicates of this lead that have only a number which it has no more; release those that are none"
    )


class MergeOut(BaseModel):
    lead: LeadOut = Field(description="the older one, which stays")
    duplicate_id: UUID = Field(description="the younger one, now its duplicate")


@router.patch("/{lead_id}")
async def correct_lead(
    lead_id: UUID,
    body: CorrectionIn,
    version: ExpectedVersion,
    who: Editor,
    runtime: RuntimeDep,
    language: LanguageDep,
    response: Response,
) -> CorrectionOut:
    """Corrects a lead that you may see. A new number is checked again: it may make the lead a duplicate of another."""
    async with runtime.db.transaction() as session:
        lead = await visible(session, who, lead_id)
        values = _values(body, lead)
        if not values:
            raise NothingToChange
        corrected = await correct.correct(
            await connection_of(session),
            lead_id,
            values,
            expected=version,
            by=_by(who, body.reason),
            window=runtime.settings.duplicate_window,
        )
        mark_outbox_written(session)
        wake_after_commit(session, DISTRIBUTOR)
        out = await _after(session, who, lead_id, language)
    tag(response, out.version)
    return CorrectionOut(lead=out, left_behind=list(corrected.left_behind))


@router.post("/{lead_id}/release-duplicate", status_code=200, response_model=LeadOut)
async def release_duplicate(
    lead_id: UUID, body: Because, who: Corrector, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """'Bỏ đánh trùng': the duplicate is a lead of its own (L1) and gets an owner. Releasing it twice changes nothing."""

    async def effect(session: Session) -> LeadOut:
        await visible(session, who, lead_id)
        await release.release(
            await connection_of(session),
            lead_id,
            by=_by(who, body.reason),
            window=runtime.settings.duplicate_window,
        )
        mark_outbox_written(session)
        return await _after(session, who, lead_id, language)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{lead_id}/merge", status_code=200, response_model=MergeOut)
async def merge_leads(
    lead_id: UUID, body: MergeIn, who: Corrector, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """'Gộp đơn': two leads are one person. The older stays, with the numbers of both; the younger is its duplicate."""

    async def effect(session: Session) -> MergeOut:
        for one in (lead_id, body.other_id):
            await visible(session, who, one)
        merged = await merge.merge(
            await connection_of(session),
            lead_id,
            body.other_id,
            by=_by(who, body.reason),
            window=runtime.settings.duplicate_window,
        )
        mark_outbox_written(session)
        wake_after_commit(session, DISTRIBUTOR)
        survivor = await _after(session, who, merged.survivor_id, language)
        return MergeOut(lead=survivor, duplicate_id=merged.duplicate_id)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{lead_id}/spam", status_code=200, response_model=LeadOut)
async def mark_spam(
    lead_id: UUID, body: SpamIn, who: Editor, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """'Số rác': fake, a test, or a competitor. It counts against its source, and nobody calls it any more."""

    async def effect(session: Session) -> LeadOut:
        await visible(session, who, lead_id)
        marked = await spam.mark(
            await connection_of(session),
            [lead_id],
            body.kind,
            by=_by(who, body.reason),
            window=runtime.settings.duplicate_window,
        )
        if level := marked.past_care.get(lead_id):
            raise PastCare(level=level)
        mark_outbox_written(session)
        wake_after_commit(session, DISTRIBUTOR)
        return await _after(session, who, lead_id, language)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{lead_id}/not-spam", status_code=200, response_model=LeadOut)
async def unmark_spam(
    lead_id: UUID, body: Because, who: Corrector, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """Takes the mark of spam away: the lead is cared for again, by its owner or by somebody new."""

    async def effect(session: Session) -> LeadOut:
        await visible(session, who, lead_id)
        await spam.unmark(
            await connection_of(session),
            lead_id,
            by=_by(who, body.reason),
            window=runtime.settings.duplicate_window,
        )
        mark_outbox_written(session)
        return await _after(session, who, lead_id, language)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def _after(session: Session, who: Principal, lead_id: UUID, language: Language) -> LeadOut:
    """A lead after somebody who could see it changed it, also if it left their sight by that."""
    return lead_out(await leads.one(session, leads.EVERYTHING, lead_id), who, language)


def _by(who: Principal, reason: str) -> By:
    return By(datetime.now(UTC), reason, who.account_id, who.code)


def _values(body: CorrectionIn, lead: Any) -> dict[str, Any]:
    """The fields sent, as they are stored."""
    limits = {"name": MAX_NAME, "product": MAX_PRODUCT, "note": MAX_NOTE, "address": MAX_ADDRESS}
    values: dict[str, Any] = {
        field: _unmasked(cell(value, limit), getattr(lead, field))
        for field, limit in limits.items()
        if (value := getattr(body, field)) is not None
    }
    if body.phone is None and body.other_phones is None:
        return values
    first = _numbers("phone", body.phone) if body.phone is not None else (lead.phone,)
    if body.other_phones is None:
        others = tuple(lead.other_phones)
    else:
        others = tuple(
            found for place, typed in enumerate(body.other_phones) for found in _numbers(f"other_phones.{place}", typed)
        )
    phones = tuple(dict.fromkeys((*first, *others)))
    values |= {"phone": phones[0], "other_phones": phones[1:]}
    if body.phone is not None:
        values["phone_typed"] = cell(" / ".join((body.phone, *(body.other_phones or ()))), MAX_TYPED)
    return values


def _unmasked(sent: str, present: str) -> str:
    """Whoever sends back a text that they were shown with stars in it has not changed it."""
    return present if sent == hidden(present) else sent


def _numbers(field: str, typed: str) -> tuple[str, ...]:
    reading = read_phones(typed)
    if reading.problem is not None:
        raise NumberUnreadable(
            code=f"phone_{reading.problem.code}",
            reason_vi=reading.problem.vi,
            reason_en=reading.problem.en,
            field=f"body.{field}",
        )
    return tuple(found.e164 for found in reading.phones)
