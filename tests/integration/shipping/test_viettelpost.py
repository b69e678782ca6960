"""A shop that ships with the simulated ViettelPost, which cannot be asked about a parcel but calls back once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from deploy.local.viettelpost import OutcomeRates, SimulatorFaults, Status, ViettelPostSimulator
from services.shipping import schedule
from services.shipping.cancelling import cancel_at_carrier
from services.shipping.carriers.errors import Away, UnknownOutcome
from services.shipping.creation import create_or_adopt, prepare
from services.shipping.rescue import calling
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED
from tests.harness import Databases
from tests.integration.shipping.support import PICK_UP, Shop, moves, open_shop

CALLBACK_TOKEN = "bi-mat-cua-shop"


@pytest.fixture(scope="module")
async def simulator() -> AsyncIterator[ViettelPostSimulator]:
    async with ViettelPostSimulator() as started:
        yield started


@pytest.fixture
async def viettelpost(simulator: ViettelPostSimulator) -> ViettelPostSimulator:
    """A carrier without shipments and without faults."""
    await simulator.simulation.reset()
    simulator.simulation.change_settings({"callback_token": CALLBACK_TOKEN})
    return simulator


@pytest.fixture
async def shop(databases: Databases, viettelpost: ViettelPostSimulator) -> AsyncIterator[Shop]:
    body = {
        "carrier": "viettelpost",
        "shop_name": "Shop Hà Nội",
        "base_url": viettelpost.base_url,
        "credentials": {**viettelpost.account, "callback_token": CALLBACK_TOKEN},
        "pick_up": PICK_UP,
        "requests_per_second": 100,
    }
    async with open_shop(databases, viettelpost, connect=body) as opened:
        yield opened


async def row(shop: Shop, shipment_id: UUID) -> Any:
    [found] = await shop.running.rows(f"SELECT * FROM shipments WHERE id = '{shipment_id}'")
    return found


def requests(shop: Shop) -> int:
    return shop.simulator.stats.calls.get("push_again", 0)


async def ask_again(shop: Shop) -> int:
    """Time passes until everything is due, and a round is made; returns how many the carrier was asked about."""
    shop.skip(timedelta(days=2))
    return (await shop.poll()).asked


def told(waybill: str, status: int, at: str, **fields: Any) -> str:
    data = {"ORDER_NUMBER": waybill, "ORDER_STATUS": status, "ORDER_STATUSDATE": at, **fields}
    return orjson.dumps({"DATA": data, "TOKEN": CALLBACK_TOKEN}).decode()


async def test_a_parcel_is_posted_and_followed_to_its_delivery_by_callbacks_alone(shop: Shop) -> None:
    await shop.listen()
    shop.simulator.set_outcomes(OutcomeRates(delivered=1))
    shipment_id = await shop.ship()
    await shop.simulator.advance_time(timedelta(days=30))
    await shop.settle_callbacks()
    view = await shop.get(shipment_id)
    assert view["status"] == "delivered"
    changed = moves(await shop.events(SHIPMENT_CHANGED.name))[str(shipment_id)]
    assert [event["status"] for event in (changed[0], changed[-1])] == ["accepted", "delivered"]
    assert changed[-1]["handed_over_at"] is not None
    assert await shop.events(COD_SETTLED.name) == []  # no status says it: only the statement does
    assert requests(shop) == 0


async def test_callbacks_that_were_lost_come_back_by_asking_for_them_and_nothing_moves_backwards(shop: Shop) -> None:
    await shop.listen()
    shop.simulator.set_outcomes(OutcomeRates(delivered=3, redelivered=1, returned=2, pick_up_failed=1, lost=1))
    await shop.ship_many(12)
    shop.simulator.set_faults(SimulatorFaults(drop_callback=0.4, duplicate_callback=0.2, shuffle_callback=0.3))
    await shop.simulator.advance_time(timedelta(days=60))
    await shop.settle_callbacks()
    assert await shop.states() != shop.carrier_states()
    shop.simulator.set_faults(SimulatorFaults())
    await ask_again(shop)
    await shop.settle_callbacks()
    assert await shop.states() == shop.carrier_states()
    for events in moves(await shop.events(SHIPMENT_CHANGED.name)).values():
        times = [event["at"] for event in events[1:]]
        assert times == sorted(times)
        assert "returning" not in [event["previous"] for event in events if event["status"] == "picked_up"]
    at_rest = requests(shop)
    await ask_again(shop)
    assert requests(shop) == at_rest


async def test_a_journey_that_says_nothing_new_is_an_answer(shop: Shop) -> None:
    await shop.listen()
    shipment_id = await shop.ship()
    await shop.settle_callbacks()
    assert await ask_again(shop) == 1
    await shop.settle_callbacks()
    found = await row(shop, shipment_id)
    assert (found.asked_at, found.unanswered, found.unchanged_polls, found.claimed_until) == (None, 0, 1, None)
    pause = schedule.PAUSES["accepted"] * schedule.GROWTH
    assert timedelta() <= found.next_poll_at - shop.context.now() <= pause
    assert (await shop.poll()).asked == 0


async def test_a_carrier_that_never_calls_back_is_asked_ten_times_a_person_is_told_and_it_is_left_alone(
    shop: Shop,
) -> None:
    shipment_id = await shop.ship()
    shop.simulator.set_faults(SimulatorFaults(ignore_push_again=1))
    marked_after = []
    for _ in range(schedule.REQUESTS_MAX + 3):
        await ask_again(shop)
        if "carrier_silent" in (await shop.get(shipment_id))["attention"]:
            marked_after.append(requests(shop))
    assert requests(shop) == schedule.REQUESTS_MAX
    assert marked_after[0] == schedule.SILENT_AFTER
    view = await shop.get(shipment_id)
    assert (view["attention"], view["next_poll_at"]) == (["carrier_silent"], None)
    assert (
        await shop.call_back(told(view["waybill"], 200, "01/01/2031 08:00:00"), content_type="application/json") == 200
    )
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("picked_up", [])
    assert view["next_poll_at"] is not None


async def test_a_carrier_that_is_away_was_not_asked(shop: Shop) -> None:
    shipment_id = await shop.ship()
    shop.simulator.set_faults(SimulatorFaults(error_before=1))
    shop.skip(timedelta(days=1))
    await shop.poll()
    found = await row(shop, shipment_id)
    assert (found.asked_at, found.unanswered, found.claimed_until, found.attention) == (None, 0, None, [])


async def test_a_parcel_that_the_carrier_does_not_know_is_raised_and_heard_of_again_is_not(shop: Shop) -> None:
    shipment_id = await shop.ship()
    await shop.simulator.simulation.reset()
    await ask_again(shop)
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("accepted", ["missing_at_carrier"])
    await shop.call_back(told(view["waybill"], 104, "01/01/2031 08:00:00"), content_type="application/json")
    await shop.apply_callbacks()
    assert (await shop.get(shipment_id))["attention"] == []


async def test_two_pollers_ask_about_each_parcel_once(shop: Shop) -> None:
    await shop.ship_many(12)
    shop.skip(timedelta(days=1))
    rounds = await asyncio.gather(shop.poll(), shop.poll())
    assert sum(done.asked for done in rounds) == requests(shop) == 12


async def test_a_delivered_parcel_is_not_asked_about_because_no_status_will_say_that_its_money_is_home(
    shop: Shop,
) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    await shop.call_back(told(waybill, 501, "01/01/2031 08:00:00"), content_type="application/json")
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["next_poll_at"], view["settled_at"]) == ("delivered", None, None)


async def test_a_parcel_on_its_way_is_not_asked_about_until_its_promised_day_is_near(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    promised = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1, hours=20)
    body = told(waybill, 300, "01/01/2031 08:00:00", EXPECTED_DELIVERY_DATE=promised.isoformat())
    await shop.call_back(body, content_type="application/json")
    await shop.apply_callbacks()
    found = await row(shop, shipment_id)
    assert found.promised_at == promised
    assert abs(found.next_poll_at - (promised - schedule.PROMISE_NEAR)) < timedelta(seconds=1)


@pytest.mark.parametrize("token", ["khác", "", None])
async def test_a_callback_with_the_right_address_and_another_secret_is_kept_and_raised(
    shop: Shop, token: str | None
) -> None:
    shipment_id = await shop.ship()
    body = orjson.loads(told((await shop.get(shipment_id))["waybill"], 501, "01/01/2031 08:00:00"))
    body["TOKEN"] = token
    assert await shop.call_back(orjson.dumps(body), content_type="application/json") == 200
    await shop.apply_callbacks()
    [kept] = await shop.running.rows("SELECT state, error FROM callbacks_raw")
    assert (kept.state, "token" in kept.error) == ("failed", True)
    assert (await shop.get(shipment_id))["status"] == "accepted"


async def test_a_held_parcel_that_waits_for_the_shop_is_a_failed_delivery(shop: Shop) -> None:
    await shop.listen()
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    for status in (Status.AT_ORIGIN, Status.DELIVERING, Status.RETURN_PROPOSED):
        shop.simulator.push(waybill, status)
    await shop.settle_callbacks()
    assert (await shop.get(shipment_id))["status"] == "delivery_failed"


async def test_a_cancelled_parcel_is_cancelled_when_the_carrier_says_so(shop: Shop) -> None:
    await shop.listen()
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    answer = await shop.client.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "khách đổi ý"})
    assert answer.status_code == 202, answer.text
    await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    assert shop.simulator.shipment(waybill).status == Status.CANCELLED
    await shop.settle_callbacks()
    assert (await shop.get(shipment_id))["status"] == "cancelled"


def living(shop: Shop) -> dict[str, int]:
    """Reference without its number → parcels at the carrier that are not cancelled."""
    found: dict[str, int] = {}
    for each in shop.simulator.shipments:
        order = each.reference.rpartition("-")[0]
        found[order] = found.get(order, 0) + (each.status != Status.CANCELLED)
    return found


async def accepted(shop: Shop, shipment_id: UUID) -> bool:
    """One attempt to have a parcel made or adopted."""
    outcome = await prepare(shop.context, shipment_id)
    if outcome.state == "next_reference":
        try:
            outcome = await create_or_adopt(shop.context, shipment_id, outcome.reference)
        except Away as error:
            await asyncio.sleep(error.retry_after or 0)
        except UnknownOutcome:
            return False
    return outcome.state == "accepted"


async def test_creations_without_an_answer_are_adopted_by_their_callbacks_and_leave_one_parcel_an_order(
    shop: Shop,
) -> None:
    await shop.listen()
    shop.simulator.set_faults(SimulatorFaults(create_timeout=0.5, error_before=0.1, error_after=0.1))
    shipments = [await shop.open(await shop.close_order(f"DH-{number:08d}")) for number in range(8)]
    waiting = list(shipments)
    for _ in range(30):  # as Temporal does: whoever has no answer comes back later, when callbacks have come
        waiting = [shipment_id for shipment_id in waiting if not await accepted(shop, shipment_id)]
        await shop.settle_callbacks()
    assert not waiting
    assert shop.simulator.stats.timed_out > 0
    assert living(shop) == {f"DH-{number:08d}": 1 for number in range(8)}
    known = {(await shop.get(shipment_id))["waybill"] for shipment_id in shipments}
    assert known == {each.waybill for each in shop.simulator.shipments}


async def test_a_repeated_creation_that_is_refused_waits_for_a_person_and_is_adopted_when_its_callback_comes_late(
    shop: Shop,
) -> None:
    shipment_id = await shop.open(await shop.close_order())
    shop.simulator.set_faults(SimulatorFaults(create_timeout=1))
    assert await shop.create(shipment_id) == "refused"
    [parcel] = shop.simulator.shipments
    await shop.call_back(
        told(parcel.waybill, 100, "01/01/2031 08:00:00", ORDER_REFERENCE=parcel.reference),
        content_type="application/json",
    )
    await shop.apply_callbacks()
    assert (await shop.get(shipment_id))["status"] == "draft"
    assert await shop.create(shipment_id) == "accepted"
    assert (await shop.get(shipment_id))["waybill"] == parcel.waybill
    assert len(shop.simulator.shipments) == 1


async def test_a_parcel_that_a_switched_off_connection_may_have_is_not_given_to_another(shop: Shop) -> None:
    shipment_id = await shop.open(await shop.close_order())
    shop.simulator.set_faults(SimulatorFaults(create_timeout=1))
    assert await shop.create(shipment_id) == "refused"
    own_courier = {"carrier": "manual", "shop_name": "Xe nhà", "pick_up": PICK_UP}
    assert (await shop.client.post("/v1/connections", json=own_courier)).status_code == 201
    off = await shop.client.patch(
        f"/v1/connections/{shop.connection_id}", json={"state": "disabled"}, headers={"If-Match": '"1"'}
    )
    assert off.status_code == 200, off.text
    retried = await shop.client.post(f"/v1/shipments/{shipment_id}/retry")
    assert (retried.status_code, retried.json()["connection_id"]) == (202, str(shop.connection_id))
    assert (await prepare(shop.context, shipment_id)).state == "next_reference"
    assert (await shop.get(shipment_id))["connection_id"] == str(shop.connection_id)


async def test_an_order_cancelled_while_its_creation_is_unknown_leaves_nothing_alive(shop: Shop) -> None:
    await shop.listen()
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    shop.simulator.set_faults(SimulatorFaults(create_timeout=1))
    await prepare(shop.context, shipment_id)
    with pytest.raises(UnknownOutcome):
        await create_or_adopt(shop.context, shipment_id, "DH-AAAA1111-1")
    await shop.cancel_order(order_id)
    await shop.settle_callbacks()
    await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    assert living(shop) == {"DH-AAAA1111": 0}
    assert (await shop.get(shipment_id))["status"] == "cancelled"


async def test_a_token_that_was_ended_is_renewed_once_however_many_ask(shop: Shop) -> None:
    await shop.ship_many(12)
    logins = shop.simulator.stats.calls["ownerconnect"]
    assert isinstance(shop.simulator, ViettelPostSimulator)
    shop.simulator.end_all_tokens()
    shop.skip(timedelta(days=1))
    for _ in range(5):
        await shop.poll()
        shop.skip(timedelta(minutes=5))
    assert requests(shop) >= 12
    [asked] = await shop.running.rows("SELECT count(*) AS parcels FROM shipments WHERE unanswered > 0")
    assert asked.parcels == 12
    assert shop.simulator.stats.calls["ownerconnect"] == logins + 1


async def test_what_is_decided_about_a_failed_delivery_is_done_once_although_answer_and_callback_are_lost(
    shop: Shop,
) -> None:
    await shop.listen()
    shipment_id = await shop.ship("DH-RESCUE01")
    waybill = (await shop.get(shipment_id))["waybill"]
    for status in (Status.DELIVERING, Status.RECEIVER_ABSENT, Status.RETURN_PROPOSED):
        shop.simulator.push(waybill, status)
    await shop.settle_callbacks()
    [rescue] = (await shop.client.get("/v1/rescues")).json()["items"]
    assert (rescue["held"], rescue["can"]) == (True, ["deliver_again", "send_back", "customer_refuses"])
    asked = await shop.client.post(f"/v1/rescues/{rescue['id']}/requests", json={"wish": "deliver_again"})
    assert asked.status_code == 202, asked.text

    shop.simulator.set_faults(SimulatorFaults(error_after=1, drop_callback=1))
    with pytest.raises(UnknownOutcome):
        await calling.tell_carrier(shop.context, shipment_id)
    shop.simulator.set_faults(SimulatorFaults())
    with pytest.raises(UnknownOutcome):  # it says no, because it has said yes; its report is awaited
        await calling.tell_carrier(shop.context, shipment_id)
    await shop.settle_callbacks()
    assert not await calling.tell_carrier(shop.context, shipment_id)
    after = (await shop.client.get(f"/v1/rescues/{rescue['id']}")).json()
    assert (after["request_state"], after["outcome"]) == ("confirmed", "redelivery")
    passed = [entry.status for entry in shop.simulator.shipment(waybill).history]
    assert passed.count(Status.AGAIN_REQUESTED) == 1
