"""What a what-if run holds in memory does not grow with the number of its orders."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from services.orders.care.processes import PROCESSES
from services.orders.what_if import turn
from services.orders.what_if.turn import Turns
from tests.integration.orders.support import Shop
from tests.integration.orders.test_what_if import People, ask, current, listed, some_days

RECORDED: Final = 20
"""Orders at most that are lived through for real; all others are copies of them."""
TABLES: Final = (
    *("customers", "customer_phones", "orders", "care", "assignments", "interactions", "transitions", "arrivals"),
    *("care_effects", "tasks", "promises", "undo_points", "care_commands"),
)
OWN_IDS: Final = ("id", "order_id", "customer_id", "interaction_id", "lead_id")
"""Columns that are another one's in each copy."""


async def multiplied(shop: Shop, times: int) -> None:
    """Each recorded order, so many times more: of other customers with other numbers, everything else alike."""
    columns = await shop.service.rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = ANY(:tables) AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position",
        tables=list(TABLES),
    )
    async with shop.service.db.transaction() as session:
        # Rows that belong together come table by table, and what is copied has passed all checks before.
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in TABLES:
            copied = {row.column_name: _copied(table, row) for row in columns if row.table_name == table}
            names = ", ".join(f'"{name}"' for name in copied)
            await session.execute(
                text(
                    f"INSERT INTO {table} ({names}) SELECT {', '.join(copied.values())} "
                    f"FROM {table} CROSS JOIN generate_series(1, :times) AS copy"
                ),
                {"times": times},
            )


def _copied(table: str, column: Any) -> str:
    name, kind = column.column_name, column.data_type
    if kind == "uuid" and name in OWN_IDS:
        return f"CAST(md5(CAST(\"{name}\" AS text) || '/' || copy) AS uuid)"
    if name == "phone":
        return "left(phone, 3) || (CAST(substr(phone, 4) AS bigint) + 100000 * copy)"
    if (table, name) == ("orders", "code"):
        return "code || '-' || copy"
    return f'"{name}"'


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
    await multiplied(shop, times)
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
