"""What each carrier can do, and what a connection's carrier knows: its services, places, units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.shipping.api.dependencies import Administrator, ContextDep, LanguageDep, Reader
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import Command, Era, Limits, Settlement
from services.shipping.carriers.errors import CarrierError, NotLetIn, NotOffered, Refused
from services.shipping.carriers.gate import Turns
from services.shipping.carriers.registry import CARRIERS
from services.shipping.connections import Connection, load, mark_healthy
from services.shipping.context import Context
from services.shipping.problems import CarrierAway, CarrierRefused, CredentialsRefused, NotOfferedByCarrier
from services.shipping.units import store as units
from services.shipping.work import work
from shared.errors import Language, NotFound

router = APIRouter(tags=["carriers"])


class CredentialView(BaseModel):
    name: str = Field(examples=["token"])
    hint: str = Field(description="where the shop finds it")
    optional: bool


class AddOnView(BaseModel):
    code: str = Field(examples=["1"])
    title: str = Field(examples=["Hàng dễ vỡ"])


class CarrierView(BaseModel):
    """A carrier that a shop can be connected to."""

    name: str = Field(examples=["ghtk"])
    title: str = Field(examples=["Giao Hàng Tiết Kiệm"])
    base_url: str = Field(description="where it is called unless a connection says otherwise; empty: nobody is called")
    credentials: list[CredentialView]
    tracks: bool = Field(description="a parcel's status can be asked")
    pushes_again: bool = Field(description="its callbacks can be asked for once more")
    callbacks: bool
    quotes: bool
    services: bool
    pick_up_places: bool
    inspection: bool
    customer_pays: bool
    failed_fee: bool
    label_sizes: list[str]
    settlement: Settlement
    commands: list[Command]
    eras: list[Era]
    units_of: list[Era] = Field(description="its own list of places has to be fetched for these addresses")
    add_ons: list[AddOnView]
    cod_max: int | None = Field(description="đồng; null: the carrier publishes no limit")
    value_max: int | None
    weight_max_grams: int | None
    note_max: int | None = Field(description="a longer note is cut")


class CarrierList(BaseModel):
    items: list[CarrierView]
    next: None = None


class ConnectionTest(BaseModel):
    """The carrier accepts the credentials."""

    tested_at: datetime


class ServiceView(BaseModel):
    code: str = Field(description="for options.service", examples=["road"])
    title: str


class ServiceList(BaseModel):
    items: list[ServiceView]
    next: None = None


class CarrierPlaceView(BaseModel):
    place_id: str = Field(description="for pick_up.place_id", examples=["88001"])
    name: str
    phone: str
    address: str


class CarrierPlaceList(BaseModel):
    items: list[CarrierPlaceView]
    next: None = None


class UnitList(BaseModel):
    """A carrier's own list of places as it is stored here."""

    carrier: str
    era: Era
    units: int
    fetched_at: datetime


class UnitLists(BaseModel):
    items: list[UnitList]
    next: None = None


@router.get("/v1/carriers", summary="The carriers and what each of them can do")
async def list_carriers(_: Reader, language: LanguageDep) -> CarrierList:
    return CarrierList(items=[_carrier_view(carrier, language) for carrier in CARRIERS.values()])


@router.post("/v1/connections/{connection_id}/test", summary="Try the stored credentials at the carrier")
async def try_connection(connection_id: UUID, context: ContextDep, _: Administrator) -> ConnectionTest:
    """Changes nothing at the carrier. A token that has expired is renewed."""
    connection = await _connection(context, connection_id)
    title = CARRIERS[connection.carrier].title
    try:
        async with context.carrier(connection) as carrier:
            await carrier.test()
    except Refused as error:
        raise CredentialsRefused(carrier=title, reason=error.reason) from None
    except CarrierError:
        raise CarrierAway(carrier=title) from None
    await mark_healthy(context.db, connection_id)
    return ConnectionTest(tested_at=context.now())


@router.get("/v1/connections/{connection_id}/services", summary="The carrier's services that can be chosen")
async def list_services(connection_id: UUID, context: ContextDep, _: Reader) -> ServiceList:
    connection = await _connection(context, connection_id)
    try:
        async with context.carrier(connection) as carrier:
            found = await carrier.services()
    except CarrierError as error:
        raise _problem(connection, error) from None
    return ServiceList(items=[ServiceView(code=each.code, title=each.title) for each in found])


