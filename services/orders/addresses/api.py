"""Finding official units and checking addresses."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from services.orders.access import Administrator, Reader
from services.orders.addresses import store
from services.orders.addresses.checking import Checked, DeliveryAddress, validate
from services.orders.addresses.loading import Era, File, UnreadableUnits, read_units
from services.orders.addresses.store import Loaded, Successor, Tier, UnitView
from services.orders.http import ClockDep, RuntimeDep
from shared.db import ReadSession
from shared.errors import NotFound, language_of

router = APIRouter(prefix="/v1", tags=["addresses"])

UPLOAD: Final = "/v1/address-units/load"
"""Takes a whole list, a few megabytes."""

UnitCode = Annotated[str, Path(pattern=r"^[0-9]{2,5}$", examples=["26740"])]
Within = Annotated[str | None, Query(pattern=r"^[0-9]{2,3}$", description="code of a province or district")]


class UnitNotFound(NotFound):
    vi = "Không có đơn vị hành chính mang mã này trong thời kỳ đó. Kiểm tra mã và 'era'."
    en = "No unit has this code in that era. Check the code and 'era'."


class UnitList(BaseModel):
    items: list[UnitView]
    next: str | None = Field(description="`after` of the next page; null on the last")


class UnitHistory(BaseModel):
    unit: UnitView
    became: list[Successor] = Field(description="of an old unit: what it became on 2025-07-01")
    was: list[UnitView] = Field(description="of a new unit: those of which it was made, in whole or in part")


@router.get("/address-units")
async def list_units(
    _: Reader,
    runtime: RuntimeDep,
    era: Era = "two_tier",
    parent: Within = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[str, Query(max_length=5)] = "",
) -> UnitList:
    """What lies directly in a province or district; without `parent` the provinces."""
    async with runtime.db.read() as session:
        items = await store.children(session, era=era, parent=parent, limit=limit, after=after)
        await _require(session, era, parent)
    return UnitList(items=items, next=items[-1].code if len(items) == limit else None)


@router.get("/address-units/search")
async def search_units(
    _: Reader,
    runtime: RuntimeDep,
    text: Annotated[str, Query(min_length=1, max_length=200, examples=["p. bến nghé, q1, tphcm"])],
    era: Era = "two_tier",
    tier: Tier | None = None,
    within: Within = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> UnitList:
    """Units by what people type: without accents, abbreviated, with what they lie in; the likeliest first."""
    async with runtime.db.read() as session:
        items = await store.search(session, text, era=era, tier=tier, within=within, limit=limit)
        await _require(session, era, within)
    return UnitList(items=items, next=None)


async def _require(session: ReadSession, era: Era, code: str | None) -> None:
    """That in which one looks is there; else nothing would be found in it, and nobody would know why."""
    if code is not None and code not in await store.get(session, era, [code]):
        raise UnitNotFound


@router.get("/address-units/{era}/{code}")
async def get_unit(_: Reader, runtime: RuntimeDep, era: Era, code: UnitCode) -> UnitHistory:
    """A unit, and what became of it or what it was made of. The same code may name another unit in the other era."""
    async with runtime.db.read() as session:
        unit = (await store.get(session, era, [code])).get(code)
        if unit is None:
            raise UnitNotFound
        old = era == "three_tier"
        became = await store.became(session, [code]) if old else []
        return UnitHistory(unit=unit, became=became, was=[] if old else await store.was(session, code))


@router.post("/addresses/validate")
async def validate_address(_: Reader, runtime: RuntimeDep, request: Request, address: DeliveryAddress) -> Checked:
    """What the official lists say of an address: its codes and names, what may be meant, and of an old one the wards that
    its ward became. Nothing is stored."""
    async with runtime.db.read() as session:
        return await validate(session, address, language=language_of(request))


@router.post("/address-units/load")
async def load_units(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    request: Request,
    file: Annotated[File, Query(description="the list of an era, or old units beside the new ones ('changes')")],
    source: Annotated[str, Query(min_length=1, max_length=300, description="where the list comes from")],
    licence: Annotated[str, Query(max_length=100)] = "",
) -> Loaded:
    """Takes over an official list: a CSV file (UTF-8, with a header) as the body. The same file again changes nothing."""
    content = await request.body()
    try:
        typed = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableUnits(line=1, reason="the file is not UTF-8") from None
    units = await asyncio.to_thread(read_units, typed, file=file)
    if not units.units:
        raise UnreadableUnits(line=1, reason="the file lists nothing")
    async with runtime.db.transaction() as session:
        return await store.load(
            session, units, file=file, content=content, source=source, licence=licence, by=who.code, now=clock()
        )
