"""A salesperson takes the last result back: the order stands as before, nothing is rewritten (rule D15)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.events.orders import INTERACTION_UNDONE, LEVEL_CHANGED, PROMISE_ENDED
from tests.integration.orders.support import MORNING, Person, Shop, idempotency_key


async def logged(shop: Shop, order_id: UUID, result: str, **fields: Any) -> str:
    """Logs a call; returns its id."""
    answer = await shop.call(order_id, result, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["interaction_id"])


async def undo(shop: Shop, order_id: UUID, interaction: str, *, by: Person | None = None) -> httpx.Response:
    return await (by or shop.sale).client.post(f"/v1/orders/{order_id}/interactions/{interaction}/undo")


async def standing(shop: Shop, order_id: UUID) -> dict[str, Any]:
    """What a person sees of where an order stands, without ids and the sentence's times."""
    order = await shop.order(order_id, by=shop.admin)
    care = order["care"]
    return {
        "level": order["level"],
        "marks": order["marks"],
        "care": {name: care[name] for name in ("is_open", "outcome", "step", "next_due", "sentence_vi", "results")},
        "tasks": [{name: value for name, value in task.items() if name != "id"} for task in order["tasks"]],
        "do_not_call": order["customer"]["do_not_call_at"],
        "moves": order["moves"],
    }


async def counters(shop: Shop, order_id: UUID) -> dict[str, Any]:
    """What care counts, without the numbers that only make keys."""
    (row,) = await shop.service.rows("SELECT state FROM care WHERE order_id = :id", id=order_id)
    return {name: value for name, value in row.state.items() if name not in ("visits", "seen", "task", "reopened")}


async def promises(shop: Shop, order_id: UUID) -> list[tuple[str, datetime, str | None]]:
    """The promises that count: kind, due, how they ended."""
    rows = await shop.service.rows(
        "SELECT kind, due_at, outcome FROM promises WHERE order_id = :id AND voided_at IS NULL ORDER BY due_at, kind",
        id=order_id,
    )
    return [(row.kind, row.due_at, row.outcome) for row in rows]


async def transitions(shop: Shop, order_id: UUID) -> list[tuple[str, str, str]]:
    events = [event["payload"] for event in await shop.service.outbox(LEVEL_CHANGED.name)]
    return [
        (event["from_level"], event["to_level"], event["cause"])
        for event in events
        if event["order_id"] == str(order_id)
    ]


Call = tuple[str, dict[str, Any]]

PROMISED = {"promised_at": (MORNING + timedelta(hours=3)).isoformat()}
BEFORE: dict[str, Sequence[Call]] = {
    "at the first call": [],
    "after a missed call": [("no_answer", {})],
    "after two missed calls": [("no_answer", {}), ("switched_off", {})],
    "with a callback promised": [("call_later", PROMISED)],
}


RESULTS: dict[str, dict[str, Any]] = {
    "no_answer": {},
    "busy": {},
    "call_later": PROMISED,
    "send_info": {},
    "not_buying": {"reason": "giá cao"},
    "refuses_contact": {},
    "spam": {},
}


@pytest.mark.parametrize(
    ("before", "result"),
    [
        *(("after a missed call", result) for result in RESULTS),
        *((before, result) for before in BEFORE if before != "after a missed call" for result in ("no_answer", "spam")),
    ],
)
async def test_everything_is_as_before_the_result(shop: Shop, before: str, result: str) -> None:
    order_id = await shop.number()
    for made, its_fields in BEFORE[before]:
        shop.clock.forward(minutes=4)
        await logged(shop, order_id, made, **its_fields)
    shop.clock.forward(minutes=5)
    await shop.look(order_id)
    stood, counted, promised = (
        await standing(shop, order_id),
        await counters(shop, order_id),
        await promises(shop, order_id),
    )

    interaction = await logged(shop, order_id, result, **RESULTS[result])
    assert await standing(shop, order_id) != stood
    shop.clock.forward(minutes=3)
    if (await shop.order(order_id))["care"]["is_open"]:
        await shop.look(order_id)
    answer = await undo(shop, order_id, interaction)

    assert answer.status_code == 200, answer.text
    assert await standing(shop, order_id) == stood
    assert await counters(shop, order_id) == counted
    assert await promises(shop, order_id) == promised
    moves = await transitions(shop, order_id)
    assert [move for move in moves if move[2] == "undo"] == (
        [] if moves[-1][2] != "undo" else [(moves[-2][1], stood["level"]["code"], "undo")]
    )
    assert all(earlier[1] == later[0] for earlier, later in pairwise(moves))


