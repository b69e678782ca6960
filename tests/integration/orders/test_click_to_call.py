"""A click asks the telephone system for a call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.orders.telephone.working import DIALLER
from tests.integration.orders.support import MORNING, idempotency_key
from tests.integration.orders.telephone_support import Exchange

PHONE = "+84912345678"


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
