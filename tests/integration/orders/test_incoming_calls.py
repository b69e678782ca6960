"""Calls of customers: who sees them while they ring, and what a missed one brings about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.orders.live import streams_of
from shared.auth import Principal
from shared.contracts.permissions import SEED_GROUPS
from tests.integration.orders.support import MORNING, Person, Shop
from tests.integration.orders.telephone_support import Exchange

PHONE = "+84912345678"


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
