"""The routes of the care screen and of its layouts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.orders.access import Administrator, Reader
from services.orders.actors import staff
from services.orders.http import ClockDep, ProcessesDep, RuntimeDep
from services.orders.screens import layouts
from services.orders.screens.layouts import Layout, LayoutIn
from services.orders.screens.screen import Screen, read_screen
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1", tags=["care screen"])

Level = Annotated[str, Path(max_length=20, examples=["L1"])]
Group = Annotated[str, Path(max_length=60, examples=["sale"])]


@router.get("/orders/{order_id}/screen")
async def get_screen(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, order_id: UUID
) -> Screen:
    """Everything that the care screen of an order shows you, in one answer and in the order in which it is laid out."""
    async with runtime.db.read() as session:
        return await read_screen(session, processes, order_id, who=who, now=clock())


@router.get("/care-screens")
async def list_layouts(_: Reader, runtime: RuntimeDep) -> list[Layout]:
    """Every layout. The one of the level holds before that of its main level and that of all; then that of the group."""
    async with runtime.db.read() as session:
        return await layouts.layouts(session)


@router.put("/care-screens/{level}/{group}")
async def set_layout(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    level: Level,
    group: Group,
    wanted: LayoutIn,
    response: Response,
) -> Layout:
    """Lays out the screen for a level (or `all`) and a group (or `all`). `If-Match` names the version that you saw; `"0"`
    for a new one."""
    async with runtime.db.transaction() as session:
        saved = await layouts.save(
            session, level, group, wanted.sections, version=version, actor=staff(who), now=clock()
        )
    tag(response, saved.version)
    return saved


@router.delete("/care-screens/{level}/{group}", status_code=204)
async def drop_layout(
    _: Administrator, runtime: RuntimeDep, version: ExpectedVersion, level: Level, group: Group
) -> None:
    """Takes a layout away; the next general one holds then."""
    async with runtime.db.transaction() as session:
        await layouts.drop(session, level, group, version=version)
