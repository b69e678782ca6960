"""E-mails, messages and visits are interactions; what became of what was sent is told by the systems that sent it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.integration.orders.support import MORNING, Shop

REFERENCE = "<20261123.1@mail.shop.vn>"


async def connect(shop: Shop, kind: str = "email") -> str:
    made = await shop.admin.client.post("/v1/message-systems", json={"name": f"Hệ thống {kind}", "kind": kind})
    assert made.status_code == 201, made.text
    url = str(made.json()["hook_url"])
    return url[url.index("/v1/") :]


async def tell(shop: Shop, hook: str, *facts: dict[str, Any]) -> httpx.Response:
    return await (await shop.service.anonymous()).post(hook, json={"facts": list(facts)})


def fact(id: str, what: str, minutes: float, **more: Any) -> dict[str, Any]:
    at = (MORNING + timedelta(minutes=minutes)).isoformat()
    return {"id": id, "reference": REFERENCE, "fact": what, "at": at, **more}


async def interactions(shop: Shop, order_id: UUID) -> list[dict[str, Any]]:
    answer = await shop.sale.client.get(f"/v1/orders/{order_id}/interactions")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def log(shop: Shop, order_id: UUID, **body: Any) -> httpx.Response:
    return await shop.sale.client.post(f"/v1/orders/{order_id}/interactions", json=body)


async def test_what_became_of_an_email_is_shown_at_its_own_time_whatever_came_first(shop: Shop) -> None:
    order_id, hook = await shop.number(), await connect(shop)
    told = [
        fact("1", "sent", 1),
        fact("2", "delivered", 2),
        fact("3", "opened", 30),
        fact("4", "opened", 50),
        fact("5", "answered", 55, note="giá bao nhiêu?"),
    ]
    random.Random(3).shuffle(told)
    shop.clock.forward(hours=2)
    assert (await tell(shop, hook, *told[:3])).json() == {"new": 3}
    assert (await log(shop, order_id, kind="email", reference=REFERENCE, at=MORNING.isoformat())).status_code == 201
    assert (await tell(shop, hook, *told)).json() == {"new": 2}

    answer, email = await interactions(shop, order_id)
    assert [(each["fact"], each["times"]) for each in email["deliveries"]] == [
        ("sent", 1),
        ("delivered", 1),
        ("opened", 2),
        ("answered", 1),
    ]
    assert (answer["direction"], answer["note"], answer["source"]) == ("in", "giá bao nhiêu?", "messages")
    assert answer["at"] == (MORNING + timedelta(minutes=55)).isoformat().replace("+00:00", "Z")


async def test_a_system_can_log_what_it_sent_about_an_order_once(shop: Shop) -> None:
    order_id, hook = await shop.number(), await connect(shop, "message")
    shop.clock.forward(minutes=5)
    sent = fact("1", "sent", 1, order_id=str(order_id), channel="zalo", note="bảng giá")
    for _ in range(2):
        assert (await tell(shop, hook, sent, fact("2", "read", 3))).status_code == 200
    (message,) = await interactions(shop, order_id)
    assert (message["kind"], message["channel"], message["note"]) == ("message", "zalo", "bảng giá")
    assert [each["fact"] for each in message["deliveries"]] == ["sent", "read"]


async def test_an_interaction_that_arrives_twice_under_its_reference_is_one(shop: Shop) -> None:
    order_id = await shop.number()
    body = {"kind": "visit", "reference": "visit-77", "note": "ghé cửa hàng", "contact": "chồng"}
    answers = [await log(shop, order_id, **body) for _ in range(2)]
    assert answers[0].json()["interaction_id"] == answers[1].json()["interaction_id"]
    assert [(each["kind"], each["contact"]) for each in await interactions(shop, order_id)] == [("visit", "chồng")]


async def test_interactions_that_cannot_be_are_refused_and_nothing_is_written(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(hours=2)
    start = (MORNING + timedelta(hours=1)).isoformat()
    assert (await shop.call(order_id, "no_answer", at=start, seconds=600)).status_code == 201
    refused: list[tuple[dict[str, Any], str]] = [
        ({"kind": "call", "result": "busy", "at": start, "seconds": 60}, "interaction-overlaps"),
        ({"kind": "call", "result": "busy", "at": shop.clock.now.isoformat(), "seconds": 600}, "interaction-not-over"),
        ({"kind": "visit", "at": (MORNING - timedelta(days=1)).isoformat()}, "interaction-before-order"),
        ({"kind": "message", "at": (MORNING + timedelta(days=1)).isoformat()}, "interaction-in-the-future"),
        ({"kind": "visit", "channel": "zalo"}, "invalid"),
        ({"kind": "message", "channel": "bồ câu"}, "invalid"),
        ({"kind": "call", "result": "busy", "telephone_call": str(order_id)}, "not-found"),
    ]
    for body, title in refused:
        answer = await log(shop, order_id, **body)
        assert (answer.status_code in (404, 409, 422), answer.json()["title"]) == (True, title)
    assert len(await interactions(shop, order_id)) == 1


async def test_a_hook_refuses_what_it_does_not_understand_whole(shop: Shop) -> None:
    hook = await connect(shop)
    for wrong in (fact("2", "eaten", 1), fact("2", "read", 1, order_id=str(UUID(int=7))), {"id": "2"}):
        answer = await tell(shop, hook, fact("1", "sent", 1), wrong)
        assert (answer.status_code, answer.json()["title"]) == (422, "invalid")
    assert await shop.service.rows("SELECT 1 FROM delivery_facts") == []
    assert (await tell(shop, "/v1/hooks/messages/nonsense", fact("1", "sent", 1))).status_code == 404
