"""Duplicates of a lead: on the timeline and in care (rule D8), released, and found later."""

from __future__ import annotations

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.consumer import NotYet
from shared.contracts.events.leads import (
    LEAD_ASSIGNED,
    LeadAssigned,
)
from tests.integration.orders.lead_changes_support import (
    call_due,
    correct,
    customer_of,
    duplicated,
    found,
    mark,
    release,
)
from tests.integration.orders.support import Shop
from tests.integration.orders.test_intake import transitions


async def test_a_duplicate_stands_on_the_timeline_with_its_product_page_and_message(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(hours=1)
    await duplicated(shop, order_id, uuid7())

    entry = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"][0]

    assert (entry["kind"], entry["what"], entry["reason"], entry["note"]) == (
        "came_again",
        "TRA",
        "Trang 1",
        "đặt thêm",
    )


@pytest.mark.parametrize("result", ["no_answer", "call_later"])
async def test_a_duplicate_brings_the_next_task_of_an_unreached_or_postponed_anchor_to_now(
    shop: Shop, result: str
) -> None:
    order_id = await shop.number()
    await shop.call(order_id, result)
    before = await call_due(shop, order_id)
    shop.clock.forward(minutes=20)
    await duplicated(shop, order_id, uuid7())
    await shop.look(order_id)

    assert await call_due(shop, order_id) == shop.clock.now < before


async def test_a_competitor_that_comes_again_reopens_nothing(shop: Shop) -> None:
    order_id = await shop.number()
    await mark(shop, order_id, "competitor", revision=2)
    await shop.look(order_id)
    await duplicated(shop, order_id, uuid7(), anchor_asked_again=False, flag="competitor")

    assert await shop.level(order_id) == "L1.1"
    entry = (await shop.admin.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert "competitor" in [one["reason"] for one in entry if one["kind"] == "came_again"]


async def test_a_released_duplicate_is_an_order_that_came_from_c3_1_with_who_and_why(shop: Shop) -> None:
    anchor = await shop.number(phone="+84912345678")
    lead_id = uuid7()
    await duplicated(shop, anchor, lead_id)
    await release(shop, lead_id, anchor)

    assert await transitions(shop, lead_id) == [("C3.1", "L1")]
    (row,) = await shop.service.rows(
        "SELECT cause, actor_code, reason FROM transitions WHERE order_id = :id", id=lead_id
    )
    assert (row.cause, row.actor_code, row.reason) == ("released", "QL01", "hai người chung số")
    assert (await customer_of(shop, lead_id))["id"] == (await customer_of(shop, anchor))["id"]
    arrivals = (await shop.sale.client.get(f"/v1/orders/{anchor}/timeline")).json()["items"]
    assert [one["reason"] for one in arrivals if one["kind"] == "came_again"] == ["released"]


async def test_an_owner_told_before_the_release_holds_the_order(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    assigned = LeadAssigned(
        lead_id=lead_id,
        assignment=1,
        owner_id=shop.sale.id,
        owner_code="NV01",
        assigned_at=shop.clock.now,
        cause="sticky",
    )
    await shop.service.receive(LEAD_ASSIGNED, assigned, subject=lead_id)
    await release(shop, lead_id, anchor)

    assert (await shop.order(lead_id))["owner_code"] == "NV01"
    assert (await shop.service.outbox("CareWorkflow"))[-1]["subject"] == f"care/{lead_id}"


async def test_a_duplicate_that_is_heard_of_after_its_release_does_not_call_the_anchors_customer(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    await release(shop, lead_id, anchor)
    before = len(await shop.service.outbox("CareWorkflow"))
    await duplicated(shop, anchor, lead_id)

    assert len(await shop.service.outbox("CareWorkflow")) == before


async def test_a_release_told_twice_is_one_order(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    for _ in range(2):
        await release(shop, lead_id, anchor)

    assert await transitions(shop, lead_id) == [("C3.1", "L1")]


async def test_a_lead_found_to_be_a_duplicate_rests_without_owner_and_task_and_shows_at_the_anchor(shop: Shop) -> None:
    anchor = await shop.number()
    order_id = await shop.number()
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor)
    await shop.look(order_id)

    order = await shop.order(order_id, by=shop.admin)
    assert (order["level"]["code"], order["owner_id"], order["tasks"], order["care"]["is_open"]) == (
        "C3.1",
        None,
        [],
        False,
    )
    assert (await transitions(shop, order_id))[-1] == ("L1", "C3.1")
    entries = (await shop.sale.client.get(f"/v1/orders/{anchor}/timeline")).json()["items"]
    assert [(one["key"], one["before"]) for one in entries if one["kind"] == "came_again"] == [
        (str(order_id), "corrected")
    ]


async def test_released_again_it_goes_on_where_it_began(shop: Shop) -> None:
    anchor, order_id = await shop.number(), await shop.number()
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor)
    await shop.look(order_id)
    shop.clock.forward(minutes=5)
    await release(shop, order_id, anchor, had_order=True)
    await shop.assign(order_id, shop.colleague)
    await shop.look(order_id)

    order = await shop.order(order_id, by=shop.colleague)
    assert (order["level"]["code"], order["owner_code"], len(order["tasks"])) == ("L1", "NV02", 1)


async def test_a_release_that_overtakes_the_finding_wins(shop: Shop) -> None:
    anchor, order_id = await shop.number(), await shop.number()
    earlier = shop.clock.forward(minutes=5)
    shop.clock.forward(minutes=5)
    await release(shop, order_id, anchor, had_order=True)
    await found(shop, order_id, anchor, at=earlier)

    assert await shop.level(order_id) == "L1"


async def test_an_order_closed_meanwhile_stays_closed(shop: Shop) -> None:
    await shop.stocked()
    anchor, order_id = await shop.number(), await shop.number()
    assert (await shop.close(order_id)).status_code == 201
    await found(shop, order_id, anchor)

    assert await shop.level(order_id) == "L5"


async def test_nothing_is_found_before_both_orders_are_there(shop: Shop) -> None:
    order_id = await shop.number()
    with pytest.raises(NotYet):
        await found(shop, order_id, uuid7())
    with pytest.raises(NotYet):
        await release(shop, uuid7(), order_id, had_order=True)
    with pytest.raises(NotYet):
        await correct(shop, uuid7())
    with pytest.raises(NotYet):
        await mark(shop, uuid7(), "fake", revision=2)


async def test_merged_leads_are_one_customer_with_both_numbers_and_the_refusal_of_either(shop: Shop) -> None:
    anchor = await shop.number(phone="+84912345678", name="")
    order_id = await shop.number(phone="+84987654321", name="Lan")
    other = await shop.accept(phone="+84987654321")
    await shop.call(other, "no_answer")
    async with shop.service.db.transaction() as session:
        from services.orders import customers

        lan = UUID((await customer_of(shop, order_id))["id"])
        await customers.refuse_calls(session, lan, at=shop.clock.now, reason="đừng gọi")
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor, cause="merged")

    customer = await customer_of(shop, anchor)
    assert (customer["name"], customer["orders"]) == ("Lan", 3)
    assert sorted(customer["phones"]) == ["0912345678", "0987654321"]
    assert customer["do_not_call_at"] is not None
    assert (await customer_of(shop, other))["id"] == customer["id"]
    (gone,) = await shop.service.rows("SELECT merged_into FROM customers WHERE id = :id", id=lan)
    assert str(gone.merged_into) == customer["id"]
