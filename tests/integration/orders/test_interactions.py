"""A logged call is answered at once with the new level and the next step; what cannot be is refused with a sentence."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from shared.contracts.events.orders import PROMISE_ENDED, PROMISE_MADE_GOOD
from tests.integration.orders.support import MORNING, Shop, idempotency_key


async def test_no_answer_is_answered_at_once_with_level_and_next_step(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=3)
    answer = await shop.call(order_id, "no_answer")
    assert answer.status_code == 201, answer.text
    worked = answer.json()
    assert worked["level"] == "L1.4"
    assert worked["care"]["step"] == "no_answer_2"
    due = {task["step"]: datetime.fromisoformat(task["due_at"]) for task in worked["tasks"] if task["kind"] == "call"}
    assert due == {"no_answer_2": MORNING + timedelta(minutes=63)}
    assert "NV01" in worked["care"]["sentence_vi"]


async def test_a_call_is_a_row_an_event_a_level_and_a_nudge_in_one_transaction(shop: Shop) -> None:
    order_id = await shop.number()
    before = len(await shop.service.outbox())
    await shop.call(order_id, "no_answer")
    written = [item["type"] for item in (await shop.service.outbox())[before:]]
    assert sorted(written) == sorted(
        [
            "orders.interaction.logged.v1",
            "orders.promise.ended.v1",
            "orders.first_call.made.v1",
            "orders.level.changed.v1",
            "CareWorkflow",
        ]
    )
    moved = (await shop.service.outbox("orders.level.changed.v1"))[-1]["payload"]
    assert (moved["cause"], moved["actor"], moved["to_level"]) == ("call_result", "NV01", "L1.4")


async def test_a_first_call_in_time_keeps_its_promise_and_a_late_one_breaks_it(shop: Shop) -> None:
    in_time, late = await shop.number(), await shop.number()
    shop.clock.forward(minutes=10)
    await shop.call(in_time, "no_answer")
    shop.clock.forward(minutes=10)
    await shop.call(late, "no_answer")
    ended = [event["payload"] for event in await shop.service.outbox("orders.promise.ended.v1")]
    by_order = {UUID(promise["order_id"]): promise["outcome"] for promise in ended}
    assert by_order == {in_time: "kept", late: "broken"}


async def test_how_late_a_promise_was_met_is_the_same_in_the_events_and_on_the_timeline(shop: Shop) -> None:
    kept, broken = await shop.number(), await shop.number()
    first = (await shop.order(broken))["tasks"][0]
    due, deadline = (datetime.fromisoformat(first[name]) for name in ("due_at", "deadline_at"))
    assert due < deadline
    shop.clock.now = due + timedelta(seconds=90)
    await shop.call(kept, "no_answer")
    shop.clock.now = deadline + timedelta(minutes=7)
    await shop.call(broken, "no_answer")

    ended = {event["payload"]["order_id"]: event["payload"] for event in await shop.service.outbox(PROMISE_ENDED.name)}
    assert (ended[str(kept)]["outcome"], ended[str(kept)]["late_seconds"]) == ("kept", 90)
    grace = (deadline - due).total_seconds()
    assert (ended[str(broken)]["outcome"], ended[str(broken)]["late_seconds"]) == ("broken", grace)
    (good,) = [event["payload"] for event in await shop.service.outbox(PROMISE_MADE_GOOD.name)]
    assert (good["promise_id"], good["owner_code"]) == (ended[str(broken)]["promise_id"], "NV01")
    assert good["late_seconds"] == grace + 7 * 60
    for order_id, late in ((kept, 90), (broken, grace + 7 * 60)):
        timeline = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
        assert [entry["seconds"] for entry in timeline if entry["kind"] == "promise"] == [late]


async def test_a_call_made_in_time_but_logged_late_keeps_its_promise(shop: Shop) -> None:
    order_id = await shop.number()
    made_at = shop.clock.forward(minutes=10)
    shop.clock.forward(minutes=30)
    await shop.call(order_id, "no_answer", at=made_at.isoformat())
    ended = [event["payload"]["outcome"] for event in await shop.service.outbox("orders.promise.ended.v1")]
    assert ended == ["kept"]


async def test_a_promised_callback_is_due_when_it_was_promised(shop: Shop) -> None:
    order_id = await shop.number()
    promised = MORNING + timedelta(hours=6)
    worked = (await shop.call(order_id, "call_later", promised_at=promised.isoformat())).json()
    assert worked["level"] == "L1.2"
    assert [datetime.fromisoformat(task["due_at"]) for task in worked["tasks"]] == [promised]
    tasks = (await shop.sale.client.get("/v1/tasks")).json()["items"]
    assert [(task["step"], task["promise"]) for task in tasks] == [("callback", "callback")]


@pytest.mark.parametrize(
    ("result", "fields", "level"),
    [
        ("wrong_number", {}, "L1.1"),
        ("refuses_contact", {}, "L1.3"),
        ("not_buying", {"reason": "giá cao"}, "L1.5"),
        ("buy_later", {"promised_at": (MORNING + timedelta(days=10)).isoformat()}, "L1.6"),
        ("thinking", {}, "L1.2"),
        ("busy", {}, "L1.4"),
    ],
)
async def test_each_result_leads_to_its_level(shop: Shop, result: str, fields: dict[str, str], level: str) -> None:
    order_id = await shop.number()
    assert (await shop.call(order_id, result, **fields)).json()["level"] == level


async def test_a_customer_who_refuses_is_put_on_the_do_not_call_list(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "refuses_contact")
    order = await shop.order(order_id)
    assert order["customer"]["do_not_call_at"] is not None
    assert order["care"]["is_open"] is False
    assert order["tasks"] == []


async def test_a_message_sent_ends_the_message_task(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "send_info")
    body = {"kind": "message", "note": "bảng giá"}
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["care"]["step"] == "thinking"


async def test_a_call_logged_twice_under_one_key_is_one_call(shop: Shop) -> None:
    order_id = await shop.number()
    headers = idempotency_key()
    body = {"kind": "call", "result": "no_answer"}
    answers = [
        await shop.sale.client.post(f"/v1/orders/{order_id}/interactions", json=body, headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(await shop.service.outbox("orders.interaction.logged.v1")) == 1


async def test_an_unknown_result_is_refused_and_names_those_that_are_known(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "sold_his_house")
    assert answer.status_code == 422
    assert answer.json()["title"] == "result-unknown"
    assert "no_answer" in answer.json()["allowed"]
    assert await shop.service.outbox("orders.interaction.logged.v1") == []


async def test_a_call_without_a_result_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "")
    assert (answer.status_code, answer.json()["title"]) == (422, "result-required")


async def test_not_buying_without_a_reason_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "not_buying")
    assert (answer.status_code, answer.json()["title"]) == (422, "reason-required")
    assert await shop.level(order_id) == "L1"


async def test_a_promise_in_the_past_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "call_later", promised_at=(MORNING - timedelta(minutes=1)).isoformat())
    assert (answer.status_code, answer.json()["title"]) == (422, "promise-in-the-past")
    vietnamese = await shop.sale.client.post(
        f"/v1/orders/{order_id}/interactions",
        json={"kind": "call", "result": "call_later", "promised_at": MORNING.isoformat()},
        headers={"Accept-Language": "vi"},
    )
    assert vietnamese.json()["detail"] == "Giờ hẹn đã qua. Chọn một thời điểm sau bây giờ."


async def test_a_call_in_the_future_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "no_answer", at=(MORNING + timedelta(hours=1)).isoformat())
    assert (answer.status_code, answer.json()["title"]) == (422, "interaction-in-the-future")


async def test_a_call_about_an_order_that_has_ended_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "wrong_number")
    answer = await shop.call(order_id, "no_answer")
    assert (answer.status_code, answer.json()["title"]) == (409, "not-in-care")


async def test_a_call_about_a_number_that_nobody_holds_is_refused(shop: Shop) -> None:
    order_id = await shop.accept()
    answer = await shop.call(order_id, "no_answer", by=shop.admin)
    assert (answer.status_code, answer.json()["title"]) == (409, "not-assigned")


async def test_the_result_closed_goes_through_the_closing(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "closed")
    assert (answer.status_code, answer.json()["title"]) == (422, "use-closing")
    assert f"/v1/orders/{order_id}/close" in answer.json()["detail"]


async def test_a_colleague_may_not_log_a_call_for_somebody_elses_order(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await shop.call(order_id, "no_answer", by=shop.colleague)).status_code == 404


async def test_a_late_promise_is_told_to_the_manager_and_opened_to_the_team(shop: Shop) -> None:
    order_id = await shop.number(phone="+84912345678")
    await shop.call(order_id, "call_later", promised_at=(MORNING + timedelta(minutes=30)).isoformat())
    for _ in range(2):
        shop.clock.forward(hours=1)
        await shop.look(order_id)
    told = (await shop.manager.client.get("/v1/notices")).json()["items"]
    assert [notice["kind"] for notice in told] == ["overdue"]
    tasks = (await shop.colleague.client.get("/v1/tasks", params={"team": "S1"})).json()["items"]
    assert [(task["to_team"], task["phone"]) for task in tasks] == [(True, "0912345678")]
    answer = await shop.call(order_id, "thinking", by=shop.colleague)
    assert answer.status_code == 201, answer.text


async def test_an_untouched_number_is_asked_to_go_to_somebody_else(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=31)
    await shop.look(order_id)
    requests = [event["payload"] for event in await shop.service.outbox("orders.reassignment.requested.v1")]
    assert [(request["to"], request["assignment"]) for request in requests] == [("another", 1)]
    await shop.assign(order_id, shop.colleague)
    await shop.look(order_id)
    assert (await shop.sale.client.get("/v1/tasks")).json()["items"] == []
    tasks = (await shop.colleague.client.get("/v1/tasks")).json()["items"]
    assert [task["step"] for task in tasks] == ["first_call"]


async def test_looking_again_at_the_same_moment_changes_nothing(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=31)
    await shop.look(order_id)
    before = await shop.service.outbox()
    version = await shop.service.rows("SELECT version FROM care WHERE order_id = :id", id=order_id)
    await shop.look(order_id)
    assert await shop.service.outbox() == before
    assert await shop.service.rows("SELECT version FROM care WHERE order_id = :id", id=order_id) == version


async def test_the_due_list_is_ordered_by_due_time_and_comes_in_pages(shop: Shop) -> None:
    first, second, third = [await shop.number() for _ in range(3)]
    for order_id, minutes in ((first, 300), (second, 60), (third, 180)):
        await shop.call(order_id, "call_later", promised_at=(MORNING + timedelta(minutes=minutes)).isoformat())
    page = (await shop.sale.client.get("/v1/tasks", params={"limit": 2})).json()
    rest = (await shop.sale.client.get("/v1/tasks", params={"limit": 2, "after": page["next"]})).json()
    assert [UUID(task["order_id"]) for task in page["items"] + rest["items"]] == [second, third, first]


async def test_the_timeline_pages_through_everything_once(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "no_answer", note="chuông dài")
    shop.clock.forward(hours=2)
    await shop.call(order_id, "thinking")
    whole = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    seen, after = [], None
    while True:
        query = {"limit": 3, **({"after": after} if after else {})}
        page = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline", params=query)).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert seen == whole
    assert {"level", "interaction", "owner", "promise"} <= {entry["kind"] for entry in whole}
    assert any(entry["note"] == "chuông dài" for entry in whole)


async def test_two_calls_logged_at_once_are_two_calls_one_after_the_other(shop: Shop) -> None:
    order_id = await shop.number()
    answers = await asyncio.gather(*(shop.call(order_id, "no_answer") for _ in range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert sorted(answer.json()["care"]["step"] for answer in answers) == ["no_answer_2", "no_answer_3"]
    numbers = await shop.service.rows(
        "SELECT number FROM interactions WHERE order_id = :id ORDER BY number", id=order_id
    )
    assert [row.number for row in numbers] == [1, 2]
