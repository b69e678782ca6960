"""The GHN adapter asks for and changes parcels that are made: journeys, money, commands, labels, fees."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.local.ghn import Status
from services.shipping.carriers.answers import CancelOutcome, Created
from services.shipping.carriers.errors import Refused
from services.shipping.carriers.ghn_codes import CODES, TRANSFERRED
from services.shipping.carriers.parcel import (
    RecipientChange,
)
from tests.unit.ghn.support import NEW, OLD, PARCEL, World, answering, created, says


async def test_the_journey_has_the_carrier_s_times_in_utc_and_its_money_at_the_end(world: World) -> None:
    waybill = await created(world)
    await world.simulation.carrier.advance_steps(8)
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    journey = await world.ghn.track(waybill)
    assert [report.raw_status for report in journey] == [str(entry.status) for entry in shipment.history]
    assert [report.at for report in journey] == [
        entry.at.replace(microsecond=entry.at.microsecond // 1000 * 1000) for entry in shipment.history
    ]
    assert [report.collected for report in journey] == [None] * 8 + [500_000]
    assert journey[-1].fee == shipment.fee + shipment.insurance_fee


async def test_a_paid_out_cod_is_a_status_that_settles_at_its_date(world: World) -> None:
    waybill = await created(world)
    await world.simulation.carrier.advance_steps(9)
    assert (await world.ghn.track(waybill))[-1].raw_status == "delivered"
    await world.simulation.carrier.advance_steps(1)
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    last = (await world.ghn.track(waybill))[-1]
    assert (last.raw_status, last.collected) == (TRANSFERRED, 500_000)
    assert shipment.transferred_at is not None
    assert abs(last.at - shipment.transferred_at) < timedelta(milliseconds=1)
    assert CODES.statuses[TRANSFERRED].settles


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"is_cod_transferred": "true", "cod_transfer_date": "2026-11-07"}, "2026-11-06T17:00:00Z"),
        ({"is_cod_transferred": True, "cod_transfer_date": "2026-11-05"}, "2026-11-05T08:00:00Z"),
        ({"is_cod_transferred": True, "cod_transfer_date": None}, "2026-11-06T09:00:00Z"),
        ({"is_cod_transferred": False, "cod_transfer_date": "null"}, None),
    ],
)
async def test_every_form_of_a_transfer_date_is_read(changes: dict[str, Any], at: str | None) -> None:
    order = {
        "order_code": "L88K7R",
        "status": "delivered",
        "cod_amount": "500000",
        "updated_date": "2026-11-06T09:00:00Z",
        "log": [{"status": "delivered", "updated_date": "2026-11-05T08:00:00Z"}],
        **changes,
    }
    async with answering(says({"code": 200, "message": "Success", "data": [order]})) as ghn:
        last = (await ghn.track("L88K7R"))[-1]
    moment = datetime.fromisoformat(at) if at else None
    assert (last.raw_status == TRANSFERRED) == (moment is not None)
    assert moment in (None, last.at)
    assert last.collected == 500_000


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ready_to_pick", CancelOutcome.CANCELLED),
        ("picking", CancelOutcome.CANCELLED),
        ("cancel", CancelOutcome.CANCELLED),
        ("picked", CancelOutcome.REFUSED),
        ("delivered", CancelOutcome.REFUSED),
    ],
)
async def test_what_a_cancellation_did_is_decided_by_the_status(
    world: World, status: str, outcome: CancelOutcome
) -> None:
    waybill = await created(world)
    world.put(status)
    for known in ("", waybill):
        cancellation = await world.ghn.cancel(PARCEL.reference, waybill=known)
        assert cancellation.outcome == outcome
        assert cancellation.report is not None


async def test_a_failed_delivery_is_delivered_again_or_sent_back(world: World) -> None:
    waybill = await created(world)
    with pytest.raises(Refused):
        await world.ghn.deliver_again(waybill, note="")
    world.put("waiting_to_return")
    await world.ghn.deliver_again(waybill, note="Khách hẹn chiều mai")
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    assert (shipment.status, shipment.creation.note) == (Status.STORING, "Khách hẹn chiều mai")
    world.put("delivery_fail")
    await world.ghn.send_back(waybill, note="")
    assert shipment.status == Status.RETURN


async def test_the_receiver_of_a_parcel_on_its_way_is_changed(world: World) -> None:
    waybill = await created(world)
    await world.ghn.change_recipient(waybill, RecipientChange(phone="+84911111111", recipient="Lê Văn Mẫu"))
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    assert (shipment.creation.tel, shipment.creation.name) == ("0911111111", "Lê Văn Mẫu")
    world.put("returned")
    with pytest.raises(Refused):
        await world.ghn.change_recipient(waybill, RecipientChange(phone="+84911111112"))


@pytest.mark.parametrize("size", ["A5", "80x80", "52x70"])
async def test_labels_of_several_orders_are_one_page(world: World, size: str) -> None:
    first = await created(world)
    second = await created(world, replace(PARCEL, reference="DH-2"))
    label = await world.ghn.label([first, second], size=size)
    assert label.media_type == "text/html"
    assert first.encode() in label.content
    assert second.encode() in label.content
    with pytest.raises(Refused):
        await world.ghn.label(["NOBODY"], size=size)


async def test_the_fee_asked_beforehand_is_the_fee_of_the_creation(world: World) -> None:
    for to in (NEW, OLD):
        parcel = replace(PARCEL, to=to, reference=f"DH-{to.era}", value=2_000_000)
        [quote] = await world.ghn.quotes(parcel)
        made = await world.ghn.create(parcel)
        assert isinstance(made, Created)
        assert (quote.service, quote.fee, quote.insurance_fee) == ("2", made.fee, 10_000)
    with pytest.raises(Refused):
        await world.ghn.quotes(replace(PARCEL, to=replace(NEW, province="Tỉnh Không Có")))
