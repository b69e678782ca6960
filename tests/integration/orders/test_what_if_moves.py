"""What-if runs over care that was moved between versions of its process: the move is a fact of its history."""

from __future__ import annotations

import pytest

from tests.integration.orders.support import Shop
from tests.integration.orders.test_process_moves import preview, publish, quicker, start, without_thinking
from tests.integration.orders.test_what_if import People, current, listed, run, some_days


@pytest.mark.parametrize(
    ("orders", "seed"),
    [(8, 5), *(pytest.param(40, seed, marks=pytest.mark.soak) for seed in range(20, 25))],
)
async def test_the_process_in_force_makes_what_was_recorded_before_and_after_moves(
    shop: Shop, orders: int, seed: int
) -> None:
    people = People(shop)
    made = await some_days(shop, orders=orders, seed=seed, days=0.9, people=people)
    shop.clock.forward(minutes=2)
    to = await publish(shop, without_thinking)
    assert (await start(shop, await preview(shop, to)))["counts"]["state"].keys() <= {"moved", "left"}
    await some_days(shop, orders=orders, seed=seed + 1, days=1.5, people=people, among=made)
    shop.clock.forward(minutes=2)
    move = await preview(shop, await publish(shop, quicker), steps={"ask_again": "callback"})
    assert (await start(shop, move))["counts"]["state"]["moved"] > min(orders // 4, 4)
    await some_days(shop, orders=orders, seed=seed + 2, days=2.1, people=people, among=made)
    moved = await shop.service.rows("SELECT order_id, count(*) AS times FROM care_moves GROUP BY order_id")
    assert max(row.times for row in moved) == 2
    version, _ = await current(shop)
    whole = {row.order_id for row in moved if row.times == 2}
    found = await run(shop, version=version)
    verdicts = {each["order_id"]: each for each in await listed(shop, found, "orders", limit=200)}
    assert found["failed"] == 0
    assert [(str(id), each["differences"]) for id in whole if (each := verdicts[str(id)])["verdict"] != "equal"] == []


async def test_a_draft_is_tried_from_the_move_on_and_what_was_before_stays_as_it_was(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=12)
    await shop.call(order_id, "no_answer")
    shop.clock.forward(minutes=2)
    await start(shop, await preview(shop, await publish(shop, quicker)))
    shop.clock.forward(minutes=1)
    await shop.look(order_id)
    _, body = await current(shop)
    body["steps"]["first_call"]["grace"] = "5m"  # the first call was made in the version before
    body["steps"]["no_answer_2"]["due"] = {"after": "3h"}
    found = await run(shop, body=body)
    assert (found["recorded"]["first_calls_late"], found["tried"]["first_calls_late"]) == (0, 0)
    [different] = await listed(shop, found, "orders")
    assert "no_answer_2:1: due_at" in different["differences"][0]
