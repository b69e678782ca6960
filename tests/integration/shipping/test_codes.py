"""Codes that stand in no carrier's table: never silent, and given a meaning by a person while the service runs."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from services.shipping.codes import mapping
from services.shipping.work import work
from tests.integration.shipping.support import Shop
from tests.integration.shipping.test_callbacks import body

INSPECTED = {"vi": "Đang kiểm hàng tại kho", "en": "Goods being inspected", "status": "picked_up"}


async def strange(shop: Shop, state: str = "open") -> list[dict[str, Any]]:
    return list((await shop.client.get("/v1/carrier-codes", params={"state": state})).json()["items"])


async def say(shop: Shop, code: str, meaning: dict[str, Any], *, version: int, kind: str = "status") -> Any:
    return await shop.client.put(
        f"/v1/carrier-codes/ghtk/{kind}/{code}", json=meaning, headers={"If-Match": f'"{version}"'}
    )


async def met(shop: Shop, code: int, *, order: str = "DH-AAAA1111", **fields: Any) -> UUID:
    """A parcel whose carrier has used a code; returns its id."""
    shipment_id = await shop.ship(order)
    await shop.call_back(body((await shop.get(shipment_id))["waybill"], code, **fields))
    await shop.apply_callbacks()
    return shipment_id


async def write(shop: Shop, *statements: str) -> None:
    async with work(shop.context.db) as current:
        for statement in statements:
            await current.connection.execute(statement)


async def test_a_strange_code_is_on_the_list_until_somebody_says_what_it_means(shop: Shop) -> None:
    shipment_id = await met(shop, 77)
    [item] = await strange(shop)
    assert (item["carrier"], item["kind"], item["code"], item["seen"]) == ("ghtk", "status", "77", 1)
    assert (item["shipment_id"], item["status"], item["version"]) == (str(shipment_id), None, 0)
    answer = await say(shop, "77", INSPECTED, version=0)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["shipments"], answer.headers["ETag"]) == (1, '"1"')
    assert await strange(shop) == []
    assert [item["level"] for item in await strange(shop, "mapped")] == ["L7"]


async def test_parcels_that_have_the_code_already_are_read_again(shop: Shop) -> None:
    shipment_id = await met(shop, 77)
    await say(shop, "77", INSPECTED, version=0)
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("picked_up", [])
    assert view["timeline"][-1]["label"] == "Đang kiểm hàng tại kho"
    assert [event["status"] for event in await shop.events("shipping.shipment.changed.v1")] == ["accepted", "picked_up"]


async def test_the_next_callback_with_the_code_is_understood_at_once(shop: Shop) -> None:
    await met(shop, 77)
    await say(shop, "77", INSPECTED, version=0)
    second = await met(shop, 77, order="DH-BBBB2222")
    assert (await shop.get(second))["status"] == "picked_up"
    assert await strange(shop) == []


async def test_a_meaning_can_be_corrected_and_moves_the_parcels_with_it(shop: Shop) -> None:
    shipment_id = await met(shop, 77)
    await say(shop, "77", INSPECTED, version=0)
    outdated = await say(shop, "77", {**INSPECTED, "status": "lost"}, version=0)
    assert outdated.status_code == 412
    await say(shop, "77", {**INSPECTED, "status": "out_for_delivery"}, version=1)
    assert (await shop.get(shipment_id))["status"] == "out_for_delivery"


async def test_what_a_process_left_when_it_died_is_read_again_by_the_next(shop: Shop) -> None:
    shipment_id = await met(shop, 77)
    await write(
        shop, "UPDATE carrier_codes SET status = 'picked_up', vi = 'a', en = 'b', mapped_at = now(), version = 1"
    )
    assert await mapping.settle(shop.context.db, now=shop.context.now(), pace=1.0) == 1
    assert (await shop.get(shipment_id))["status"] == "picked_up"
    assert await mapping.settle(shop.context.db, now=shop.context.now(), pace=1.0) == 0


async def test_a_code_that_the_carrier_s_table_has_since_is_no_question_any_more(shop: Shop) -> None:
    shipment_id = await met(shop, 77)
    await write(
        shop,
        "UPDATE carrier_codes SET code = '5'",
        "UPDATE timeline_entries SET raw_status = '5' WHERE raw_status = '77'",
    )
    assert await mapping.absorb(shop.context.db) == 1
    assert await mapping.settle(shop.context.db, now=shop.context.now(), pace=1.0) == 1
    assert (await shop.get(shipment_id))["status"] == "delivered"
    assert await mapping.absorb(shop.context.db) == 0


async def test_a_callback_and_a_meaning_at_the_same_moment_miss_each_other_never(shop: Shop) -> None:
    await met(shop, 77)
    shipments = [await shop.ship(f"DH-CCCC000{number}") for number in range(4)]
    for shipment_id in shipments:
        await shop.call_back(body((await shop.get(shipment_id))["waybill"], 77))
    await asyncio.gather(shop.apply_callbacks(), say(shop, "77", INSPECTED, version=0))
    assert {(await shop.get(shipment_id))["status"] for shipment_id in shipments} == {"picked_up"}


async def test_a_strange_reason_is_a_question_as_well(shop: Shop) -> None:
    shipment_id = await met(shop, 10, reason_code="199", reason="")
    [item] = await strange(shop)
    assert (item["kind"], item["code"]) == ("reason", "199")
    answer = await say(shop, "199", {"vi": "Ngập đường", "en": "Flooded road"}, version=0, kind="reason")
    assert answer.status_code == 200, answer.text
    assert (await shop.get(shipment_id))["timeline"][-1]["reason"] == "Ngập đường"
    assert await strange(shop) == []


@pytest.mark.parametrize(
    ("code", "meaning", "version", "status", "type_"),
    [
        ("5", INSPECTED, 0, 409, "carrier-code-in-table"),
        ("78", INSPECTED, 0, 404, "not-found"),
        ("77", {**INSPECTED, "status": "draft"}, 0, 422, "invalid"),
        ("77", {**INSPECTED, "vi": ""}, 0, 422, "invalid"),
    ],
)
async def test_wrong_meanings_change_nothing(
    shop: Shop, code: str, meaning: dict[str, Any], version: int, status: int, type_: str
) -> None:
    await met(shop, 77)
    answer = await say(shop, code, meaning, version=version)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (status, type_)
    assert len(await strange(shop)) == 1


async def test_the_whole_table_of_a_carrier_tells_the_level_of_each_code(shop: Shop) -> None:
    await met(shop, 77)
    await say(shop, "77", INSPECTED, version=0)
    table = (await shop.client.get("/v1/carrier-codes/ghtk")).json()
    levels = {item["code"]: (item["level"], item["ours"]) for item in table["statuses"]}
    assert (levels["5"], levels["20"], levels["77"]) == (("L8", False), ("L7.5", False), ("L7", True))
    assert {"code": "130", "ours": False}.items() <= next(r for r in table["reasons"] if r["code"] == "130").items()
    assert (await shop.client.get("/v1/carrier-codes/nobody")).status_code == 404
