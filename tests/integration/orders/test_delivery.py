"""What the carrier did moves the order, in the order of its own sequence and never backwards but by a correction."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.events.shipping import COD_SETTLED, CodSettled
from tests.integration.orders.support import MORNING, Shop

HANDED = {"handed_over_at": MORNING.isoformat()}


@pytest.fixture
async def sent(shop: Shop) -> tuple[Shop, UUID, UUID]:
    """An order that the carrier has accepted."""
    await shop.stocked()
    order_id = await shop.number()
    assert (await shop.close(order_id)).status_code == 201
    shipment_id: UUID = uuid7()
    await shop.shipment(order_id, "accepted", sequence=1, shipment_id=shipment_id)
    return shop, order_id, shipment_id


async def test_a_parcel_goes_its_way_to_l8(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    levels = []
    for sequence, status in enumerate(
        ["picked_up", "out_for_delivery", "delivery_failed", "out_for_delivery", "delivered"], start=2
    ):
        shop.clock.forward(hours=5)
        await shop.shipment(order_id, status, sequence=sequence, shipment_id=shipment_id, **HANDED)
        levels.append(await shop.level(order_id))
    assert levels == ["L7", "L7.1", "L7.2", "L7.1", "L8"]
    moved = (await shop.service.outbox("orders.level.changed.v1"))[-1]["payload"]
    assert (moved["cause"], moved["to_level"]) == ("carrier", "L8")
    stock = (await shop.sale.client.get("/v1/stock")).json()["items"][0]
    assert (stock["on_hand"], stock["reserved"]) == (9, 0)


async def test_a_return_is_l7_5_and_then_l7_3(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.shipment(order_id, "returning", sequence=2, shipment_id=shipment_id, **HANDED)
    assert await shop.level(order_id) == "L7.5"
    await shop.shipment(order_id, "returned", sequence=3, shipment_id=shipment_id, **HANDED)
    assert await shop.level(order_id) == "L7.3"


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
async def test_facts_in_any_order_end_at_the_last_one(sent: tuple[Shop, UUID, UUID], order: tuple[int, ...]) -> None:
    shop, order_id, shipment_id = sent
    facts = [("picked_up", 2), ("out_for_delivery", 3), ("delivered", 4)]
    for index in order:
        status, sequence = facts[index]
        await shop.shipment(
            order_id,
            status,
            sequence=sequence,
            shipment_id=shipment_id,
            at=MORNING + timedelta(hours=sequence),
            **HANDED,
        )
    assert await shop.level(order_id) == "L8"
    timeline = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    shipments = [entry["what"] for entry in timeline if entry["kind"] == "shipment"]
    assert shipments == ["delivered", "out_for_delivery", "picked_up", "accepted"]


async def test_a_fact_told_twice_is_one_transition(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    for _ in range(2):
        await shop.shipment(order_id, "delivered", sequence=2, shipment_id=shipment_id, **HANDED)
    moved = [event["payload"]["to_level"] for event in await shop.service.outbox("orders.level.changed.v1")]
    assert moved.count("L8") == 1


async def test_a_delivered_order_goes_back_by_a_correction_only(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.shipment(order_id, "delivered", sequence=2, shipment_id=shipment_id, **HANDED)
    await shop.shipment(order_id, "out_for_delivery", sequence=3, shipment_id=shipment_id, **HANDED)
    assert await shop.level(order_id) == "L8"
    await shop.shipment(order_id, "returning", sequence=4, shipment_id=shipment_id, correction=True, **HANDED)
    assert await shop.level(order_id) == "L7.5"


async def test_a_cancelled_parcel_that_is_on_the_road_all_the_same_corrects_us(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "khách đổi ý"})
    await shop.shipment(order_id, "picked_up", sequence=2, shipment_id=shipment_id, **HANDED)
    order = await shop.order(order_id)
    assert order["level"]["code"] == "L7"
    assert "count_stock" in order["marks"]


async def test_a_carrier_that_cancels_ends_at_l7_4_and_gives_the_stock_back(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.shipment(order_id, "cancelled", sequence=2, shipment_id=shipment_id)
    assert await shop.level(order_id) == "L7.4"
    stock = (await shop.sale.client.get("/v1/stock")).json()["items"][0]
    assert (stock["on_hand"], stock["reserved"]) == (10, 0)


async def test_the_news_that_a_cancelled_order_was_cancelled_changes_nothing(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "khách đổi ý"})
    before = await shop.service.outbox()
    await shop.shipment(order_id, "cancelled", sequence=2, shipment_id=shipment_id)
    assert await shop.service.outbox() == before
    assert await shop.level(order_id) == "L7.4"


async def test_a_partly_delivered_parcel_is_l8_with_a_mark(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.shipment(order_id, "delivered", sequence=2, shipment_id=shipment_id, partial=True, **HANDED)
    order = await shop.order(order_id)
    assert order["level"]["code"] == "L8"
    assert "partial" in order["marks"]


async def test_money_that_came_home_stands_on_the_order_once(sent: tuple[Shop, UUID, UUID]) -> None:
    shop, order_id, shipment_id = sent
    await shop.shipment(order_id, "delivered", sequence=2, shipment_id=shipment_id, **HANDED)
    settled = CodSettled(
        shipment_id=shipment_id,
        order_id=order_id,
        at=MORNING + timedelta(days=3),
        amount=200_000,
        fee=22_000,
        carrier="ghtk",
        evidence="status",
    )
    for _ in range(2):
        await shop.service.receive(COD_SETTLED, settled, subject=shipment_id)
    shipment = (await shop.order(order_id))["shipment"]
    assert (shipment["settled_amount"], shipment["settled_fee"]) == (200_000, 22_000)
    timeline = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert (timeline[0]["kind"], timeline[0]["amount"]) == ("money", 200_000)


async def test_a_parcel_that_the_carrier_refuses_stays_at_l5_and_is_seen(shop: Shop) -> None:
    await shop.stocked()
    order_id = await shop.number()
    await shop.close(order_id)
    await shop.cod.client.post(f"/v1/orders/{order_id}/post")
    await shop.shipment(order_id, "refused", sequence=1, shipment_id=uuid7(), waybill="", reason_code="address")
    order = await shop.order(order_id, by=shop.cod)
    assert (order["level"]["code"], order["contents"]["fulfilment"]) == ("L5", "shipped")
    assert order["shipment"]["status"] == "refused"


async def test_a_parcel_that_the_carrier_never_had_goes_back_to_the_cod_desk(shop: Shop) -> None:
    await shop.stocked()
    order_id = await shop.number()
    await shop.close(order_id)
    await shop.cod.client.post(f"/v1/orders/{order_id}/post")
    await shop.shipment(order_id, "cancelled", sequence=1, shipment_id=uuid7(), waybill="")
    listed = (await shop.cod.client.get("/v1/orders", params={"to_post": True})).json()["items"]
    assert [(item["id"], item["level"]) for item in listed] == [(str(order_id), "L5")]
