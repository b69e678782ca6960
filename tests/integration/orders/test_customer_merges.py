"""Two customers who are one person, and two after all."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.events.customers import CUSTOMERS_MERGED, CUSTOMERS_UNMERGED
from tests.integration.orders.support import Person, Shop, idempotency_key
from tests.integration.orders.test_customers import customer_of, edit, read, tag, timeline


async def merge(
    shop: Shop, other: str, *, into: str, by: Person | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"other": other, "reason": "cùng một người"}
    return await (by or shop.manager).client.post(f"/v1/customers/{into}/merge", json=body, headers=headers)


async def undo(shop: Shop, merge_id: str, *, by: Person | None = None) -> httpx.Response:
    return await (by or shop.manager).client.post(
        f"/v1/customers/merges/{merge_id}/undo", json={"reason": "hai người khác nhau"}
    )


async def state(shop: Shop, *customers: str) -> list[list[dict[str, Any]]]:
    """Every row of customers, but their versions, which grow."""
    found = []
    for sql in (
        "SELECT id, merged_into, kind, name, tax_code, note, preferences, fields, tags, do_not_call_at, blocked_at, "
        "confirmed_at, confirmed_by FROM customers WHERE id = ANY(:ids) ORDER BY id",
        "SELECT phone, customer_id, contact_id FROM customer_phones WHERE customer_id = ANY(:ids) ORDER BY phone",
        "SELECT id, customer_id FROM orders WHERE customer_id = ANY(:ids) ORDER BY id",
        "SELECT id, customer_id, name FROM customer_contacts WHERE customer_id = ANY(:ids) ORDER BY id",
        "SELECT id, customer_id, detail, used_at FROM customer_addresses WHERE customer_id = ANY(:ids) ORDER BY id",
    ):
        rows = await shop.service.rows(sql, ids=[UUID(customer) for customer in customers])
        found.append([dict(row._mapping) for row in rows])
    return found


async def two(shop: Shop) -> tuple[UUID, UUID, str, str]:
    """Two customers with orders, addresses, a contact and a tag; both were sent something to one address."""
    await shop.stocked()
    first, second = await shop.number(phone="+84912555001"), await shop.number(phone="+84912555002", name="Hoa Mai")
    a, b = await customer_of(shop, first), await customer_of(shop, second)
    assert (await shop.close(first)).status_code == 201
    shop.clock.forward(hours=1)
    assert (await shop.close(second)).status_code == 201
    body = {"name": "Bình", "roles": ["recipient"], "phones": ["0912555003"]}
    assert (await shop.sale.client.post(f"/v1/customers/{b}/contacts", json=body)).status_code == 201
    address = {"address": {"province": "Hà Nội", "ward": "Phường Hoàn Kiếm", "detail": "1 Tràng Tiền"}}
    assert (await shop.sale.client.post(f"/v1/customers/{b}/addresses", json=address)).status_code == 201
    version = (await read(shop, b))["version"]
    tags = {"tags": [await tag(shop, "VIP")]}
    assert (
        await shop.sale.client.put(f"/v1/customers/{b}/tags", json=tags, headers={"If-Match": f'"{version}"'})
    ).status_code == 200
    return first, second, a, b


async def test_a_merge_brings_everything_together_and_is_taken_back_exactly(shop: Shop) -> None:
    first, second, a, b = await two(shop)
    before = await state(shop, a, b)
    headers = idempotency_key()
    answers = [await merge(shop, b, into=a, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()

    both = await read(shop, a)
    assert [phone["phone"] for phone in both["phones"]] == ["0912555001", "0912555002", "0912555003"]
    assert (both["orders"], len(both["contacts"]), len(both["addresses"]), len(both["tags"])) == (2, 1, 2, 1)
    gone = await shop.sale.client.get(f"/v1/customers/{b}")
    assert (gone.status_code, gone.json()["merged_into"]) == (410, a)
    (told,) = await shop.service.outbox(CUSTOMERS_MERGED.name)
    assert (told["payload"]["kept_id"], told["payload"]["gone_id"], told["payload"]["orders"]) == (a, b, [str(second)])
    entries = await timeline(shop, a, limit=200)
    assert {str(first), str(second)} <= {entry["order_id"] for entry in entries}
    edits = [entry["what"] for entry in entries if entry["kind"] == "customer"]
    assert edits[0] == "merged"
    assert "contact" in edits
    (listed,) = (await shop.sale.client.get(f"/v1/customers/{a}/merges")).json()

    shop.clock.forward(hours=23, minutes=59)
    restored = await undo(shop, listed["id"])
    assert restored.status_code == 200, restored.text
    assert await state(shop, a, b) == before
    (told,) = await shop.service.outbox(CUSTOMERS_UNMERGED.name)
    assert told["payload"]["orders"] == [str(second)]
    again = await undo(shop, listed["id"])
    assert (again.status_code, again.json()["title"]) == (409, "already-unmerged")


async def test_what_happened_since_a_merge_goes_to_the_one_whose_number_it_came_with(shop: Shop) -> None:
    _, _, a, b = await two(shop)
    merge_id = (await merge(shop, b, into=a)).json()["merge_id"]
    of_a, of_b = await shop.number(phone="+84912555001"), await shop.number(phone="+84912555002")
    moved = {"province": "Huế", "ward": "Phường Thuận Hóa", "detail": "9 Lê Lợi"}
    assert (await shop.close(of_b, address=moved)).status_code == 201
    version = (await read(shop, a))["version"]
    assert (await edit(shop, a, version=version, note="thích trà")).status_code == 200
    assert (await undo(shop, merge_id)).status_code == 200

    assert await customer_of(shop, of_a) == a
    assert await customer_of(shop, of_b) == b
    kept, restored = await read(shop, a), await read(shop, b)
    assert (kept["note"], restored["note"]) == ("thích trà", "")
    assert "9 Lê Lợi" in [address["detail"] for address in restored["addresses"]]
    assert "9 Lê Lợi" not in [address["detail"] for address in kept["addresses"]]
    assert (kept["tags"], len(restored["tags"])) == ([], 1)


async def test_a_merge_is_taken_back_within_a_day_the_last_one_first(shop: Shop) -> None:
    _, _, a, b = await two(shop)
    c = await customer_of(shop, await shop.number())
    first = (await merge(shop, b, into=a)).json()["merge_id"]
    shop.clock.forward(minutes=1)
    second = (await merge(shop, c, into=a)).json()["merge_id"]
    refused = await undo(shop, first)
    assert (refused.status_code, refused.json()["title"], refused.json()["later"]) == (409, "merged-further", second)
    assert (await undo(shop, second)).status_code == 200
    shop.clock.forward(hours=24)
    late = await undo(shop, first)
    assert (late.status_code, late.json()["title"]) == (409, "too-late-to-unmerge")
    unknown = await undo(shop, a)
    assert unknown.status_code == 404


async def test_merges_that_make_no_sense_or_are_not_allowed_are_refused(shop: Shop) -> None:
    _, _, a, b = await two(shop)
    assert (await merge(shop, a, into=a)).json()["title"] == "same-customer"
    assert (await merge(shop, b, into=a, by=shop.sale)).status_code == 403
    assert (await merge(shop, str(UUID(int=7)), into=a)).status_code == 404
    assert (await merge(shop, b, into=a)).status_code == 200
    again = await merge(shop, b, into=a)
    assert (again.status_code, again.json()["merged_into"]) == (410, a)


async def test_two_merges_at_once_make_no_circle(shop: Shop) -> None:
    customers = [await customer_of(shop, await shop.number()) for _ in range(4)]
    pairs = [(one, other) for one in customers for other in customers if one != other]
    answers = await asyncio.gather(*(merge(shop, one, into=other) for one, other in pairs))
    assert {answer.status_code for answer in answers} <= {200, 409, 410}
    assert sum(answer.status_code == 200 for answer in answers) == 3
    rows = await shop.service.rows("SELECT id, merged_into FROM customers")
    into = {row.id: row.merged_into for row in rows}
    (root,) = [customer for customer, parent in into.items() if parent is None]
    for customer in into:
        seen = [customer]
        while (parent := into[seen[-1]]) is not None:
            assert parent not in seen
            seen.append(parent)
        assert seen[-1] == root
    (count,) = await shop.service.rows("SELECT count(*) AS orders FROM orders WHERE customer_id = :root", root=root)
    assert count.orders == 4


async def test_numbers_that_come_while_customers_are_merged_lose_nobody(shop: Shop) -> None:
    one, other = await shop.number(phone="+84912555011"), await shop.number(phone="+84912555012")
    a, b = await customer_of(shop, one), await customer_of(shop, other)
    merged, *orders = await asyncio.gather(
        merge(shop, b, into=a), *(shop.accept(phone="+84912555012") for _ in range(5))
    )
    assert merged.status_code == 200
    assert {await customer_of(shop, order) for order in orders} == {a}


async def test_hints_say_who_may_be_the_same_person_and_why(shop: Shop) -> None:
    _, second, a, b = await two(shop)
    unlike = await customer_of(shop, await shop.number(name="Lê Văn Tám"))
    (hint,) = (await shop.sale.client.get(f"/v1/customers/{a}/duplicates")).json()
    assert (hint["customer_id"], hint["because"], hint["visible"]) == (b, ["same_address", "same_name"], True)
    assert (await shop.sale.client.get(f"/v1/customers/{unlike}/duplicates")).json() == []
    changed = await shop.sale.client.patch(
        f"/v1/orders/{second}/contents", json={"phone": "0912555001"}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    (hint,) = (await shop.sale.client.get(f"/v1/customers/{a}/duplicates")).json()
    assert hint["because"][0] == "same_phone"
    await shop.assign(second, shop.colleague)
    (hint,) = (await shop.sale.client.get(f"/v1/customers/{a}/duplicates")).json()
    assert (hint["visible"], hint["name"], hint["phones"]) == (True, "Đặng Thị Hoa", ["0912555002", "0912555003"])
    (hint,) = (await shop.colleague.client.get(f"/v1/customers/{b}/duplicates")).json()
    assert (hint["visible"], hint["name"], hint["phones"]) == (False, "", [])
