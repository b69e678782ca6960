"""A shop that ships with the simulated GHN: from the posted order to the money, and through all that goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from deploy.local.ghn import Faults, GhnSimulator, OutcomeRates, Status
from services.shipping.cancelling import cancel_at_carrier
from services.shipping.carriers.parcel import Unit
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED
from tests.harness import Databases
from tests.integration.shipping.ghn_shop import open_ghn_shop, places_of
from tests.integration.shipping.support import Shop, moves


@pytest.fixture(scope="module")
async def simulator() -> AsyncIterator[GhnSimulator]:
    async with GhnSimulator() as started:
        yield started


@pytest.fixture
async def ghn(simulator: GhnSimulator) -> GhnSimulator:
    """A carrier without shipments and without faults, which repeats callbacks at once."""
    await simulator.simulation.reset()
    simulator.set_outcomes(OutcomeRates(delivered=1))
    return simulator


@pytest.fixture(scope="module")
async def places(simulator: GhnSimulator) -> Sequence[Unit]:
    return await places_of(simulator)


@pytest.fixture
async def shop(databases: Databases, ghn: GhnSimulator, places: Sequence[Unit]) -> AsyncIterator[Shop]:
    async with open_ghn_shop(databases, ghn, places) as opened:
        yield opened


def callback(waybill: str, status: str, **changes: Any) -> bytes:
    return orjson.dumps(
        {
            "OrderCode": waybill,
            "ClientOrderCode": "",
            "Status": status,
            "Time": "2030-01-02T08:00:00.000Z",
            "Type": "switch_status",
            "ShopID": 885,
            "Reason": "",
            "ReasonCode": "",
            "CODTransferDate": None,
            **changes,
        }
    )


async def test_a_parcel_is_created_delivered_by_callbacks_and_settled_by_its_transfer_date(shop: Shop) -> None:
    await shop.listen()
    shipment_id = await shop.ship("DH-4F7K2M9Q")
    await shop.simulator.advance(steps=9)
    await shop.settle_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["carrier"]) == ("delivered", "ghn")
    assert view["settled_amount"] is None
    assert await shop.events(COD_SETTLED.name) == []

    await shop.simulator.advance(steps=1)  # the money is paid out, which no callback tells
    await shop.poll_everything()
    [settled] = await shop.events(COD_SETTLED.name)
    [parcel] = shop.simulator.shipments
    assert (settled["amount"], settled["carrier"]) == (350_000, "ghn")
    assert settled["fee"] == parcel.fee + parcel.insurance_fee
    assert (await shop.get(shipment_id))["settled_amount"] == parcel.settled_cod == 350_000
    path = [event["status"] for event in moves(await shop.events(SHIPMENT_CHANGED.name))[str(shipment_id)]]
    assert (path[0], path[-1]) == ("accepted", "delivered")
    await shop.poll_everything()  # nothing more is expected of it
    assert len(await shop.events(COD_SETTLED.name)) == 1


async def test_a_callback_goes_from_the_hook_to_the_timeline(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    failed = callback(waybill, "delivery_fail", Type="Switch_status", Reason="không nghe máy", ReasonCode="GHN-DFC1A4")
    assert await shop.call_back(failed, content_type="application/json") == 200
    assert await shop.call_back(failed, content_type="application/json") == 200  # repeated
    weighed = callback(waybill, "picked", Type="update_weight", Time="2030-01-03T08:00:00.000Z")
    assert await shop.call_back(weighed, content_type="application/json") == 200
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["reason_code"]) == ("delivery_failed", "GHN-DFC1A4")
    assert [item["label"] for item in view["timeline"]] == ["Mới tạo đơn hàng, chờ lấy hàng", "Giao hàng thất bại"]
    [applied] = await shop.running.rows("SELECT count(*) AS n FROM callbacks_raw WHERE state = 'applied'")
    assert applied.n == 3


async def test_a_status_that_no_table_has_is_kept_and_raised(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    await shop.call_back(callback(waybill, "teleported"), content_type="application/json")
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("accepted", ["unknown_status"])


async def test_an_exception_waits_for_a_person(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    await shop.call_back(callback(waybill, "exception"), content_type="application/json")
    await shop.apply_callbacks()
    assert "needs_person" in (await shop.get(shipment_id))["attention"]


async def test_creations_that_time_out_and_twins_leave_one_live_parcel_an_order(shop: Shop) -> None:
    shop.simulator.set_faults(Faults(create_timeout=0.3, cancelled_twin=0.2))
    orders = [await shop.close_order(f"DH-{number:08d}") for number in range(12)]
    shipments = [await shop.open(order) for order in orders]
    assert set(await asyncio.gather(*map(shop.create, shipments))) == {"accepted"}
    alive = sorted(each.waybill for each in shop.simulator.shipments if each.status != Status.CANCEL)
    assert alive == sorted([(await shop.get(each))["waybill"] for each in shipments])
    assert shop.simulator.stats.timed_out > 0
    assert shop.simulator.stats.cancelled_twins > 0


async def test_after_lost_doubled_and_shuffled_callbacks_one_poll_brings_the_carrier_s_own_states(shop: Shop) -> None:
    shop.simulator.set_outcomes(OutcomeRates(delivered=0.5, redelivered=0.2, returned=0.2, lost=0.1))
    shop.simulator.set_faults(Faults(drop_callback=0.3, duplicate_callback=0.3, shuffle_callback=0.5))
    await shop.listen()
    await shop.ship_many(12)
    for steps in (3, 4, 20):
        await shop.simulator.advance(steps=steps)
        await shop.settle_callbacks()
    await shop.poll_everything()
    assert await shop.states() == shop.carrier_states()
    settled = await shop.events(COD_SETTLED.name)
    assert sum(event["amount"] for event in settled) == sum(each.settled_cod for each in shop.simulator.shipments) > 0


async def test_a_cancelled_order_s_parcel_is_cancelled_at_ghn(shop: Shop) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await shop.create(shipment_id)
    await shop.cancel_order(order_id)
    await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    assert [each.status for each in shop.simulator.shipments] == [Status.CANCEL]
    assert (await shop.get(shipment_id))["status"] == "cancelled"
