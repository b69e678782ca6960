"""Due lists: what I, or my team, have to do."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from services.orders.access import Caller, Carer, Reader
from services.orders.care.reading import lock_care
from services.orders.care.service import advance_by_request
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from services.orders.promises import due_list, notices
from services.orders.promises.claim import claim, lock_order_of
from services.orders.promises.due_list import Asked, Bucket
from services.orders.promises.notices import Acknowledgement, EscalationPage, NoticePage
from services.orders.promises.snooze import Limits, Snooze, Snoozed, snooze
from services.orders.promises.views import TaskPage
from shared.contracts.permissions import SHIPPING_WRITE
from shared.db import Session
from shared.errors import Forbidden
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["due lists"])


class Claimed(BaseModel):
    """A call that is yours now."""

    task_id: UUID
    order_id: UUID
    order_code: str


@router.get("/tasks")
async def list_tasks(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    bucket: Annotated[list[Bucket] | None, Query(description="e.g. bucket=overdue&bucket=now")] = None,
    kind: Annotated[list[str] | None, Query(description="call, message, answer")] = None,
    step: Annotated[list[str] | None, Query(description="of the care process, e.g. step=first_call")] = None,
    product: Annotated[str, Query(max_length=64, description="code of the order's product")] = "",
    owner: Annotated[UUID | None, Query(description="somebody's below you instead of your own")] = None,
    team: Annotated[str | None, Query(description="this team's instead of your own, as far as you see it")] = None,
    to_take: Annotated[bool, Query(description="what is open to the team and nobody has taken")] = False,
    desk: Annotated[bool, Query(description="calls about failed deliveries that the COD desk has")] = False,
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> TaskPage:
    """What you have to do. What is due stands on top, the most pressing first (`priority` says why); what is to come
    follows in the order of its time."""
    if desk and not who.may(SHIPPING_WRITE):
        raise Forbidden(permission=SHIPPING_WRITE)
    asked = Asked(
        owner=owner,
        team=team,
        to_take=to_take,
        desk=desk,
        kind=tuple(kind or ()),
        step=tuple(step or ()),
        bucket=tuple(bucket or ()),
        product=product,
    )
    zone = ZoneInfo(runtime.settings.timezone)
    async with runtime.db.read() as session:
        return await due_list.page(session, who=who, asked=asked, limit=limit, after=after, now=clock(), zone=zone)


@router.post("/tasks/{task_id}/claim")
async def claim_task(
    who: Caller, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, task_id: UUID
) -> Claimed:
    """“Nhận gọi”: takes a call that was opened to your team (`to_take=true`), or that the COD desk has (`desk=true`). Of
    twenty who ask, one gets it. The number stays with its owner; log the call on the order. Asking again for what you took
    changes nothing."""
    async with runtime.db.transaction() as session:
        order = await lock_order_of(session, task_id)
        now = clock()
        if await claim(session, order, task_id, who=who, now=now):
            care = await lock_care(session, order.id)
            if care is not None and care.is_open:
                await advance_by_request(session, processes, order, care, now=now)
    return Claimed(task_id=task_id, order_id=order.id, order_code=order.code)


@router.post("/tasks/{task_id}/snooze", status_code=200, response_model=Snoozed)
async def snooze_task(
    who: Carer,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    task_id: UUID,
    wanted: Snooze,
) -> Response:
    """“Nhắc lại sau”: your task steps back on your list for some minutes, never beyond its deadline, out of the hours in
    which the number may be called, or more often than the company allows. The promise stays where it is."""
    settings = runtime.settings

    async def effect(session: Session) -> Snoozed:
        order = await lock_order_of(session, task_id)
        return await snooze(
            session,
            processes,
            order,
            task_id,
            wanted,
            who=who,
            limits=Limits(minutes=settings.snooze_minutes, times=settings.snoozes_per_task),
            zone=ZoneInfo(settings.timezone),
            now=clock(),
        )

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.get("/notices")
async def list_notices(who: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> NoticePage:
    """What you were told, the newest first: reminders, what was given to you or taken away, what is late below you;
    numbers without an owner are told to whoever may distribute."""
    async with runtime.db.read() as session:
        return await notices.page(session, who=who, limit=limit, after=after)


@router.post("/notices/{notice_id}/acknowledge", status_code=204)
async def acknowledge_notice(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, notice_id: UUID, wanted: Acknowledgement
) -> None:
    """Says that you know of it, with a remark if you like. The first time counts."""
    async with runtime.db.transaction() as session:
        await notices.acknowledge(session, notice_id, wanted, who=who, now=clock())


@router.get("/escalations")
async def list_escalations(
    who: Reader,
    runtime: RuntimeDep,
    waiting: Annotated[bool, Query(description="only what nobody has acknowledged")] = False,
    limit: Limit = 50,
    after: UUID | None = None,
) -> EscalationPage:
    """What was escalated to you as a superior (or as whoever distributes), the newest first, as it stands now."""
    async with runtime.db.read() as session:
        return await notices.escalations(session, who=who, waiting=waiting, limit=limit, after=after)
