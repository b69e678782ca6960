"""A change of business time as its workflow works through open care, on real PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.orders.batches import REPLANS, reconcile_batches
from services.orders.calendars import replan
from tests.harness import eventually, result
from tests.workflow.recording import keep
from tests.workflow.world import World


async def special_days(world: World, days: list[dict[str, Any]]) -> str:
    """Changes the calling hours; returns the id of the workflow that this asks for."""
    client = world.shop.admin.client
    kept = (await client.get("/v1/calendars/call_hours")).json()
    body = {name: kept[name] for name in ("name", "zone", "weekly", "public_holidays")} | {"special_days": days}
    answer = await client.put("/v1/calendars/call_hours", json=body, headers={"If-Match": f'"{kept["version"]}"'})
    assert answer.status_code == 200, answer.text
    return f"replan/call_hours/{answer.json()['version']}"


async def done(world: World, workflow_id: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        listed = (await world.shop.admin.client.get("/v1/calendars/replans")).json()["items"]
        return next((dict(item) for item in listed if item["state"] == "done" and item["version"] == version), None)

    version = int(workflow_id.rsplit("/", 1)[1])
    return dict(await eventually(ended, what="the replan is done") or {})


async def test_open_care_follows_a_change_of_its_calendar_and_wakes_at_the_new_times(world: World) -> None:
    await world.monday_morning()
    await world.wait(hours=12)
    order_id = await world.number()
    task = await world.task(world.shop.sale)
    assert task is not None
    tuesday = datetime.fromisoformat(task["due_at"])
    on = (tuesday + timedelta(hours=7)).date().isoformat()
    first = await special_days(world, [{"on": on, "closed": True}])
    assert (await done(world, first))["moved"] == 1
    assert await result(world.env.client.get_workflow_handle(first)) == "done"
    await keep(world.env.client.get_workflow_handle(first), "replan-done")
    await world.go_to(tuesday + timedelta(hours=2))
    assert await world.promises(order_id) == []

    later = (tuesday + timedelta(days=1, hours=7)).date().isoformat()
    second = await special_days(world, [{"on": on, "periods": ["14:00-16:00"]}, {"on": later, "closed": True}])
    assert (await done(world, second))["moved"] == 1
    await keep(world.env.client.get_workflow_handle(second), "replan-woken")
    await world.settle()
    moved = await world.task(world.shop.sale)
    assert moved is not None
    assert datetime.fromisoformat(moved["due_at"]) == tuesday.replace(hour=7, minute=5)
    await world.go_to(tuesday.replace(hour=7, minute=16))
    assert await world.promises(order_id) == [("first_call", "broken")]


async def test_a_replan_whose_workflow_was_ended_or_lost_is_taken_up_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.monday_morning()
    await world.wait(hours=12)
    await world.number()
    await world.number()
    monkeypatch.setattr(replan, "BATCH", 1)
    await world.shop.service.stop("activities")
    workflow_id = await special_days(
        world, [{"on": "2030-01-07", "closed": True}, {"on": "2026-01-07", "closed": True}]
    )

    async def started() -> bool:
        rows = await world.shop.service.rows(
            "SELECT 1 FROM outbox WHERE subject = :id AND status = 'sent'", id=workflow_id
        )
        return bool(rows)

    await eventually(started, what="the relay started it")
    await world.env.client.get_workflow_handle(workflow_id).terminate()
    world.shop.service.start("activities")
    assert await reconcile_batches(world.shop.service.db, world.env.client, REPLANS) == 1
    listed = await done(world, workflow_id)
    assert (listed["looked"], listed["failed"]) == (2, 0)
    assert await reconcile_batches(world.shop.service.db, world.env.client, REPLANS) == 0
