"""`POST /v1/leads/bulk`: one action on many leads."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads.api.dependencies import Reader
from services.leads.bulk.actions import AnyAction, Work
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import BulkTooLarge, CountChanged
from services.leads.listing import query
from services.leads.listing.filters import LeadFilters
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.db import Session
from shared.errors import Forbidden, NotFound
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads", tags=["leads"])

MAX_LEADS: Final = 5_000
"""Leads of one action: a transaction of about a second, and an answer of half a megabyte."""

_GONE: Final = NotFound(what="lead")


class BulkIn(BaseModel):
    """Which leads: `ids`, or a `filter` with the number of leads that you saw for it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "action": {"kind": "tag", "tags": ["0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d"]},
                "filter": {"level": ["L1.4"], "campaign": ["tet-2027"]},
                "expected": 214,
            }
        },
    )

    action: AnyAction
    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_LEADS)] | None = None
    filter: LeadFilters | None = None
    expected: int | None = Field(default=None, ge=1, le=MAX_LEADS, description="with a filter: how many leads it shows")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("send either ids or a filter")
        if self.filter is not None and self.expected is None:
            raise ValueError("a filter needs `expected`, the number of leads that you saw for it")
        if self.filter is not None and not self.filter.narrows:
            raise ValueError("an empty filter would mean every lead; narrow it, or send ids")
        return self


class RowOut(BaseModel):
    id: UUID
    result: Literal["done", "unchanged", "refused"] = Field(description="unchanged: it was so already")
    reason: str = Field(default="", description="why it was refused, as a code")


class BulkOut(BaseModel):
    done: int
    unchanged: int
    refused: int
    rows: list[RowOut] = Field(description="in the order of the ids, or of arrival for a filter")


@router.post("/bulk", status_code=200, response_model=BulkOut)
async def bulk(body: BulkIn, who: Reader, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Does one thing with up to 5,000 leads that you may see, all in one transaction, and says what became of each.

    With a filter nothing is done if it shows another number of leads than you saw: 409 with the present number.
    """
    if not who.may(body.action.permission):
        raise Forbidden(permission=body.action.permission)

    async def effect(session: Session) -> BulkOut:
        asked = await _asked(session, body, who)
        there = await _visible(session, asked, who)
        connection = await connection_of(session)
        changed: set[UUID] = set()
        if there:
            changed = await body.action.run(Work(connection, sorted(there), who, datetime.now(UTC)))
            mark_outbox_written(session)
        rows = [_row(lead_id, there, changed) for lead_id in asked]
        counts = Counter(row.result for row in rows)
        return BulkOut(done=counts["done"], unchanged=counts["unchanged"], refused=counts["refused"], rows=rows)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def _asked(session: Session, body: BulkIn, who: Principal) -> list[UUID]:
    if body.filter is None:
        return list(dict.fromkeys(body.ids or ()))
    found = await query.ids(session, await leads.viewer_of(session, who), body.filter, most=MAX_LEADS)
    if len(found) > MAX_LEADS:
        raise BulkTooLarge(limit=MAX_LEADS)
    if len(found) != body.expected:
        raise CountChanged(expected=body.expected, found=len(found))
    return found


async def _visible(session: Session, asked: list[UUID], who: Principal) -> set[UUID]:
    """Those that the caller may see, locked."""
    locked = await leads.lock(session, asked)
    return await leads.visible_among(session, await leads.viewer_of(session, who), locked)


def _row(lead_id: UUID, there: set[UUID], changed: set[UUID]) -> RowOut:
    if lead_id not in there:
        return RowOut(id=lead_id, result="refused", reason=_GONE.type)
    return RowOut(id=lead_id, result="done" if lead_id in changed else "unchanged")
