"""Reading orders, due lists and care."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import OrderNotFound, Reader, ensure_visible
from services.orders.care.views import CareView
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep, tag
from services.orders.reading import lists, one, tasks, timeline, versions
from services.orders.reading.lists import Filters, OrderPage
from services.orders.reading.one import OrderView
from services.orders.reading.tasks import TaskPage
from services.orders.reading.timeline import Cursor, Timeline
from services.orders.reading.versions import VersionPage
from shared.contracts.permissions import LEADS_DISTRIBUTE

router = APIRouter(prefix="/v1", tags=["orders"])


@router.get("/orders")
async def list_orders(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    level: Annotated[list[str] | None, Query(description="codes, e.g. level=L1&level=L1.4")] = None,
    owner: Annotated[UUID | None, Query(description="account id")] = None,
    unassigned: bool = False,
    phone: Annotated[str, Query(description="whole number, however it is written", max_length=40)] = "",
    text: Annotated[str, Query(description="order code, or words of the name without accents", max_length=100)] = "",
    to_post: Annotated[bool, Query(description="closed, in stock, waiting for the COD desk")] = False,
    limit: Limit = 50,
    after: UUID | None = None,
) -> OrderPage:
    """Orders that you may see, the newest first."""
    filters = Filters(
        level=tuple(level or ()), owner=owner, unassigned=unassigned, phone=phone, text=text, to_post=to_post
    )
    async with runtime.db.read() as session:
        return await lists.page(session, who=who, filters=filters, limit=limit, after=after, now=clock())


@router.get("/orders/{order_id}")
async def get_order(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, order_id: UUID, response: Response
) -> OrderView:
    """An order with everything that its screen shows, but the timeline. The `ETag` of a closed order is the version of its
    contents, for their edit."""
    async with runtime.db.read() as session:
        order = await one.read_order(session, processes, order_id, who=who, now=clock())
    if order.contents is not None:
        tag(response, order.contents.version)
    return order


@router.get("/orders/{order_id}/versions")
async def list_versions(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    order_id: UUID,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1)] = None,
) -> VersionPage:
    """What was agreed at the closing and at each edit, the newest first."""
    async with runtime.db.read() as session:
        return await versions.page(session, order_id, who=who, limit=limit, after=after, now=clock())


@router.get("/orders/{order_id}/timeline")
async def get_timeline(
    who: Reader, runtime: RuntimeDep, order_id: UUID, limit: Limit = 50, after: Cursor | None = None
) -> Timeline:
    """Levels, calls, returns of the customer, owners, promises, parcels and money in one list, the newest first."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        return await timeline.page(session, order_id, limit=limit, after=after)


@router.get("/orders/{order_id}/care")
async def get_care(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, order_id: UUID
) -> CareView:
    """Who must do what by when, and why: the sentence that the Temporal UI shows, from the database."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        view = await one.care_of(session, processes, order_id, now=clock())
    if view is None:
        raise OrderNotFound
    return view


@router.get("/tasks")
async def list_tasks(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    team: Annotated[str | None, Query(description="this team's tasks instead of your own")] = None,
    limit: Limit = 50,
    after: UUID | None = None,
) -> TaskPage:
    """What you have to do, the task due first on top."""
    async with runtime.db.read() as session:
        return await tasks.page(session, who=who, team=team, limit=limit, after=after, now=clock())


class Notice(BaseModel):
    id: UUID
    order_id: UUID
    order_code: str
    kind: str = Field(description="due (reminder), overdue (told to the superior), no_owner (told to the distribution)")
    owner_code: str
    at: datetime


class NoticePage(BaseModel):
    items: list[Notice]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@router.get("/notices")
async def list_notices(who: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> NoticePage:
    """Reminders to you and what you are told as a superior, the newest first; numbers without an owner are told to
    whoever may distribute."""
    async with runtime.db.read() as session:
        rows = await session.execute(
            _NOTICES,
            {
                "viewer": who.account_id,
                "distributes": who.may(LEADS_DISTRIBUTE),
                "limit": limit,
                "after": after,
            },
        )
        items = [Notice.model_validate(dict(row._mapping)) for row in rows]
    return NoticePage(items=items, next=items[-1].id if len(items) == limit else None)


_NOTICES = text(
    """
SELECT n.id, n.order_id, o.code AS order_code, n.kind, o.owner_code, n.at
FROM notices n JOIN orders o ON o.id = n.order_id
WHERE (n.account_id = :viewer OR (:distributes AND n.account_id IS NULL))
  AND (CAST(:after AS uuid) IS NULL OR n.id < :after)
ORDER BY n.id DESC LIMIT :limit
"""
)
