"""Due lists: what I, or my team, have to do."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from services.orders.access import Reader
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.promises import due_list, notices
from services.orders.promises.due_list import Asked, Bucket
from services.orders.promises.notices import NoticePage
from services.orders.promises.views import TaskPage
from shared.contracts.permissions import LEADS_DISTRIBUTE

router = APIRouter(prefix="/v1", tags=["due lists"])


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
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> TaskPage:
    """What you have to do. What is due stands on top, the most pressing first (`priority` says why); what is to come
    follows in the order of its time."""
    asked = Asked(
        owner=owner,
        team=team,
        to_take=to_take,
        kind=tuple(kind or ()),
        step=tuple(step or ()),
        bucket=tuple(bucket or ()),
        product=product,
    )
    zone = ZoneInfo(runtime.settings.timezone)
    async with runtime.db.read() as session:
        return await due_list.page(session, who=who, asked=asked, limit=limit, after=after, now=clock(), zone=zone)


@router.get("/notices")
async def list_notices(who: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> NoticePage:
    """What you were told, the newest first: reminders, what was given to you or taken away, what is late below you;
    numbers without an owner are told to whoever may distribute."""
    async with runtime.db.read() as session:
        return await notices.page(session, who=who, distributes=who.may(LEADS_DISTRIBUTE), limit=limit, after=after)
