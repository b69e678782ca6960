"""Several carriers in one shop: who is chosen, what it costs, what is refused beforehand, and who waits for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from deploy.local.carriers.faults import Faults
from deploy.local.ghn import GhnSimulator
from deploy.local.ghtk.model import as_created as ghtk_created
from services.shipping import creation
from services.shipping.carriers.errors import Away, UnknownOutcome
from shared.contracts.events.orders import ORDER_CLOSED
from tests.harness import eventually
from tests.integration.shipping.paper_support import ask, make
from tests.integration.shipping.support import PICK_UP, Shop, closed, connection_body


@pytest.fixture(scope="module")
async def ghn_simulator() -> AsyncIterator[GhnSimulator]:
    async with GhnSimulator() as started:
        yield started


@pytest.fixture
async def ghn(ghn_simulator: GhnSimulator) -> GhnSimulator:
    await ghn_simulator.simulation.reset()
    return ghn_simulator


async def connect(shop: Shop, **body: Any) -> UUID:
    answer = await shop.client.post("/v1/connections", json={"pick_up": PICK_UP, "requests_per_second": 100, **body})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def connect_ghn(shop: Shop, ghn: GhnSimulator) -> UUID:
    return await connect(
        shop,
        carrier="ghn",
        shop_name="GHN",
        base_url=ghn.api_url,
        credentials={"token": ghn.token, "shop_id": ghn.shop_id},
    )


async def connect_manual(shop: Shop) -> UUID:
    return await connect(shop, carrier="manual", shop_name="Xe nhà")


async def rules(shop: Shop, *found: dict[str, Any]) -> None:
    version = (await shop.client.get("/v1/posting-rules")).headers["ETag"]
    answer = await shop.client.put("/v1/posting-rules", json={"rules": list(found)}, headers={"If-Match": version})
    assert answer.status_code == 200, answer.text


async def plan(shop: Shop, order_id: UUID, connection_id: UUID, **choices: Any) -> Any:
    body = {"connection_id": str(connection_id), **choices}
    return await shop.client.put(f"/v1/plans/{order_id}", json=body)


async def test_of_several_connections_a_rule_chooses_unless_a_person_did(shop: Shop, ghn: GhnSimulator) -> None:
    manual, other = await connect_manual(shop), await connect_ghn(shop, ghn)
    await rules(shop, {"name": "Đà Nẵng", "connection_id": str(other), "provinces": ["TP Đà Nẵng"]})
    by_rule = await shop.open(await shop.close_order("DH-RULE0001"))
    assert await shop.create(by_rule) == "accepted"
    assert (await shop.get(by_rule))["carrier"] == "ghn"

    order_id = await shop.close_order("DH-PLAN0001")
    answer = await plan(shop, order_id, manual, waybill="XE-0001")
    assert (answer.status_code, answer.json()["problems"]) == (200, [])
    planned = await shop.open(order_id)
    assert await shop.create(planned) == "accepted"
    view = await shop.get(planned)
    assert (view["carrier"], view["waybill"]) == ("manual", "XE-0001")
    again = await plan(shop, order_id, other)
    assert (again.status_code, again.json()["title"]) == (409, "shipment-already-at-carrier")


async def test_without_a_rule_that_fits_the_shipment_asks_for_a_choice(shop: Shop) -> None:
    manual = await connect_manual(shop)
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "refused"
    english = await shop.client.get(f"/v1/shipments/{shipment_id}", headers={"Accept-Language": "en"})
    assert "Choose one" in english.json()["refusal"]
    assert "Chọn một kết nối" in (await shop.get(shipment_id))["refusal"]
    await plan(shop, order_id, manual)
    assert (await shop.client.post(f"/v1/shipments/{shipment_id}/retry")).status_code == 202
    assert await shop.create(shipment_id) == "accepted"


async def test_quotes_stand_side_by_side_and_the_chosen_one_stays_with_the_shipment(
    shop: Shop, ghn: GhnSimulator
) -> None:
    other, manual = await connect_ghn(shop, ghn), await connect_manual(shop)
    order_id = await shop.close_order()
    answer = await shop.client.post("/v1/quotes", json={"order_id": str(order_id)})
    assert answer.status_code == 200, answer.text
    items = {item["connection_id"]: item for item in answer.json()["items"]}
    assert set(items) == {str(shop.connection_id), str(other), str(manual)}
    quotes = [(item["carrier"], quote) for item in items.values() for quote in item["quotes"]]
    assert {carrier for carrier, _ in quotes} == {"ghtk", "ghn"}
    cheapest = min(quote["fee"] for _, quote in quotes)
    assert {quote["fee"] for _, quote in quotes if quote["cheapest"]} == {cheapest}
    assert [problem["code"] for problem in items[str(manual)]["problems"]] == ["no_quotes"]

    [road] = [quote for quote in items[str(shop.connection_id)]["quotes"] if quote["service"] == "road"]
    await plan(shop, order_id, shop.connection_id, options={"service": "road", "inspection": "look"})
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "accepted"
    assert (await shop.get(shipment_id))["quoted_fee"] == road["fee"]


async def test_a_price_that_was_asked_before_the_order_was_edited_is_not_compared_with_its_fee(shop: Shop) -> None:
    order_id = await shop.close_order("DH-QUOTE001")
    asked = await shop.client.post("/v1/quotes", json={"order_id": str(order_id)})
    assert asked.json()["items"][0]["quotes"], asked.text
    await plan(shop, order_id, shop.connection_id, options={"service": "road"})
    first = closed(order_id, "DH-QUOTE001")
    [line] = first.lines
    edited = first.model_copy(update={"version": 2, "lines": (line.model_copy(update={"quantity": 20}),)})
    await shop.running.receive(ORDER_CLOSED, edited, subject=order_id)
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "accepted"
    view = await shop.get(shipment_id)
    assert view["quoted_fee"] == view["fee"] > asked.json()["items"][0]["quotes"][0]["fee"]


async def test_a_carrier_that_is_silent_or_refuses_is_named_beside_the_others_prices(
    shop: Shop, ghn: GhnSimulator
) -> None:
    await connect_ghn(shop, ghn)
    shop.ghtk.set_faults(Faults(error_before=1.0))
    order_id = await shop.close_order(cod=60_000_000)
    items = (await shop.client.post("/v1/quotes", json={"order_id": str(order_id)})).json()["items"]
    reasons = {item["carrier"]: [problem["code"] for problem in item["problems"]] for item in items}
    assert reasons["ghtk"] == ["carrier_away"]
    assert "cod_over_limit" in reasons["ghn"]


async def test_what_the_carrier_would_refuse_never_reaches_it(shop: Shop, ghn: GhnSimulator) -> None:
    other = await connect_ghn(shop, ghn)
    order_id = await shop.close_order("DH-TOOMUCH1", cod=60_000_000)
    problems = (await plan(shop, order_id, other)).json()["problems"]
    assert [problem["code"] for problem in problems] == ["cod_over_limit"]
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "refused"
    view = await shop.get(shipment_id)
    assert "Giao Hàng Nhanh thu hộ tối đa 50.000.000 đ" in view["refusal"]
    assert ghn.shipments == []
    assert [attempt["calls"] for attempt in view["attempts"]] == [0]


async def test_a_carrier_that_is_away_delays_its_own_parcels_only(shop: Shop) -> None:
    manual = await connect_manual(shop)
    await rules(
        shop,
        {"name": "GHTK", "connection_id": str(shop.connection_id), "below_cod": 1_000_000},
        {"name": "Xe nhà", "connection_id": str(manual)},
    )
    shop.ghtk.set_faults(Faults(error_before=1.0))
    stuck = [await shop.open(await shop.close_order(f"DH-STUCK{number:03}")) for number in range(12)]
    for shipment_id in stuck:
        await _try_once(shop, shipment_id)
    asked = shop.ghtk.stats.calls["create"]
    for shipment_id in stuck:  # it is left alone now: nobody asks, everybody is told when to come back
        assert await _try_once(shop, shipment_id) > 0
    assert shop.ghtk.stats.calls["create"] == asked
    address = f"/v1/connections/{shop.connection_id}"
    assert (await shop.client.get(address)).json()["left_alone_until"] is not None
    free = await shop.open(await shop.close_order("DH-FREE0001", cod=2_000_000))
    assert await shop.create(free) == "accepted"

    shop.ghtk.set_faults(Faults())

    async def all_there() -> bool:
        return all([await shop.create(shipment_id) == "accepted" for shipment_id in stuck])

    await eventually(all_there, within=90)
    assert len(shop.ghtk.shipments) == len(stuck)
    assert (await shop.client.get(address)).json()["left_alone_until"] is None


async def _try_once(shop: Shop, shipment_id: UUID) -> float:
    """One try; how long the next one is to wait, 0 where it may come at once."""
    outcome = await creation.prepare(shop.context, shipment_id)
    try:
        await creation.create_or_adopt(shop.context, shipment_id, outcome.reference)
    except Away as error:
        return error.retry_after or 0.0
    except UnknownOutcome:
        return 0.0
    raise AssertionError("created although the carrier is away")


async def test_people_report_for_a_carrier_that_reports_nothing(shop: Shop) -> None:
    manual = await connect_manual(shop)
    order_id = await shop.close_order()
    await plan(shop, order_id, manual)
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "accepted"

    async def say(status: str, **more: Any) -> Any:
        return await shop.client.post(f"/v1/shipments/{shipment_id}/statuses", json={"status": status, **more})

    assert (await say("delivered")).json()["status"] == "delivered"
    assert (await say("cod_paid")).json()["settled_at"] is not None
    unknown = await say("eaten")
    assert (unknown.status_code, unknown.json()["title"]) == (422, "unknown-status-code")
    assert (await say("lost", at="2099-01-01T00:00:00Z")).json()["title"] == "status-from-the-future"
    view = await shop.get(shipment_id)
    assert view["timeline"][-1]["known_first_by"] == "Nhân viên"


async def test_a_waybill_that_is_typed_twice_is_refused_the_second_time(shop: Shop) -> None:
    manual = await connect_manual(shop)
    states = []
    for code in ("DH-STICK001", "DH-STICK002"):
        order_id = await shop.close_order(code)
        await plan(shop, order_id, manual, waybill="NHAN-77")
        states.append(await shop.create(await shop.open(order_id)))
    assert states == ["accepted", "refused"]


async def test_each_warehouse_sends_from_its_own_place_with_its_own_sender(shop: Shop) -> None:
    path = f"/v1/connections/{shop.connection_id}/places"
    south = {**PICK_UP, "name": "Kho Quận 7", "phone": "0900000007", "province": "Thành phố Hồ Chí Minh"}
    added = await shop.client.post(path, json={"warehouse": "HCM-Q7", "pick_up": south})
    assert added.status_code == 201, added.text
    twice = await shop.client.post(path, json={"warehouse": "HCM-Q7", "pick_up": south})
    assert twice.json()["title"] == "pick-up-place-exists"
    order_id = await shop.close_order()
    assert (await plan(shop, order_id, shop.connection_id, pick_up_id=added.json()["id"])).status_code == 200
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "accepted"
    [at_carrier] = shop.ghtk.shipments
    assert ghtk_created(at_carrier.creation).pick_province == "Thành phố Hồ Chí Minh"
    version = {"If-Match": added.headers["ETag"]}
    changed = await shop.client.put(
        f"{path}/{added.json()['id']}", json={"warehouse": "HCM-Q8", "pick_up": south}, headers=version
    )
    assert changed.json()["warehouse"] == "HCM-Q8"
    assert (await shop.client.delete(f"{path}/{added.json()['id']}")).status_code == 204


async def test_the_catalogue_says_what_each_carrier_can_do(shop: Shop) -> None:
    items = {item["name"]: item for item in (await shop.client.get("/v1/carriers")).json()["items"]}
    assert set(items) == {"ghtk", "ghn", "viettelpost", "jnt", "manual"}
    assert (items["viettelpost"]["tracks"], items["viettelpost"]["pushes_again"]) == (False, True)
    assert items["ghn"]["cod_max"] == 50_000_000
    assert [each["name"] for each in items["ghtk"]["credentials"]] == ["token", "client_source"]
    tried = await shop.client.post(f"/v1/connections/{shop.connection_id}/test")
    assert tried.status_code == 200, tried.text
    services = (await shop.client.get(f"/v1/connections/{shop.connection_id}/services")).json()["items"]
    assert [each["code"] for each in services] == ["road", "fly"]
    places = (await shop.client.get(f"/v1/connections/{shop.connection_id}/carrier-places")).json()["items"]
    assert places[0]["place_id"] == "88001"
    no_list = await shop.client.post(f"/v1/connections/{shop.connection_id}/units", params={"era": "new"})
    assert (no_list.status_code, no_list.json()["title"]) == (409, "not-offered-by-carrier")


async def test_labels_come_in_the_sizes_that_the_carrier_declares(shop: Shop, ghn: GhnSimulator) -> None:
    other = await connect_ghn(shop, ghn)
    by_carrier = {}
    for carrier, connection_id in (("ghtk", shop.connection_id), ("ghn", other)):
        order_id = await shop.close_order(f"DH-{carrier.upper():>08}")
        await plan(shop, order_id, connection_id)
        by_carrier[carrier] = await shop.open(order_id)
        assert await shop.create(by_carrier[carrier]) == "accepted"

    async def label(carrier: str, **size: str) -> Any:
        return await shop.client.get(f"/v1/shipments/{by_carrier[carrier]}/label", params=size)

    roll = await label("ghn", size="80x80")
    assert (roll.status_code, "<title>80x80</title>" in roll.text) == (200, True)
    usual = {carrier: await label(carrier) for carrier in by_carrier}
    assert "<title>A5</title>" in usual["ghn"].text
    assert usual["ghtk"].headers["content-type"] == "application/pdf"
    refused = await label("ghtk", size="80x80")
    assert (refused.status_code, refused.json()["title"]) == (422, "paper-size-not-offered")
    assert "không có cỡ 80x80. Chọn một trong các cỡ: A5, A6" in refused.json()["detail"]

    print_of_both = await make(shop, await ask(shop, *by_carrier.values(), kind="label", size="A6"))
    assert (print_of_both["done"], print_of_both["failed"]) == (1, 1)
    assert "A5, 80x80, 52x70" in print_of_both["problems"][0]["problem"]


async def test_two_shops_of_one_carrier_stand_beside_each_other(shop: Shop) -> None:
    body = connection_body(shop.ghtk, shop_name="Shop Sài Gòn", options={"inspection": "none"})
    second = await shop.client.post("/v1/connections", json=body)
    assert second.status_code == 201
    assert second.json()["options"]["inspection"] == "none"
    assert second.json()["callback_url"] != shop.callback_url