async def test_after_an_undo_the_right_result_is_logged_and_counts_once(shop: Shop) -> None:
    order_id, other = await shop.number(), await shop.number()
    shop.clock.forward(minutes=5)
    wrong = await logged(shop, order_id, "no_answer")
    shop.clock.forward(minutes=1)
    assert (await undo(shop, order_id, wrong)).status_code == 200
    again = (await shop.call(order_id, "no_answer")).json()
    expected = (await shop.call(other, "no_answer")).json()
    assert again["care"]["step"] == expected["care"]["step"] == "no_answer_2"
    assert [task["due_at"] for task in again["tasks"]] == [task["due_at"] for task in expected["tasks"]]
    assert (await counters(shop, order_id)) == (await counters(shop, other))
    assert [ended for *_, ended in await promises(shop, order_id)].count("kept") == 1


async def test_the_history_keeps_the_result_and_says_that_it_was_undone(shop: Shop) -> None:
    order_id = await shop.number()
    interaction = await logged(shop, order_id, "not_buying", reason="giá cao")
    shop.clock.forward(minutes=2)
    await undo(shop, order_id, interaction)
    timeline = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert [(entry["kind"], entry["what"], entry["by"]) for entry in timeline if entry["key"] == interaction] == [
        ("undo", "not_buying", "NV01"),
        ("interaction", "not_buying", "NV01"),
    ]
    (said,) = [event["payload"] for event in await shop.service.outbox(INTERACTION_UNDONE.name)]
    kept = [event["payload"] for event in await shop.service.outbox(PROMISE_ENDED.name)]
    assert said["promises"] == [promise["promise_id"] for promise in kept if promise["outcome"] == "kept"]
    assert (await transitions(shop, order_id))[-2:] == [("L1", "L1.5", "call_result"), ("L1.5", "L1", "undo")]


async def test_the_workflow_is_told_to_plan_anew_another_one_if_care_had_ended(shop: Shop) -> None:
    going, ended = await shop.number(), await shop.number()
    for order_id, result in ((going, "no_answer"), (ended, "wrong_number")):
        interaction = await logged(shop, order_id, result)
        await undo(shop, order_id, interaction)
    commands = [command["subject"] for command in await shop.service.outbox("CareWorkflow")]
    assert commands[-1] == f"care/{ended}/2"
    assert commands.count(f"care/{going}") > 1
    versions = await shop.service.rows("SELECT 1 FROM care WHERE seen_version >= version")
    assert versions == [], "what the workflow has seen is behind, so a lost nudge is made good"


async def test_a_number_whose_care_had_not_looked_yet_can_be_undone_too(shop: Shop) -> None:
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)
    interaction = await logged(shop, order_id, "wrong_number")
    answer = await undo(shop, order_id, interaction)
    assert answer.status_code == 200, answer.text
    assert answer.json()["level"] == "L1"
    assert [task["step"] for task in answer.json()["tasks"]] == ["first_call"]


async def test_a_promise_that_was_late_already_is_broken_again(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=25)
    await shop.look(order_id)
    broken = await promises(shop, order_id)
    assert [ended for *_, ended in broken] == ["broken"]
    late = await shop.service.rows("SELECT late_seconds FROM promises")
    interaction = await logged(shop, order_id, "no_answer")
    await undo(shop, order_id, interaction)
    assert await promises(shop, order_id) == broken
    assert await shop.service.rows("SELECT late_seconds FROM promises WHERE voided_at IS NULL") == late
    assert [task["step"] for task in (await shop.order(order_id))["tasks"]] == ["first_call"]


