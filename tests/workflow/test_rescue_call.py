"""The call about a failed delivery as its workflow waits for the COD desk's turn, on real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle

from tests.harness import eventually, result
from tests.integration.orders.test_delivery import HANDED
from tests.integration.orders.test_rescue_desk import Call
from tests.workflow.recording import keep
from tests.workflow.world import World
from workflows import search_attributes


async def failed(world: World) -> Call:
    """A delivery failed just now; its call waits."""
    order_id = await world.number()
    assert (await world.shop.close(order_id)).status_code == 201
    call = Call(world.shop, order_id)
    for sequence, status in enumerate(("accepted", "out_for_delivery", "delivery_failed"), start=1):
        await world.shop.shipment(order_id, status, sequence=sequence, shipment_id=call.shipment_id, **HANDED)
    await call.hear(call.fact("failed", "open"))
    await world.settle()
    return call


async def handle_of(world: World, call: Call) -> WorkflowHandle[Any, Any]:
    return world.env.client.get_workflow_handle(f"rescue/{await call.task_id()}")


async def details(handle: WorkflowHandle[Any, Any], *, saying: str) -> None:
    async def shown() -> bool:
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return saying in metadata.current_details

    await eventually(shown, what=f"the details say “{saying}”")


async def test_the_desk_gets_the_call_once_whatever_died_while_it_waited(world: World) -> None:
    await world.monday_morning()
    await world.shop.stocked()
    call = await failed(world)
    waits = await handle_of(world, call)
    await details(waits, saying="NV01 gọi khách; 11:00")
    assert (await waits.describe()).typed_search_attributes.get(search_attributes.CARRIER) == "ghn"
    await world.shop.service.stop("relay", "activities")
    world.shop.service.start("relay", "activities")
    await world.shop.assign(call.order_id, world.shop.sale)  # a nudge that changes nothing
    await world.settle()
    await world.wait(minutes=119)
    assert await call.handed_over() == []
    await world.wait(minutes=2)
    assert await result(waits) == "handed_over"
    await keep(waits, "rescue-call-handed-over")
    await details(waits, saying="Đã chuyển bộ phận COD lúc 11:0")
    assert len(await call.at_desk()) == 1
    await call.hear(call.decided(by=world.shop.cod))
    await world.settle()
    assert [fact["why"] for fact in await call.handed_over()] == ["call_hours"]


async def test_a_call_that_waits_follows_the_setting_and_ends_with_the_decision(world: World) -> None:
    await world.monday_morning()
    await world.shop.stocked()
    first, second = await failed(world), await failed(world)
    waits = await handle_of(world, first)
    body, version = {"first_caller": "closer", "call_hours": 1}, {"If-Match": '"0"'}
    changed = await world.shop.admin.client.put("/v1/settings/rescue", json=body, headers=version)
    assert changed.status_code == 200, changed.text
    await details(waits, saying="10:00")
    await world.wait(minutes=30)
    await first.hear(first.decided(by=world.shop.sale))
    assert await result(waits) == "over"
    await keep(waits, "rescue-call-decided")
    await world.go_to(world.shop.clock.now + timedelta(minutes=32))
    assert await result(await handle_of(world, second)) == "handed_over"
    assert (await first.handed_over(), len(await second.handed_over())) == ([], 1)
