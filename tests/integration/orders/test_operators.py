"""Operators step into a care: each command once, with its reason, on the timeline and in the operator's sentence."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.contracts.workflows import CARE
from tests.integration.orders.support import MORNING, Person, Shop


async def command(
    shop: Shop, order_id: UUID, *, by: Person | None = None, key: str = "", **body: Any
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/v1/orders/{order_id}/care/commands"
    return await (by or shop.manager).client.post(path, json={"reason": "khách nhờ", **body}, headers=headers)


async def done(shop: Shop, order_id: UUID, **body: Any) -> dict[str, Any]:
    answer = await command(shop, order_id, **body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def due(operated: dict[str, Any]) -> list[tuple[str, datetime]]:
    return [(task["step"], datetime.fromisoformat(task["due_at"])) for task in operated["tasks"]]


async def promises(shop: Shop, order_id: UUID) -> list[tuple[str, str | None, str]]:
    rows = await shop.service.rows(
        "SELECT task_key, outcome, cause FROM promises WHERE order_id = :id ORDER BY made_at, task_key", id=order_id
    )
    return [(row.task_key, row.outcome, row.cause) for row in rows]


async def test_a_skipped_step_cancels_its_promise_and_care_goes_on_at_the_step_that_was_named(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await shop.call(order_id, "send_info")).status_code == 201

    operated = await done(shop, order_id, kind="skip", to="thinking", reason="khách đã nhận tin")

    assert operated["care"]["step"] == "thinking"
    assert [step for step, _ in due(operated)] == ["thinking"]
    assert ("send_info:1", "cancelled", "operator") in await promises(shop, order_id)
    assert "người điều hành" in operated["care"]["sentence_vi"]
    entries = (await shop.manager.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    (entry,) = [entry for entry in entries if entry["kind"] == "command"]
    assert (entry["what"], entry["before"], entry["by"], entry["reason"]) == (
        "skip",
        "send_info",
        "QL01",
        "khách đã nhận tin",
    )


async def test_a_promised_call_that_is_brought_forward_is_due_now(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "call_later", promised_at=(MORNING + timedelta(hours=7)).isoformat())
    now = shop.clock.forward(minutes=30)

    operated = await done(shop, order_id, kind="bring_forward")

    assert due(operated) == [("callback", now)]
    assert (await command(shop, order_id, kind="bring_forward")).json()["type"].endswith("/nothing-to-bring-forward")
    listed = (await shop.manager.client.get(f"/v1/orders/{order_id}/care/commands")).json()["items"]
    assert [item["kind"] for item in listed] == ["bring_forward"], "what was refused left nothing"


async def test_a_repeated_step_has_a_new_task_with_a_time_of_its_own(shop: Shop) -> None:
    order_id = await shop.number()
    now = shop.clock.forward(minutes=40)

    operated = await done(shop, order_id, kind="repeat")

    assert due(operated) == [("first_call", now + timedelta(minutes=5))]
    assert [outcome for _, outcome, _ in await promises(shop, order_id)] == ["broken", None]


async def test_paused_care_owes_nothing_until_it_is_resumed(shop: Shop) -> None:
    order_id = await shop.number()

    paused = await done(shop, order_id, kind="pause")

    assert (paused["tasks"], paused["care"]["next_due"]) == ([], None)
    assert "Tạm dừng" in paused["care"]["sentence_vi"]
    refused = await command(shop, order_id, kind="repeat")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "care-is-paused")
    now = shop.clock.forward(hours=2)
    assert await shop.look(order_id) is None

    resumed = await done(shop, order_id, kind="resume")

    assert [step for step, _ in due(resumed)] == ["first_call"]
    assert all(at <= now for _, at in due(resumed))
    assert (await command(shop, order_id, kind="resume")).json()["type"].endswith("/care-is-not-paused")


async def test_a_pause_until_a_time_ends_by_itself(shop: Shop) -> None:
    order_id = await shop.number()
    until = MORNING + timedelta(days=1)

    paused = await done(shop, order_id, kind="pause", until=until.isoformat())

    assert datetime.fromisoformat(paused["care"]["next_due"]) == until
    shop.clock.now = until
    await shop.look(order_id)
    assert [task["step"] for task in (await shop.order(order_id))["tasks"]] == ["first_call"]


async def test_a_command_under_one_key_takes_effect_once_and_wakes_the_workflow(shop: Shop) -> None:
    order_id = await shop.number()
    before = len(await woken(shop, order_id))

    answers = await asyncio.gather(*(command(shop, order_id, kind="repeat", key="k1") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["command_id"] for answer in answers}) == 1
    assert len(await shop.service.rows("SELECT 1 FROM care_commands WHERE order_id = :id", id=order_id)) == 1
    assert len(await woken(shop, order_id)) == before + 1


async def woken(shop: Shop, order_id: UUID) -> list[Any]:
    rows = await shop.service.outbox(CARE.name)
    return [row for row in rows if str(order_id) in row["payload"]["workflow_id"]]


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"kind": "skip", "to": "closed"}, 422, "step-to-choose"),
        ({"kind": "skip", "to": "first_call"}, 422, "step-to-choose"),
        ({"kind": "skip"}, 422, "invalid"),
        ({"kind": "dance"}, 422, "invalid"),
        ({"kind": "repeat", "reason": "  "}, 422, "invalid"),
        ({"kind": "pause", "until": MORNING.isoformat()}, 422, "pause-in-the-past"),
        ({"kind": "resume"}, 409, "care-is-not-paused"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_and_changes_nothing(
    shop: Shop, body: dict[str, Any], status: int, problem: str
) -> None:
    order_id = await shop.number()
    before = await shop.order(order_id)

    answer = await command(shop, order_id, **body)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, problem)
    assert await shop.order(order_id) == before


async def test_only_who_may_operate_does(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await command(shop, order_id, by=shop.sale, kind="repeat")).status_code == 403


async def test_an_order_out_of_care_has_no_step_to_act_upon(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "not_buying", reason="giá cao")
    assert (await command(shop, order_id, kind="repeat")).json()["type"].endswith("/not-in-care")


async def test_a_result_is_not_taken_back_behind_an_operator(shop: Shop) -> None:
    order_id = await shop.number()
    logged = (await shop.call(order_id, "no_answer")).json()["interaction_id"]
    await done(shop, order_id, kind="repeat")
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions/{logged}/undo")
    assert (answer.status_code, answer.json()["what"]) == (409, "operator")
