"""What a telephone system tells becomes interactions: each call once, in whatever order and however often it is told."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.telephone import Network
from services.orders.telephone.working import DIALLER
from shared.contracts.events.leads import LEAD_ASSIGNED, LeadAssigned
from shared.contracts.events.orders_calls import CALL_ENDED
from tests.integration.orders.support import MORNING, Shop
from tests.integration.orders.telephone_support import Exchange

PHONE = "+84912345678"


@pytest.mark.parametrize(
    ("cause", "result", "level"), [("486 Busy Here", "busy", "L1.4"), ("408 Request Timeout", "no_answer", "L1.4")]
)
async def test_a_call_that_nobody_answered_is_logged_by_itself(
    exchange: Exchange, cause: str, result: str, level: str
) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=shop.clock.now, cause=cause)
    shop.clock.forward(minutes=2)
    await exchange.tell(events)
    assert await exchange.interactions(order_id) == [("call", "out", result, "telephone", "NV01")]
    order = await shop.order(order_id)
    assert order["level"]["code"] == level
    (promise,) = [event["payload"] for event in await shop.service.outbox("orders.promise.ended.v1")]
    assert (promise["outcome"], promise["kind"]) == ("kept", "first_call")


async def test_an_answered_call_waits_for_its_result_and_is_one_interaction_with_it(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "0912 345 678", at=MORNING, talks=95))
    shop.clock.forward(minutes=4)
    (waiting,) = await exchange.waiting()
    assert (waiting["order_id"], waiting["talk_seconds"]) == (str(order_id), 95)
    assert await exchange.interactions(order_id) == []

    assert (await shop.call(order_id, "thinking", note="hỏi vợ")).status_code == 201
    assert await exchange.interactions(order_id) == [("call", "out", "thinking", "person", "NV01")]
    assert await exchange.waiting() == []
    (call,) = await exchange.calls(order_id)
    assert (call["state"], call["talk_seconds"]) == ("logged", 95)
    (at,) = await shop.service.rows("SELECT at FROM interactions")
    assert at[0] == MORNING


async def test_a_call_that_was_logged_before_the_system_told_of_it_is_one_interaction(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=60)
    shop.clock.forward(minutes=2)
    logged = (await shop.call(order_id, "thinking")).json()["interaction_id"]
    shop.clock.forward(minutes=30)
    await exchange.send(*events)
    await exchange.work()
    assert await exchange.interactions(order_id) == [("call", "out", "thinking", "person", "NV01")]
    (call,) = await exchange.calls(order_id)
    assert (call["interaction_id"], call["talk_seconds"]) == (logged, 60)
    assert await exchange.waiting() == []


async def test_the_same_result_by_hand_is_the_one_that_the_system_logged(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, cause="486 Busy Here"))
    shop.clock.forward(minutes=1)
    (call,) = await exchange.calls(order_id)
    answer = await shop.call(order_id, "busy")
    assert (answer.status_code, answer.json()["interaction_id"]) == (201, call["interaction_id"])
    assert len(await exchange.interactions(order_id)) == 1


async def test_another_result_by_hand_takes_the_place_of_what_the_system_logged(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING))
    shop.clock.forward(minutes=1)
    answer = await shop.call(order_id, "switched_off", note="nghe báo thuê bao")
    assert answer.status_code == 201, answer.text
    assert await exchange.interactions(order_id) == [("call", "out", "switched_off", "person", "NV01")]
    (call,) = await exchange.calls(order_id)
    assert call["interaction_id"] == answer.json()["interaction_id"]


async def test_a_result_that_came_too_late_to_replace_is_refused_and_nothing_changes(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING))
    shop.clock.forward(minutes=12)
    answer = await shop.call(order_id, "switched_off")
    assert (answer.status_code, answer.json()["title"]) == (409, "too-late-to-undo")
    assert await exchange.interactions(order_id) == [("call", "out", "no_answer", "telephone", "NV01")]


async def test_two_calls_are_two_interactions_and_each_log_finds_its_own(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=20))
    shop.clock.forward(minutes=2)
    await shop.call(order_id, "call_later", promised_at=(MORNING + timedelta(minutes=20)).isoformat())
    shop.clock.forward(minutes=18)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=shop.clock.now, talks=40))
    shop.clock.forward(minutes=2)
    await shop.call(order_id, "thinking")
    assert [row[2] for row in await exchange.interactions(order_id)] == ["call_later", "thinking"]
    talked = {call["talk_seconds"]: call["interaction_id"] for call in await exchange.calls(order_id)}
    assert set(talked) == {20, 40}
    assert len(set(talked.values())) == 2


async def test_a_call_that_never_reached_the_network_is_no_attempt(exchange: Exchange) -> None:
    order_id = await exchange.shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, cause="503 Service Unavailable")
    await exchange.tell(events)
    assert await exchange.interactions(order_id) == []
    assert await exchange.waiting() == []
    assert [call["state"] for call in await exchange.calls(order_id)] == ["nothing"]


async def test_what_a_cause_means_can_be_told(shop: Shop) -> None:
    exchange = await Exchange.connect(shop, causes={"480 Temporarily Unavailable": "switched_off"})
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, cause="480 Temporarily Unavailable")
    await exchange.tell(events)
    assert [row[2] for row in await exchange.interactions(order_id)] == ["switched_off"]


async def test_a_call_without_a_result_counts_for_the_caps(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=30))
    shop.service.runtime.state[DIALLER] = exchange.stringee.client
    shop.clock.forward(minutes=2)
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={})
    assert (answer.status_code, answer.json()["title"], answer.json()["refusal"]) == (409, "may-not-call", "too_soon")
    assert answer.json()["detail"] == (
        "You may not call: the number was called just before; from 23/11/2026 09:15 on. Call again then."
    )


async def test_a_call_about_a_closed_order_is_kept_without_a_result(exchange: Exchange) -> None:
    shop = exchange.shop
    await shop.stocked()
    order_id = await shop.number(phone=PHONE)
    closed = await shop.close(order_id)
    assert closed.status_code == 201, closed.text
    shop.clock.forward(hours=2)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=shop.clock.now, talks=30))
    assert (await exchange.interactions(order_id))[-1] == ("call", "out", "", "telephone", "NV01")
    assert await exchange.waiting() == []


@pytest.mark.parametrize("told_before", [4, 6], ids=["while it goes on", "after its end"])
async def test_the_call_in_which_an_order_was_closed_is_the_closing(exchange: Exchange, told_before: int) -> None:
    shop = exchange.shop
    await shop.stocked()
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=200)
    await exchange.tell(events[:told_before])
    shop.clock.forward(minutes=4)
    assert (await shop.close(order_id)).status_code == 201
    await exchange.tell(events[told_before:])
    assert await exchange.interactions(order_id) == [("call", "out", "closed", "person", "NV01")]
    assert [call["talk_seconds"] for call in await exchange.calls(order_id)] == [200]


async def test_lengths_are_told_to_others_once(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=95)
    await exchange.tell(events)
    await exchange.tell(events)
    ended = [event["payload"] for event in await shop.service.outbox(CALL_ENDED.name)]
    assert [(each["order_id"], each["talk_seconds"], each["staff_code"]) for each in ended] == [
        (str(order_id), 95, "NV01")
    ]


async def test_a_result_that_a_leaver_never_logged_is_owed_by_the_next_holder(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=30))
    fact = LeadAssigned(
        lead_id=order_id,
        assignment=2,
        owner_id=shop.colleague.id,
        owner_code="NV02",
        team="S1",
        assigned_at=MORNING,
        cause="hand_over",
    )
    await shop.service.receive(LEAD_ASSIGNED, fact, subject=order_id)
    assert await exchange.waiting() == []
    assert [call["owes_code"] for call in await exchange.waiting(by=shop.colleague)] == ["NV02"]


@pytest.mark.parametrize("lost", [False, True], ids=["ended", "end-lost"])
async def test_a_missing_result_is_owed_no_more_once_the_order_has_left_care(exchange: Exchange, lost: bool) -> None:
    """Also that of a call whose end was never told. It stands on the timeline as a call without a result, and says why."""
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    events = exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=95)
    await exchange.tell(events[:-1] if lost else events)
    shop.clock.forward(hours=5)
    await exchange.work()
    assert len(await exchange.waiting()) == 1
    not_buying = {"to": "L1.5", "reason": "đã mua nơi khác"}
    answer = await shop.admin.client.post(f"/v1/orders/{order_id}/level", json=not_buying)
    assert answer.status_code == 200, answer.text
    await exchange.work()
    await exchange.work()
    assert await exchange.waiting() == []
    assert await exchange.interactions(order_id) == [("call", "out", "", "telephone", "NV01")]
    timeline = (await shop.admin.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    (entry,) = [entry for entry in timeline if entry["kind"] == "interaction"]
    assert (entry["reason"], entry["by"]) == ("left_care", "NV01")
    open_ones = await shop.service.rows("SELECT 1 FROM promises WHERE order_id = :id AND ended_at IS NULL", id=order_id)
    assert open_ones == []


async def test_the_results_of_an_order_that_goes_on_are_still_owed(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=95))
    shop.clock.forward(hours=5)
    assert (await shop.admin.client.post(f"/v1/orders/{order_id}/level", json={"to": "L1.2"})).status_code == 200
    await exchange.work()
    assert len(await exchange.waiting()) == 1


async def test_a_call_whose_end_was_lost_waits_for_its_result(exchange: Exchange) -> None:
    shop = exchange.shop
    await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=30)[:-1])
    assert await exchange.waiting() == []
    shop.clock.forward(hours=5)
    await exchange.work()
    assert len(await exchange.waiting()) == 1


async def test_lost_doubled_and_shuffled_events_end_with_the_same_interactions(exchange: Exchange) -> None:
    shop = exchange.shop
    kinds: list[tuple[float | None, str]] = [
        (None, "486 Busy Here"),
        (None, "408 Request Timeout"),
        (None, "503 Service Unavailable"),
        (None, "480 Temporarily Unavailable"),
        (35.0, ""),
        (180.0, ""),
    ]
    scripts = [(number, *kinds[number % len(kinds)], number % 4 == 3) for number in range(16)]

    async def world(first: int, network: Network) -> list[tuple[Any, ...]]:
        """Sixteen customers and their calls through a network; what is logged of each, in their order."""
        orders, events = [], []
        for number, talks, cause, inbound in scripts:
            phone = f"+8491{first + number:07}"
            orders.append(await shop.number(phone=phone))
            call = exchange.stringee.incoming if inbound else exchange.stringee.outgoing
            parts = (phone, "nv01") if inbound else ("nv01", phone)
            events += call(*parts, at=MORNING + timedelta(minutes=number), talks=talks, cause=cause)
        for sent in network.rounds(events):
            for start in range(0, len(sent), 17):
                await exchange.send(sent[start : start + 17])
                await exchange.work()
        return [
            (await exchange.interactions(order), [(c["state"], c["talk_seconds"]) for c in await exchange.calls(order)])
            for order in orders
        ]

    shop.clock.forward(hours=2)
    faithful = await world(1_000_000, Network())
    faulty = await world(2_000_000, Network(lost=0.4, doubled=0.5, shuffled=True, chance=random.Random(7)))
    assert faulty == faithful
    assert {logged[0][2] for logged, _ in faithful if logged} >= {"busy", "no_answer", ""}
    assert any(calls[0][0] == "waiting" for _, calls in faithful)
