"""Closing, posting and cancelling: what they need, what they write, what they refuse."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.integration.orders.support import MORNING, Shop, closing, idempotency_key


@pytest.fixture
async def stocked(shop: Shop) -> Shop:
    await shop.stocked()
    return shop


async def test_a_closed_order_has_everything_that_shipping_needs(stocked: Shop) -> None:
    shop = stocked
    order_id = await shop.number(phone="+84912345678")
    answer = await shop.close(
        order_id,
        lines=[{"sku": "SERUM", "quantity": 2}, {"sku": "SERUM", "quantity": 1, "gift": True}],
        discount=50_000,
        shipping_fee=30_000,
        deposit=100_000,
        note="gọi trước khi giao",
    )
    assert answer.status_code == 201, answer.text
    closed = answer.json()
    assert (closed["level"], closed["total"], closed["cod"], closed["stock"]) == ("L5", 380_000, 280_000, "reserved")
    assert closed["care"]["is_open"] is False
    event = (await shop.service.outbox("orders.order.closed.v1"))[0]["payload"]
    assert event["code"] == closed["code"]
    assert (event["closer_code"], event["recipient"], event["phone"]) == ("NV01", "Đặng Thị Hoa", "+84912345678")
    assert (event["total"], event["cod"], event["deposit"], event["shipping_fee"]) == (
        380_000,
        280_000,
        100_000,
        30_000,
    )
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in event["lines"]] == [
        ("SERUM", 2, 200_000),
        ("SERUM", 1, 0),
    ]
    assert event["address"]["ward"] == "Phường Bến Thành"
    assert [command["subject"] for command in await shop.service.outbox("FulfilmentWorkflow")] == [
        f"fulfilment/{order_id}"
    ]
    moved = (await shop.service.outbox("orders.level.changed.v1"))[-1]["payload"]
    assert (moved["from_level"], moved["to_level"], moved["cause"], moved["actor"]) == ("L1", "L5", "closed", "NV01")


async def test_the_call_that_came_with_the_closing_keeps_the_first_call_promise(stocked: Shop) -> None:
    order_id = await stocked.number()
    stocked.clock.forward(minutes=5)
    await stocked.close(order_id)
    ended = [event["payload"] for event in await stocked.service.outbox("orders.promise.ended.v1")]
    assert [(promise["kind"], promise["outcome"]) for promise in ended] == [("first_call", "kept")]
    assert (await stocked.order(order_id))["tasks"] == []


async def test_the_closer_stays_when_the_order_is_reassigned(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    await stocked.assign(order_id, stocked.colleague)
    order = await stocked.order(order_id)
    assert (order["owner_code"], order["contents"]["closer_code"]) == ("NV02", "NV01")
    assert order["care"]["is_open"] is False


async def test_closing_twice_under_one_key_is_one_closing(stocked: Shop) -> None:
    order_id = await stocked.number()
    headers = idempotency_key()
    answers = [
        await stocked.sale.client.post(f"/v1/orders/{order_id}/close", json=closing(), headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(await stocked.service.outbox("orders.order.closed.v1")) == 1
    stock = (await stocked.sale.client.get("/v1/stock")).json()["items"]
    assert stock[0]["reserved"] == 1


async def test_closing_again_without_a_key_is_refused(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    again = await stocked.close(order_id)
    assert (again.status_code, again.json()["title"]) == (409, "already-closed")
    assert len(await stocked.service.outbox("orders.order.closed.v1")) == 1


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"lines": []}, "invalid"),
        ({"lines": [{"sku": "SERUM", "quantity": 0}]}, "invalid"),
        ({"lines": [{"sku": "NOTHING", "quantity": 1}]}, "unknown-products"),
        ({"lines": [{"sku": "SERUM", "quantity": 1, "unit_price": 0}]}, "free-only-as-gift"),
        ({"recipient": "   "}, "invalid"),
        ({"phone": "0912"}, "invalid-phone"),
        ({"address": {"province": "Hà Nội", "ward": "", "detail": "1"}}, "invalid"),
        ({"address": {"province": "Hà Nội", "detail": "1"}}, "invalid"),
        ({"discount": 200_001}, "discount-too-large"),
        ({"deposit": 200_001}, "deposit-too-large"),
        ({"deposit": -1}, "invalid"),
        ({"call": None}, "conversation-required"),
        ({"colour": "red"}, "invalid"),
    ],
)
async def test_an_incomplete_closing_is_refused_by_name_and_changes_nothing(
    stocked: Shop, fields: dict[str, Any], title: str
) -> None:
    order_id = await stocked.number()
    before = await stocked.service.outbox()
    answer = await stocked.close(order_id, **fields)
    assert (answer.status_code, answer.json()["title"]) == (422, title), answer.text
    assert await stocked.level(order_id) == "L1"
    assert await stocked.service.outbox() == before


async def test_a_conversation_logged_before_is_enough(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.call(order_id, "thinking")
    assert (await stocked.close(order_id, call=None)).status_code == 201


async def test_a_customer_who_rang_us_has_spoken_with_us(stocked: Shop) -> None:
    order_id = await stocked.number(source={"channel": "hotline"})
    assert (await stocked.close(order_id, call=None)).status_code == 201


async def test_the_cod_desk_sees_what_is_to_be_posted_and_posts_it_once(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    listed = (await stocked.cod.client.get("/v1/orders", params={"to_post": True})).json()["items"]
    assert [item["id"] for item in listed] == [str(order_id)]
    for _ in range(2):
        posted = await stocked.cod.client.post(f"/v1/orders/{order_id}/post")
        assert (posted.status_code, posted.json()["fulfilment"]) == (200, "posted")
    assert (await stocked.cod.client.get("/v1/orders", params={"to_post": True})).json()["items"] == []
    assert len(await stocked.service.outbox("FulfilmentWorkflow")) == 2  # closed, and posted once


async def test_a_salesperson_may_not_post(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    refused = await stocked.sale.client.post(f"/v1/orders/{order_id}/post")
    assert (refused.status_code, refused.json()["permission"]) == (403, "orders.post")


async def test_an_order_that_is_not_closed_is_not_posted(stocked: Shop) -> None:
    order_id = await stocked.number()
    refused = await stocked.cod.client.post(f"/v1/orders/{order_id}/post")
    assert (refused.status_code, refused.json()["title"]) == (409, "not-to-post")


async def cancel(shop: Shop, order_id: UUID, reason: str = "khách đổi ý") -> Any:
    return await shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": reason})


async def test_cancelled_before_a_waybill_is_l5_3_and_gives_the_stock_back(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    answer = await cancel(stocked, order_id)
    assert (answer.status_code, answer.json()["level"]) == (200, "L5.3")
    event = (await stocked.service.outbox("orders.order.cancelled.v1"))[0]["payload"]
    assert (event["reason"], event["by"], event["version"]) == ("khách đổi ý", "NV01", 1)
    stock = (await stocked.sale.client.get("/v1/stock")).json()["items"][0]
    assert (stock["on_hand"], stock["reserved"]) == (10, 0)


async def test_cancelled_after_posting_but_before_pick_up_is_l7_4(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    await stocked.shipment(order_id, "accepted", sequence=1, shipment_id=uuid7())
    assert (await cancel(stocked, order_id)).json()["level"] == "L7.4"


async def test_after_pick_up_an_order_is_not_cancelled(stocked: Shop) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    await stocked.shipment(order_id, "picked_up", sequence=2, shipment_id=uuid7(), handed_over_at=MORNING.isoformat())
    refused = await cancel(stocked, order_id)
    assert (refused.status_code, refused.json()["title"]) == (409, "handed-over")


@pytest.mark.parametrize("reason", ["", "   "])
async def test_cancelling_needs_a_reason(stocked: Shop, reason: str) -> None:
    order_id = await stocked.number()
    await stocked.close(order_id)
    assert (await cancel(stocked, order_id, reason)).status_code == 422


async def test_an_order_in_care_is_not_cancelled(stocked: Shop) -> None:
    order_id = await stocked.number()
    refused = await cancel(stocked, order_id)
    assert (refused.status_code, refused.json()["title"]) == (409, "move-not-allowed")
