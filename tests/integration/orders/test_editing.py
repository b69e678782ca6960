"""A closed order is changed or taken back until it is posted; stock, shipping and reports follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.contracts.events.orders import LEVEL_CHANGED, ORDER_CANCELLED, ORDER_CLOSED
from tests.harness import Databases
from tests.integration.orders.support import Person, Shop, opened


async def closed(shop: Shop, *, by: Person | None = None, **fields: Any) -> UUID:
    """An order that NV01 has closed."""
    order_id = await shop.number()
    answer = await shop.close(order_id, by=by, **fields)
    assert answer.status_code == 201, answer.text
    return order_id


async def edit(
    shop: Shop, order_id: UUID, *, by: Person | None = None, version: int = 1, **fields: Any
) -> httpx.Response:
    return await (by or shop.sale).client.patch(
        f"/v1/orders/{order_id}/contents", json=fields, headers={"If-Match": f'"{version}"'}
    )


async def reopen(
    shop: Shop, order_id: UUID, *, by: Person | None = None, to: str = "L1.2", reason: str = "đổi ý"
) -> httpx.Response:
    return await (by or shop.manager).client.post(f"/v1/orders/{order_id}/level", json={"to": to, "reason": reason})


async def post(shop: Shop, order_id: UUID) -> httpx.Response:
    return await shop.cod.client.post(f"/v1/orders/{order_id}/post")


async def stock_of(shop: Shop, sku: str = "SERUM") -> tuple[int, int]:
    """On hand and reserved, and the ledger says the same."""
    (item,) = [item for item in (await shop.admin.client.get("/v1/stock")).json()["items"] if item["sku"] == sku]
    (sums,) = await shop.service.rows(
        "SELECT sum(on_hand) AS on_hand, sum(reserved) AS reserved FROM stock_movements WHERE sku = :sku", sku=sku
    )
    assert (item["on_hand"], item["reserved"]) == (sums.on_hand, sums.reserved)
    return item["on_hand"], item["reserved"]


async def stock_state(shop: Shop, order_id: UUID) -> str:
    return str((await shop.order(order_id, by=shop.admin))["contents"]["stock"])


async def told(shop: Shop, order_id: UUID) -> list[dict[str, Any]]:
    events = [event["payload"] for event in await shop.service.outbox(ORDER_CLOSED.name)]
    return [event for event in events if event["order_id"] == str(order_id)]


async def test_lines_money_and_address_are_changed_and_told_as_another_version(shop: Shop) -> None:
    await shop.stocked()
    await shop.stocked(sku="KEM", price=150_000)
    order_id = await closed(shop, discount=10_000, shipping_fee=30_000, note="gọi trước")
    before = await shop.sale.client.get(f"/v1/orders/{order_id}")
    assert before.headers["ETag"] == '"1"'
    shop.clock.forward(minutes=30)

    answer = await edit(
        shop,
        order_id,
        lines=[{"sku": "SERUM", "quantity": 2}, {"sku": "KEM", "quantity": 1, "unit_price": 120_000}],
        discount=20_000,
        deposit=100_000,
        phone="0987 654 321",
        address={"province": "Hà Nội", "ward": "Phường Hoàn Kiếm", "detail": "1 Tràng Tiền"},
        reason="khách lấy thêm",
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    edited = answer.json()
    assert (edited["version"], edited["total"], edited["cod"], edited["stock"]) == (2, 530_000, 430_000, "reserved")
    contents = (await shop.order(order_id))["contents"]
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in contents["lines"]] == [
        ("SERUM", 2, 200_000),
        ("KEM", 1, 120_000),
    ]
    assert (contents["province"], contents["phone"], contents["note"]) == ("Hà Nội", "0987654321", "gọi trước")
    first, second = await told(shop, order_id)
    assert (first["version"], second["version"]) == (1, 2)
    assert (second["closed_at"], second["closer_code"]) == (first["closed_at"], "NV01")
    assert (second["total"], second["cod"], second["phone"]) == (530_000, 430_000, "+84987654321")
    assert second["address"]["detail"] == "1 Tràng Tiền"
    levels = [event["payload"]["to_level"] for event in await shop.service.outbox(LEVEL_CHANGED.name)]
    assert levels == ["L1", "L5"]


async def test_every_version_is_kept_with_who_and_why(shop: Shop) -> None:
    await shop.stocked()
    order_id = await closed(shop)
    assert (await edit(shop, order_id, by=shop.cod, note="giao giờ hành chính", reason="khách dặn")).status_code == 200
    path = f"/v1/orders/{order_id}/versions"
    newest = (await shop.sale.client.get(path, params={"limit": 1})).json()
    oldest = (await shop.sale.client.get(path, params={"after": newest["next"]})).json()
    (second,), (first,) = newest["items"], oldest["items"]
    assert (second["version"], second["by_code"], second["reason"]) == (2, "COD1", "khách dặn")
    assert (first["version"], first["by_code"], first["contents"]["note"]) == (1, "NV01", "")
    assert second["contents"] == {**first["contents"], "note": "giao giờ hành chính"}
    assert "***" in (await shop.cod.client.get(path)).json()["items"][0]["contents"]["phone"]
    assert (await shop.colleague.client.get(path)).status_code == 404


async def test_a_price_that_was_agreed_stays_agreed(shop: Shop) -> None:
    await shop.stocked()
    order_id = await closed(shop, lines=[{"sku": "SERUM", "quantity": 1, "unit_price": 180_000}])
    answer = await edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 2}])
    assert answer.json()["total"] == 360_000


async def test_an_edit_that_changes_nothing_makes_no_version(shop: Shop) -> None:
    await shop.stocked()
    order_id = await closed(shop)
    answer = await edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 1}])
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert len(await told(shop, order_id)) == 1


@pytest.mark.parametrize(
    ("units", "reserved"), [([3, 5], 5), ([5, 3], 3), ([3, 5, 4, 6, 1], 1)], ids=["more", "fewer", "again and again"]
)
async def test_stock_follows_by_the_difference(shop: Shop, units: list[int], reserved: int) -> None:
    await shop.stocked(units=6)
    order_id = await closed(shop, lines=[{"sku": "SERUM", "quantity": units[0]}])
    for version, quantity in enumerate(units[1:], 1):
        answer = await edit(shop, order_id, version=version, lines=[{"sku": "SERUM", "quantity": quantity}])
        assert answer.json()["stock"] == "reserved", answer.text
        assert await stock_of(shop) == (6, quantity)
    assert await stock_of(shop) == (6, reserved)
    cancelled = await shop.sale.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "đổi ý"})
    assert cancelled.status_code == 200, cancelled.text
    assert await stock_of(shop) == (6, 0)


async def test_another_product_is_reserved_and_the_first_goes_to_who_waits_for_it(shop: Shop) -> None:
    await shop.stocked(units=2)
    await shop.stocked(sku="KEM", units=5)
    order_id = await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}])
    shop.clock.forward(minutes=1)
    waiting = await closed(shop, lines=[{"sku": "SERUM", "quantity": 1}])
    assert await stock_state(shop, waiting) == "waiting"
    answer = await edit(shop, order_id, lines=[{"sku": "KEM", "quantity": 1}])
    assert answer.json()["stock"] == "reserved"
    assert (await stock_of(shop), await stock_of(shop, "KEM")) == ((2, 1), (5, 1))
    assert await stock_state(shop, waiting) == "reserved"


async def test_what_lacks_makes_the_order_wait_in_its_old_place(shop: Shop) -> None:
    await shop.stocked(units=3)
    order_id = await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}])
    shop.clock.forward(minutes=1)
    later = await closed(shop, lines=[{"sku": "SERUM", "quantity": 2}])
    answer = await edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 4}])
    assert answer.json()["stock"] == "waiting"
    assert (await post(shop, order_id)).json()["title"] == "waiting-for-stock"
    await shop.receive("SERUM", 1)
    assert [await stock_state(shop, each) for each in (order_id, later)] == ["reserved", "waiting"]
    assert await stock_of(shop) == (4, 4)
    fewer = await edit(shop, order_id, version=2, lines=[{"sku": "SERUM", "quantity": 1}])
    assert fewer.json()["stock"] == "reserved"
    assert await stock_state(shop, later) == "reserved"
    assert await stock_of(shop) == (4, 3)


async def test_an_order_that_waits_is_served_when_it_is_made_smaller(shop: Shop) -> None:
    await shop.stocked(units=2)
    order_id = await closed(shop, lines=[{"sku": "SERUM", "quantity": 3}])
    assert await stock_state(shop, order_id) == "waiting"
    answer = await edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 2}])
    assert answer.json()["stock"] == "reserved"
    assert (await post(shop, order_id)).status_code == 200


async def test_where_nothing_may_wait_an_edit_beyond_the_stock_is_refused_and_changes_nothing(
    databases: Databases,
) -> None:
    async with opened(databases, allow_waiting_stock=False) as shop:
        await shop.stocked(units=2)
        order_id = await closed(shop)
        refused = await edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 3}])
        assert (refused.status_code, refused.json()["title"]) == (409, "out-of-stock")
        assert await stock_of(shop) == (2, 1)
        assert (await shop.order(order_id))["contents"]["version"] == 1


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "invalid"),
        ({"reason": "x"}, "invalid"),
        ({"lines": []}, "invalid"),
        ({"address": None}, "invalid"),
        ({"lines": [{"sku": "NOTHING", "quantity": 1}]}, "unknown-products"),
        ({"lines": [{"sku": "SERUM", "quantity": 1, "unit_price": 0}]}, "free-only-as-gift"),
        ({"discount": 200_001}, "discount-too-large"),
        ({"deposit": 200_001}, "deposit-too-large"),
        ({"phone": "0912"}, "invalid-phone"),
        ({"closer_code": "NV02"}, "invalid"),
    ],
)
async def test_an_edit_that_will_not_do_is_refused_by_name(lasting: Shop, fields: dict[str, Any], title: str) -> None:
    (order,) = (await lasting.sale.client.get("/v1/orders", params={"level": "L5"})).json()["items"]
    refused = await edit(lasting, UUID(order["id"]), **fields)
    assert (refused.status_code, refused.json()["title"]) == (422, title), refused.text


@pytest.fixture(scope="module")
async def lasting(databases: Databases) -> AsyncIterator[Shop]:
    """A shop with one closed order, for tests that change nothing."""
    async with opened(databases) as shop:
        await shop.stocked()
        await closed(shop)
        yield shop


async def test_an_edit_names_the_version_on_which_it_rests(shop: Shop) -> None:
    await shop.stocked()
    order_id = await closed(shop)
    path = f"/v1/orders/{order_id}/contents"
    missing = await shop.sale.client.patch(path, json={"note": "x"})
    assert (missing.status_code, missing.json()["title"]) == (428, "if-match-required")
    answers = await asyncio.gather(*(edit(shop, order_id, note=f"lần {number}") for number in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    assert [event["version"] for event in await told(shop, order_id)] == [1, 2]


async def test_only_salespeople_and_the_cod_desk_who_see_the_order_edit_it(shop: Shop) -> None:
    await shop.stocked()
    order_id = await closed(shop)
    assert (await edit(shop, order_id, by=shop.colleague, note="x")).status_code == 404
    reader = await shop.service.client("orders.read", "visibility.all", account_id=uuid4(), code="NV77")
    refused = await reader.patch(f"/v1/orders/{order_id}/contents", json={"note": "x"}, headers={"If-Match": '"1"'})
    assert refused.status_code == 403


async def test_after_posting_the_carriers_rules_hold(shop: Shop) -> None:
    await shop.stocked()
    order_id, open_order = await closed(shop), await shop.number()
    assert (await post(shop, order_id)).status_code == 200
    for refused in (await edit(shop, order_id, note="x"), await reopen(shop, order_id)):
        assert (refused.status_code, refused.json()["title"]) == (409, "already-posted")
    refused = await edit(shop, open_order, version=0, note="x")
    assert (refused.status_code, refused.json()["title"]) == (409, "not-closed")
    shipment = uuid4()
    await shop.shipment(order_id, "accepted", sequence=1, shipment_id=shipment)
    assert (await edit(shop, order_id, note="x")).json()["title"] == "already-posted"
    # Never picked up: the order is ours again, and may be edited and posted anew (rule D6).
    await shop.shipment(order_id, "pickup_failed", sequence=2, shipment_id=shipment)
    assert (await edit(shop, order_id, note="x")).status_code == 200
    assert (await post(shop, order_id)).status_code == 200


async def test_an_edit_and_a_posting_at_once_one_wins_cleanly(shop: Shop) -> None:
    await shop.stocked(units=100)
    for _ in range(12):
        order_id = await closed(shop)
        edited, posted = await asyncio.gather(
            edit(shop, order_id, lines=[{"sku": "SERUM", "quantity": 2}]), post(shop, order_id)
        )
        assert posted.status_code == 200, posted.text
        assert edited.status_code in (200, 409), edited.text
        contents = (await shop.order(order_id))["contents"]
        units = 2 if edited.status_code == 200 else 1
        assert [line["quantity"] for line in contents["lines"]] == [units]
        assert (contents["fulfilment"], contents["version"]) == ("posted", units)
        assert (await told(shop, order_id))[-1]["version"] == units
    (sums,) = await shop.service.rows("SELECT sum(quantity) AS units FROM order_lines")
    assert await stock_of(shop) == (100, sums.units)


async def test_edits_closings_and_receipts_at_once_keep_the_stock_whole(shop: Shop) -> None:
    await shop.stocked(units=6)
    await shop.stocked(sku="KEM", units=6)
    orders = [await closed(shop, lines=[{"sku": sku, "quantity": 2}]) for sku in ("SERUM", "KEM") * 3]

    async def change(order_id: UUID, number: int) -> None:
        sku = ("KEM", "SERUM")[number % 2]
        lines = [{"sku": sku, "quantity": 1 + number % 3}, {"sku": "SERUM", "quantity": 1}]
        assert (await edit(shop, order_id, lines=lines)).status_code == 200

    await asyncio.gather(
        *(change(order_id, number) for number, order_id in enumerate(orders)),
        shop.receive("SERUM", 3),
        shop.receive("KEM", 2),
        closed(shop, lines=[{"sku": "KEM", "quantity": 1}]),
    )
    for sku in ("SERUM", "KEM"):
        needed = await shop.service.rows(
            "SELECT coalesce(sum(l.quantity), 0) AS units FROM order_lines l JOIN reservations r USING (order_id) "
            "WHERE r.state = 'reserved' AND l.sku = :sku",
            sku=sku,
        )
        assert (await stock_of(shop, sku))[1] == needed[0].units


async def test_a_closed_order_goes_back_into_care_with_permission_and_reason_and_gives_its_stock_back(
    shop: Shop,
) -> None:
    await shop.stocked(units=1)
    order_id = await closed(shop)
    shop.clock.forward(minutes=1)
    waiting = await closed(shop)
    assert await stock_state(shop, waiting) == "waiting"

    refused = await reopen(shop, order_id, by=shop.sale)
    assert (refused.status_code, refused.json()["permission"]) == (403, "orders.reopen")
    refused = await reopen(shop, order_id, reason=" ")
    assert (refused.status_code, refused.json()["title"]) == (422, "reason-required")
    assert (await reopen(shop, order_id, to="L1.1")).json()["title"] == "move-not-allowed"

    answer = await reopen(shop, order_id)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["level"], answer.json()["care"]["is_open"]) == ("L1.2", True)
    assert await stock_state(shop, waiting) == "reserved"
    assert (await shop.order(order_id))["contents"]["fulfilment"] == "cancelled"
    assert (await post(shop, order_id)).json()["title"] == "not-to-post"
    moved = (await shop.service.outbox(LEVEL_CHANGED.name))[-1]["payload"]
    assert (moved["from_level"], moved["to_level"], moved["actor"]) == ("L5", "L1.2", "QL01")
    assert await shop.service.outbox(ORDER_CANCELLED.name) == []


async def test_a_reopened_order_is_closed_again_as_another_version(shop: Shop) -> None:
    await shop.stocked(units=3)
    order_id = await closed(shop)
    await reopen(shop, order_id)
    shop.clock.forward(minutes=20)
    again = await shop.close(order_id, lines=[{"sku": "SERUM", "quantity": 3}])
    assert (again.status_code, again.json()["version"], again.json()["stock"]) == (201, 2, "reserved"), again.text
    assert await stock_of(shop) == (3, 3)
    assert (await post(shop, order_id)).status_code == 200
    commands = [command["subject"] for command in await shop.service.outbox("FulfilmentWorkflow")]
    assert commands[-1] == f"fulfilment/{order_id}/2"
