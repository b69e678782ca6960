"""Customers as salespeople and managers see and edit them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.events.customers import CUSTOMER_CHANGED
from shared.contracts.events.leads_everyday import TAG_CHANGED, TagChanged
from tests.harness import Databases
from tests.integration.orders.support import Person, Shop, idempotency_key, opened


async def customer_of(shop: Shop, order_id: UUID) -> str:
    return str((await shop.order(order_id, by=shop.admin))["customer"]["id"])


async def read(shop: Shop, customer: str, *, by: Person | None = None) -> dict[str, Any]:
    answer = await (by or shop.sale).client.get(f"/v1/customers/{customer}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
    return dict(answer.json())


async def edit(
    shop: Shop, customer: str, *, version: int = 1, by: Person | None = None, **fields: Any
) -> httpx.Response:
    return await (by or shop.sale).client.patch(
        f"/v1/customers/{customer}", json=fields, headers={"If-Match": f'"{version}"'}
    )


async def listed(shop: Shop, *, by: Person | None = None, **query: Any) -> list[str]:
    answer = await (by or shop.sale).client.get("/v1/customers", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def timeline(shop: Shop, customer: str, *, by: Person | None = None, **query: Any) -> list[dict[str, Any]]:
    answer = await (by or shop.sale).client.get(f"/v1/customers/{customer}/timeline", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def tag(shop: Shop, name: str) -> str:
    tag_id = uuid7()
    told = TagChanged(tag_id=tag_id, version=1, name=name, colour="#2f9e44", group="Khách")
    await shop.service.receive(TAG_CHANGED, told, subject=tag_id)
    return str(tag_id)


async def field(shop: Shop, key: str, type: str, **fields: Any) -> None:
    body = {"subject": "customer", "key": key, "vi": key, "en": key, "type": type, **fields}
    answer = await shop.admin.client.post("/v1/custom-fields", json=body)
    assert answer.status_code == 201, answer.text


async def test_a_profile_is_edited_from_its_version_and_what_was_before_is_kept(shop: Shop) -> None:
    order_id = await shop.number()
    customer = await customer_of(shop, order_id)
    preferences = {"form_of_address": "chị", "channel": "zalo", "call_times": ["19:00-20:30", "11:30-13:00"]}
    edited = await edit(shop, customer, name="Đặng Thị Hoa Mai", preferences=preferences, reason="khách đọc lại tên")
    assert (edited.status_code, edited.headers["ETag"]) == (200, '"2"')

    seen = await read(shop, customer)
    assert seen["name"] == "Đặng Thị Hoa Mai"
    assert seen["preferences"]["call_times"] == ["11:30-13:00", "19:00-20:30"]
    (entry,) = (await shop.sale.client.get(f"/v1/customers/{customer}/history")).json()["items"]
    assert (entry["kind"], entry["by_code"], entry["reason"]) == ("profile", "NV01", "khách đọc lại tên")
    assert entry["changes"]["name"] == ["Đặng Thị Hoa", "Đặng Thị Hoa Mai"]
    (told,) = await shop.service.outbox(CUSTOMER_CHANGED.name)
    assert (told["payload"]["name"], told["payload"]["version"]) == ("Đặng Thị Hoa Mai", 2)

    stale = await edit(shop, customer, name="Khác")
    assert (stale.status_code, stale.json()["title"]) == (412, "if-match-failed")
    missing = await shop.sale.client.patch(f"/v1/customers/{customer}", json={"name": "Khác"})
    assert missing.status_code == 428
    same = await edit(shop, customer, version=2, name="Đặng Thị Hoa Mai")
    assert same.json()["version"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "robot"},
        {"tax_code": "123"},
        {"name": "a\nb"},
        {"preferences": {"call_times": ["20:00-19:00"]}},
        {"preferences": {"call_times": ["8h-9h"]}},
        {"preferences": {"form_of_address": "mày"}},
        {"nothing": 1},
    ],
)
async def test_a_wrong_profile_is_named_and_changes_nothing(shop: Shop, wrong: dict[str, Any]) -> None:
    customer = await customer_of(shop, await shop.number())
    refused = await edit(shop, customer, **wrong)
    assert (refused.status_code, refused.json()["title"]) == (422, "invalid")
    assert (await read(shop, customer))["version"] == 1


async def test_contacts_have_roles_and_numbers_in_any_spelling(shop: Shop) -> None:
    customer = await customer_of(shop, await shop.number())
    body = {"name": "Trần Văn Bình", "roles": ["recipient", "payer"], "phones": ["01681 234 567", "028 3829 9999"]}
    headers = idempotency_key()
    answers = [
        await shop.sale.client.post(f"/v1/customers/{customer}/contacts", json=body, headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    contact = answers[0].json()
    (seen,) = (await read(shop, customer))["contacts"]
    assert (seen["name"], seen["roles"], sorted(seen["phones"])) == (
        "Trần Văn Bình",
        ["recipient", "payer"],
        ["02838299999", "0381234567"],
    )
    assert await listed(shop, phone="+84 168 1234567") == [customer]
    assert await listed(shop, text="binh tran") == [customer]

    path = f"/v1/customers/{customer}/contacts/{contact['id']}"
    fewer = {"name": "Trần Văn Bình", "roles": ["accountant"], "phones": ["0381234567"]}
    changed = await shop.sale.client.put(path, json=fewer, headers={"If-Match": '"2"'})
    assert changed.status_code == 200, changed.text
    after = await read(shop, customer)
    assert after["contacts"][0]["phones"] == ["0381234567"]
    assert len(after["phones"]) == 3
    gone = await shop.sale.client.delete(path, headers={"If-Match": '"3"'})
    assert gone.json()["version"] == 4
    assert (await read(shop, customer))["contacts"] == []
    assert await listed(shop, phone="0381234567") == [customer]
    again = await shop.sale.client.delete(path, headers={"If-Match": '"4"'})
    assert again.status_code == 404


async def test_a_number_of_another_customer_is_refused_and_nothing_is_half_done(shop: Shop) -> None:
    mine, other = await shop.number(phone="+84912999001"), await shop.number(phone="+84912999002")
    customer = await customer_of(shop, mine)
    body = {"name": "Bình", "roles": ["buyer"], "phones": ["0912999003", "0912 999 002"]}
    refused = await shop.sale.client.post(f"/v1/customers/{customer}/contacts", json=body)
    assert (refused.status_code, refused.json()["title"]) == (409, "phone-of-another-customer")
    wrong = await shop.sale.client.post(f"/v1/customers/{customer}/phones", json={"phones": ["0912999004", "12"]})
    assert (wrong.status_code, wrong.json()["number"]) == (422, 2)
    assert await listed(shop, phone="0912999003") == []
    assert await listed(shop, phone="0912999002") == [await customer_of(shop, other)]
    added = await shop.sale.client.post(f"/v1/customers/{customer}/phones", json={"phones": ["0912999004"]})
    assert added.json()["version"] == 2
    # Whoever leaves the added number is this customer.
    assert await customer_of(shop, await shop.accept(phone="+84912999004")) == customer


async def test_fields_of_the_trade_are_filled_in_filtered_by_and_refused_by_name(shop: Shop) -> None:
    choices = [{"code": "oily", "vi": "Da dầu", "en": "Oily"}, {"code": "dry", "vi": "Da khô", "en": "Dry"}]
    await field(shop, "skin", "choice", choices=choices)
    await field(shop, "likes", "multi_choice", choices=choices)
    await field(shop, "age", "number", required=True)
    customer = await customer_of(shop, await shop.number())
    other = await customer_of(shop, await shop.number())

    refused = await edit(shop, customer, fields={"skin": "blue", "likes": ["oily"]})
    assert (refused.status_code, refused.json()["title"]) == (422, "invalid-fields")
    assert [(each["field"], each["code"]) for each in refused.json()["errors"]] == [
        ("fields.skin", "choice"),
        ("fields.age", "missing"),
    ]
    kept = await edit(shop, customer, fields={"skin": "oily", "likes": ["dry", "oily"], "age": 31})
    assert kept.status_code == 200
    assert (await read(shop, customer))["fields"] == {"skin": "oily", "likes": ["oily", "dry"], "age": 31}
    assert (await edit(shop, other, fields={"skin": "dry", "age": 31})).status_code == 200

    assert await listed(shop, field=["skin:oily"]) == [customer]
    assert await listed(shop, field=["likes:dry"]) == [customer]
    assert set(await listed(shop, field=["age:31"])) == {customer, other}
    assert await listed(shop, field=["age:31", "skin:dry"]) == [other]
    for wrong, title in (("skin", "wrong-field-filter"), ("nothing:1", "invalid-fields"), ("age:x", "invalid-fields")):
        answer = await shop.sale.client.get("/v1/customers", params={"field": wrong})
        assert (answer.status_code, answer.json()["title"]) == (422, title)

    # A retired choice stays where it is, and is not given any more.
    retired = [{**choices[0], "retired": True}, choices[1]]
    path = "/v1/custom-fields/customer/skin"
    changed = await shop.admin.client.patch(path, json={"choices": retired}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (await edit(shop, customer, version=2, fields={"age": 32})).status_code == 200
    assert (await edit(shop, other, version=2, fields={"skin": "oily"})).status_code == 422
    left_out = await shop.admin.client.patch(path, json={"choices": [choices[1]]}, headers={"If-Match": '"2"'})
    assert (left_out.status_code, left_out.json()["title"]) == (422, "choice-left-out")


async def test_definitions_of_fields_are_refused_when_they_make_no_sense(shop: Shop) -> None:
    good = {"subject": "order", "key": "gift", "vi": "Gói quà", "en": "Gift", "type": "boolean"}
    for wrong in ({"key": "Gift!"}, {"type": "colour"}, {"type": "choice"}, {"vi": " "}):
        refused = await shop.admin.client.post("/v1/custom-fields", json={**good, **wrong})
        assert (refused.status_code, refused.json()["title"]) == (422, "invalid"), wrong
    assert (await shop.manager.client.post("/v1/custom-fields", json=good)).status_code == 403
    assert (await shop.admin.client.post("/v1/custom-fields", json=good)).status_code == 201
    twice = await shop.admin.client.post("/v1/custom-fields", json=good)
    assert (twice.status_code, twice.json()["title"]) == (409, "field-exists")
    assert [each["key"] for each in (await shop.sale.client.get("/v1/custom-fields")).json()] == ["gift"]


async def test_a_required_field_of_orders_is_asked_for_at_closing(shop: Shop) -> None:
    body = {"subject": "order", "key": "size", "vi": "Cỡ", "en": "Size", "type": "text", "required": True}
    assert (await shop.admin.client.post("/v1/custom-fields", json=body)).status_code == 201
    await shop.stocked()
    order_id = await shop.number()
    refused = await shop.close(order_id)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "fields.size")
    path = f"/v1/orders/{order_id}/fields"
    filled = await shop.sale.client.patch(path, json={"fields": {"size": "M"}}, headers={"If-Match": '"0"'})
    assert (filled.status_code, filled.headers["ETag"]) == (200, '"1"')
    assert (await shop.sale.client.patch(path, json={"fields": {}}, headers={"If-Match": '"0"'})).status_code == 412
    assert (await shop.colleague.client.get(path)).status_code == 404
    assert (await shop.close(order_id)).status_code == 201
    kinds = {entry["kind"] for entry in await timeline(shop, await customer_of(shop, order_id))}
    assert "customer" in kinds


async def test_customers_are_found_by_tag_owner_order_and_mark_page_by_page(shop: Shop) -> None:
    orders = [await shop.number() for _ in range(3)]
    customers = [await customer_of(shop, order) for order in orders]
    close_one = await tag(shop, "Thân thiết")
    path = f"/v1/customers/{customers[0]}/tags"
    tagged = await shop.sale.client.put(path, json={"tags": [close_one]}, headers={"If-Match": '"1"'})
    assert tagged.status_code == 200, tagged.text
    unknown = await shop.sale.client.put(path, json={"tags": [str(uuid4())]}, headers={"If-Match": '"2"'})
    assert (unknown.status_code, unknown.json()["title"]) == (422, "unknown-tags")

    assert await listed(shop, tag=close_one) == [customers[0]]
    assert (await read(shop, customers[0]))["tags"][0]["name"] == "Thân thiết"
    assert await listed(shop, owner=str(shop.sale.id)) == customers[::-1]
    assert await listed(shop, owner=str(shop.colleague.id)) == []
    first = (await shop.sale.client.get("/v1/customers", params={"limit": 2})).json()
    assert [item["id"] for item in first["items"]] == customers[:0:-1]
    assert await listed(shop, limit=2, after=first["next"]) == customers[:1]
    came = datetime.fromtimestamp((orders[1].int >> 80) / 1000).astimezone()
    assert customers[0] not in await listed(shop, last_order_from=(came).isoformat())
    assert await listed(shop, last_order_to=came.isoformat()) == [customers[0]]
    assert await listed(shop, last_order_from=(came + timedelta(days=1)).isoformat()) == []


async def test_only_customers_of_own_orders_are_seen_and_numbers_are_masked(shop: Shop) -> None:
    order_id = await shop.number(phone="+84912777001")
    customer = await customer_of(shop, order_id)
    await shop.number()
    assert (await shop.colleague.client.get(f"/v1/customers/{customer}")).status_code == 404
    assert (await edit(shop, customer, by=shop.colleague, name="X")).status_code == 404
    assert await listed(shop, by=shop.colleague) == []
    assert len(await listed(shop, by=shop.manager)) == 2
    assert (await read(shop, customer))["phones"][0]["phone"] == "0912777001"
    assert (await read(shop, customer, by=shop.cod))["phones"][0]["phone"] == "0912***001"
    (item,) = (await shop.cod.client.get("/v1/customers", params={"phone": "0912777001"})).json()["items"]
    assert item["phones"] == ["0912***001"]


async def test_the_timeline_is_one_list_of_all_orders_by_time_page_by_page(shop: Shop) -> None:
    await shop.stocked()
    first = await shop.number(phone="+84912777002", note="gọi buổi tối")
    customer = await customer_of(shop, first)
    shop.clock.forward(minutes=5)
    assert (await shop.close(first)).status_code == 201
    shop.clock.forward(minutes=5)
    await shop.shipment(first, "accepted", sequence=1, shipment_id=uuid7())
    shop.clock.forward(days=1)
    second = await shop.number(phone="+84912777002")
    assert (await shop.call(second, "call_later")).status_code in (201, 422)
    await edit(shop, customer, version=(await read(shop, customer))["version"], note="khách quen")
    await shop.came_again(second)

    whole = await timeline(shop, customer, limit=200)
    assert {"arrived", "level", "interaction", "contents", "shipment", "task", "customer", "came_again", "owner"} <= {
        entry["kind"] for entry in whole
    }
    assert [entry["at"] for entry in whole] == sorted((entry["at"] for entry in whole), reverse=True)
    assert {entry["order_id"] for entry in whole} == {str(first), str(second), None}
    pages, after = [], None
    while True:
        query = {"limit": 3} if after is None else {"limit": 3, "after": after}
        page = (await shop.sale.client.get(f"/v1/customers/{customer}/timeline", params=query)).json()
        pages += page["items"]
        after = page["next"]
        if after is None:
            break
    assert pages == whole
    bad = await shop.sale.client.get(f"/v1/customers/{customer}/timeline", params={"after": "x"})
    assert bad.status_code == 422


async def test_who_does_not_look_after_a_customer_sees_of_others_orders_only_that_they_exist(shop: Shop) -> None:
    old = await shop.number(phone="+84912777003", note="chuyện riêng")
    assert (await shop.call(old, "not_buying", reason="giá cao")).status_code == 201
    customer = await customer_of(shop, old)
    new = await shop.accept(phone="+84912777003")
    await shop.assign(new, shop.colleague)

    theirs = await timeline(shop, customer, by=shop.colleague)
    assert not any(entry["hidden"] for entry in theirs)
    assert any(entry["note"] == "chuyện riêng" for entry in theirs)
    mine = await timeline(shop, customer)
    hidden = [entry for entry in mine if entry["hidden"]]
    assert hidden
    assert {(entry["order_id"], entry["order_code"], entry["what"], entry["by"]) for entry in hidden} == {
        (None, "", "", "")
    }
    assert [entry["at"] for entry in mine] == [entry["at"] for entry in theirs]


async def test_a_blocked_customer_is_shown_with_their_returns_and_a_deposit_is_asked_for(databases: Databases) -> None:
    async with opened(databases, blocked_deposit_percent=30) as shop:
        await shop.stocked(price=200_001)
        order_id = await shop.number()
        customer = await customer_of(shop, order_id)
        path = f"/v1/customers/{customer}/block"
        assert (await shop.sale.client.post(path, json={"reason": "bom hàng"})).status_code == 403
        assert (await shop.manager.client.post(path, json={"reason": " "})).status_code == 422
        assert (await shop.manager.client.post(path, json={"reason": "bom hàng 3 lần"})).status_code == 200
        twice = await shop.manager.client.post(path, json={"reason": "bom hàng"})
        assert (twice.status_code, twice.json()["title"]) == (409, "already-blocked")

        shown = (await shop.order(order_id))["customer"]
        assert (shown["blocked_reason"], shown["deposit_percent"], shown["returned"]) == ("bom hàng 3 lần", 30, 0)
        assert await listed(shop, blocked=True) == [customer]
        refused = await shop.close(order_id, deposit=60_000)
        assert (refused.status_code, refused.json()["title"]) == (422, "deposit-required")
        assert (refused.json()["deposit"], refused.json()["returned"]) == (60_001, 0)
        assert (await shop.close(order_id, deposit=60_001)).status_code == 201
        lowered = await shop.sale.client.patch(
            f"/v1/orders/{order_id}/contents", json={"deposit": 0}, headers={"If-Match": '"1"'}
        )
        assert lowered.json()["title"] == "deposit-required"
        lifted = await shop.manager.client.post(f"/v1/customers/{customer}/unblock", json={"reason": "đã trả tiền"})
        assert lifted.status_code == 200
        assert await listed(shop, blocked=True) == []
