"""Numbers that stand in texts are shown like the order's own number: masked for whoever sees that one masked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.orders.live import streams_of
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL, SEED_GROUPS
from tests.integration.orders.support import MORNING, Person, Shop, idempotency_key
from tests.integration.orders.telephone_support import Exchange

NUMBER, STARS = "0912 345 678", "0912***678"
NAME, ADDRESS, NOTE = f"Hoa {NUMBER}", f"12 Lê Lợi, gọi {NUMBER}", f"gọi {NUMBER} sau 18h"


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The shop of all tests, whose manager may not reveal numbers."""
    granted = set(SEED_GROUPS["manager"]) - {PHONES_REVEAL}
    client = await shop.service.client(*granted, account_id=shop.manager.id, code=shop.manager.code, team="S1")
    shop.manager = Person(shop.manager.id, shop.manager.code, client)
    return shop


async def number(shop: Shop) -> UUID:
    return await shop.number(phone="+84912345678", name=NAME, address=ADDRESS, note=NOTE)


async def closed(shop: Shop) -> UUID:
    await shop.stocked()
    order_id = await number(shop)
    address = {"province": "Hà Nội", "ward": "Phường Hoàn Kiếm", "detail": ADDRESS}
    answer = await shop.close(order_id, recipient=NAME, address=address, note=NOTE)
    assert answer.status_code == 201, answer.text
    return order_id


async def texts(person: Person, path: str, **query: Any) -> str:
    """What somebody is answered, to look for numbers in."""
    answer = await person.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


async def is_masked_for_others(shop: Shop, path: str, **query: Any) -> None:
    """The holder reads the number in the texts, their superior reads it with stars."""
    assert NUMBER in await texts(shop.sale, path, **query)
    above = await texts(shop.manager, path, **query)
    assert NUMBER not in above
    assert "+84912345678" not in above
    assert STARS in above


async def test_what_the_customer_left_and_what_was_agreed_is_masked_on_the_order_and_in_lists(shop: Shop) -> None:
    order_id = await closed(shop)
    for path in (f"/v1/orders/{order_id}", f"/v1/orders/{order_id}/versions", f"/v1/orders/{order_id}/screen"):
        await is_masked_for_others(shop, path)
    await is_masked_for_others(shop, "/v1/orders")
    shown = await shop.order(order_id, by=shop.manager)
    assert shown["lead"]["note"] == f"gọi {STARS} sau 18h"
    assert shown["contents"]["address"] == f"12 Lê Lợi, gọi {STARS}"


async def test_what_staff_wrote_is_masked_in_the_timeline_the_interactions_and_the_transitions(shop: Shop) -> None:
    order_id = await number(shop)
    assert (await shop.call(order_id, "no_answer", note=NOTE)).status_code == 201
    for path in (f"/v1/orders/{order_id}/timeline", f"/v1/orders/{order_id}/interactions"):
        await is_masked_for_others(shop, path)
    moved = {"to": "L1.4", "note": NOTE, "reason": f"khách dặn {NUMBER}"}
    assert (await shop.sale.client.post(f"/v1/orders/{order_id}/level", json=moved)).status_code == 200
    for path in (f"/v1/orders/{order_id}/transitions", "/v1/transitions"):
        await is_masked_for_others(shop, path)


async def test_a_note_is_whole_for_its_author_and_the_holder_and_masked_for_whom_it_mentions(shop: Shop) -> None:
    order_id = await number(shop)
    path = f"/v1/orders/{order_id}/notes"
    asked = await shop.sale.client.post(path, json={"text": f"@nv02 gọi {NUMBER} giúp?", "ask": True})
    note_id = asked.json()["note_id"]
    assert NUMBER in await texts(shop.sale, path)
    assert NUMBER not in await texts(shop.colleague, path)
    assert STARS in await texts(shop.colleague, "/v1/notes/questions")
    assert NUMBER not in await texts(shop.colleague, "/v1/notes/questions")
    edited = await shop.sale.client.patch(f"{path}/{note_id}", json={"text": "@nv02 gọi giúp?"})
    assert edited.status_code == 200, edited.text
    await is_masked_for_others(shop, f"{path}/{note_id}/versions")

    answered = {"text": f"số kia là {NUMBER}", "answers": note_id}
    assert (await shop.colleague.client.post(path, json=answered)).status_code == 201
    assert NUMBER in await texts(shop.colleague, path)
    assert NUMBER in await texts(shop.colleague, "/v1/notes/questions", only_open=False)
    assert NUMBER in await texts(shop.sale, "/v1/notes/questions", side="by_me", only_open=False)


async def test_the_customer_is_masked_for_whoever_sees_their_numbers_masked(shop: Shop) -> None:
    order_id = await number(shop)
    customer = (await shop.order(order_id, by=shop.admin))["customer"]["id"]
    path = f"/v1/customers/{customer}"
    contact = {"name": NAME, "roles": ["family"], "phones": ["0987 654 321"], "note": NOTE}
    added = await shop.sale.client.post(f"{path}/contacts", json=contact, headers=idempotency_key())
    assert added.status_code == 201, added.text
    version = added.json()["version"]
    noted = await shop.sale.client.patch(path, json={"note": NOTE}, headers={"If-Match": f'"{version}"'})
    assert noted.status_code == 200, noted.text
    for each in (path, "/v1/customers", f"{path}/timeline", f"{path}/history"):
        await is_masked_for_others(shop, each)
    assert "987654321" not in await texts(shop.manager, f"{path}/history")
    assert "987654321" in await texts(shop.sale, f"{path}/history")


