"""Where landing pages send their forms: `POST /v1/hooks/landing/{key}`, or without the key in the path but in a header."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from uuid_utils.compat import uuid7

from services.leads.api.create import REFUSED, LeadVerdict, once_key, respond, verdict_model
from services.leads.errors import KeyUnknown
from services.leads.intake.items import Answer, Candidate, Item, OnceKey, Verdict
from services.leads.intake.keys import SAME_FORM
from services.leads.landing import Submission, read_submission
from services.leads.sources import KnownSource
from services.leads.state import parts_of, runtime_of
from shared.errors import Language, NotFound, language_of
from shared.http import RequestOnly
from shared.telemetry import correlation_id

router = APIRouter(prefix="/v1/hooks", tags=["hooks"], route_class=RequestOnly)

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "a flat object with the form's own field names; `link` is the page's address with its UTM",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": True},
                "example": {
                    "name": "Nguyễn Thị Lan",
                    "phone": "0912 345 678",
                    "message": "Tư vấn giúp em",
                    "link": "https://shop.example/serum?utm_source=facebook&utm_campaign=thang11",
                },
            },
            "application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": True}},
        },
    }
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": LeadVerdict, "description": "kept, but not a lead: `message` says what to correct"}
}


@router.post("/landing/{key}", response_model=LeadVerdict, responses=_RESPONSES, openapi_extra=_BODY)
async def landing_page(key: str, request: Request) -> Response:
    """Takes a form in, whatever it holds: everything that reaches us is kept. 200 for a lead or a duplicate, 202 for what
    is kept but is no lead. The same form again within five minutes is answered as the first was."""
    received_at = datetime.now(UTC)
    page = await _page(request, key)
    if page is None:
        raise NotFound(what="page")
    return await _take_in(request, page, received_at=received_at)


@router.post(
    "/landing",
    response_model=LeadVerdict,
    responses=_RESPONSES,
    openapi_extra={
        **_BODY,
        "parameters": [
            {
                "name": "X-Api-Key",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": "the key of the landing page",
            }
        ],
    },
)
async def landing_page_with_header(request: Request) -> Response:
    """The same for senders that can set a header, such as LadiChat's webhooks: the key then stands in no log of theirs."""
    received_at = datetime.now(UTC)
    page = await _page(request, request.headers.get("x-api-key", ""))
    if page is None:
        raise KeyUnknown
    return await _take_in(request, page, received_at=received_at)


async def _page(request: Request, key: str) -> KnownSource | None:
    page = await parts_of(runtime_of(request)).sources.by_key(key)
    if page is None or page.channel != "landing_page":
        REFUSED.labels("landing_page").inc()
        return None
    return page


async def _take_in(request: Request, page: KnownSource, *, received_at: datetime) -> Response:
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    submission = read_submission(body, content_type=content_type, page=page)
    language = language_of(request)

    def render(verdict: Verdict) -> Answer:
        return _answer(verdict, language)

    principal = f"source:{page.id}"
    named = once_key(request, body, principal=principal, route="POST /v1/hooks/landing", render=render)
    item = Item(
        id=uuid7(),
        received_at=received_at,
        origin=submission.origin,
        content_type=content_type,
        body=body,
        content=submission.content,
        correlation_id=correlation_id(),
        once=named or _same_form(submission, body, principal=principal, render=render),
        remote_ip=request.client.host if request.client else "",
    )
    return respond(await parts_of(runtime_of(request)).batcher.submit(item), render)


def _same_form(submission: Submission, body: bytes, *, principal: str, render: Callable[[Verdict], Answer]) -> OnceKey:
    """The key of a form that has none: what was read of it, so that a click counter or a time in it makes no difference."""
    content = submission.content
    if isinstance(content, Candidate):
        read = (*content.phones, content.name, content.product, content.note, content.address)
        digest = hashlib.sha256(orjson.dumps(read)).digest()
    else:
        digest = hashlib.sha256(body).digest()
    return OnceKey(principal, SAME_FORM, digest.hex(), digest, render)


def _answer(verdict: Verdict, language: Language) -> Answer:
    return Answer(202 if verdict.rejection else 200, verdict_model(verdict, language).model_dump_json())
