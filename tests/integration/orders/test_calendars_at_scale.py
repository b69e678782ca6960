"""A calendar is changed under thousands of open timers, while the process that plans them again is killed."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from datetime import UTC, datetime
from random import Random

import pytest

from services.orders.calendars.replan import Replans
from services.orders.care.processes import Processes
from shared.contracts.activities import Advance
from tests.integration.orders.copies import copy_orders
from tests.integration.orders.support import Shop
from tests.integration.orders.test_calendars import EVENING, close_day, due


async def peak_of(turn: asyncio.Task[Advance]) -> int:
    """The most bytes that a turn needs at a time."""
    tracemalloc.start()
    try:
        await turn
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    ("orders", "kills"),
    [
        pytest.param(120, 2, id="some"),
        pytest.param(50_000, 30, id="fifty thousand", marks=pytest.mark.soak),
    ],
)
async def test_every_open_timer_is_planned_again_once_however_often_the_process_dies(
    shop: Shop, orders: int, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.clock.now = EVENING
    first = await shop.number()
    await copy_orders(shop, orders - 1)
    assert await due(shop, first) == "Thu 08:05"
    changed = await close_day(shop, "2026-11-26")
    if orders < 1000:
        monkeypatch.setattr("services.orders.calendars.replan.BATCH", 10)
        monkeypatch.setattr("services.orders.calendars.replan.TURN", 50)
    random, begun, peaks = Random(1), time.monotonic(), list[int]()
    done = False
    while not done:
        work = Replans(shop.service.db, Processes(), now=shop.clock)  # what a fresh process knows: nothing
        turn = asyncio.create_task(work.turn(changed["revision"]))
        if kills:
            kills -= 1
            await asyncio.wait([turn], timeout=random.random())
            turn.cancel()
            await asyncio.wait([turn])
        elif len(peaks) % 10 in (1, 2):  # being measured, a turn takes twice as long
            peaks.append(await peak_of(turn))
        else:
            await turn
            peaks.append(0)
        done = not turn.cancelled() and turn.result().done
    took = time.monotonic() - begun
    measured = [peak for peak in peaks if peak]
    megabytes = ", ".join(f"{peak / 1e6:.1f}" for peak in measured)
    print(
        f"\n{orders} orders planned again in {took:.0f} s: {orders / took:.0f} a second; peaks of turns: {megabytes} MB"
    )
    assert max(measured[-2:], default=0) <= 2 * max(measured[:2], default=0), "later turns need no more than early ones"
    [listed] = (await shop.admin.client.get("/v1/calendars/replans")).json()["items"]
    assert (listed["looked"], listed["moved"], listed["failed"]) == (orders, orders, 0)
    friday = datetime(2026, 11, 27, 1, 5, tzinfo=UTC)
    left = await shop.service.rows(
        "SELECT (SELECT count(*) FROM tasks WHERE due_at = :at) AS tasks, "
        "(SELECT count(*) FROM promises WHERE due_at = :at AND ended_at IS NULL) AS promises, "
        "(SELECT count(*) FROM care_effects WHERE cause = 'calendar') AS moves, "
        "(SELECT count(*) FROM care WHERE seen_version < version) AS unseen",
        at=friday,
    )
    assert (left[0].tasks, left[0].promises, left[0].moves) == (orders, orders, orders)
