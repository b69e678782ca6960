"""Care over weeks in seconds: workflows on the time-skipping server, activities on real PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import cycle
from uuid import UUID

from temporalio.api.sdk.v1 import WorkflowMetadata

from shared.contracts.commands import NUDGE
from shared.contracts.ids import care_id
from shared.contracts.workflows import CARE, WORKFLOW_QUEUE, CareInput
from tests.harness import eventually, result
from tests.workflow.recording import keep
from tests.workflow.world import VIETNAM, World


async def test_a_number_that_nobody_answers_is_called_six_times_then_lies_in_the_pool_and_is_archived(
    world: World,
) -> None:
    await world.monday_morning()
    order_id = await world.number()
    start, calls = world.shop.clock.now, []
    while await world.task(world.shop.sale) is not None:
        await world.go_to_task(world.shop.sale)
        calls.append(world.shop.clock.now.astimezone(VIETNAM))
        await world.call(order_id, "no_answer")
    assert len(calls) == 6
    assert calls[-1] - calls[0] < timedelta(days=5)
    assert max(sum(call.date() == day for call in calls) for day in {call.date() for call in calls}) <= 3
    assert [request["to"] for request in await world.requests(order_id)] == ["floating_pool"]
    await world.shop.assign(order_id, None)
    await world.wait(days=31)
    assert await result(world.care(order_id)) == "archived"
    await keep(world.care(order_id), "care-nobody-answers")
    order = await world.shop.order(order_id, by=world.shop.admin)
    assert order["level"]["code"] == "L1.4"
    assert order["care"]["outcome"] == "archived"
    assert order["tasks"] == []
    assert timedelta(days=30) < world.shop.clock.now - start < timedelta(days=45)


async def test_a_promised_callback_is_due_at_its_time_with_a_reminder_before_and_is_kept(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    promised = world.shop.clock.now + timedelta(days=2, hours=5)
    await world.call(order_id, "call_later", promised_at=promised.isoformat())
    await world.go_to(promised - timedelta(minutes=6))
    assert (await world.shop.sale.client.get("/v1/notices")).json()["items"] == []
    await world.go_to(promised - timedelta(minutes=3))
    notices = (await world.shop.sale.client.get("/v1/notices")).json()["items"]
    assert [notice["kind"] for notice in notices] == ["due"]
    await world.go_to(promised)
    await world.call(order_id, "thinking")
    assert await world.promises(order_id) == [("first_call", "kept"), ("callback", "kept")]


async def test_a_forgotten_first_call_is_told_to_the_manager_and_goes_to_somebody_else(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    await world.wait(minutes=12)
    assert [item["kind"] for item in (await world.shop.sale.client.get("/v1/notices")).json()["items"]] == ["due"]
    assert (await world.shop.manager.client.get("/v1/notices")).json()["items"] == []
    await world.wait(minutes=5)
    assert [item["kind"] for item in (await world.shop.manager.client.get("/v1/notices")).json()["items"]] == [
        "overdue"
    ]
    assert await world.promises(order_id) == [("first_call", "broken")]
    assert await world.requests(order_id) == []
    await world.wait(minutes=15)
    assert [request["to"] for request in await world.requests(order_id)] == ["another"]

    await world.shop.assign(order_id, world.shop.colleague)
    await world.settle()
    assert await world.task(world.shop.sale) is None
    task = await world.task(world.shop.colleague)
    assert task is not None
    assert datetime.fromisoformat(task["deadline_at"]) - world.shop.clock.now > timedelta(minutes=14)
    await details(world, order_id, saying="NV02")
    await world.wait(minutes=5)
    await world.call(order_id, "thinking", by=world.shop.colleague)
    assert await world.promises(order_id) == [("first_call", "broken"), ("first_call", "kept")]
    await keep(world.care(order_id), "care-reassigned")


async def test_a_callback_that_is_looked_at_ninety_minutes_late_is_late_but_not_lost(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    promised = world.shop.clock.now + timedelta(hours=6)
    await world.call(order_id, "call_later", promised_at=promised.isoformat())
    world.clock.behind = timedelta(minutes=90)
    await world.go_to(promised)
    assert ("callback", "broken") in await world.promises(order_id)
    tasks = (await world.shop.colleague.client.get("/v1/tasks", params={"team": "S1"})).json()["items"]
    assert [(task["step"], task["to_team"]) for task in tasks] == [("callback", True)]


async def test_closing_ends_the_workflow_and_its_tasks(world: World) -> None:
    await world.monday_morning()
    await world.shop.stocked()
    order_id = await world.number()
    await world.wait(minutes=5)
    closed = await world.shop.close(order_id)
    assert closed.status_code == 201, closed.text
    assert await result(world.care(order_id)) == "closed"
    await keep(world.care(order_id), "care-closed")
    assert await world.promises(order_id) == [("first_call", "kept")]
    assert await world.task(world.shop.sale) is None


async def test_a_customer_who_comes_again_after_care_ended_is_followed_by_another_workflow(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    await world.call(order_id, "not_buying", reason="giá cao")
    assert await result(world.care(order_id)) == "not_buying"
    await world.wait(days=2)
    await world.shop.came_again(order_id)
    await world.settle()
    assert (await world.shop.order(order_id))["level"]["code"] == "L1.2"
    await world.call(order_id, "refuses_contact")
    assert await result(world.care(order_id, round=2)) == "refused"


async def test_nudges_that_say_nothing_new_change_nothing(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    before = await world.shop.service.outbox()
    for _ in range(5):
        await world.care(order_id).signal(NUDGE)
    await world.wait(seconds=1)
    assert await world.shop.service.outbox() == before


async def test_care_that_goes_on_as_new_loses_nothing(world: World) -> None:
    await world.monday_morning()
    await world.shop.service.stop("relay")
    order_id = await world.shop.accept()
    await world.shop.assign(order_id, world.shop.sale)
    handle = await world.env.client.start_workflow(
        CARE.name,
        CareInput(order_id=order_id, history_limit=30),
        id=care_id(order_id),
        task_queue=WORKFLOW_QUEUE,
    )
    world.shop.service.start("relay")
    await world.settle()
    while await world.task(world.shop.sale) is not None:
        await world.go_to_task(world.shop.sale)
        await world.call(order_id, "no_answer")
    started = (await world.care(order_id).fetch_history()).events[0].workflow_execution_started_event_attributes
    assert started.continued_execution_run_id
    assert handle.first_execution_run_id != started.original_execution_run_id
    calls = await world.shop.service.rows("SELECT count(*) AS made FROM interactions WHERE order_id = :id", id=order_id)
    assert calls[0].made == 6
    await keep(world.care(order_id), "care-continued")
    await world.wait(days=31)
    assert await result(world.care(order_id)) == "archived"


async def test_the_operator_reads_who_must_do_what_by_when(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number(phone="+84912345678", name="Đặng Thị Hoa")
    shown = await details(world, order_id, saying="NV01 phải làm “Gọi lần đầu”")
    assert "NV01 must do “First call”" in shown
    assert "**L1** " in shown
    care = (await world.shop.sale.client.get(f"/v1/orders/{order_id}/care")).json()
    assert care["sentence_vi"] in shown
    await world.call(order_id, "no_answer")
    await details(world, order_id, saying="Gọi lại lần 2")
    history = str(await world.care(order_id).fetch_history())
    assert "912345678" not in history
    assert "Hoa" not in history


async def details(world: World, order_id: UUID, *, saying: str) -> str:
    """What the Temporal UI shows of a care workflow, once it says something: a moment after the activity has written it."""

    async def shown() -> str:
        metadata = await world.care(order_id).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        assert saying in metadata.current_details
        return str(metadata.current_details)

    return await eventually(shown, what=f"the details say “{saying}”")


async def test_a_care_of_sixty_days_with_forty_interactions_has_a_short_history(world: World) -> None:
    await world.monday_morning()
    order_id = await world.number()
    start, made = world.shop.clock.now, 0
    end = start + timedelta(days=60)
    results = cycle(["no_answer", "call_later", "thinking", "busy", "call_later", "no_answer", "send_info"])
    while made < 40:
        task = await world.task(world.shop.sale)
        if task is None:  # the message that was asked for, or it lies in the pool, and somebody takes it
            if await world.task(world.shop.sale, kind="message") is not None:
                sent = await world.shop.sale.client.post(
                    f"/v1/orders/{order_id}/interactions", json={"kind": "message"}
                )
                assert sent.status_code == 201, sent.text
                made += 1
                await world.settle()
                continue
            await world.shop.assign(order_id, None)
            await world.wait(hours=20)
            await world.shop.assign(order_id, world.shop.sale)
            await world.settle()
            continue
        await world.go_to(max(world.shop.clock.now, datetime.fromisoformat(task["due_at"])))
        result = next(results)
        promise = (
            {"promised_at": (world.shop.clock.now + timedelta(days=3)).isoformat()} if result == "call_later" else {}
        )
        await world.call(order_id, result, **promise)
        made += 1
    await world.go_to(end)
    history = await world.care(order_id).fetch_history()
    assert not history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    assert 200 < len(history.events) < 1500, f"{len(history.events)} events after 60 days and {made} interactions"
