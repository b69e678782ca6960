"""Transitions of all orders, as a list: filtered, in pages, seen by whom the order is seen."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from tests.integration.orders.support import Shop
from tests.integration.orders.test_level_management import move


async def test_transitions_of_all_orders_are_filtered_by_level_cause_actor_and_day(shop: Shop) -> None:
    first, second = await shop.number(), await shop.number()
    await shop.call(first, "no_answer")
    shop.clock.forward(days=1)
    await move(shop, second, "L1.2", by=shop.manager)

    async def found(**query: Any) -> set[tuple[str, str]]:
        answer = await shop.manager.client.get("/v1/transitions", params=query)
        assert answer.status_code == 200, answer.text
        return {(item["order_id"], item["to_level"]) for item in answer.json()["items"]}

    assert await found(to_level="L1.4") == {(str(first), "L1.4")}
    assert await found(from_level=["L1"]) == {(str(first), "L1.4"), (str(second), "L1.2")}
    assert await found(cause="operator") == {(str(second), "L1.2")}
    assert await found(actor="NV01") == {(str(first), "L1.4")}
    assert await found(first="2026-11-24") == {(str(second), "L1.2")}
    assert await found(first="2026-11-23", cause=["call_result", "operator"]) == {(str(first), "L1.4")}
    assert await found(first="2026-11-25", last="2026-11-30") == set()


async def test_transitions_come_in_pages_without_gap_or_repetition(shop: Shop) -> None:
    for _ in range(3):
        await shop.call(await shop.number(), "no_answer")
    seen: list[str] = []
    after: str | None = None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = (await shop.manager.client.get("/v1/transitions", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 6

    order_id = (await shop.manager.client.get("/v1/transitions")).json()["items"][0]["order_id"]
    own = (await shop.manager.client.get(f"/v1/orders/{order_id}/transitions", params={"limit": 1})).json()
    rest = (await shop.manager.client.get(f"/v1/orders/{order_id}/transitions", params={"after": own["next"]})).json()
    assert [item["sequence"] for item in (*own["items"], *rest["items"])] == [2, 1]


async def test_transitions_are_seen_by_whom_the_order_is_seen(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await shop.colleague.client.get("/v1/transitions")).json()["items"] == []
    assert (await shop.colleague.client.get(f"/v1/orders/{order_id}/transitions")).status_code == 404
    assert len((await shop.manager.client.get("/v1/transitions")).json()["items"]) == 1
    async with shop.service.db.transaction() as session:
        await session.execute(
            text("UPDATE tasks SET to_team = true, team = 'S1' WHERE order_id = :id"), {"id": order_id}
        )
    assert len((await shop.colleague.client.get("/v1/transitions")).json()["items"]) == 1


async def test_a_wrong_filter_is_explained(shop: Shop) -> None:
    wrong: list[dict[str, str]] = [
        {"last": "2026-11-23"},
        {"first": "2026-11-24", "last": "2026-11-23"},
        {"after": "1~x"},
        {"first": "hôm qua"},
    ]
    for query in wrong:
        refused = await shop.manager.client.get("/v1/transitions", params=query)
        assert (refused.status_code, refused.json()["title"]) == (422, "invalid")
