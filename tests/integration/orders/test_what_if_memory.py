"""What a what-if run holds in memory does not grow with the number of its orders."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import pytest

from services.orders.care.processes import PROCESSES
from services.orders.what_if import turn
from services.orders.what_if.turn import Turns
from tests.integration.orders.copies import copy_orders
from tests.integration.orders.support import Shop
from tests.integration.orders.test_what_if import People, ask, current, listed, some_days

RECORDED: Final = 20
"""Orders at most that are lived through for real; all others are copies of them."""


@dataclass
class Measured:
    """In bytes: the most that each turn needed beyond what was held before it, and what was held after each."""

    peaks: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


async def measured_run(shop: Shop) -> tuple[dict[str, Any], Measured]:
    version, _ = await current(shop)
    run = (await ask(shop, version=version)).json()
    work = Turns(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    found = Measured()
    tracemalloc.start()
    try:
        done = False
        while not done:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            done = (await work.take(UUID(run["id"]))).done
            after, peak = tracemalloc.get_traced_memory()
            found.peaks.append(peak - before)
            found.held.append(after)
    finally:
        tracemalloc.stop()
    return (await shop.admin.client.get(f"/v1/what-if/{run['id']}")).json(), found


async def _holds_no_more_at_the_end(shop: Shop, *, times: int) -> None:
    made = await some_days(shop, orders=RECORDED, seed=11, days=1.5, people=People(shop))
    await copy_orders(shop, times)
    run, found = await measured_run(shop)
    total = len(made) * (times + 1)
    differing = await listed(shop, run, "orders", verdict="different", limit=8)
    assert [(each["order_id"], each["differences"][:2]) for each in differing] == []
    assert (run["total"], run["looked"], run["equal"], run["failed"]) == (total, total, total, 0)
    # The first turn fills caches, and the last one may be short; turns differ by the orders that they happen to have.
    third = len(found.peaks) // 3
    early, late = max(found.peaks[1 : 1 + third]), max(found.peaks[-third:])
    print(f"{total} orders, {len(found.peaks)} turns: peak {early / 1e6:.1f} MB early, {late / 1e6:.1f} MB late, ")
    print(f"held {found.held[0] / 1e6:.1f} MB after the first turn, {found.held[-1] / 1e6:.1f} MB after the last")
    assert late < 1.5 * early
    assert found.held[-1] - found.held[0] < early, "nothing of the orders that were looked at is kept"


async def test_a_run_of_many_orders_needs_no_more_memory_than_its_first_turns(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "BATCH", 20)
    await _holds_no_more_at_the_end(shop, times=11)


@pytest.mark.soak
async def test_a_run_of_twenty_thousand_orders_needs_no_more_memory_than_its_first_turns(shop: Shop) -> None:
    await _holds_no_more_at_the_end(shop, times=1399)
