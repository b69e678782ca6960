"""Care that is planned again many orders at a time: exactly as if each had been looked at by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest
from sqlalchemy import text

from services.orders import record
from services.orders.calendars.replan import Replans
from services.orders.care import service as care_service
from services.orders.care.processes import PROCESSES
from services.orders.care.reading import lock_care
from shared.db import ReadSession
from tests.integration.orders.support import Shop
from tests.integration.orders.test_calendars import put, read
from tests.integration.orders.test_what_if import People, some_days

_OF_THE_WORKFLOW: Final = "ARRAY['seen_version', 'looks', 'looked_at']"
_OWN: Final = "ARRAY['id', 'promise_id']"
"""Ids that each way gives anew."""
WRITTEN: Final = {
    "care": f"SELECT to_jsonb(t) - {_OF_THE_WORKFLOW} FROM care t",
    **{
        table: f"SELECT to_jsonb(t) - {_OWN} FROM {table} t"
        for table in ("orders", "tasks", "promises", "care_effects", "notices", "transitions", "customers")
    },
    "events": "SELECT jsonb_build_array(type, subject) FROM outbox WHERE destination = 'event'",
}


class Undone(Exception):
    """Nothing of it is kept."""


async def written(session: ReadSession) -> Mapping[str, list[str]]:
    return {
        name: sorted(str(row) for row in (await session.execute(text(query))).scalars())
        for name, query in WRITTEN.items()
    }


async def one_by_one(shop: Shop, ids: list[Any]) -> Mapping[str, list[str]]:
    """What the database would hold if each order were looked at by itself."""
    try:
        async with shop.service.db.transaction() as session:
            for order_id in ids:
                order, care = await record.lock(session, order_id), await lock_care(session, order_id)
                assert order is not None
                assert care is not None
                processes = shop.service.runtime.state[PROCESSES]
                await care_service.advance(session, processes, order, care, now=shop.clock.now)
            found = await written(session)
            raise Undone
    except Undone:
        return found


@pytest.mark.parametrize(
    ("orders", "days", "seed"),
    [
        pytest.param(12, 1.5, 3, id="some"),
        *(pytest.param(60, 9.0, seed, id=f"many {seed}", marks=pytest.mark.soak) for seed in range(10, 14)),
    ],
)
async def test_many_at_a_time_are_planned_as_each_by_itself(
    shop: Shop, orders: int, days: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random lives, with promises that broke meanwhile and people who come and go; then other hours."""
    monkeypatch.setattr("services.orders.calendars.replan.BATCH", 5)
    await some_days(shop, orders=orders, seed=seed, days=days, people=People(shop))
    shop.clock.forward(hours=1)
    kept = await read(shop)
    answer = await put(
        shop, version=kept["version"], weekly={day: ["10:00-11:30", "15:00-19:00"] for day in kept["weekly"]}
    )
    assert answer.status_code == 200, answer.text
    touched = await shop.service.rows("SELECT order_id FROM care WHERE is_open AND state IS NOT NULL ORDER BY order_id")
    expected = await one_by_one(shop, [row.order_id for row in touched])
    work = Replans(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    while not (await work.turn(answer.json()["revision"])).done:
        pass
    async with shop.service.db.read() as session:
        found = await written(session)
    for name, rows in expected.items():
        assert found[name] == rows, name
    [listed] = (await shop.admin.client.get("/v1/calendars/replans", params={"limit": 1})).json()["items"]
    print(f"{listed['looked']} looked at, {listed['moved']} moved")
    assert listed["looked"] == len(touched)
    assert listed["moved"] > 0, "nothing was planned otherwise, so nothing was compared"
