"""Two closed orders of one person become one until one of them is posted (rule D20)."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from shared.contracts.events.orders import LEVEL_CHANGED, ORDER_CANCELLED, ORDER_MERGED
from tests.integration.orders.support import Person, Shop
from tests.integration.orders.test_editing import closed, edit, post, stock_of, stock_state, told

WHY = "khách đặt hai lần, gửi chung"


async def merge(shop: Shop, one: UUID, other: UUID, *, by: Person | None = None) -> httpx.Response:
    return await (by or shop.manager).client.post(
        f"/v1/orders/{one}/merge", json={"other_id": str(other), "reason": WHY}
    )


async def two(shop: Shop) -> tuple[UUID, UUID]:
    """An older order of two serums with a discount, and a younger one of a serum and a cream with a deposit."""
    older = await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}], discount=10_000, shipping_fee=30_000)
    shop.clock.forward(minutes=5)
    lines = [{"sku": "SERUM", "quantity": 1}, {"sku": "KEM", "quantity": 1}]
    younger = await closed(shop, lines=lines, deposit=100_000, shipping_fee=30_000, note="gọi trước")
    return older, younger


@pytest.fixture
async def stocked(shop: Shop) -> Shop:
    await shop.stocked()
    await shop.stocked(sku="KEM", price=150_000)
    return shop


async def test_the_older_has_the_lines_of_both_and_the_younger_ends_without_being_cancelled(stocked: Shop) -> None:
    shop = stocked
    older, younger = await two(shop)

    answers = [await merge(shop, younger, older), await merge(shop, older, younger)]

    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert answers[0].json() == answers[1].json(), "merged already"
    merged = answers[0].json()
    assert (merged["order_id"], merged["merged_id"], merged["version"]) == (str(older), str(younger), 2)
    assert (merged["total"], merged["cod"], merged["stock"]) == (770_000, 670_000, "reserved")
    contents = (await shop.order(older))["contents"]
    assert [(line["sku"], line["quantity"]) for line in contents["lines"]] == [("SERUM", 3), ("KEM", 1)]
    assert contents["note"] == "gọi trước"
    assert (await shop.level(older), await shop.level(younger)) == ("L5", "L5.3")
    assert (await stock_of(shop), await stock_of(shop, "KEM")) == ((10, 3), (10, 1))
    assert await stock_state(shop, older) == "reserved"
    assert [fact["version"] for fact in await told(shop, older)] == [1, 2]
    (fact,) = await shop.service.outbox(ORDER_MERGED.name)
    assert (fact["subject"], fact["payload"]["into_id"]) == (str(younger), str(older))
    assert await shop.service.outbox(ORDER_CANCELLED.name) == []
    moves = [event["payload"] for event in await shop.service.outbox(LEVEL_CHANGED.name)]
    assert [(move["to_level"], move["cause"]) for move in moves][-1] == ("L5.3", "merged")
    timeline = (await shop.admin.client.get(f"/v1/orders/{older}/timeline")).json()["items"]
    assert (timeline[0]["kind"], timeline[0]["before"]) == ("came_again", "merged")
    assert (await post(shop, older)).status_code == 200
    assert (await post(shop, younger)).json()["title"] == "not-to-post"


async def test_two_customers_are_one_person_after_it(stocked: Shop) -> None:
    shop = stocked
    older, younger = await two(shop)

    await merge(shop, older, younger)

    customers = await shop.service.rows(
        "SELECT DISTINCT customer_id FROM orders WHERE id = ANY(:ids)", ids=[older, younger]
    )
    assert len(customers) == 1


async def test_units_go_over_to_the_older_although_somebody_waits_for_them(stocked: Shop) -> None:
    shop = stocked
    older, younger = await two(shop)
    shop.clock.forward(minutes=5)
    third = await closed(shop, lines=[{"sku": "SERUM", "quantity": 8}])
    assert await stock_state(shop, third) == "waiting"

    await merge(shop, older, younger)

    assert (await stock_state(shop, older), await stock_state(shop, third)) == ("reserved", "waiting")
    assert await stock_of(shop) == (10, 3)


async def test_what_waited_for_stock_waits_with_the_older(stocked: Shop) -> None:
    shop = stocked
    older = await closed(shop, lines=[{"sku": "SERUM", "quantity": 9}])
    shop.clock.forward(minutes=5)
    younger = await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}])
    assert await stock_state(shop, younger) == "waiting"

    answer = await merge(shop, older, younger)
    assert (answer.status_code, answer.json()["stock"]) == (200, "waiting")
    assert await stock_of(shop) == (10, 0)
    await shop.receive("SERUM", 1)

    assert await stock_state(shop, older) == "reserved"
    assert await stock_of(shop) == (11, 11)


@pytest.mark.parametrize("which", ["older", "younger"])
async def test_what_was_posted_is_not_merged(stocked: Shop, which: str) -> None:
    shop = stocked
    older, younger = await two(shop)
    posted = older if which == "older" else younger
    await post(shop, posted)

    answer = await merge(shop, older, younger)

    assert (answer.status_code, answer.json()["title"]) == (409, "merge-posted")
    assert (await shop.order(posted, by=shop.admin))["code"] in answer.json()["detail"]
    assert {await shop.level(older), await shop.level(younger)} == {"L5"}
    assert await stock_of(shop) == (10, 3)
    assert len(await told(shop, older)) == 1


async def test_only_two_closed_orders_that_one_may_see_and_cancel_are_merged(stocked: Shop) -> None:
    shop = stocked
    older, younger = await two(shop)
    open_one = await shop.number()

    unclosed = await merge(shop, older, open_one)
    itself = await merge(shop, older, older)
    stranger = await merge(shop, older, younger, by=shop.colleague)

    assert (unclosed.status_code, unclosed.json()["title"], unclosed.json()["level"]) == (409, "merge-not-closed", "L1")
    assert (itself.status_code, itself.json()["title"]) == (422, "same-order")
    assert stranger.status_code in (403, 404)
    assert (await edit(shop, older, discount=0)).status_code == 200, "nothing was half done"
