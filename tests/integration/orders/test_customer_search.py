"""Customers are found by any of their names and by ranges of their fields, page by page, the newest first."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.orders.customers import lists, sought
from tests.integration.orders.support import Person, Shop, idempotency_key
from tests.integration.orders.test_customers import customer_of, edit, field, listed


async def pages(shop: Shop, *, by: Person, limit: int, **query: Any) -> list[str]:
    """Every page of a list, one after the other."""
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await by.client.get("/v1/customers", params={**query, **after, "limit": limit})
        assert answer.status_code == 200, answer.text
        found += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next"] is None:
            return found
        after = {"after": answer.json()["next"]}


async def called(shop: Shop, *names: str) -> list[str]:
    """Customers who left these names, the newest first."""
    orders: list[UUID] = [await shop.number(name=name) for name in names]
    return [await customer_of(shop, order_id) for order_id in reversed(orders)]


async def test_pages_of_a_name_hold_everybody_once_the_newest_first(shop: Shop) -> None:
    found = await called(shop, "Nguyễn Thị Hoa", "Nguyen Van Hoan", "Trần Hoa", "NGUYỄN HOA", "Nguyễn Thị Lan")
    lan, hoa_3, tran, hoan, hoa_1 = found
    for by in (shop.sale, shop.admin):
        for limit in (1, 2, 50):
            assert await pages(shop, by=by, limit=limit, text="nguyễn") == [lan, hoa_3, hoan, hoa_1]
            assert await pages(shop, by=by, limit=limit, text="nguyen ho") == [hoa_3, hoan, hoa_1]
            assert await pages(shop, by=by, limit=limit, text="hoa nguyễn") == [hoa_3, hoa_1]
            assert await pages(shop, by=by, limit=limit, text="thị hoa") == [hoa_1]
            assert await pages(shop, by=by, limit=limit, text="nguyen khuat") == []
    assert await pages(shop, by=shop.colleague, limit=2, text="nguyễn") == []
    # Nothing that could be a word narrows nothing.
    assert await pages(shop, by=shop.sale, limit=2, text="-") == [lan, hoa_3, tran, hoan, hoa_1]


async def test_a_customer_is_found_by_every_name_they_have_now_and_by_none_they_had(shop: Shop) -> None:
    ((customer),) = await called(shop, "")
    assert await listed(shop, text="khanh") == []
    assert (await edit(shop, customer, name="Lê Khánh")).status_code == 200
    assert await listed(shop, text="le khanh") == [customer]
    assert (await edit(shop, customer, version=2, name="Lê Duyên")).status_code == 200
    assert (await listed(shop, text="khanh"), await listed(shop, text="duyen")) == ([], [customer])

    body = {"name": "Phạm Oanh", "roles": ["buyer"]}
    path = f"/v1/customers/{customer}/contacts"
    contact = (await shop.sale.client.post(path, json=body, headers=idempotency_key())).json()["id"]
    assert await listed(shop, text="pham oanh") == [customer]
    # Each name by itself: of nobody here both are true.
    assert await listed(shop, text="duyen oanh") == []
    changed = await shop.sale.client.put(
        f"{path}/{contact}", json={**body, "name": "Phạm Yến"}, headers={"If-Match": '"4"'}
    )
    assert changed.status_code == 200
    assert (await listed(shop, text="oanh"), await listed(shop, text="pham yen")) == ([], [customer])
    assert (await shop.sale.client.delete(f"{path}/{contact}", headers={"If-Match": '"5"'})).status_code == 200
    assert await listed(shop, text="pham") == []


async def test_a_customer_is_found_by_the_recipient_of_an_order(shop: Shop) -> None:
    await shop.stocked()
    order_id = await shop.number(name="Đỗ Giang")
    assert (await shop.close(order_id, recipient="Bùi Thị Hạnh")).status_code == 201
    customer = await customer_of(shop, order_id)
    assert await listed(shop, text="bui thi hanh") == [customer]
    assert await listed(shop, text="do giang") == [customer]


async def test_names_go_with_a_merge_and_come_back_when_it_is_taken_back(shop: Shop) -> None:
    kept, gone = await called(shop, "Võ Hải", "Hồ Nga")
    merged = await shop.manager.client.post(
        f"/v1/customers/{kept}/merge", json={"other": gone, "reason": "một người"}, headers=idempotency_key()
    )
    assert merged.status_code == 200, merged.text
    assert (await listed(shop, text="vo hai"), await listed(shop, text="ho nga")) == ([kept], [kept])
    undone = await shop.manager.client.post(
        f"/v1/customers/merges/{merged.json()['merge_id']}/undo",
        json={"reason": "hai người"},
        headers=idempotency_key(),
    )
    assert undone.status_code == 200, undone.text
    assert (await listed(shop, text="vo hai"), await listed(shop, text="ho nga")) == ([gone], [kept])


async def test_ranges_of_numbers_and_days_include_both_ends_and_follow_each_edit(shop: Shop) -> None:
    await field(shop, "age", "number")
    await field(shop, "born", "date")
    # A text that looks like a day, and is none, is text.
    await field(shop, "memo", "text")
    third, second, first = await called(shop, "Nguyễn Hoa", "Trần Lan", "Nguyễn Mai")
    filled: dict[str, dict[str, Any]] = {
        first: {"age": 20, "born": "2006-01-31", "memo": "2006-02-31"},
        second: {"age": 30.5, "born": "1996-05-01"},
        third: {"age": -1},
    }
    for customer, fields in filled.items():
        assert (await edit(shop, customer, fields=fields)).status_code == 200
    for by in (shop.sale, shop.admin):
        for limit in (1, 50):

            async def found(by: Person = by, limit: int = limit, **query: Any) -> list[str]:
                return await pages(shop, by=by, limit=limit, **query)

            assert await found(field_from="age:20") == [second, first]
            assert await found(field_from="age:20", field_to="age:20.0") == [first]
            assert await found(field_to="age:30.5") == [third, second, first]
            assert await found(field_to="age:30.4") == [third, first]
            assert await found(field_from="born:1996-05-01", field_to="born:2006-01-30") == [second]
            assert await found(field_from=["age:0", "born:2000-01-01"]) == [first]
            assert await found(field_from=["age:0", "age:21"]) == [second]
            assert await found(text="nguyen", field_to="age:30") == [third, first]
            assert await found(field="age:20", field_from="age:0") == [first]
    assert (await edit(shop, first, version=2, fields={"age": 40, "born": None})).status_code == 200
    assert await listed(shop, field_from="age:35") == [first]
    assert await listed(shop, field_from="born:2000-01-01") == []


async def test_a_range_that_makes_no_sense_is_refused_with_what_is_wrong(shop: Shop) -> None:
    for key, kind in (("age", "number"), ("born", "date"), ("skin", "text")):
        await field(shop, key, kind)
    wrong: list[tuple[dict[str, str], str, list[str]]] = [
        ({"field_from": "age"}, "wrong-field-filter", []),
        ({"field_to": ":3"}, "wrong-field-filter", []),
        ({"field_from": "nothing:1"}, "invalid-fields", ["unknown"]),
        ({"field_from": "age:old"}, "invalid-fields", ["number"]),
        ({"field_from": "age: "}, "invalid-fields", ["missing"]),
        ({"field_from": "age:3", "field_to": "age:2"}, "invalid-fields", ["wrong_range"]),
        ({"field_from": "age:nan"}, "invalid-fields", ["number"]),
        ({"field_to": "born:31/12/1990"}, "invalid-fields", ["date"]),
        ({"field_to": "skin:a"}, "invalid-fields", ["no_range"]),
    ]
    for query, title, codes in wrong:
        answer = await shop.sale.client.get("/v1/customers", params=query)
        assert (answer.status_code, answer.json()["title"]) == (422, title), query
        assert [each["code"] for each in answer.json().get("errors", [])] == codes, query


async def test_edits_of_the_same_customers_in_opposite_orders_end_and_are_both_found(shop: Shop) -> None:
    first, second = await called(shop, "Mai", "Lan")
    named = text(
        "INSERT INTO customer_contacts (id, customer_id, name, roles, created_at) "
        "VALUES (uuidv7(), :customer, :name, '{buyer}', now())"
    )

    async def edit_both(name: str, *customers: str) -> None:
        async with shop.service.db.transaction() as session:
            for customer in customers:
                await session.execute(named, {"customer": customer, "name": name})

    for turn in range(10):
        await asyncio.gather(edit_both(f"Yến {turn}", first, second), edit_both(f"Oanh {turn}", second, first))
    for name in ("yen 9", "oanh 9"):
        assert sorted(await listed(shop, text=name)) == sorted((first, second))
    assert await shop.service.rows("SELECT 1 FROM customer_search_due") == []


async def test_an_edit_that_is_taken_back_in_the_same_transaction_leaves_nothing(shop: Shop) -> None:
    (customer,) = await called(shop, "Mai")
    rename = text("UPDATE customers SET name = :name WHERE id = :id")
    async with shop.service.db.transaction() as session:
        await session.execute(rename, {"id": customer, "name": "Trần Mai"})
        async with session.begin_nested() as inner:
            await session.execute(rename, {"id": customer, "name": "Lê Duyên"})
            await inner.rollback()
    assert (await listed(shop, text="duyen"), await listed(shop, text="tran mai")) == ([], [customer])


async def test_customers_of_an_order_that_goes_to_a_colleague_go_with_it(shop: Shop) -> None:
    order_id = await shop.number(name="Đỗ Giang")
    customer = await customer_of(shop, order_id)
    assert await pages(shop, by=shop.sale, limit=5, text="giang") == [customer]
    await shop.assign(order_id, shop.colleague)
    for query in ({"text": "giang"}, {}):
        assert await pages(shop, by=shop.sale, limit=5, **query) == []
        assert await pages(shop, by=shop.colleague, limit=5, **query) == [customer]
        assert await pages(shop, by=shop.manager, limit=5, **query) == [customer]


async def test_a_search_that_is_given_up_goes_on_where_it_was(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "ENOUGH", 2)
    found = await called(shop, *(f"Nguyễn {name}" for name in ("An", "Ba", "Chi", "Dung", "Em", "Gia", "Hoa")))
    for customer in found[:3]:
        path, body = f"/v1/customers/{customer}/block", {"reason": "bom hàng"}
        assert (await shop.admin.client.post(path, json=body, headers=idempotency_key())).status_code == 200
    answer = (await shop.admin.client.get("/v1/customers", params={"blocked": False, "limit": 5})).json()
    # Two were looked at, and neither is meant: the page is empty, yet not the last.
    assert (answer["items"], answer["next"]) == ([], found[1])
    assert await pages(shop, by=shop.admin, limit=5, blocked=False) == found[3:]


async def test_many_people_are_seen_as_few_are(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await called(shop, "Nguyễn An", "Nguyễn Ba", "Lê Chi")
    monkeypatch.setattr(sought, "PEOPLE", 0)
    for by in (shop.sale, shop.manager):
        assert await pages(shop, by=by, limit=2) == found
        assert await pages(shop, by=by, limit=1, text="nguyen") == found[1:]
    assert await pages(shop, by=shop.colleague, limit=2) == []
