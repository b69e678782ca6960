"""People go on working while something is away: calls are logged, parcels are made once."""

from __future__ import annotations

import asyncio

from deploy.local.ghtk.life import Status
from tests.faults.whole.ledger import PATIENCE, Ledger
from tests.harness import eventually
from workflows import search_attributes

PARCELS = 12


async def test_a_call_is_logged_and_answered_while_nats_and_temporal_are_away(ledger: Ledger) -> None:
    shop = ledger.shop
    await shop.stay_signed_in()
    order_id = await shop.lead()
    owner = shop.holder(await shop.in_care(order_id))
    await asyncio.gather(shop.stack.nats.stop(), shop.stack.temporal.stop())
    answer = await owner.ask("orders", "POST", f"/v1/orders/{order_id}/interactions", kind="call", result="no_answer")
    assert (answer["level"], answer["care"]["step"]) == ("L1.4", "no_answer_2")
    assert [task["step"] for task in answer["tasks"] if task["kind"] == "call"] == ["no_answer_2"]
    await asyncio.gather(shop.stack.nats.start(), shop.stack.temporal.start())

    async def heard() -> bool:
        found = (await shop.care(order_id).describe()).typed_search_attributes
        assert (found.get(search_attributes.LEVEL), found.get(search_attributes.ATTEMPTS)) == ("L1.4", 1)
        pages = shop.admin.pages("reporting", "/v1/reports/transitions", level="L1.4")
        return [item["order_id"] async for item in pages].count(order_id) == 1

    await eventually(heard, within=PATIENCE, every=0.2, what="the workflow and the reports hear of the call")
    await ledger.balance()


async def test_no_order_gets_two_parcels_when_shipping_and_workflows_are_killed_while_they_are_made(
    ledger: Ledger,
) -> None:
    shop = ledger.shop
    await shop.stay_signed_in()
    # Half of the creations are done and never answered: what was made must be found again, not made again.
    await shop.carrier("PUT", "faults", create_timeout=0.5, create_timeout_seconds=1.0)
    orders = [await shop.lead(product="GOI-CST") for _ in range(PARCELS)]
    for order_id in orders:
        await shop.close(order_id, sku="GOI-CST")
    await asyncio.gather(*(shop.post(order_id) for order_id in orders[: PARCELS // 2]))
    await shop.stack.child("shipping").kill()
    await asyncio.gather(*(shop.post(order_id) for order_id in orders[PARCELS // 2 :]))
    await eventually(shop.parcels, within=PATIENCE, what="the carrier has a parcel")
    await shop.stack.child("workflows").kill()
    await shop.stack.child("shipping").kill()
    await shop.stack.child("shipping").start()

    async def each_has_one() -> bool:
        known = {order_id: await shop.shipments(order_id) for order_id in orders}
        assert all(len(shipments) == 1 and shipments[0]["waybill"] for shipments in known.values())
        parcels = await shop.parcels()
        alive = sorted(parcel["waybill"] for parcel in parcels if parcel["status"] != Status.CANCELLED)
        return alive == sorted(shipment["waybill"] for (shipment,) in known.values())

    await eventually(each_has_one, within=PATIENCE, every=0.5)
    for order_id in orders:
        await shop.at_level(order_id, "L7")
    await ledger.balance()
