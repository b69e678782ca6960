"""What-if runs as workflows; and whole histories on the time-skipping server that the pure process agrees with."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.harness import eventually, result
from tests.workflow.recording import keep
from tests.workflow.world import World

RESULTS = ["no_answer", "no_answer", "busy", "switched_off", "call_later", "thinking", "send_info", "not_buying"]


async def tried(world: World) -> dict[str, Any]:
    """What a run of the process in force finds of everything that was recorded."""
    client = world.shop.admin.client
    versions = (await client.get("/v1/care-processes/cod_standard/versions")).json()["items"]
    now = world.shop.clock.now
    body = {
        "process": "cod_standard",
        "version": versions[0]["version"],
        "since": (now - timedelta(days=90)).isoformat(),
        "till": now.isoformat(),
    }
    asked = await client.post("/v1/what-if", json=body)
    assert asked.status_code == 201, asked.text

    async def done() -> dict[str, Any] | None:
        found = (await client.get(f"/v1/what-if/{asked.json()['id']}")).json()
        return dict(found) if found["state"] == "done" else None

    return dict(await eventually(done, what="the run is done") or {})


async def test_ten_whole_histories_on_the_server_agree_with_the_pure_process(world: World) -> None:
    """Ten numbers live for weeks in workflows that wake by the clock of the server; then each lives once more in memory,
    on a simulated clock: every task, promise and level is the same, to the second."""
    random = Random(4)
    await world.monday_morning()
    orders = []
    for _ in range(10):
        orders.append(await world.number(to=random.choice([world.shop.sale, world.shop.colleague])))
        await world.wait(minutes=random.randrange(1, 90))
    for _ in range(40):
        order_id = random.choice(orders)
        order = await world.shop.order(order_id, by=world.shop.admin)
        if order["level"]["code"].startswith("L1") and order["care"]["is_open"] and order["owner_id"]:
            owner = next(each for each in (world.shop.sale, world.shop.colleague) if str(each.id) == order["owner_id"])
            heard = random.choice(RESULTS)
            fields = {"reason": "giá cao"} if heard == "not_buying" else {}
            await world.shop.call(order_id, heard, by=owner, **fields)
        elif random.random() < 0.5:
            await world.shop.came_again(order_id)
        for request in await world.requests(order_id):
            if request["to"] == "floating_pool" and request["assignment"] == world.shop.assignments[order_id]:
                await world.shop.assign(order_id, None)
        await world.wait(hours=random.choice([1, 2, 5, 13]), seconds=random.randrange(1, 60))
    await world.wait(days=40)
    found = await tried(world)
    differing = (await world.shop.admin.client.get(f"/v1/what-if/{found['id']}/orders?verdict=different")).json()
    assert [(each["order_id"], each["differences"]) for each in differing["items"]] == []
    assert (found["equal"], found["total"]) == (10, 10)
    assert found["recorded"] == found["tried"]
    assert found["tried"]["tasks"] > 30
    outcomes = await world.shop.service.rows("SELECT outcome FROM care WHERE NOT is_open")
    assert len(outcomes) >= 8
    handle = world.env.client.get_workflow_handle(f"what-if/{UUID(found['id'])}")
    assert await result(handle) == "done"
    await keep(handle, "what-if-done")
