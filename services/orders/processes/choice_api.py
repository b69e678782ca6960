"""Routes of the choice of a process."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.orders.access import Reader, ensure_visible
from services.orders.actors import staff
from services.orders.http import ClockDep, RuntimeDep
from services.orders.processes import choice
from services.orders.processes.access import Publisher
from services.orders.processes.choice import Choice, ChoiceBody, Chosen
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/care-processes/choice", tags=["care processes"])

Asked = Annotated[str, Query(max_length=200)]


@router.get("")
async def get_choice(_: Reader, runtime: RuntimeDep, response: Response) -> Choice:
    """The rules that say which process an order's care begins with, in their order, and the default."""
    async with runtime.db.read() as session:
        found = await choice.current(session)
    tag(response, found.version)
    return found


@router.put("")
async def save_choice(
    who: Publisher,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    wanted: ChoiceBody,
    response: Response,
) -> Choice:
    """Puts other rules into force. They hold for care that begins from now on; care that runs keeps its process."""
    async with runtime.db.transaction() as session:
        found = await choice.save(session, wanted, version=version, actor=staff(who), at=clock())
    tag(response, found.version)
    return found


@router.get("/preview")
async def preview_choice(
    who: Reader,
    runtime: RuntimeDep,
    order_id: Annotated[UUID | None, Query(description="an order; the other fields then come from it")] = None,
    product: Asked = "",
    channel: Asked = "",
    campaign: Asked = "",
    landing_page: Asked = "",
    tags: Annotated[list[UUID] | None, Query()] = None,
) -> Chosen:
    """Which process an order would get now, and why."""
    async with runtime.db.read() as session:
        if order_id is not None:
            await ensure_visible(session, order_id, who)
            return await choice.for_order(session, order_id)
        return await choice.for_subject(
            session, product=product, channel=channel, campaign=campaign, landing_page=landing_page, tags=tags or []
        )
