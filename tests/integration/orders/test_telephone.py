"""What a telephone system tells becomes interactions: each call once, in whatever order and however often it is told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.orders.app import SERVICE
from services.orders.clock import CLOCK
from services.orders.live import streams_of
from services.orders.telephone.processing import CallProcessor
from services.orders.telephone.working import DIALLER
from shared.auth import Principal
from shared.contracts.events.leads import LEAD_ASSIGNED, LeadAssigned
from shared.contracts.events.orders_calls import CALL_ENDED
from shared.contracts.permissions import SEED_GROUPS
from tests.harness import Databases, running
from tests.integration.orders.stringee import Network
from tests.integration.orders.support import MORNING, Clock, Person, Shop, idempotency_key
from tests.integration.orders.telephone_support import KEY, Exchange

PHONE = "+84912345678"


@pytest.fixture
async def shop(databases: Databases) -> AsyncIterator[Shop]:
    async with running(SERVICE, databases, credentials_key=KEY) as service:
        clock = Clock()
        service.runtime.state[CLOCK] = clock
        yield await Shop.open(service, clock)


@pytest.fixture
async def exchange(shop: Shop) -> Exchange:
    return await Exchange.connect(shop)


# --- outgoing calls ----------------------------------------------------------------------------------------------------


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


async def test_a_call_whose_end_was_lost_waits_for_its_result(exchange: Exchange) -> None:
    shop = exchange.shop
    await shop.number(phone=PHONE)
    await exchange.tell(exchange.stringee.outgoing("nv01", "84912345678", at=MORNING, talks=30)[:-1])
    assert await exchange.waiting() == []
    shop.clock.forward(hours=5)
    await exchange.work()
    assert len(await exchange.waiting()) == 1


# --- incoming calls ----------------------------------------------------------------------------------------------------


async def test_a_missed_call_of_a_customer_brings_their_next_call_forward(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    await shop.call(order_id, "no_answer")
    shop.clock.forward(minutes=20)
    await exchange.tell(exchange.stringee.incoming("0912345678", "nv02", at=shop.clock.now, cause="487 Cancelled"))
    assert (await exchange.interactions(order_id))[-1] == ("call", "in", "", "telephone", "NV02")
    shop.clock.forward(minutes=1)
    await shop.look(order_id)
    (task,) = [task for task in (await shop.order(order_id))["tasks"] if task["kind"] == "call"]
    assert datetime.fromisoformat(task["due_at"]) <= shop.clock.now


async def test_the_owner_sees_who_is_calling_while_it_rings(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE, name="Đặng Thị Hoa")
    events = exchange.stringee.incoming("+84 912 345 678", "nv02", at=MORNING, talks=30)
    await exchange.tell(events[:3])
    state = await _calls_state(shop, shop.sale)
    assert [(call["order_id"], call["state"], call["phone"]) for call in state["going"]] == [
        (str(order_id), "ringing", "0912345678")
    ]
    assert [call["phone"] for call in (await _calls_state(shop, shop.colleague))["going"]] == ["0912***678"]
    await exchange.tell(events[3:])
    assert (await _calls_state(shop, shop.sale))["going"] == []


async def _calls_state(shop: Shop, person: Person) -> dict[str, Any]:
    """What the stream of a person's calls shows."""
    who = Principal(person.id, person.code, frozenset(SEED_GROUPS["sale"]), team="S1")
    topic = f"calls/{person.id}"
    return dict((await streams_of(shop.service.runtime).read(who, [topic]))[topic])


async def test_nobody_follows_the_calls_of_a_colleague(exchange: Exchange) -> None:
    shop = exchange.shop
    answer = await shop.sale.client.post("/v1/streams/tickets", json={"topics": [f"calls/{shop.colleague.id}"]})
    assert answer.status_code == 422


async def test_an_unknown_caller_is_listed_until_a_lead_is_made(exchange: Exchange) -> None:
    shop = exchange.shop
    await exchange.tell(exchange.stringee.incoming("0987654321", "nv01", at=MORNING))
    (item,) = (await shop.sale.client.get("/v1/calls/unknown")).json()["items"]
    assert (item["phone"], item["answered"], item["account_code"]) == ("0987654321", False, "NV01")
    assert (await shop.colleague.client.get("/v1/calls/unknown")).json()["items"] == []
    shop.clock.forward(minutes=5)
    await shop.accept(phone="+84987654321")
    assert (await shop.sale.client.get("/v1/calls/unknown")).json()["items"] == []


