"""The care screen: everything in one answer, laid out by level and group, and no more than its layout has a place for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.orders.support import MORNING, Person, Shop

SECTIONS = [{"section": "timeline"}, {"section": "care", "collapsed": True}]


async def screen(shop: Shop, order_id: UUID, *, by: Person | None = None) -> dict[str, Any]:
    answer = await (by or shop.sale).client.get(f"/v1/orders/{order_id}/screen")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def lay_out(shop: Shop, place: str, *, version: int = 0, by: Person | None = None, **body: Any) -> httpx.Response:
    body = body or {"sections": SECTIONS}
    headers = {"If-Match": f'"{version}"'}
    return await (by or shop.admin).client.put(f"/v1/care-screens/{place}", json=body, headers=headers)


async def test_one_answer_tells_what_to_do_for_whom_and_what_happened(shop: Shop) -> None:
    order_id = await shop.number(name="Trần Thị Mai", phone="+84912345678", product="SERUM")
    await shop.call(order_id, "call_later", promised_at=(MORNING + timedelta(hours=3)).isoformat())

    noted = await shop.sale.client.post(f"/v1/orders/{order_id}/notes", json={"text": "khách khó tính"})
    assert noted.status_code == 201, noted.text

    shown = await screen(shop, order_id)

    assert (shown["layout_level"], shown["layout_group"]) == ("L1", "sale")
    assert [each["section"] for each in shown["sections"]][:3] == ["care", "tasks", "contact"]
    order = shown["order"]
    assert (order["level"]["code"], order["care"]["step"]) == ("L1.2", "callback")
    assert "call_later" in [hint["result"] for hint in order["care"]["results"]]
    assert [task["step"] for task in order["tasks"]] == ["callback"]
    assert [move["code"] for move in order["moves"]]
    assert shown["customer"]["phones"][0]["phone"] == "0912345678"
    assert [(promise["kind"], promise["outcome"]) for promise in shown["promises"]] == [
        ("callback", "open"),
        ("first_call", "kept"),
    ]
    assert {"level", "interaction", "owner", "promise"} <= {entry["kind"] for entry in shown["timeline"]["items"]}
    assert (shown["other_orders"], shown["duplicates"]) == ([], [])
    assert (shown["contact"]["allowed"], shown["contact"]["refusal"]) == (False, "too_soon"), (
        "they were called just now"
    )
    assert shown["contact"]["check_id"] is None, "looking is not dialling: nothing is kept as proof"
    assert [note["text"] for note in shown["notes"]["items"]] == ["khách khó tính"]


async def test_the_layout_of_the_level_holds_before_that_of_its_main_level_and_that_of_all(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await screen(shop, order_id, by=shop.manager))["layout_level"] == "all"

    made = await lay_out(shop, "L1.4/all")
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    await shop.call(order_id, "no_answer")
    shown = await screen(shop, order_id)

    assert (shown["layout_level"], shown["layout_group"]) == ("L1.4", "all")
    assert [(each["section"], each["collapsed"]) for each in shown["sections"]] == [("timeline", False), ("care", True)]
    assert shown["timeline"]["items"]
    assert (shown["customer"], shown["promises"], shown["other_orders"]) == (None, None, None), "there is no place"

    assert (await shop.admin.client.delete("/v1/care-screens/L1.4/all", headers={"If-Match": '"1"'})).status_code == 204
    assert (await screen(shop, order_id))["layout_level"] == "L1"


async def test_other_orders_of_the_customer_are_told_with_whose_they_are(shop: Shop) -> None:
    first = await shop.number(phone="+84912000777")
    await shop.call(first, "not_buying", reason="giá cao")
    second = await shop.accept(phone="+84912000777")
    await shop.assign(second, shop.colleague)
    await shop.look(second)

    shown = await screen(shop, second, by=shop.colleague)

    assert [(other["id"], other["level"], other["owner_code"]) for other in shown["other_orders"]] == [
        (str(first), "L1.5", "NV01")
    ]
    assert [(other["product"], other["total"]) for other in shown["other_orders"]] == [(None, None)], (
        "not theirs to open"
    )
    (opened,) = (await screen(shop, second, by=shop.manager))["other_orders"]
    assert (opened["product"], opened["total"]) != (None, None)


@pytest.mark.parametrize(
    ("place", "body", "status", "problem"),
    [
        ("L9/all", {}, 422, "place-unknown"),
        ("all/dancers", {}, 422, "place-unknown"),
        ("L1/all", {"sections": []}, 422, "invalid"),
        ("L1/all", {"sections": [{"section": "weather"}]}, 422, "invalid"),
        ("L1/all", {"sections": [{"section": "care"}, {"section": "care"}]}, 422, "invalid"),
        ("all/all", {}, 412, "if-match-failed"),
    ],
)
async def test_a_layout_that_makes_no_sense_is_refused(
    shop: Shop, place: str, body: dict[str, Any], status: int, problem: str
) -> None:
    answer = await lay_out(shop, place, **body)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, problem)


async def test_the_general_layout_stays_and_only_administrators_lay_out(shop: Shop) -> None:
    dropped = await shop.admin.client.delete("/v1/care-screens/all/all", headers={"If-Match": '"1"'})
    assert (dropped.status_code, dropped.json()["type"].rpartition("/")[2]) == (409, "layout-in-use")
    assert (await lay_out(shop, "L1/all", by=shop.manager)).status_code == 403
    listed = (await shop.sale.client.get("/v1/care-screens")).json()
    assert ("all", "all") in {(layout["level"], layout["group"]) for layout in listed}


async def test_who_may_not_see_the_order_sees_no_screen(shop: Shop) -> None:
    order_id = await shop.number()
    assert (await shop.colleague.client.get(f"/v1/orders/{order_id}/screen")).status_code == 404