async def test_the_due_list_masks_the_customer_for_whoever_does_not_call_them(shop: Shop) -> None:
    await number(shop)
    assert NUMBER in await texts(shop.sale, "/v1/tasks")
    above = await texts(shop.manager, "/v1/tasks", owner=str(shop.sale.id))
    assert f"Hoa {STARS}" in above
    assert NUMBER not in above


async def test_a_call_shows_the_name_masked_to_whoever_is_not_the_holder(exchange: Exchange) -> None:
    shop = exchange.shop
    await number(shop)
    events = exchange.stringee.incoming("0912345678", "nv02", at=MORNING, talks=30)
    await exchange.tell(events[:3])
    names = {}
    for person in (shop.sale, shop.colleague):
        who = Principal(person.id, person.code, frozenset(SEED_GROUPS["sale"]), team="S1")
        topic = f"calls/{person.id}"
        (call,) = (await streams_of(shop.service.runtime).read(who, [topic]))[topic]["going"]
        names[person.code] = call["customer"]
    assert names == {"NV01": NAME, "NV02": f"Hoa {STARS}"}
    await exchange.tell(events[3:])
    assert [call["customer"] for call in await exchange.waiting(by=shop.colleague)] == [f"Hoa {STARS}"]


async def test_the_company_s_own_fields_of_an_order_are_masked_and_saved_back_whole(shop: Shop) -> None:
    field = {"subject": "order", "key": "card", "vi": "Thiệp", "en": "Card", "type": "text"}
    assert (await shop.admin.client.post("/v1/custom-fields", json=field)).status_code == 201
    order_id = await number(shop)
    path = f"/v1/orders/{order_id}/fields"
    filled = {"fields": {"card": NOTE}}
    version = (await shop.sale.client.get(path)).json()["version"]
    answer = await shop.sale.client.patch(path, json=filled, headers={"If-Match": f'"{version}"'})
    assert answer.json()["fields"] == {"card": NOTE}, answer.text
    await is_masked_for_others(shop, path)
    shown = (await shop.manager.client.get(path)).json()
    back = await shop.manager.client.patch(
        path, json={"fields": shown["fields"]}, headers={"If-Match": f'"{version + 1}"'}
    )
    assert (back.status_code, back.json()) == (200, shown)
    assert (await shop.sale.client.get(path)).json()["fields"] == {"card": NOTE}


async def test_texts_that_are_saved_back_with_stars_keep_their_numbers(shop: Shop) -> None:
    order_id = await closed(shop)
    shown = (await shop.order(order_id, by=shop.manager))["contents"]
    parts = ("province", "district", "ward")
    back = {
        "recipient": shown["recipient"],
        "phone": shown["phone"],
        "address": {**{part: shown[part] for part in parts}, "detail": shown["address"]},
        "note": shown["note"],
        "discount": 1_000,
    }
    edited = await shop.manager.client.patch(f"/v1/orders/{order_id}/contents", json=back, headers={"If-Match": '"1"'})
    assert edited.status_code == 200, edited.text
    kept = (await shop.order(order_id))["contents"]
    assert (kept["recipient"], kept["address"], kept["note"]) == (NAME, ADDRESS, NOTE)
    assert (kept["phone"], kept["discount"]) == ("0912345678", 1_000)


async def test_whoever_closes_with_what_they_were_shown_closes_with_what_the_customer_left(shop: Shop) -> None:
    await shop.stocked()
    order_id = await number(shop)
    lead = (await shop.order(order_id, by=shop.manager))["lead"]
    address = {"province": "Hà Nội", "ward": "Phường Hoàn Kiếm", "detail": lead["address"]}
    answer = await shop.close(order_id, by=shop.manager, recipient=lead["name"], address=address, note=lead["note"])
    assert answer.status_code == 201, answer.text
    kept = (await shop.order(order_id))["contents"]
    assert (kept["recipient"], kept["address"], kept["note"]) == (NAME, ADDRESS, NOTE)


async def test_a_customer_s_texts_that_are_saved_back_with_stars_keep_their_numbers(shop: Shop) -> None:
    order_id = await number(shop)
    path = f"/v1/customers/{(await shop.order(order_id))['customer']['id']}"
    preferences = {"channel": "call", "note": NOTE}
    first = {"name": NAME, "note": NOTE, "preferences": preferences}
    assert (await shop.sale.client.patch(path, json=first, headers={"If-Match": '"1"'})).status_code == 200
    shown = (await shop.manager.client.get(path)).json()
    assert (shown["name"], shown["preferences"]["note"]) == (f"Hoa {STARS}", f"gọi {STARS} sau 18h")
    back = {"name": shown["name"], "note": shown["note"], "preferences": shown["preferences"], "tax_code": "0312345678"}
    version = shown["version"]
    edited = await shop.manager.client.patch(path, json=back, headers={"If-Match": f'"{version}"'})
    assert edited.status_code == 200, edited.text
    kept = (await shop.sale.client.get(path)).json()
    assert (kept["name"], kept["note"], kept["preferences"]["note"]) == (NAME, NOTE, NOTE)
    assert kept["tax_code"] == "0312345678"

    contact = {"name": NAME, "roles": ["family"], "note": NOTE}
    added = await shop.sale.client.post(f"{path}/contacts", json=contact, headers=idempotency_key())
    (shown,) = (await shop.manager.client.get(path)).json()["contacts"]
    back = {"name": shown["name"], "note": shown["note"], "roles": ["decision_maker"]}
    match = {"If-Match": f'"{added.json()["version"]}"'}
    replaced = await shop.manager.client.put(f"{path}/contacts/{shown['id']}", json=back, headers=match)
    assert replaced.status_code == 200, replaced.text
    (kept,) = (await shop.sale.client.get(path)).json()["contacts"]
    assert (kept["name"], kept["note"], kept["roles"]) == (NAME, NOTE, ["decision_maker"])
