"""`POST /v1/leads/bulk`: one action on many leads."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads.api.dependencies import Reader
from services.leads.bulk.actions import MAX_LEADS, AnyAction, Effect, Work
from services.leads.distributor import DISTRIBUTOR
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import BulkTooLarge, CountChanged
from services.leads.imports import leaving
from services.leads.listing import query
from services.leads.listing.filters import LeadFilters
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.db import Session, wake_after_commit
from shared.errors import Forbidden, Mistake, NotFound
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads", tags=["leads"])

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
            raise Mistake("gửi ids hoặc filter, chỉ một trong hai", "send either ids or a filter")
        if self.filter is not None and self.expected is None:
            raise Mistake(
                "filter cần kèm `expected`, số đơn mà bạn đã thấy",
                "a filter needs `expected`, the number of leads that you saw for it",
            )
        if self.filter is not None and not self.filter.narrows:
            raise Mistake(
                "filter trống nghĩa là mọi đơn; thu hẹp lại, hoặc gửi ids",
                "an empty filter would mean every lead; narrow it, or send ids",
            )
        if max(len(self.ids or ()), self.expected or 0) > self.action.most:
            raise Mistake(
                f"'{self.action.kind}' nhận tối đa {self.action.most} đơn một lần; gửi phần còn lại sau",
                f"'{self.action.kind}' takes {self.action.most} leads at a time; send the rest after them",
            )
        return self


class RowOut(BaseModel):
    id: UUID
    result: Literal["done", "unchanged", "refused"] = Field(description="unchanged: it was so already")
    reason: str = Field(
        default="",
        description="why it was refused, as a code: not-found, lead-past-care, duplicate, ended; of one that was done: "
        "waiting (nobody of its pool can take it now)",
    )


class BulkOut(BaseModel):
    done: int
    unchanged: int
    refused: int
    rows: list[RowOut] = Field(description="in the order of the ids, or of arrival for a filter")


@router.post("/bulk", status_code=200, response_model=BulkOut)
async def bulk(body: BulkIn, who: Reader, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Does one thing with many leads that you may see, all in one transaction, and says what became of each: up to 5,000
    are tagged or noted, 1,000 marked as spam or given a product, 500 reassigned or released.

    With a filter nothing is done if it shows another number of leads than you saw: 409 with the present number.
    """
    if not who.may(body.action.permission):
        raise Forbidden(permission=body.action.permission)

    async def work(session: Session) -> BulkOut:
        asked = await _asked(session, body, who)
        there = await _visible(session, asked, who, lock=not body.action.locks)
        connection = await connection_of(session)
        effect = Effect(())
        if there:
            window = runtime.settings.duplicate_window
            effect = await body.action.run(Work(connection, sorted(there), who, datetime.now(UTC), window))
            mark_outbox_written(session)
            wake_after_commit(session, DISTRIBUTOR)
        rows = [_row(lead_id, there, effect) for lead_id in asked]
        counts = Counter(row.result for row in rows)
        return BulkOut(done=counts["done"], unchanged=counts["unchanged"], refused=counts["refused"], rows=rows)

    return await once.run(runtime.db, str(who.account_id), work, status=200)


async def _asked(session: Session, body: BulkIn, who: Principal) -> list[UUID]:
    if body.filter is None:
        return list(dict.fromkeys(body.ids or ()))
    most = body.action.most
    found = await query.ids(session, await leads.viewer_of(session, who), body.filter, most=most)
    if len(found) > most:
        raise BulkTooLarge(limit=most)
    if len(found) != body.expected:
        raise CountChanged(expected=body.expected, found=len(found))
    return found


async def _visible(session: Session, asked: list[UUID], who: Principal, *, lock: bool) -> set[UUID]:
    """Those that the caller may see, without those that are taken back with their import just now."""
    there = (
        await leads.lock(session, asked)
        if lock
        else {*asked} - await leaving.among(await connection_of(session), asked)
    )
    return await leads.visible_among(session, await leads.viewer_of(session, who), there)


def _row(lead_id: UUID, there: set[UUID], effect: Effect) -> RowOut:
    if lead_id not in there:
        return RowOut(id=lead_id, result="refused", reason=_GONE.type)
    reason = effect.reasons.get(lead_id, "")
    if lead_id in effect.changed:
        return RowOut(id=lead_id, result="done", reason=reason)
    return RowOut(id=lead_id, result="refused" if reason else "unchanged", reason=reason)