async def test_only_the_author_may_undo_within_ten_minutes_and_once(shop: Shop) -> None:
    order_id = await shop.number()
    interaction = await logged(shop, order_id, "no_answer")
    refused = await undo(shop, order_id, interaction, by=shop.manager)
    assert (refused.status_code, refused.json()["title"]) == (403, "not-your-interaction")
    unknown = await undo(shop, order_id, str(uuid7()))
    assert unknown.status_code == 404
    shop.clock.forward(minutes=10)
    assert (await undo(shop, order_id, interaction)).status_code == 200
    again = await undo(shop, order_id, interaction)
    assert (again.status_code, again.json()["title"]) == (409, "already-undone")
    late = await logged(shop, order_id, "no_answer")
    shop.clock.forward(minutes=10, microseconds=1)
    refused = await undo(shop, order_id, late)
    assert (refused.status_code, refused.json()["title"]) == (409, "too-late-to-undo")
    assert "10 minutes" in refused.json()["detail"]


async def test_nothing_is_undone_after_a_later_fact(shop: Shop) -> None:
    called, moved, given, returned, closed = [await shop.number() for _ in range(5)]
    interactions = {order_id: await logged(shop, order_id, "thinking") for order_id in (called, moved, given, returned)}
    closed_with = await logged(shop, closed, "thinking")
    await shop.stocked()
    await shop.call(called, "no_answer")
    await shop.sale.client.post(f"/v1/orders/{moved}/level", json={"to": "L1.6"})
    await shop.assign(given, shop.colleague)
    await shop.came_again(returned)
    assert (await shop.close(closed)).status_code == 201
    for order_id, interaction in (*interactions.items(), (closed, closed_with)):
        level = await shop.level(order_id)
        refused = await undo(shop, order_id, interaction)
        assert refused.status_code in (404, 409), refused.text  # 404: the order is another salesperson's now
        assert await shop.level(order_id) == level
    assert await shop.service.outbox(INTERACTION_UNDONE.name) == []


async def test_a_number_that_was_given_back_is_not_taken_back_by_an_undo(shop: Shop) -> None:
    order_id = await shop.number()
    for _ in range(3):
        shop.clock.forward(hours=5)
        answer = await shop.call(order_id, "switched_off")
    assert answer.json()["care"]["step"] == "pool"
    refused = await undo(shop, order_id, answer.json()["interaction_id"])
    assert (refused.status_code, refused.json()["title"]) == (409, "something-happened-since")


async def test_two_undos_at_once_have_one_effect(shop: Shop) -> None:
    order_id = await shop.number()
    interaction = await logged(shop, order_id, "not_buying", reason="giá cao")
    answers = await asyncio.gather(*(undo(shop, order_id, interaction) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert len(await shop.service.outbox(INTERACTION_UNDONE.name)) == 1


async def test_an_undo_repeated_under_its_key_gets_the_first_answer(shop: Shop) -> None:
    order_id = await shop.number()
    interaction = await logged(shop, order_id, "not_buying", reason="giá cao")
    path, headers = f"/v1/orders/{order_id}/interactions/{interaction}/undo", idempotency_key()
    first, second = [await shop.sale.client.post(path, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()


async def test_an_undo_and_a_call_at_once_leave_one_story(shop: Shop) -> None:
    order_id = await shop.number()
    interaction = await logged(shop, order_id, "no_answer")
    undone, called = await asyncio.gather(undo(shop, order_id, interaction), shop.call(order_id, "no_answer"))
    assert called.status_code == 201, called.text
    assert undone.status_code in (200, 409)
    counted = await counters(shop, order_id)
    assert counted["unanswered"] == (1 if undone.status_code == 200 else 2)
    assert len((await shop.order(order_id))["tasks"]) > 0