@router.get("/v1/connections/{connection_id}/carrier-places", summary="Pick-up places registered at the carrier")
async def list_carrier_places(connection_id: UUID, context: ContextDep, _: Administrator) -> CarrierPlaceList:
    """To be entered as `pick_up.place_id` of the connection or of one of its places."""
    connection = await _connection(context, connection_id)
    try:
        async with context.carrier(connection) as carrier:
            found = await carrier.pick_up_places()
    except CarrierError as error:
        raise _problem(connection, error) from None
    return CarrierPlaceList(
        items=[
            CarrierPlaceView(place_id=each.place_id, name=each.name, phone=each.phone, address=each.address)
            for each in found
        ]
    )


@router.get("/v1/carrier-units", summary="The carriers' own lists of places that are stored here")
async def list_unit_lists(context: ContextDep, _: Reader) -> UnitLists:
    async with context.db.read() as session:
        rows = await session.execute(text("SELECT * FROM carrier_unit_lists ORDER BY carrier, era"))
        return UnitLists(items=[UnitList.model_validate(dict(row)) for row in rows.mappings()])


@router.post("/v1/connections/{connection_id}/units", summary="Fetch the carrier's own list of places")
async def fetch_units(
    connection_id: UUID,
    context: ContextDep,
    _: Administrator,
    era: Annotated[Era, Query(description="old: three tiers until 2025-06-30; new: two tiers since")],
) -> UnitList:
    """Takes minutes with a carrier whose list is asked for district by district, within the connection's rate. The former
    list stays until the new one is here as a whole. Once a week is enough, and whenever an order is refused because the
    carrier does not know its ward."""
    connection = await _connection(context, connection_id)
    try:
        async with context.carrier(connection, turns=Turns.WAITING) as carrier:
            found = await carrier.units(era)
    except CarrierError as error:
        raise _problem(connection, error) from None
    if not found:
        raise CarrierAway(carrier=CARRIERS[connection.carrier].title)
    now = context.now()
    async with work(context.db) as current:
        kept = await units.replace(current.connection, connection.carrier, era, found, now=now)
    return UnitList(carrier=connection.carrier, era=era, units=kept, fetched_at=now)


async def _connection(context: Context, connection_id: UUID) -> Connection:
    found = await load(context.db, connection_id)
    if found is None:
        raise NotFound(what="kết nối / connection")
    return found


def _problem(connection: Connection, error: CarrierError) -> Exception:
    title = CARRIERS[connection.carrier].title
    if isinstance(error, NotOffered):
        return NotOfferedByCarrier(carrier=title)
    if isinstance(error, NotLetIn):
        return CredentialsRefused(carrier=title, reason=error.reason)
    if isinstance(error, Refused):
        return CarrierRefused(carrier=title, reason=error.reason)
    return CarrierAway(carrier=title)


def _carrier_view(carrier: type[Carrier], language: Language) -> CarrierView:
    can = carrier.capabilities
    limits: Limits = can.limits
    vietnamese = language == "vi"
    return CarrierView(
        name=carrier.name,
        title=carrier.title,
        base_url=carrier.default_url,
        credentials=[
            CredentialView(name=each.name, hint=each.hint_vi if vietnamese else each.hint_en, optional=each.optional)
            for each in carrier.credentials
        ],
        tracks=can.track,
        pushes_again=can.push_again,
        callbacks=can.callbacks,
        quotes=can.fee_quote,
        services=can.services,
        pick_up_places=can.pick_up_places,
        inspection=can.inspection,
        customer_pays=can.customer_pays,
        failed_fee=can.failed_fee,
        label_sizes=list(can.label_sizes),
        settlement=can.settlement,
        commands=sorted(can.commands),
        eras=sorted(can.eras),
        units_of=sorted(can.units_of),
        add_ons=[AddOnView(code=code, title=each.vi if vietnamese else each.en) for code, each in can.add_ons.items()],
        cod_max=limits.cod_max,
        value_max=limits.value_max,
        weight_max_grams=limits.weight_max_grams,
        note_max=limits.note_max,
    )
