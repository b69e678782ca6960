"""A calendar is changed under thousands of open timers, while the process that plans them again is killed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import text

from services.orders.calendars.replan import Replans
from services.orders.care.processes import Processes
from tests.integration.orders.support import Shop
from tests.integration.orders.test_calendars import EVENING, close_day, due

_CLONED = {
    "orders": {"id": "n.id", "code": "'DH-' || n.number", "phone": "'+84' || (900000000 + n.number)"},
    "assignments": {"order_id": "n.id"},
    "transitions": {"id": "gen_random_uuid()", "order_id": "n.id"},
    "care": {"order_id": "n.id"},
    "care_effects": {"order_id": "n.id"},
    "tasks": {"id": "gen_random_uuid()", "order_id": "n.id"},
    "promises": {"id": "gen_random_uuid()", "order_id": "n.id"},
}


async def multiply(shop: Shop, order_id: UUID, *, times: int) -> None:
    """As many orders in care as there are, just like one."""
    async with shop.service.db.transaction() as session:
        await session.execute(
            text(
                "CREATE TEMPORARY TABLE many ON COMMIT DROP AS "
                "SELECT gen_random_uuid() AS id, number FROM generate_series(1, :times) AS number"
            ),
            {"times": times},
        )
        for table, changed in _CLONED.items():
            columns = (
                await session.execute(
                    text(
                        "SELECT column_name FROM information_schema.columns "
                        "WHERE table_name = :table AND table_schema = 'public' AND is_generated = 'NEVER'"
                    ),
                    {"table": table},
                )
            ).scalars()
            names = list(columns)
            values = ", ".join(changed.get(name, f't."{name}"') for name in names)
            key = "id" if table == "orders" else "order_id"
            quoted = ", ".join(f'"{name}"' for name in names)
            await session.execute(
                text(f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table} t, many n WHERE t.{key} = :id"),
                {"id": order_id},
            )


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
    await multiply(shop, first, times=orders - 1)
    assert await due(shop, first) == "Thu 08:05"
    changed = await close_day(shop, "2026-11-26")
    if orders < 1000:
        monkeypatch.setattr("services.orders.calendars.replan.BATCH", 25)
    random, begun = Random(1), time.monotonic()
    while True:
        work = Replans(shop.service.db, Processes(), now=shop.clock)  # what a fresh process knows: nothing
        turn = asyncio.create_task(work.turn(changed["revision"]))
        if kills:
            kills -= 1
            await asyncio.wait([turn], timeout=random.random())
            turn.cancel()
        await asyncio.wait([turn])
        if not turn.cancelled() and turn.result().done:
            break
    took = time.monotonic() - begun
    print(f"\n{orders} orders planned again in {took:.0f} s: {orders / took:.0f} a second")
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
