"""The transitions of orders, each with its cause: of one order, and of all that somebody may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text

from services.orders.access import VISIBLE_IDS, Reader, ensure_visible, sees_numbers, viewer_of_ids
from services.orders.hiding import hidden_in
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.reading.cursor import cursor_of, read_cursor
from shared.auth import Principal
from shared.db import ReadSession
from shared.errors import Invalid
from shared.given import GivenDate

router = APIRouter(prefix="/v1", tags=["levels"])

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""The company's days (rule D31)."""
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,17}~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]

_ONE: Final = text(
    """
SELECT t.id, t.order_id, o.code AS order_code, t.sequence, t.from_level, f.vi AS from_vi, f.en AS from_en,
    t.to_level, l.vi AS to_vi, l.en AS to_en, t.at, t.recorded_at, t.cause, t.actor_id, t.actor_code, t.reason, t.note, t.fields,
    o.owner_id, o.closer_id, o.level_since, c.kind = 'open' AS is_open
FROM transitions t JOIN orders o ON o.id = t.order_id JOIN levels c ON c.code = o.level
    JOIN levels f ON f.code = t.from_level JOIN levels l ON l.code = t.to_level
WHERE t.order_id = :id AND (CAST(:after AS integer) IS NULL OR t.sequence < :after)
ORDER BY t.sequence DESC LIMIT :limit
"""
)
_MANY: Final = """
SELECT t.id, t.order_id, o.code AS order_code, t.sequence, t.from_level, f.vi AS from_vi, f.en AS from_en,
    t.to_level, l.vi AS to_vi, l.en AS to_en, t.at, t.recorded_at, t.cause, t.actor_id, t.actor_code, t.reason, t.note, t.fields,
    o.owner_id, o.closer_id, o.level_since, c.kind = 'open' AS is_open
FROM transitions t JOIN orders o ON o.id = t.order_id JOIN levels c ON c.code = o.level
    JOIN levels f ON f.code = t.from_level JOIN levels l ON l.code = t.to_level
WHERE {conditions} ORDER BY t.at DESC, t.id DESC LIMIT :limit
"""


class TransitionView(BaseModel):
    """One change of level."""

    id: UUID
    order_id: UUID
    order_code: str
    sequence: int = Field(description="its place among the transitions of the order, from 1")
    from_level: str
    from_vi: str
    from_en: str
    to_level: str
    to_vi: str
    to_en: str
    at: datetime = Field(description="when it happened (a carrier's time, the time of the call)")
    recorded_at: datetime = Field(description="when we learnt of it")
    cause: str = Field(
        description="accepted, manual, hotline, call_result, care, carrier, operator, cancel, closed, undo, came_again, "
        "released, corrected, merged, spam"
    )
    actor_id: UUID | None
    actor_code: str = Field(description="empty: the system or a carrier")
    reason: str
    note: str
    fields: dict[str, str] = Field(description="what was filled in for this move")


class TransitionsOfOrder(BaseModel):
    items: list[TransitionView]
    next: int | None = Field(description="`after` of the next page; null on the last")


class Transitions(BaseModel):
    items: list[TransitionView]
    next: str | None = Field(description="`after` of the next page; null on the last")


@router.get("/orders/{order_id}/transitions")
async def transitions_of_order(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    order_id: UUID,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1)] = None,
) -> TransitionsOfOrder:
    """Each change of level of an order with its cause, the last recorded first. Undone ones stay, and what took them back
    stands above them."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        rows = await session.execute(_ONE, {"id": order_id, "limit": limit, "after": after})
        items = [_shown(row, who, now=clock()) for row in rows]
    return TransitionsOfOrder(items=items, next=items[-1].sequence if len(items) == limit else None)


@router.get("/transitions")
async def list_transitions(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    to_level: Annotated[list[str] | None, Query(description="codes; a main level stands for itself alone")] = None,
    from_level: Annotated[list[str] | None, Query(description="codes")] = None,
    cause: Annotated[list[str] | None, Query(examples=[["operator"]])] = None,
    actor: Annotated[str, Query(max_length=40, description="staff code")] = "",
    first: Annotated[GivenDate | None, Query(description="first day, by event time in Vietnam")] = None,
    last: Annotated[GivenDate | None, Query(description="last day; the same as the first if left out")] = None,
    limit: Limit = 50,
    after: Cursor | None = None,
) -> Transitions:
    """Changes of level of all orders that you may see, the newest event first."""
    conditions: dict[str, dict[str, Any]] = (
        {"true": {}} if who.sees_all else {f"t.order_id IN {VISIBLE_IDS}": viewer_of_ids(who)}
    )
    if to_level:
        conditions["t.to_level = ANY(:to_levels)"] = {"to_levels": to_level}
    if from_level:
        conditions["t.from_level = ANY(:from_levels)"] = {"from_levels": from_level}
    if cause:
        conditions["t.cause = ANY(:causes)"] = {"causes": cause}
    if actor:
        conditions["t.actor_code = :actor"] = {"actor": actor}
    conditions |= _days(first, last)
    if after is not None:
        at, last_id = read_cursor(after)
        conditions["(t.at, t.id) < (:after_at, CAST(:after_id AS uuid))"] = {"after_at": at, "after_id": last_id}
    async with runtime.db.read() as session:
        rows = await _read(session, conditions, limit)
    items = [_shown(row, who, now=clock()) for row in rows]
    return Transitions(items=items, next=cursor_of(items[-1].at, items[-1].id) if len(items) == limit else None)


def _days(first: date | None, last: date | None) -> dict[str, dict[str, Any]]:
    if first is None:
        if last is None:
            return {}
        raise Invalid(errors=[{"field": "query.first", "message": "thiếu ngày đầu / missing", "code": "missing"}])
    until = last or first
    if until < first:
        raise Invalid(errors=[{"field": "query.last", "message": "trước ngày đầu / before first", "code": "order"}])
    begin, end = (datetime.combine(day, time(), ZONE) for day in (first, until + timedelta(days=1)))
    return {"t.at >= :begin AND t.at < :end": {"begin": begin, "end": end}}


async def _read(session: ReadSession, conditions: dict[str, dict[str, Any]], limit: int) -> Sequence[Any]:
    parameters = {name: value for each in conditions.values() for name, value in each.items()}
    query = text(_MANY.format(conditions=" AND ".join(conditions)))
    return (await session.execute(query, {**parameters, "limit": limit})).all()


def _shown(row: Any, who: Principal, *, now: datetime) -> TransitionView:
    """A transition as somebody may see it; whoever made it sees what they wrote."""
    view = TransitionView.model_validate(dict(row._mapping))
    whole = row.actor_id == who.account_id or sees_numbers(who, row._mapping, now=now)
    return view if whole else hidden_in(view)