async def test_an_unknown_caller_can_be_put_aside_with_a_reason_once(exchange: Exchange) -> None:
    shop = exchange.shop
    await exchange.tell(exchange.stringee.incoming("0987654321", "nv01", at=MORNING))
    (item,) = (await shop.sale.client.get("/v1/calls/unknown")).json()["items"]
    path = f"/v1/calls/{item['id']}/handled"
    assert (await shop.sale.client.post(path, json={})).status_code == 422
    assert (await shop.colleague.client.post(path, json={"how": "gọi nhầm"})).status_code == 404
    assert (await shop.sale.client.post(path, json={"how": "gọi nhầm"})).status_code == 200
    again = await shop.sale.client.post(path, json={"how": "gọi nhầm"})
    assert (again.status_code, again.json()["title"]) == (409, "call-not-open")
    assert (await shop.sale.client.get("/v1/calls/unknown")).json()["items"] == []


# --- the network -------------------------------------------------------------------------------------------------------


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


# --- bad input ---------------------------------------------------------------------------------------------------------


async def test_a_wrong_secret_is_a_path_that_does_not_exist(exchange: Exchange) -> None:
    answer = await exchange.outside.post("/v1/hooks/telephone/nonsense", json={})
    assert answer.status_code == 404
    assert await exchange.shop.service.rows("SELECT 1 FROM telephone_raw") == []


async def test_what_cannot_be_read_is_kept_shown_and_read_again_when_told_so(exchange: Exchange) -> None:
    shop = exchange.shop
    answer = await exchange.outside.post(exchange.hook, content=b"{nonsense")
    assert answer.status_code == 200
    await exchange.send({"call_status": "ended"}, {"event": "flew away"}, [1], "x")
    await exchange.work()
    path = f"/v1/telephone/systems/{exchange.system_id}"
    page = (await shop.admin.client.get(f"{path}/unreadable", params={"limit": 3})).json()
    rest = (await shop.admin.client.get(f"{path}/unreadable", params={"after": page["next"]})).json()
    assert len(page["items"] + rest["items"]) == 5
    assert (await shop.admin.client.post(f"{path}/replay")).json() == {"replayed": 5}
    await exchange.work()
    assert (await shop.admin.client.get(path)).json()["unreadable"] == 5


async def test_a_call_that_breaks_us_holds_up_no_other_and_is_tried_again(exchange: Exchange) -> None:
    shop = exchange.shop
    broken, sound = await shop.number(phone=PHONE), await shop.number(phone="+84912345679")
    worker = CallProcessor(shop.service.runtime)
    for phone in (PHONE, "+84912345679"):
        await exchange.send(exchange.stringee.outgoing("nv01", phone, at=MORNING, cause="486 Busy Here"))
    await worker.read_batch()
    pool = await shop.service.db.driver()
    spoil = "UPDATE telephone_events SET event = event || $1::jsonb WHERE event ->> 'phone' = $2"
    await pool.execute(spoil, '{"what": "exploded"}', PHONE)
    await worker.drain()
    assert [row[2] for row in await exchange.interactions(sound)] == ["busy"]
    assert await exchange.interactions(broken) == []
    await pool.execute('UPDATE telephone_events SET event = event || \'{"what": "ended"}\'')
    await worker.drain()
    assert await exchange.interactions(broken) == []  # not yet: the next try comes later
    shop.clock.forward(seconds=3)
    await worker.drain()
    assert [row[2] for row in await exchange.interactions(broken)] == ["busy"]


async def test_events_of_a_disabled_system_are_refused(exchange: Exchange) -> None:
    admin = exchange.shop.admin.client
    path = f"/v1/telephone/systems/{exchange.system_id}"
    view = (await admin.get(path)).json()
    fields = ("name", "format", "zone", "causes", "click_to_call", "extensions")
    changed = {**{name: view[name] for name in fields}, "enabled": False}
    assert (await admin.put(path, json=changed)).status_code == 428
    assert (await admin.put(path, json=changed, headers={"If-Match": '"9"'})).status_code == 412
    assert (await admin.put(path, json=changed, headers={"If-Match": '"1"'})).json()["credentials"] == ["token"]
    assert (await exchange.outside.post(exchange.hook, json={})).status_code == 404


async def test_a_renewed_address_replaces_the_former_one(exchange: Exchange) -> None:
    renewed = await exchange.shop.admin.client.post(f"/v1/telephone/systems/{exchange.system_id}/hook-address")
    assert (await exchange.outside.post(exchange.hook, json={})).status_code == 404
    new = httpx_path(renewed.json()["hook_url"])
    assert (await exchange.outside.post(new, json={})).status_code == 200


def httpx_path(url: str) -> str:
    return url[url.index("/v1/") :]


