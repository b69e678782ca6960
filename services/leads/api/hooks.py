"""Where landing pages send their forms: `POST /v1/hooks/landing/{key}`."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from uuid_utils.compat import uuid7

from services.leads.api.create import LeadVerdict, once_key, respond, verdict_model
from services.leads.intake.items import Answer, Item, Verdict
from services.leads.landing import read_submission
from services.leads.state import parts_of, runtime_of
from shared.errors import Language, NotFound, language_of
from shared.telemetry import correlation_id

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])


@router.post(
    "/landing/{key}",
    response_model=LeadVerdict,
    responses={202: {"model": LeadVerdict, "description": "kept, but not a lead: `message` says what to correct"}},
    openapi_extra={
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
    },
)
async def landing_page(key: str, request: Request) -> Response:
    """Takes a form in, whatever it holds: everything that reaches us is kept. 200 for a lead or a duplicate, 202 for what
    is kept but is no lead."""
    received_at = datetime.now(UTC)
    parts = parts_of(runtime_of(request))
    page = await parts.sources.by_key(key)
    if page is None or page.channel != "landing_page":
        raise NotFound(what="page")
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    submission = read_submission(body, content_type=content_type, page=page)
    language = language_of(request)

    def render(verdict: Verdict) -> Answer:
        return _answer(verdict, language)

    item = Item(
        id=uuid7(),
        received_at=received_at,
        origin=submission.origin,
        content_type=content_type,
        body=body,
        content=submission.content,
        correlation_id=correlation_id(),
        once=once_key(request, body, principal=f"source:{page.id}", route="POST /v1/hooks/landing", render=render),
    )
    return respond(await parts.batcher.submit(item), render)


def _answer(verdict: Verdict, language: Language) -> Answer:
    return Answer(202 if verdict.rejection else 200, verdict_model(verdict, language).model_dump_json())
