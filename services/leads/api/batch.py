"""`POST /v1/leads/batch`: many leads in one request, each with a result of its own."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from uuid_utils.compat import uuid7

from services.leads.api.create import LeadIn, LeadVerdict, Sender, item_of, once_key, sender_of, verdict_model
from services.leads.errors import BatchKeyMissing, SourceUnknown
from services.leads.intake.accept import Outcome
from services.leads.intake.items import Answer, Item, OnceKey, Rejection, Verdict
from services.leads.intake.raw import FIELDS
from services.leads.sources import Sources
from services.leads.state import parts_of, runtime_of
from shared.db import Database
from shared.errors import Language, language_of
from shared.http import RequestOnly
from shared.idempotency import KeyReused
from shared.telemetry import correlation_id

router = APIRouter(prefix="/v1/leads", tags=["leads"], route_class=RequestOnly)

MAX_ROWS: Final = 500
"""Rows of a batch: one transaction that holds nobody up for long. A list of thousands is an import."""


WITHIN: Final = 3.0
"""Seconds to look up the batch's key; a database that takes longer counts as away."""

_HASH: Final = """
SELECT request_hash FROM idempotency_keys
WHERE (principal, route, key) = ($1, $2, $3) AND created_at >= now() - interval '24 hours'
"""


class BatchIn(BaseModel):
    leads: list[LeadIn] = Field(min_length=1, max_length=MAX_ROWS)


class RowVerdict(LeadVerdict):
    """What became of one row."""

    index: int = Field(description="place of the row in the request, from 0")
    external_id: str | None = None
    repeated: bool = Field(default=False, description="its external id came before; this is what became of the first")


class BatchVerdict(BaseModel):
    """What became of each row, in the order of the request, and how many became what."""

    results: list[RowVerdict]
    leads: int
    duplicates: int
    rejected: int


@router.post(
    "/batch",
    response_model=BatchVerdict,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": BatchIn.model_json_schema()}}},
        "parameters": [
            {"name": name, "in": "header", "required": required, "schema": {"type": "string"}, "description": about}
            for name, required, about in (
                ("X-Api-Key", False, "key of a source, instead of a token"),
                ("Idempotency-Key", True, "a batch repeated under it within 24 hours has its effect once"),
            )
        ],
    },
)
async def create_leads(request: Request) -> Response:
    """Takes up to 500 leads in, all in one transaction. A row that is not right is kept as a rejection that says why, and
    takes no other down. The batch needs an Idempotency-Key: only so may it be repeated when its answer is lost."""
    received_at = datetime.now(UTC)
    parts = parts_of(runtime_of(request))
    by = await sender_of(request)
    body = await request.body()
    rows = _rows(body)
    language = language_of(request)
    keys = [_key_of_row(request, body, number, by) for number in range(len(rows))]
    await _refuse_other_body(runtime_of(request).db, keys[0])
    items = [
        await _item(row, by, parts.sources, received_at=received_at, once=key)
        for row, key in zip(rows, keys, strict=True)
    ]
    outcomes = await parts.batcher.submit_all(items)
    results = [
        _result(number, outcome, _external_id(row), language)
        for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True))
    ]
    counts = Counter(result.verdict for result in results)
    answer = BatchVerdict(
        results=results, leads=counts["lead"], duplicates=counts["duplicate"], rejected=counts["rejected"]
    )
    again = all(isinstance(outcome, Answer) and outcome.replayed for outcome in outcomes)
    return Response(
        answer.model_dump_json(),
        media_type="application/json",
        headers={"Idempotent-Replayed": "true"} if again else None,
    )


