"""The test button of a source: what a payload would become if it came now. Nothing is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from uuid_utils.compat import uuid7

from services.leads.api.create import LeadIn
from services.leads.api.dependencies import SourceManager
from services.leads.api.phones import ExplanationOut, explanation_out
from services.leads.driver import Connection, connection_of
from services.leads.intake.foresee import foresee
from services.leads.intake.items import Candidate, Origin, Rejection, read_candidate
from services.leads.intake.windows import Arrival, Judgement
from services.leads.landing import Traced, fitting_rule, read_fields, read_submission, trace, utm_of
from services.leads.sources import KnownSource, UtmRule
from services.leads.state import PartsDep, RuntimeDep
from shared.errors import Language, NotFound, language_of
from shared.phone.explain import explain

router = APIRouter(prefix="/v1/sources", tags=["sources"])

INVALID: Final = Rejection(
    "body_invalid",
    vi="Nội dung chưa đúng mẫu của POST /v1/leads. Xem lại tên và kiểu của các trường.",
    en="The body is not what POST /v1/leads takes. Check the names and types of its fields.",
)


class TrialIn(BaseModel):
    """What the sender would send."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "content_type": "application/x-www-form-urlencoded",
                "body": "form_item3209=Lan&phone=0912+345+678&link=https%3A%2F%2Fshop.example%2F%3Futm_source%3Dfb_an",
            }
        },
    )

    content_type: str = Field(default="application/json", max_length=200)
    body: str = Field(max_length=200_000, description="as text, exactly as it is sent")


class FieldOut(BaseModel):
    """A field of the payload."""

    name: str
    text: str
    meaning: str | None = Field(description="field of a lead that it fills; null: kept with the raw item only")
    by_map: bool = Field(description="by the page's own map, not by its name")


class TrialOut(BaseModel):
    """What would become of it now."""

    verdict: Literal["lead", "duplicate", "rejected"]
    anchor_id: UUID | None = Field(description="for a duplicate: the lead that was first")
    returning_customer: bool
    reason: str
    message: str = Field(description="why it is no lead, and what to do")
    fields: list[FieldOut]
    phone: ExplanationOut | None = Field(description="how the phone field was read")
    other_phone: ExplanationOut | None
    lead: dict[str, str] = Field(description="name, product, note and address as they would be stored")
    marketer: str = Field(description="staff code credited")
    marketer_because: str = Field(description="the UTM rule that credits them; empty: the source's own")
    campaign: str
    asked_to_be_called: bool
    consent_text: str
    consent_page: str


@router.post("/{source_id}/test")
async def try_source(
    source_id: UUID, body: TrialIn, _: SourceManager, runtime: RuntimeDep, parts: PartsDep, request: Request
) -> TrialOut:
    """Shows what a payload would become: a landing page's form, or for other sources what `POST /v1/leads` takes."""
    source = await parts.sources.by_id(source_id)
    if source is None:
        raise NotFound(what="source")
    sent = body.body.encode("utf-8", "replace")
    if source.channel == "landing_page":
        fields, rule, origin, content = _read_form(source, sent, content_type=body.content_type)
    else:
        fields, rule, origin, content = _read_lead(source, sent)
    judgement = Judgement()
    if isinstance(content, Candidate):
        async with runtime.db.read() as session:
            judgement = await _judge(await connection_of(session), content, window=runtime.settings.duplicate_window)
    return _answer(fields, rule, origin, content, judgement, language_of(request))


Read = tuple[list[Traced], UtmRule | None, Origin, Candidate | Rejection]


def _read_form(source: KnownSource, sent: bytes, *, content_type: str) -> Read:
    submission = read_submission(sent, content_type=content_type, page=source)
    fields = read_fields(sent, content_type=content_type) or {}
    traced = trace(fields, source.field_map)
    rule = fitting_rule(source.utm_rules, utm_of(fields, link=_text(traced, "link")))
    return traced, rule, submission.origin, submission.content


def _read_lead(source: KnownSource, sent: bytes) -> Read:
    fields = read_fields(sent, content_type="application/json") or {}
    known = LeadIn.model_fields
    traced = [Traced(key, text, key if key in known else None, by_map=False) for key, text in fields.items()]
    try:
        lead = LeadIn.model_validate_json(sent)
    except ValidationError:
        return traced, None, source.origin(), INVALID
    content = read_candidate(
        phone=lead.phone,
        other_phone=lead.other_phone,
        name=lead.name,
        product=lead.product or source.product,
        note=lead.note,
        address=lead.address,
    )
    return traced, None, source.origin(), content


async def _judge(connection: Connection, content: Candidate, *, window: timedelta) -> Judgement:
    arrival = Arrival(uuid7(), content.phones, datetime.now(UTC), content.product)
    return (await foresee(connection, [arrival], window=window)).judgements[arrival.id]


def _answer(
    fields: list[Traced],
    rule: UtmRule | None,
    origin: Origin,
    content: Candidate | Rejection,
    judgement: Judgement,
    language: Language,
) -> TrialOut:
    rejection = content if isinstance(content, Rejection) else None
    stored = ("name", "product", "note", "address")
    phone, other = _text(fields, "phone"), _text(fields, "other_phone")
    return TrialOut(
        verdict="rejected" if rejection else "duplicate" if judgement.anchor_id else "lead",
        anchor_id=judgement.anchor_id,
        returning_customer=judgement.returning_customer,
        reason=rejection.code if rejection else "",
        message=(rejection.vi if language == "vi" else rejection.en) if rejection else "",
        fields=[FieldOut(name=one.key, text=one.text, meaning=one.meaning, by_map=one.by_map) for one in fields],
        phone=explanation_out(explain(phone), language) if phone else None,
        other_phone=explanation_out(explain(other), language) if other else None,
        lead={} if isinstance(content, Rejection) else {name: getattr(content, name) for name in stored},
        marketer=origin.marketer,
        marketer_because=f"{rule.parameter}={rule.value}" if rule else "",
        campaign=origin.campaign,
        asked_to_be_called=origin.asked_to_be_called,
        consent_text=origin.consent_text,
        consent_page=origin.consent_page,
    )


def _text(fields: list[Traced], meaning: str) -> str:
    return " / ".join(one.text for one in fields if one.meaning == meaning and one.text.strip())
