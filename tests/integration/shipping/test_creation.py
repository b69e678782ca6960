"""Creations at the carrier: whatever goes wrong, an order has one living parcel there, and we know it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from deploy.local.ghtk import Faults, GhtkSimulator, Status
from services.shipping import creation, facts, following, making
from services.shipping.cancelling import cancel_at_carrier
from services.shipping.carriers.answers import Report
from services.shipping.carriers.errors import UnknownOutcome
from services.shipping.creation import OrderUnknown
from services.shipping.facts import Fact
from services.shipping.work import work
from shared.contracts.events.orders import ORDER_CLOSED
from tests.harness import eventually
from tests.integration.shipping.support import Shop, closed

CHANGED = "shipping.shipment.changed.v1"


def living(ghtk: GhtkSimulator) -> Counter[str]:
    """Order code → parcels at the carrier that are not cancelled."""
    return Counter(
        shipment.reference.rsplit("-", 1)[0] for shipment in ghtk.shipments if shipment.status != Status.CANCELLED
    )


async def test_a_posted_order_gets_a_waybill_and_is_told(shop: Shop) -> None:
    shipment_id = await shop.ship("DH-4F7K2M9Q")
    view = await shop.get(shipment_id)
    [at_carrier] = shop.ghtk.shipments
    assert (view["status"], view["waybill"], view["reference"]) == ("accepted", at_carrier.waybill, "DH-4F7K2M9Q-1")
    assert at_carrier.reference == "DH-4F7K2M9Q-1"
    assert at_carrier.cod == view["cod"] == 350_000
    assert at_carrier.creation.weight_gram == 500
    assert view["fee"] == at_carrier.fee + at_carrier.insurance_fee
    assert view["phone"] == "0912***678"
    assert [item["label"] for item in view["timeline"]] == ["Đã tiếp nhận"]
    [event] = await shop.events(CHANGED)
    assert (event["status"], event["previous"], event["sequence"]) == ("accepted", "draft", 1)


async def test_an_order_is_opened_once(shop: Shop) -> None:
    order_id = await shop.close_order()
    opened = await asyncio.gather(*(shop.open(order_id) for _ in range(5)))
    assert len(set(opened)) == 1
    commands = await shop.running.outbox("ShipmentWorkflow")
    assert {command["subject"] for command in commands} == {f"shipment/{opened[0]}"}


async def test_an_order_that_is_not_known_yet_is_asked_for_again(shop: Shop) -> None:
    with pytest.raises(OrderUnknown):
        await shop.open(uuid7())


async def test_an_order_edited_just_before_posting_is_sent_as_it_was_edited(shop: Shop) -> None:
    order_id = await shop.close_order("DH-4F7K2M9Q", cod=350_000)
    with pytest.raises(OrderUnknown):  # the edit that was posted is still on its way
        await creation.open_shipment(shop.context, order_id, version=2)
    first = closed(order_id, "DH-4F7K2M9Q", cod=350_000)
    edited = first.model_copy(update={"version": 2, "cod": 410_000, "total": 410_000, "recipient": "Lê Văn Tám"})
    await shop.running.receive(ORDER_CLOSED, edited, subject=order_id)
    await shop.running.receive(ORDER_CLOSED, first, subject=order_id)  # late
    shipment_id, _ = await creation.open_shipment(shop.context, order_id, version=2)
    assert await shop.create(shipment_id) == "accepted"
    [at_carrier] = shop.ghtk.shipments
    assert at_carrier.cod == 410_000


async def test_creations_that_time_out_and_cancelled_twins_leave_one_living_parcel_an_order(shop: Shop) -> None:
    shop.ghtk.set_faults(
        Faults(create_timeout=0.3, cancelled_twin=0.05, error_before=0.1, error_after=0.1, create_timeout_seconds=0)
    )
    shipments = await shop.ship_many(100)
    assert shop.ghtk.stats.timed_out > 15
    assert shop.ghtk.stats.cancelled_twins > 2
    assert set(living(shop.ghtk).values()) == {1}
    assert len(living(shop.ghtk)) == len(shipments)
    alive = {each.waybill for each in shop.ghtk.shipments if each.status != Status.CANCELLED}
    assert set(await shop.states()) == alive


async def test_a_cancelled_twin_leads_to_the_next_reference(shop: Shop) -> None:
    shop.ghtk.set_faults(Faults(cancelled_twin=1.0))
    shipment_id = await shop.open(await shop.close_order("DH-TWIN0001"))
    prepared = await creation.prepare(shop.context, shipment_id)
    outcome = await creation.create_or_adopt(shop.context, shipment_id, prepared.reference)
    assert (outcome.state, outcome.reference) == ("next_reference", "DH-TWIN0001-2")
    shop.ghtk.set_faults(Faults())
    assert await shop.create(shipment_id) == "accepted"
    view = await shop.get(shipment_id)
    assert [attempt["state"] for attempt in view["attempts"]] == ["cancelled", "accepted"]
    assert view["reference"] == "DH-TWIN0001-2"


async def test_a_worker_that_dies_between_creation_and_record_leaves_a_parcel_that_is_adopted(shop: Shop) -> None:
    shipment_id = await shop.open(await shop.close_order())
    prepared = await creation.prepare(shop.context, shipment_id)
    shop.ghtk.set_faults(Faults(slow_answer=1.0, slow_answer_seconds=5))
    dying = asyncio.create_task(creation.create_or_adopt(shop.context, shipment_id, prepared.reference))

    async def created_at_the_carrier() -> bool:
        return len(shop.ghtk.shipments) == 1

    await eventually(created_at_the_carrier)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await shop.get(shipment_id))["status"] == "draft"
    shop.ghtk.set_faults(Faults())
    assert await shop.create(shipment_id) == "accepted"
    [only] = shop.ghtk.shipments
    assert (await shop.get(shipment_id))["waybill"] == only.waybill
    assert shop.ghtk.stats.calls["create"] == 1


async def test_a_dozen_workers_on_one_shipment_make_one_parcel(shop: Shop) -> None:
    shipment_id = await shop.open(await shop.close_order())
    outcomes = await asyncio.gather(*(shop.create(shipment_id) for _ in range(12)))
    assert set(outcomes) == {"accepted"}
    assert len(shop.ghtk.shipments) == 1
    assert len(await shop.events(CHANGED)) == 1


async def test_a_refused_shipment_waits_for_a_person_and_is_posted_again(shop: Shop) -> None:
    shop.ghtk.set_faults(Faults(refuse_creation=1.0))
    order_id = await shop.close_order("DH-REFUSED1", phone="+84912345678")
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "refused"
    view = await shop.get(shipment_id)
    assert view["refusal"] == "Địa chỉ giao hàng không thuộc khu vực phục vụ"
    assert view["status"] == "refused"

    shop.ghtk.set_faults(Faults())
    await shop.running.receive(ORDER_CLOSED, closed(order_id, "DH-REFUSED1", version=2, cod=400_000), subject=order_id)
    answer = await shop.client.post(f"/v1/shipments/{shipment_id}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "draft")
    assert await shop.create(shipment_id) == "accepted"
    assert shop.ghtk.shipment("DH-REFUSED1-1").cod == 400_000
    told = [(event["previous"], event["status"]) for event in await shop.events(CHANGED)]
    assert told == [("draft", "refused"), ("refused", "draft"), ("draft", "accepted")]


async def test_only_a_refused_shipment_can_be_posted_again(shop: Shop) -> None:
    shipment_id = await shop.ship()
    answer = await shop.client.post(f"/v1/shipments/{shipment_id}/retry")
    assert (answer.status_code, answer.json()["title"]) == (409, "shipment-not-refused")


async def test_without_an_enabled_connection_the_shipment_says_what_to_do(shop: Shop) -> None:
    changed = await shop.client.patch(
        f"/v1/connections/{shop.connection_id}", json={"state": "disabled"}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    shipment_id = await shop.open(await shop.close_order())
    assert await shop.create(shipment_id) == "refused"
    assert "Thêm hoặc bật một kết nối" in (await shop.get(shipment_id))["refusal"]
    await shop.client.patch(
        f"/v1/connections/{shop.connection_id}", json={"state": "enabled"}, headers={"If-Match": '"2"'}
    )
    assert (await shop.client.post(f"/v1/shipments/{shipment_id}/retry")).status_code == 202
    assert await shop.create(shipment_id) == "accepted"


async def test_an_adopted_parcel_with_another_amount_is_cancelled_and_made_again(shop: Shop) -> None:
    order_id = await shop.close_order("DH-EDITED01", cod=300_000)
    shipment_id = await shop.open(order_id)
    prepared = await creation.prepare(shop.context, shipment_id)
    # The answer is lost, the customer orders more, and what was made with the first amount turns up only then.
    shop.ghtk.set_faults(Faults(error_before=1.0))
    with pytest.raises(UnknownOutcome):
        await creation.create_or_adopt(shop.context, shipment_id, prepared.reference)
    shop.ghtk.set_faults(Faults())
    await shop.running.receive(ORDER_CLOSED, closed(order_id, "DH-EDITED01", version=2, cod=500_000), subject=order_id)
    connection = await shop.context.connection(shop.connection_id)
    async with shop.context.carrier(connection) as carrier:
        async with work(shop.context.db) as current:
            told = await making._reserve_call(
                shop.context, current, shipment_id, prepared.reference, connection, carrier, repeats=False
            )
        assert isinstance(told, tuple)
        await carrier.create(replace(told[0], cod=300_000))
    assert await shop.create(shipment_id) == "accepted"
    alive = [each for each in shop.ghtk.shipments if each.status != Status.CANCELLED]
    assert [(each.reference, each.cod) for each in alive] == [("DH-EDITED01-2", 500_000)]


async def test_an_order_cancelled_before_it_was_sent_never_reaches_the_carrier(shop: Shop) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await shop.cancel_order(order_id)
    assert await shop.create(shipment_id) == "cancelled"
    assert await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    assert (await shop.get(shipment_id))["status"] == "cancelled"
    assert shop.ghtk.shipments == []
    told = [(event["previous"], event["status"]) for event in await shop.events(CHANGED)]
    assert told == [("draft", "cancelled")]


async def test_an_order_cancelled_before_its_closing_was_heard_of_is_not_sent(shop: Shop) -> None:
    order_id = uuid7()
    await shop.cancel_order(order_id, version=2)
    await shop.running.receive(ORDER_CLOSED, closed(order_id, "DH-LATE0001"), subject=order_id)
    assert await shop.create(await shop.open(order_id)) == "cancelled"


async def test_an_order_cancelled_while_its_creation_is_unknown_leaves_nothing_alive(shop: Shop) -> None:
    order_id = await shop.close_order("DH-ORPHAN01")
    shipment_id = await shop.open(order_id)
    prepared = await creation.prepare(shop.context, shipment_id)
    shop.ghtk.set_faults(Faults(create_timeout=1.0))
    with pytest.raises(UnknownOutcome):
        await creation.create_or_adopt(shop.context, shipment_id, prepared.reference)
    await shop.cancel_order(order_id)
    assert await shop.create(shipment_id) == "cancelled"
    await cancel_at_carrier(shop.context, shipment_id, prepared.reference)
    [orphan] = shop.ghtk.shipments
    assert orphan.status == Status.CANCELLED
    assert (await shop.get(shipment_id))["status"] == "cancelled"
    assert not await cancel_at_carrier(shop.context, shipment_id, prepared.reference)


async def test_a_parcel_that_was_never_picked_up_can_be_sent_again(shop: Shop) -> None:
    order_id = await shop.close_order("DH-AGAIN001")
    first = await shop.open(order_id)
    await shop.create(first)
    shop.ghtk.push("DH-AGAIN001-1", Status.PICK_UP_FAILED, reason_code="110")
    await shop.poll_everything()
    assert (await shop.get(first))["status"] == "pickup_failed"
    second = await shop.open(order_id)
    assert second != first
    assert await shop.create(second) == "accepted"
    assert (await shop.get(second))["reference"] == "DH-AGAIN001-2"
    assert (await shop.get(first))["superseded"]


async def sent_again(shop: Shop, code: str) -> tuple[UUID, str]:
    """An order whose parcel was not picked up and that was sent again; the first one's shipment and waybill."""
    order_id = await shop.close_order(code)
    first = await shop.open(order_id)
    await shop.create(first)
    shop.ghtk.push(f"{code}-1", Status.PICK_UP_FAILED, reason_code="110")
    await shop.poll_everything()
    assert await shop.create(await shop.open(order_id)) == "accepted"
    return first, (await shop.get(first))["waybill"]