def _rows(body: bytes) -> list[Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _wrong("json_invalid", ("body",), str(error)) from None
    rows = document.get("leads") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise _wrong("list_type", ("body", "leads"), "must be a list of leads")
    if not 1 <= len(rows) <= MAX_ROWS:
        kind, limit = ("too_long", {"max_length": MAX_ROWS}) if rows else ("too_short", {"min_length": 1})
        raise _wrong(kind, ("body", "leads"), f"from 1 to {MAX_ROWS} rows; for more, import a workbook", **limit)
    return rows


def _wrong(kind: str, place: tuple[str, ...], message: str, **limits: int) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": place, "msg": message, "ctx": limits}])


def _key_of_row(request: Request, body: bytes, number: int, by: Sender) -> OnceKey:
    """Each row has its part of the batch's key, so that a repetition finds every row's own answer."""
    named = once_key(request, body, principal=by.principal, route=f"POST /v1/leads/batch #{number}", render=_stored)
    if named is None:
        raise BatchKeyMissing
    return named


async def _refuse_other_body(db: Database, key: OnceKey) -> None:
    """Another body under the same key may have rows that the first had not: none of them is to be taken in."""
    async with db.bounded(within=WITHIN) as connection:
        stored = await connection.fetchval(_HASH, *key.scope)
    if stored is not None and stored != key.request_hash:
        raise KeyReused


def _stored(verdict: Verdict) -> Answer:
    """A verdict as it is kept under a row's key, in both languages."""
    reason = verdict.rejection
    kept = {
        "id": str(verdict.id),
        "verdict": verdict.verdict,
        "anchor_id": str(verdict.anchor_id) if verdict.anchor_id else None,
        "returning_customer": verdict.returning_customer,
        "rejection": [reason.code, reason.vi, reason.en] if reason else None,
        "repeated": verdict.repeated,
    }
    return Answer(200, orjson.dumps(kept).decode())


def _verdict(outcome: Outcome) -> Verdict:
    if isinstance(outcome, KeyReused):
        raise outcome
    if isinstance(outcome, Verdict):
        return outcome
    kept = orjson.loads(outcome.body)
    return Verdict(
        UUID(kept["id"]),
        kept["verdict"],
        anchor_id=UUID(kept["anchor_id"]) if kept["anchor_id"] else None,
        returning_customer=kept["returning_customer"],
        rejection=Rejection(*kept["rejection"]) if kept["rejection"] else None,
        repeated=kept["repeated"],
    )


def _result(number: int, outcome: Outcome, external_id: str | None, language: Language) -> RowVerdict:
    verdict = _verdict(outcome)
    told = verdict_model(verdict, language)
    return RowVerdict(**told.model_dump(), index=number, external_id=external_id, repeated=verdict.repeated)


def _external_id(row: Any) -> str | None:
    value = row.get("external_id") if isinstance(row, dict) else None
    return value if isinstance(value, str) else None


async def _item(row: Any, by: Sender, sources: Sources, *, received_at: datetime, once: OnceKey) -> Item:
    body = orjson.dumps(row)
    try:
        lead = LeadIn.model_validate(row)
        return await item_of(
            lead, by, sources, received_at=received_at, content_type="application/json", body=body, once=once
        )
    except ValidationError as error:
        names = ", ".join(sorted({".".join(str(part) for part in wrong["loc"]) for wrong in error.errors()}))
        reason = Rejection(
            "row_invalid",
            vi=f"Dòng này chưa đúng ở: {names or 'cả dòng'}. Sửa rồi gửi lại, hoặc sửa trong hộp số thô.",
            en=f"This row is not right in: {names or 'the whole row'}. Correct it and send again, or correct it here.",
            fields=_texts(row),
        )
    except SourceUnknown as unknown:
        reason = Rejection("source_unknown", vi=unknown.detail("vi"), en=unknown.detail("en"), fields=_texts(row))
    return Item(
        id=uuid7(),
        received_at=received_at,
        origin=by.origin,
        content_type="application/json",
        body=body,
        content=reason,
        correlation_id=correlation_id(),
        once=once,
    )


def _texts(row: Any) -> dict[str, str]:
    """What can be read of a row that is not right."""
    if not isinstance(row, dict):
        return {}
    return {name: str(row[name]) for name in FIELDS if isinstance(row.get(name), str | int | float)}
