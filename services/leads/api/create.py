"""`POST /v1/leads`: one lead, typed by a colleague or sent by an integrator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from uuid_utils.compat import uuid7

from services.leads.errors import KeyUnknown, PhoneUnreadable, SourceUnknown
from services.leads.intake.accept import Outcome
from services.leads.intake.items import Answer, External, Item, OnceKey, Origin, Verdict, read_candidate
from services.leads.intake.keeping import INTERNAL
from services.leads.sources import Sources
from services.leads.state import parts_of, runtime_of
from services.leads.text import cell
from shared.auth import Principal, principal
from shared.contracts import levels
from shared.contracts.permissions import LEADS_CREATE
from shared.errors import MEDIA_TYPE, Forbidden, Language, language_of
from shared.http import RequestOnly
from shared.idempotency import KeyReused
from shared.telemetry import correlation_id

router = APIRouter(prefix="/v1/leads", tags=["leads"], route_class=RequestOnly)

REFUSED: Final = Counter("chot_leads_hook_refused_total", "Requests with a wrong or missing secret", ["way"])

MARKETING: Final = "marketing"
MAX_EXTERNAL_ID: Final = 200
MAX_KEY: Final = 200
"""Characters of an Idempotency-Key, as everywhere (`shared.idempotency`)."""


class LeadIn(BaseModel):
    """A number and what is known with it. Unknown fields are kept with the raw item."""

    model_config = ConfigDict(
        coerce_numbers_to_str=True,
        json_schema_extra={
            "example": {
                "phone": "0912 345 678",
                "name": "Nguyễn Thị Lan",
                "product": "SERUM-30",
                "note": "Gọi sau 17h",
                "address": "12 Lê Lợi, Phường Bến Thành, TP. Hồ Chí Minh",
            }
        },
    )

    phone: str = Field(max_length=2_000, description="as written; several numbers may stand in it")
    other_phone: str = Field(default="", max_length=2_000)
    name: str = Field(default="", max_length=2_000)
    product: str = Field(default="", max_length=2_000, description="product code; default: the source's")
    note: str = Field(default="", max_length=20_000)
    address: str = Field(default="", max_length=5_000)
    source_id: UUID | None = Field(default=None, description="where it came from; default: typed by hand")
    channel: Literal["manual", "hotline"] | None = Field(
        default=None, description="for a colleague who names no source: typed by hand (default), or the customer called"
    )
    asked_to_be_called: bool | None = Field(
        default=None,
        description="for a colleague: whether the person wants our call (rule D38); default: the source's, true",
    )
    external_id: str | None = Field(
        default=None,
        max_length=MAX_EXTERNAL_ID,
        description="what the sender's own system calls it: sent again, it is answered with what became of the first; "
        "empty: none",
    )


class LeadVerdict(BaseModel):
    """What became of a lead that was sent."""

    id: UUID = Field(description="of the lead and of its order")
    verdict: Literal["lead", "duplicate", "rejected"]
    level: str = Field(description="L1 clean, C3.1 duplicate, empty when rejected")
    anchor_id: UUID | None = Field(description="for a duplicate: the lead that was first")
    returning_customer: bool = Field(description="something was once delivered to this number")
    reason: str = Field(default="", description="why it was rejected, as a code")
    message: str = Field(default="", description="the same in words, and what to do")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: their name for idempotency keys, where their leads come from, and whether they may say otherwise."""

    principal: str
    origin: Origin
    product: str
    may_choose: bool


async def sender_of(request: Request) -> Sender:
    """An integrator by key, or a colleague by token.

    Raises:
        KeyUnknown, Unauthenticated, Forbidden: neither.
    """
    key = request.headers.get("x-api-key")
    if key is not None:
        source = await parts_of(runtime_of(request)).sources.by_key(key)
        if source is None or source.channel == "landing_page":
            REFUSED.labels("api").inc()
            raise KeyUnknown
        return Sender(f"source:{source.id}", source.origin(), source.product, may_choose=False)
    who = await principal(request)
    if not who.may(LEADS_CREATE):
        raise Forbidden(permission=LEADS_CREATE)
    return Sender(str(who.account_id), typed_by(who), "", may_choose=True)


def typed_by(who: Principal) -> Origin:
    """The origin of what a colleague brings in by hand; a marketer is credited."""
    return Origin(channel="manual", marketer=who.code if who.department == MARKETING else "", created_by=who.account_id)


# FastAPI's resolving of dependencies and parameters costs more than everything else that happens here (measured: half of
# the time of a request), so the route takes the request alone and the documentation is given by hand.
@router.post(
    "",
    status_code=201,
    response_model=LeadVerdict,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": LeadIn.model_json_schema()}}},
        "parameters": [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": about}
            for name, about in (
                ("X-Api-Key", "key of a source, instead of a token"),
                ("Idempotency-Key", "a request repeated under it within 24 hours has its effect once"),
            )
        ],
    },
)
async def create_lead(request: Request) -> Response:
    """Takes one lead in: clean (L1), or a duplicate (C3.1) of one that came within the window, linked to it.

    A number that cannot be read is answered 422 with what to correct; what was sent is kept all the same.
    """
    received_at = datetime.now(UTC)
    parts = parts_of(runtime_of(request))
    by = await sender_of(request)
    body = await request.body()
    lead = _read_lead(body)
    language = language_of(request)

    def render(verdict: Verdict) -> Answer:
        return answer(verdict, language)

    item = await item_of(
        lead,
        by,
        parts.sources,
        received_at=received_at,
        content_type=request.headers.get("content-type", ""),
        body=body,
        once=once_key(request, body, principal=by.principal, route="POST /v1/leads", render=render),
    )
    return respond(await parts.batcher.submit(item), render)


