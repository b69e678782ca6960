"""What falls due is looked at many orders at a time, without waiting for the workflows that wait for the same moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.orders.care.processes import Processes
from services.orders.care.sweep import BATCH, Sweep
from services.orders.record import lock
from tests.integration.orders.support import Shop


def sweep_of(shop: Shop) -> Sweep:
    return Sweep(shop.service.db, Processes(), now=shop.clock)


async def first_calls(shop: Shop) -> dict[UUID, tuple[Any, ...]]:
    """How the promise of each first call ended, if it did, and how often its owner and their superior were told."""
    rows = await shop.service.rows(
        "SELECT order_id, outcome, ended_at, (SELECT count(*) FROM notices n WHERE n.order_id = p.order_id) AS told "
        "FROM promises p WHERE kind = 'first_call'"
    )
    return {row.order_id: (row.outcome, row.ended_at, row.told) for row in rows}


async def test_thousands_that_nobody_calls_are_reminded_of_and_broken_at_their_own_time_in_one_look(shop: Shop) -> None:
    began = shop.clock.now
    numbers = [await shop.number() for _ in range(BATCH + 5)]
    sweep = sweep_of(shop)
    assert await sweep.step() == 0, "nothing is due yet"
    shop.clock.forward(minutes=20)
    assert await sweep.step() == len(numbers)
    deadline = began + timedelta(minutes=15)
    expected = dict.fromkeys(numbers, ("broken", deadline, 2))
    assert await first_calls(shop) == expected
    assert await sweep.step() == 0
    assert await first_calls(shop) == expected
    told = await shop.service.outbox("orders.promise.ended.v1")
    assert sorted(event["subject"] for event in told) == sorted(map(str, numbers)), "each end is told once"


async def test_workflows_are_left_to_wake_by_themselves(shop: Shop) -> None:
    order_id = await shop.number()
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE care SET seen_version = version")
    before = await shop.service.outbox("nudge")
    commands = "SELECT count(*) AS commands FROM outbox WHERE destination = 'command'"
    (sent,) = await shop.service.rows(commands)
    shop.clock.forward(minutes=12)
    assert await sweep_of(shop).step() == 1
    assert await shop.service.outbox("nudge") == before
    assert await shop.service.rows(commands) == [sent]
    (care,) = await shop.service.rows(
        "SELECT next_due, seen_version = version AS seen FROM care WHERE order_id = :id", id=order_id
    )
    assert care.seen, "reconcile has nothing to tell it"
    assert care.next_due > shop.clock.now


async def test_a_care_that_cannot_be_decided_delays_no_other(shop: Shop) -> None:
    numbers = [await shop.number() for _ in range(4)]
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE care SET state = '{\"step\": 1}' WHERE order_id = $1", numbers[1])
    shop.clock.forward(minutes=16)
    assert await sweep_of(shop).step() == 3
    ends = {order_id: outcome for order_id, (outcome, _, _) in (await first_calls(shop)).items()}
    assert ends == {order_id: None if order_id == numbers[1] else "broken" for order_id in numbers}


async def test_an_order_that_somebody_works_on_holds_nobody_up_and_is_looked_at_again(shop: Shop) -> None:
    numbers = [await shop.number() for _ in range(2)]
    shop.clock.forward(minutes=10)
    sweep = sweep_of(shop)
    async with shop.service.db.transaction() as session:
        await lock(session, numbers[0])
        assert await sweep.step() == 1
    shop.clock.forward(seconds=1)
    assert await sweep.step() == 1
    assert [told for _, _, told in (await first_calls(shop)).values()] == [1, 1]


async def test_several_that_sweep_at_once_do_everything_once(shop: Shop) -> None:
    numbers = [await shop.number() for _ in range(12)]
    shop.clock.forward(minutes=20)
    await asyncio.gather(*(sweep_of(shop).step() for _ in range(3)), *(shop.look(order_id) for order_id in numbers))
    await sweep_of(shop).step()
    assert {(outcome, told) for outcome, _, told in (await first_calls(shop)).values()} == {("broken", 2)}
    assert len(await shop.service.outbox("orders.promise.ended.v1")) == len(numbers)
