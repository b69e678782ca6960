"""A move of running care as a workflow, and care that goes on in the other version."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from temporalio.client import WorkflowHandle

from shared.contracts.workflows import PROCESS_MOVE, WORKFLOW_QUEUE, ProcessMoveInput
from tests.harness import eventually, result
from tests.integration.orders.process_support import KEY, ask_again, published
from tests.workflow.recording import keep
from tests.workflow.world import World

URL = f"/v1/care-processes/{KEY}/moves"


async def in_state(world: World, move_id: str, state: str) -> dict[str, Any]:
    client = world.shop.admin.client

    async def reached() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(f"{URL}/{move_id}")).json()
        return found if found["state"] == state else None

    found = await eventually(reached, within=60, what=f"the move is {state}")
    assert found is not None
    return found


async def begin(world: World, to: int, **fields: Any) -> str:
    body = {"to_version": to, "reason": "thử", "per_minute": 600, **fields}
    made = await world.shop.admin.client.post(URL, json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def workflow(world: World, move_id: str, suffix: str = "") -> WorkflowHandle[Any, Any]:
    return world.env.client.get_workflow_handle(f"process-move/{move_id}{suffix}")


async def test_running_care_goes_over_and_on_to_its_end_in_the_other_version(world: World) -> None:
    await world.monday_morning()
    retried, thinks = await world.number(), await world.number()
    await world.call(retried, "no_answer")
    await world.call(thinks, "thinking")
    await world.wait(minutes=2)
    move_id = await begin(world, await published(world.shop.service, ask_again))
    previewed = await in_state(world, move_id, "previewed")
    assert previewed["counts"]["change"] == {"retimed": 1, "renamed": 1}
    assert await result(workflow(world, move_id)) == "previewed"
    await world.shop.admin.client.post(f"{URL}/{move_id}/start")
    done = await in_state(world, move_id, "done")
    assert done["counts"]["state"] == {"moved": 2}
    assert await result(workflow(world, move_id, "/2")) == "done"
    await world.settle()

    task = await world.go_to_task(world.shop.sale)
    assert (task["order_id"], task["step"]) == (str(retried), "no_answer_2")
    await world.call(retried, "not_buying", reason="giá cao")
    assert await result(world.care(retried)) == "not_buying"
    asked = await world.go_to_task(world.shop.sale)
    assert (asked["order_id"], asked["step"]) == (str(thinks), "ask_again")
    await world.call(thinks, "refuses_contact")
    assert await result(world.care(thinks)) == "refused"
    assert [outcome for _, outcome in await world.promises(thinks)] == ["kept", "kept"]
    await keep(workflow(world, move_id), "process-move-previewed")
    await keep(workflow(world, move_id, "/2"), "process-move-done")
    await keep(world.care(thinks), "care-moved")


async def test_a_long_move_goes_on_as_new_and_a_cancelled_one_ends(world: World) -> None:
    await world.monday_morning()
    for _ in range(3):
        await world.number()
    await world.wait(minutes=2)
    move_id = await begin(world, await published(world.shop.service, ask_again), per_minute=30)
    await in_state(world, move_id, "previewed")
    await world.shop.service.stop("relay")
    await world.shop.admin.client.post(f"{URL}/{move_id}/start")
    arg = ProcessMoveInput(move_id=UUID(move_id), history_limit=12)
    handle = await world.env.client.start_workflow(
        PROCESS_MOVE.name, arg, id=f"test/{move_id}", task_queue=WORKFLOW_QUEUE
    )
    assert await result(handle) == "done"
    assert (await in_state(world, move_id, "done"))["counts"]["state"] == {"moved": 3}
    await keep(world.env.client.get_workflow_handle(f"test/{move_id}"), "process-move-continued")
    world.shop.service.start("relay")

    back = await begin(world, 3, select={"versions": [4]})
    await in_state(world, back, "previewed")
    cancelled = await world.shop.admin.client.post(f"{URL}/{back}/cancel")
    assert cancelled.json()["state"] == "cancelled"