async def item_of(
    lead: LeadIn,
    by: Sender,
    sources: Sources,
    *,
    received_at: datetime,
    content_type: str,
    body: bytes,
    once: OnceKey | None,
) -> Item:
    """The item that a sender's lead is.

    Raises:
        SourceUnknown: it names a source that there is not.
    """
    origin, product = await _origin(lead, by, sources)
    # An id of nothing but spaces is none: else everything that comes with it were the first again.
    external_id = cell(lead.external_id or "", MAX_EXTERNAL_ID)
    return Item(
        id=uuid7(),
        received_at=received_at,
        origin=origin,
        content_type=content_type,
        body=body,
        content=read_candidate(
            phone=lead.phone,
            other_phone=lead.other_phone,
            name=lead.name,
            product=lead.product or product,
            note=lead.note,
            address=lead.address,
        ),
        correlation_id=correlation_id(),
        once=once,
        external=External(by.principal, external_id) if external_id else None,
    )


def _read_lead(body: bytes) -> LeadIn:
    try:
        return LeadIn.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**wrong, "loc": ("body", *wrong["loc"])}
                for wrong in error.errors(include_url=False, include_input=False)
            ]
        ) from None


def once_key(
    request: Request, body: bytes, *, principal: str, route: str, render: Callable[[Verdict], Answer]
) -> OnceKey | None:
    """The Idempotency-Key that a request carries.

    Args:
        principal: whose key it is; keys of different principals do not meet.
        route: what is asked for, without secrets that a path may hold.
        render: makes the answer that is kept.
    """
    key = request.headers.get("idempotency-key")
    if not key:
        return None
    if len(key) > MAX_KEY:
        raise RequestValidationError(
            [
                {
                    "type": "string_too_long",
                    "loc": ("header", "Idempotency-Key"),
                    "msg": f"at most {MAX_KEY} characters",
                    "ctx": {"max_length": MAX_KEY},
                }
            ]
        )

    return OnceKey(principal, route, key, hashlib.sha256(body).digest(), render)


async def _origin(lead: LeadIn, by: Sender, sources: Sources) -> tuple[Origin, str]:
    if not by.may_choose:
        return by.origin, by.product
    origin, product = by.origin, by.product
    if lead.source_id is not None:
        source = await sources.by_id(lead.source_id)
        if source is None:
            raise SourceUnknown
        origin, product = source.origin(created_by=by.origin.created_by), source.product
    elif lead.channel is not None:
        origin = replace(origin, channel=lead.channel)
    if lead.asked_to_be_called is not None:
        origin = replace(origin, asked_to_be_called=lead.asked_to_be_called)
    return origin, product


def verdict_model(verdict: Verdict, language: Language) -> LeadVerdict:
    """A verdict as callers see it."""
    levels_of = {"lead": levels.CLEAN, "duplicate": levels.DUPLICATE, "rejected": ""}
    reason = verdict.rejection
    return LeadVerdict(
        id=verdict.id,
        verdict=verdict.verdict,
        level=levels_of[verdict.verdict],
        anchor_id=verdict.anchor_id,
        returning_customer=verdict.returning_customer,
        reason=reason.code if reason else "",
        message=(reason.vi if language == "vi" else reason.en) if reason else "",
    )


def answer(verdict: Verdict, language: Language) -> Answer:
    """The HTTP answer of a verdict: 201, 200 for an external id that came before, 422 for a number that cannot be read, 202
    for what we failed to process."""
    reason = verdict.rejection
    if reason is None:
        return Answer(200 if verdict.repeated else 201, verdict_model(verdict, language).model_dump_json())
    if reason == INTERNAL:
        return Answer(202, verdict_model(verdict, language).model_dump_json())
    problem = PhoneUnreadable(
        code=reason.code, reason_vi=reason.vi, reason_en=reason.en, field="body.phone", raw_item_id=str(verdict.id)
    )
    return Answer(problem.status, orjson.dumps(problem.body(language)).decode())


def respond(outcome: Outcome, render: Callable[[Verdict], Answer]) -> Response:
    """Tells a sender what became of the item.

    Raises:
        KeyReused: its Idempotency-Key belongs to another body.
    """
    if isinstance(outcome, KeyReused):
        raise outcome
    told = outcome if isinstance(outcome, Answer) else replace(render(outcome), replayed=outcome.repeated)
    return Response(
        told.body,
        status_code=told.status,
        media_type=MEDIA_TYPE if told.status >= 400 else "application/json",
        headers={"Idempotent-Replayed": "true"} if told.replayed else None,
    )