async def test_a_telephone_system_that_could_not_work_is_refused(exchange: Exchange) -> None:
    stranger = "0192f0a1-1111-7abc-8def-0123456789ab"
    refused: list[tuple[dict[str, Any], str]] = [
        ({"zone": "Asia/Saigon_City"}, "invalid"),
        ({"causes": {"486": "thinking"}}, "cause-result-unknown"),
        ({"extensions": {"101": stranger}}, "extension-staff-unknown"),
        ({"click_to_call": {"url": "http://pbx.example/call"}}, "invalid"),
        ({"click_to_call": {"url": "https://pbx.example/{secret}"}}, "credential-missing"),
        ({"click_to_call": {"url": "https://pbx.example/", "body": "{phone"}}, "invalid"),
        ({"name": "Tổng đài stringee"}, "telephone-system-name-taken"),
    ]
    for fields, title in refused:
        body = {"name": "Tổng đài hai", "format": "chot", **fields}
        answer = await exchange.shop.admin.client.post("/v1/telephone/systems", json=body)
        assert (answer.status_code in (409, 422), answer.json()["title"]) == (True, title)
    assert len((await exchange.shop.admin.client.get("/v1/telephone/systems")).json()["items"]) == 1


async def test_only_administrators_keep_telephone_systems(exchange: Exchange) -> None:
    assert (await exchange.shop.manager.client.get("/v1/telephone/systems")).status_code == 403


# --- click to call -----------------------------------------------------------------------------------------------------


async def test_a_click_asks_the_telephone_system_once_and_its_call_is_about_that_order(exchange: Exchange) -> None:
    shop = exchange.shop
    shop.service.runtime.state[DIALLER] = exchange.stringee.client
    order_id = await shop.number(phone=PHONE)
    key = idempotency_key()
    answers = [await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={}, headers=key) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["accepted", "accepted"]
    assert answers[0].json() == answers[1].json()
    (asked,) = exchange.stringee.asked
    assert (asked["from"]["number"], asked["to"][0]["number"]) == ("nv01", PHONE)

    # The customer has two numbers: what is called is the other one, and the system says for which click it was.
    custom = answers[0].json()["request_id"]
    await exchange.tell(exchange.stringee.outgoing("nv01", "0977000111", at=MORNING, talks=9, custom=custom))
    assert [call["order_id"] for call in await exchange.waiting()] == [str(order_id)]


async def test_a_second_click_while_it_rings_is_refused(exchange: Exchange) -> None:
    shop = exchange.shop
    shop.service.runtime.state[DIALLER] = exchange.stringee.client
    order_id = await shop.number(phone=PHONE)
    assert (await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={})).status_code == 201
    again = await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={})
    assert (again.status_code, again.json()["title"]) == (409, "call-going-on")
    assert len(exchange.stringee.asked) == 1


async def test_what_a_telephone_system_says_to_a_click_is_kept(exchange: Exchange) -> None:
    shop = exchange.shop
    shop.service.runtime.state[DIALLER] = exchange.stringee.client
    said: list[tuple[int, dict[str, Any], str]] = [
        (0, {}, "unanswered"),
        (502, {}, "unanswered"),
        (403, {}, "refused"),
        (200, {"r": 7, "message": "hết tiền"}, "refused"),
    ]
    for status, answer, state in said:
        exchange.stringee.status, exchange.stringee.answer = status, answer
        order_id = await shop.number()
        asked = await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={})
        assert (asked.status_code, asked.json()["state"]) == (201, state)
        (row,) = await shop.service.rows("SELECT state FROM call_requests WHERE order_id = :id", id=order_id)
        assert row.state == state
    assert "hết tiền" in asked.json()["error"]


async def test_a_number_that_may_not_be_called_is_not_dialled(exchange: Exchange) -> None:
    shop = exchange.shop
    shop.service.runtime.state[DIALLER] = exchange.stringee.client
    order_id = await shop.number(phone=PHONE)
    shop.clock.now = MORNING.replace(hour=15)  # 22:00
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/call", json={})
    assert (answer.status_code, answer.json()["refusal"]) == (409, "outside_hours")
    assert exchange.stringee.asked == []
    assert await shop.service.rows("SELECT 1 FROM call_requests") == []


async def test_who_has_no_extension_is_told_so(exchange: Exchange) -> None:
    shop = exchange.shop
    order_id = await shop.number(phone=PHONE)
    answer = await shop.manager.client.post(f"/v1/orders/{order_id}/call", json={})
    assert (answer.status_code, answer.json()["title"]) == (409, "no-telephone")


async def test_a_colleagues_order_cannot_be_called(exchange: Exchange) -> None:
    order_id: UUID = await exchange.shop.number(phone=PHONE)
    assert (await exchange.shop.colleague.client.post(f"/v1/orders/{order_id}/call", json={})).status_code == 404
