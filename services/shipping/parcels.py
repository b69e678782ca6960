"""Puts together what a carrier is told about an order: its contents, where from, how it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson

from services.shipping.carriers.base import Carrier
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.parcel import Address, Options, Parcel, ParcelLine, PickUp
from services.shipping.units import store as units
from services.shipping.units.store import Named

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.connections import Connection
    from services.shipping.work import Connection as Driver


@dataclass(frozen=True)
class Plan:
    """How an order is to be sent, as far as somebody chose.

    Args:
        pick_up_id: None: the connection's default place.
        options: None: the connection's.
        waybill: typed by a person.
    """

    pick_up_id: UUID | None = None
    options: Options | None = None
    waybill: str = ""


async def plan_of(driver: Driver, order_id: UUID, connection: Connection, *, pick_up_id: UUID | None) -> Plan:
    """What was chosen for an order, if it was chosen for this connection.

    Args:
        pick_up_id: by rule, where nobody chose a place.
    """
    row = await driver.fetchrow(_PLAN, order_id, connection.id)
    if row is None:
        return Plan(pick_up_id)
    options = Options.model_validate_json(row["options"]) if row["options"] else None
    return Plan(row["pick_up_id"] or pick_up_id, options, row["waybill"])


async def build(
    driver: Driver, order: asyncpg.Record, *, reference: str, cod: int, connection: Connection, plan: Plan
) -> Parcel:
    """The parcel of an order, as this connection is to be told of it; its units are still to be found.

    Args:
        order: a row of shippable_orders.
        cod: what the courier is to ask of the customer.
    """
    pick_up = connection.pick_up
    if plan.pick_up_id is not None:
        stored = await driver.fetchval(_PLACE, plan.pick_up_id, connection.id)
        pick_up = PickUp.model_validate_json(stored) if stored else pick_up
    return Parcel(
        reference=reference,
        recipient=order["recipient"],
        phone=order["phone"],
        to=Address(
            order["province"],
            order["ward"],
            order["detail"],
            district=order["district"],
            province_code=order["province_code"],
            district_code=order["district_code"],
            ward_code=order["ward_code"],
        ),
        lines=tuple(ParcelLine(**line) for line in orjson.loads(order["lines"])),
        cod=cod,
        value=order["goods_value"],
        note=order["note"],
        pick_up=pick_up,
        options=plan.options or connection.options,
        waybill=plan.waybill,
    )


async def check(
    driver: Driver, parcel: Parcel, carrier: type[Carrier], *, shipping_fee: int
) -> tuple[Parcel, Sequence[Breach]]:
    """The parcel with its places in the carrier's list, and what the carrier would refuse; nobody is called.

    Args:
        shipping_fee: that the order charges to the customer, within the COD.
    """
    breaches = list(carrier.check(parcel))
    if parcel.options.payer == "customer" and shipping_fee > 0:
        breaches.append(_PAID_TWICE)
    needed = carrier.capabilities.units_of
    if parcel.to.era in needed:
        to = Named(parcel.to.province, parcel.to.ward, parcel.to.district)
        found = await units.find(driver, carrier.name, carrier.title, to)
        if isinstance(found, Breach):
            breaches.append(found)
        elif found is not None:
            parcel = replace(parcel, to=replace(parcel.to, units=found))
    start = Named(parcel.pick_up.province, parcel.pick_up.ward, parcel.pick_up.district)
    if start.era in needed:
        place = await units.find(driver, carrier.name, carrier.title, start)
        if isinstance(place, Breach):
            if not parcel.pick_up.place_id:  # a place that is registered at the carrier needs no other address
                breaches.append(place)
        elif place is not None:
            parcel = replace(parcel, pick_up_units=place)
    return parcel, breaches


_PAID_TWICE: Final = Breach(
    "fee_paid_twice",
    "Đơn đã tính phí vận chuyển cho khách, mà hãng lại thu phí của khách: khách sẽ trả hai lần. Chọn shop trả phí, hoặc bỏ "
    "phí vận chuyển trong đơn.",
    "The order charges shipping to the customer and the carrier would ask its fee as well: the customer would pay twice. Let "
    "the shop pay, or take the shipping fee out of the order.",
)
_PLAN: Final = """
SELECT pick_up_id, options::text AS options, waybill FROM shipping_plans WHERE order_id = $1 AND connection_id = $2
"""
_PLACE: Final = "SELECT pick_up::text FROM pick_up_places WHERE id = $1 AND connection_id = $2"
