"""A unit is never sold twice, whoever closes at the same time; who closed first is served first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.harness import Databases
from tests.integration.orders.support import Shop, idempotency_key, opened


@pytest.fixture
async def strict(databases: Databases) -> AsyncIterator[Shop]:
    """A shop that does not close orders which it cannot serve."""
    async with opened(databases, allow_waiting_stock=False) as shop:
        yield shop


async def level(shop: Shop, sku: str = "SERUM") -> tuple[int, int, int]:
    row = (await shop.sale.client.get("/v1/stock", params={"sku": sku})).json()["items"][0]
    return row["on_hand"], row["reserved"], row["waited_for"]


async def closed(shop: Shop, **fields: object) -> UUID:
    order_id = await shop.number()
    shop.clock.forward(seconds=1)  # so that closing times differ
    answer = await shop.close(order_id, **fields)
    assert answer.status_code == 201, answer.text
    return order_id


async def stock_of(shop: Shop, order_id: UUID) -> str:
    return str((await shop.order(order_id))["contents"]["stock"])


async def test_fifty_closings_of_one_unit_at_once_reserve_it_once(shop: Shop) -> None:
    await shop.stocked(units=1)
    orders = [await shop.number() for _ in range(50)]
    answers = await asyncio.gather(*(shop.close(order_id) for order_id in orders))
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["stock"] for answer in answers) == ["reserved"] + ["waiting"] * 49
    assert await level(shop) == (1, 1, 49)


async def test_fifty_closings_of_one_unit_at_once_close_one_order_where_waiting_is_not_allowed(strict: Shop) -> None:
    await strict.stocked(units=1)
    orders = [await strict.number() for _ in range(50)]
    answers = await asyncio.gather(*(strict.close(order_id) for order_id in orders))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert {answer.json()["title"] for answer in answers if answer.status_code == 409} == {"out-of-stock"}
    assert await level(strict) == (1, 1, 0)
    assert len(await strict.service.outbox("orders.order.closed.v1")) == 1


async def test_the_database_itself_refuses_to_reserve_more_than_there_is(shop: Shop) -> None:
    await shop.stocked(units=1)
    with pytest.raises(IntegrityError, match="sold_once"):
        async with shop.service.db.transaction() as session:
            await session.execute(text("UPDATE stock_levels SET reserved = 2"))


async def test_goods_that_come_in_serve_those_who_closed_first(shop: Shop) -> None:
    await shop.stocked(units=0)
    first, second, third = [await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}]) for _ in range(3)]
    assert (await shop.receive("SERUM", 5))["served_orders"] == 2
    assert [await stock_of(shop, order) for order in (first, second, third)] == ["reserved", "reserved", "waiting"]
    nudged = [command["subject"] for command in await shop.service.outbox("FulfilmentWorkflow")]
    assert nudged[-2:] == [f"fulfilment/{first}", f"fulfilment/{second}"]


async def test_a_later_order_does_not_take_the_unit_that_an_earlier_one_waits_for(shop: Shop) -> None:
    await shop.stocked(units=1)
    large = await closed(shop, lines=[{"sku": "SERUM", "quantity": 3}])
    small = await closed(shop)
    assert [await stock_of(shop, order) for order in (large, small)] == ["waiting", "waiting"]
    await shop.receive("SERUM", 2)
    assert [await stock_of(shop, order) for order in (large, small)] == ["reserved", "waiting"]


async def test_an_order_of_two_products_gets_both_or_none(shop: Shop) -> None:
    await shop.stocked(sku="SERUM", units=1)
    await shop.stocked(sku="CREAM", units=0)
    both = await closed(shop, lines=[{"sku": "SERUM", "quantity": 1}, {"sku": "CREAM", "quantity": 1}])
    assert await stock_of(shop, both) == "waiting"
    assert await level(shop, "SERUM") == (1, 0, 1)
    await shop.receive("CREAM", 1)
    assert await stock_of(shop, both) == "reserved"
    assert (await level(shop, "SERUM"), await level(shop, "CREAM")) == ((1, 1, 0), (1, 1, 0))


async def test_a_cancelled_order_leaves_its_unit_to_the_next_in_the_queue(shop: Shop) -> None:
    await shop.stocked(units=1)
    first, second = await closed(shop), await closed(shop)
    await shop.sale.client.post(f"/v1/orders/{first}/cancel", json={"reason": "khách đổi ý"})
    assert [await stock_of(shop, order) for order in (first, second)] == ["released", "reserved"]
    assert await level(shop) == (1, 1, 0)


async def test_cancellings_and_closings_at_once_keep_the_ledger_and_the_levels_equal(shop: Shop) -> None:
    await shop.stocked(units=5)
    orders = [await closed(shop) for _ in range(10)]
    fresh = [await shop.number() for _ in range(10)]
    await asyncio.gather(
        *(shop.sale.client.post(f"/v1/orders/{order}/cancel", json={"reason": "x"}) for order in orders),
        *(shop.close(order) for order in fresh),
        *(shop.receive("SERUM", 1) for _ in range(3)),
    )
    rows = await shop.service.rows("SELECT sum(on_hand) AS on_hand, sum(reserved) AS reserved FROM stock_movements")
    on_hand, reserved, _ = await level(shop)
    assert (rows[0].on_hand, rows[0].reserved) == (on_hand, reserved)
    states = await shop.service.rows("SELECT state, count(*) AS orders FROM reservations GROUP BY state")
    assert {row.state: row.orders for row in states} == {"released": 10, "reserved": 8, "waiting": 2}
    assert (on_hand, reserved) == (8, 8)


async def test_a_receipt_repeated_under_its_key_comes_in_once(shop: Shop) -> None:
    await shop.stocked(units=0)
    headers = idempotency_key()
    body = {"lines": [{"sku": "SERUM", "quantity": 7}]}
    for _ in range(2):
        await shop.admin.client.post("/v1/stock/receipts", json=body, headers=headers)
    assert await level(shop) == (7, 0, 0)


async def test_goods_that_are_not_in_the_catalogue_are_refused(shop: Shop) -> None:
    answer = await shop.admin.client.post("/v1/stock/receipts", json={"lines": [{"sku": "X", "quantity": 1}]})
    assert (answer.status_code, answer.json()["skus"]) == (422, ["X"])


async def test_a_product_entered_twice_is_one_and_another_under_its_sku_is_refused(shop: Shop) -> None:
    await shop.stocked(units=0)
    same = {"sku": "SERUM", "name": "Sản phẩm SERUM", "price": 200_000, "weight_grams": 120}
    assert (await shop.admin.client.post("/v1/products", json=same)).status_code == 201
    other = await shop.admin.client.post("/v1/products", json={**same, "price": 1})
    assert (other.status_code, other.json()["title"]) == (409, "product-exists")
    listed = (await shop.sale.client.get("/v1/products")).json()["items"]
    assert [product["price"] for product in listed] == [200_000]


async def test_only_administrators_change_products_and_stock(shop: Shop) -> None:
    refused = await shop.sale.client.post("/v1/stock/receipts", json={"lines": [{"sku": "X", "quantity": 1}]})
    assert refused.status_code == 403
