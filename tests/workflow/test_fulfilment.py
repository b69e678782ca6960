"""From closing to the carrier: workflows on the time-skipping server, stock and levels in real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from temporalio import activity
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle
from temporalio.worker import Worker
from uuid_utils.compat import uuid7

from shared.contracts.activities import OPEN_SHIPMENT, OpenedShipment, OrderRef
from shared.temporal import implements
from tests.harness import eventually, result
from tests.workflow.recording import keep
from tests.workflow.world import World


@dataclass
class Shipping:
    """Stands for the shipping service, which these tests do without: makes one shipment an order, if it is there."""

    away: bool = False
    tries: int = 0
    opened: dict[UUID, UUID] = field(default_factory=dict)

    @implements(OPEN_SHIPMENT)
    async def open(self, ref: OrderRef) -> OpenedShipment:
        self.tries += 1
        if self.away:
            raise ConnectionError("shipping does not know the order yet")
        shipment_id = self.opened.setdefault(ref.order_id, uuid7())
        return OpenedShipment(shipment_id=shipment_id, reference=activity.info().workflow_id)


@pytest.fixture
async def shipping(world: World) -> AsyncIterator[Shipping]:
    stands_in = Shipping()
    async with Worker(world.env.client, task_queue=OPEN_SHIPMENT.queue, activities=[stands_in.open]):
        yield stands_in


async def closed(world: World, *, units: int = 5) -> UUID:
    """An order at L5 of which one unit is wanted."""
    await world.monday_morning()
    await world.shop.stocked(units=units)
    order_id = await world.number()
    answer = await world.shop.close(order_id)
    assert answer.status_code == 201, answer.text
    await world.settle()
    return order_id


async def post(world: World, order_id: UUID) -> None:
    answer = await world.shop.cod.client.post(f"/v1/orders/{order_id}/post")
    assert answer.status_code == 200, answer.text


async def stock(world: World) -> tuple[int, int]:
    level = (await world.shop.sale.client.get("/v1/stock")).json()["items"][0]
    return level["on_hand"], level["reserved"]


def workflow(world: World, order_id: UUID, *, round: int = 1) -> WorkflowHandle[Any, Any]:
    return world.env.client.get_workflow_handle(f"fulfilment/{order_id}" + (f"/{round}" if round > 1 else ""))


async def test_a_posted_order_gets_one_shipment_and_ends_when_the_carrier_has_it(
    world: World, shipping: Shipping
) -> None:
    order_id = await closed(world)
    await world.wait(hours=3)
    assert shipping.opened == {}
    await post(world, order_id)

    async def asked() -> bool:
        return order_id in shipping.opened

    await eventually(asked)
    await world.shop.shipment(order_id, "accepted", sequence=1, shipment_id=shipping.opened[order_id])
    assert await result(workflow(world, order_id)) == "done"
    await keep(workflow(world, order_id), "fulfilment-posted")
    assert await world.shop.level(order_id) == "L7"
    assert shipping.tries == 1
    assert await stock(world) == (5, 1)


async def test_cancelling_before_posting_gives_the_stock_back_and_ends_the_workflow(
    world: World, shipping: Shipping
) -> None:
    order_id = await closed(world)
    assert await stock(world) == (5, 1)
    answer = await world.shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "khách đổi ý"})
    assert answer.status_code == 200, answer.text
    assert await result(workflow(world, order_id)) == "cancelled"
    assert await stock(world) == (5, 0)
    assert shipping.tries == 0


async def test_cancelling_while_shipping_is_away_stops_the_trying(world: World, shipping: Shipping) -> None:
    order_id = await closed(world)
    shipping.away = True
    await post(world, order_id)

    async def tried() -> bool:
        return shipping.tries > 0

    await eventually(tried)
    answer = await world.shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "khách đổi ý"})
    assert answer.status_code == 200, answer.text
    assert await result(workflow(world, order_id)) == "cancelled"
    await keep(workflow(world, order_id), "fulfilment-cancelled-while-shipping-is-away")
    assert shipping.opened == {}
    assert await stock(world) == (5, 0)


async def test_shipping_that_was_away_is_asked_again_until_it_knows_the_order(world: World, shipping: Shipping) -> None:
    order_id = await closed(world)
    shipping.away = True
    await post(world, order_id)

    async def tried() -> bool:
        return shipping.tries > 1

    await eventually(tried)
    shipping.away = False

    async def asked() -> bool:
        return order_id in shipping.opened

    await eventually(asked)


async def test_an_order_that_waits_for_stock_can_be_posted_once_goods_have_come(
    world: World, shipping: Shipping
) -> None:
    order_id = await closed(world, units=0)
    refused = await world.shop.cod.client.post(f"/v1/orders/{order_id}/post")
    assert (refused.status_code, refused.json()["title"]) == (409, "waiting-for-stock")
    assert (await world.shop.receive("SERUM", 3))["served_orders"] == 1
    await post(world, order_id)

    async def asked() -> bool:
        return order_id in shipping.opened

    await eventually(asked)


async def test_a_parcel_that_was_never_picked_up_is_posted_again_by_another_workflow(
    world: World, shipping: Shipping
) -> None:
    order_id = await closed(world)
    await post(world, order_id)
    first = uuid7()
    await world.shop.shipment(order_id, "accepted", sequence=1, shipment_id=first)
    assert await result(workflow(world, order_id)) == "done"
    await world.shop.shipment(order_id, "pickup_failed", sequence=2, shipment_id=first)
    order = await world.shop.order(order_id, by=world.shop.cod)
    assert order["level"]["code"] == "L5"
    assert "repost" in order["marks"]
    to_post = (await world.shop.cod.client.get("/v1/orders", params={"to_post": True})).json()["items"]
    assert [item["id"] for item in to_post] == [str(order_id)]
    await post(world, order_id)
    await world.shop.shipment(order_id, "accepted", sequence=1, shipment_id=uuid7())
    assert await result(workflow(world, order_id, round=2)) == "done"
    assert await world.shop.level(order_id) == "L7"
    assert await stock(world) == (5, 1)


async def test_the_operator_reads_what_fulfilment_waits_for(world: World, shipping: Shipping) -> None:
    order_id = await closed(world, units=0)

    async def shown() -> bool:
        metadata = await workflow(world, order_id).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return "chờ hàng về kho" in metadata.current_details

    await eventually(shown)