async def test_a_parcel_that_the_carrier_comes_back_for_after_it_was_sent_again_is_cancelled_there(shop: Shop) -> None:
    first, waybill = await sent_again(shop, "DH-TWICE001")
    shop.ghtk.push("DH-TWICE001-1", Status.RECEIVED)
    report = Report(waybill, "DH-TWICE001-1", "2", shop.context.now())
    async with work(shop.context.db) as current:
        await facts.apply(current, [Fact(first, "callback", report.at, report)], now=report.at, pace=1)
    assert (await shop.get(first))["status"] == "accepted"
    assert (await following.advance(shop.context, first)).action == "cancel"
    await cancel_at_carrier(shop.context, first, "DH-TWICE001-1")
    assert living(shop.ghtk) == {"DH-TWICE001": 1}


async def test_a_parcel_picked_up_after_it_was_sent_again_is_raised(shop: Shop) -> None:
    first, waybill = await sent_again(shop, "DH-TWICE002")
    report = Report(waybill, "DH-TWICE002-1", "3", shop.context.now())
    async with work(shop.context.db) as current:
        await facts.apply(current, [Fact(first, "callback", report.at, report)], now=report.at, pace=1)
    listed = (await shop.client.get("/v1/shipments", params={"attention": True})).json()["items"]
    assert [(each["id"], each["attention"]) for each in listed] == [(str(first), ["cancel_too_late"])]
