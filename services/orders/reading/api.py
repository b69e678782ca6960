"""Reading orders and their care."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.orders.access import OrderNotFound, Reader, ensure_readable
from services.orders.care.views import CareView
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from services.orders.reading import lists, one, timeline, versions
from services.orders.reading.lists import OrderPage
from services.orders.reading.narrowing import Filters
from services.orders.reading.one import OrderView
from services.orders.reading.timeline import Cursor, Timeline
from services.orders.reading.versions import VersionPage
from shared.etag import tag

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
        order = await one.read_order(
            session,
            processes,
            order_id,
            who=who,
            now=clock(),
            blocked_deposit_percent=runtime.settings.blocked_deposit_percent,
        )
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
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, limit: Limit = 50, after: Cursor | None = None
) -> Timeline:
    """Levels, calls, returns of the customer, owners, promises, parcels and money in one list, the newest first."""
    async with runtime.db.read() as session:
        await ensure_readable(session, order_id, who)
        return await timeline.page(session, order_id, who=who, limit=limit, after=after, now=clock())


@router.get("/orders/{order_id}/care")
async def get_care(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, order_id: UUID
) -> CareView:
    """Who must do what by when, and why: the sentence that the Temporal UI shows, from the database."""
    async with runtime.db.read() as session:
        await ensure_readable(session, order_id, who)
        view = await one.care_of(session, processes, order_id, now=clock())
    if view is None:
        raise OrderNotFound
    return view
