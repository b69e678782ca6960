"""The simulated GHTK answers as the documentation of the real one says."""

from io import BytesIO
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from deploy.local.ghtk import OutcomeRates, SimulatorSettings
from tests.integration.ghtk_support import ORDER_PATH, creation_body, open_shop

DELIVERED = SimulatorSettings(outcomes=OutcomeRates(delivered=1))


async def test_a_creation_answers_with_label_fees_and_status_received() -> None:
    async with open_shop() as shop:
        answer = await shop.create("DH-1")
        order = answer["order"]
        assert answer["success"] is True
        assert (order["partner_id"], order["status_id"]) == ("DH-1", 2)
        assert order["label"].startswith("S100001.")
        assert order["label"].endswith(str(order["tracking_id"]))
        assert order["fee"] > 0
        assert order["insurance_fee"] == 0


@pytest.mark.parametrize(
    ("weight", "changes", "grams"),
    [
        (0.3, {}, 600),
        ("0.3", {}, 600),
        (300, {"weight_option": "gram"}, 600),
        (0.3, {"total_weight": 1.25}, 1250),
        (300, {"weight_option": "gram", "total_weight": 950}, 950),
    ],
)
async def test_weights_are_kilograms_unless_grams_are_chosen(
    weight: float | str, changes: dict[str, Any], grams: int
) -> None:
    async with open_shop() as shop:
        body = creation_body("DH-1", **changes)
        body["products"][0]["weight"] = weight
        await shop.client.post(ORDER_PATH, json=body)
        assert (await shop.track("DH-1"))["order"]["weight"] == grams


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        *(({name: None}, name) for name in ("id", "pick_name", "pick_tel", "pick_money", "name", "tel", "address")),
        *(({name: None}, name) for name in ("province", "ward", "pick_address", "pick_province")),
        ({"hamlet": None}, "hamlet"),
        ({"pick_money": -1}, "pick_money"),
        ({"pick_money": "nhiều"}, "pick_money"),
        ({"tel": "không có"}, "tel"),
        ({"note": "x" * 121}, "note"),
        ({"tags": [3]}, "tags"),
        ({"tags": [19]}, "not_delivered_fee"),
        ({"tags": [19], "not_delivered_fee": 20_000_001}, "not_delivered_fee"),
        ({"weight_option": "pound"}, "weight_option"),
        ({"total_weight": 0}, "total_weight"),
        ({"deliver_option": "xteam"}, "xfast"),
        ({"pick_date": "1/11/2026"}, "pick_date"),
    ],
)
async def test_a_wrong_field_is_refused_by_name_with_http_200(changes: dict[str, Any], named: str) -> None:
    async with open_shop() as shop:
        response = await shop.client.post(ORDER_PATH, json=creation_body("DH-1", **changes))
        assert response.status_code == 200
        assert response.json()["success"] is False
        assert named in response.json()["message"]
        assert (await shop.stats())["shipments"] == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"order": {}}', b'{"products": [], "order": {"id": "A"}}'])
async def test_a_body_that_is_no_order_is_refused(content: bytes) -> None:
    async with open_shop() as shop:
        response = await shop.client.post(ORDER_PATH, content=content)
        assert (response.status_code, response.json()["success"]) == (200, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"hamlet": None, "street": "Lê Lợi"},
        {"hamlet": None, "district": "Quận Hải Châu"},
        {"pick_address_id": "88001", "pick_address": None, "pick_province": None},
        {"pick_money": "350000", "is_freeship": "1"},
        {"tags": [1, 19], "not_delivered_fee": 20_000},
        {"deliver_option": "xteam", "pick_option": "cod"},
        {"transport": "teleport"},
        {"value": None},
    ],
)
async def test_every_documented_form_of_a_request_is_accepted(changes: dict[str, Any]) -> None:
    async with open_shop() as shop:
        assert (await shop.create("DH-1", **changes))["success"] is True


async def test_a_second_creation_of_a_reference_names_the_first_shipment() -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        answer = await shop.create("DH-1")
        assert answer["success"] is False
        assert answer["error"] | {"created": None} == {
            "code": "ORDER_ID_EXIST",
            "partner_id": "DH-1",
            "ghtk_label": label,
            "created": None,
            "status": 2,
        }
        assert (await shop.stats())["shipments"] == 1


@pytest.mark.parametrize("headers", [{"Token": "wrong"}, {"Token": ""}, {"X-Client-Source": "wrong"}])
async def test_a_caller_with_wrong_headers_gets_nothing_done(headers: dict[str, str]) -> None:
    async with open_shop() as shop:
        response = await shop.client.post(ORDER_PATH, json=creation_body("DH-1"), headers=headers)
        assert response.json()["success"] is False
        assert (await shop.stats())["unauthorised"] == 1
        assert (await shop.stats())["shipments"] == 0


async def test_the_status_is_found_by_label_by_prefixed_and_by_plain_reference() -> None:
    async with open_shop() as shop:
        label = await shop.created("DH/2026 1")
        found = [await shop.track(each) for each in (label, "partner_id:DH%2F2026%201", "DH%2F2026%201")]
        assert {answer["order"]["label_id"] for answer in found} == {label}


async def test_the_status_shows_the_shipment_in_grams_and_vietnamese_time() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        order = (await shop.track("DH-1"))["order"]
        row = await shop.row("DH-1")
        assert order["status"] == "2"
        assert order["status_text"] == "Đã tiếp nhận"
        assert (order["weight"], order["pick_money"], order["is_freeship"]) == (600, 350_000, 1)
        assert order["customer_tel"] == "0912345678"
        assert order["products"][0]["full_name"] == "Kem dưỡng"
        created_utc = row["history"][0]["at"]
        assert order["created"][14:19] == created_utc[14:19]
        assert (int(order["created"][11:13]) - int(created_utc[11:13])) % 24 == 7


async def test_an_unknown_reference_is_a_failure_with_http_200() -> None:
    async with open_shop() as shop:
        response = await shop.client.get("/services/shipment/v2/DH-404")
        assert (response.status_code, response.json()["success"]) == (200, False)


@pytest.mark.parametrize("status", [1, 2, 12])
async def test_a_shipment_is_cancelled_before_pick_up(status: int) -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.push("DH-1", status)
        assert (await shop.cancel("partner_id:DH-1"))["success"] is True
        assert (await shop.track("DH-1"))["order"]["status"] == "-1"


async def test_a_cancelled_shipment_is_not_cancelled_again() -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        await shop.cancel(label)
        answer = await shop.cancel(label)
        assert (answer["success"], answer["message"]) == (False, "Đơn hàng đã đã ở trạng thái hủy")


@pytest.mark.parametrize("status", [123, 3, 4, 45, 5, 6, 9, 20, 21, 11, 13, 7, 8])
async def test_a_shipment_is_not_cancelled_after_pick_up(status: int) -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        await shop.push(label, status)
        answer = await shop.cancel(label)
        assert (answer["success"], answer["message"]) == (False, "Đơn đã lấy hàng, không thể hủy đơn.")
        assert (await shop.track(label))["order"]["status"] == str(status)


@pytest.mark.parametrize(
    ("query", "millimetres"),
    [
        ("", (105, 148)),
        ("?original=landscape", (148, 105)),
        ("?paper_size=A5", (148, 210)),
        ("?page_size=A5&original=landscape", (210, 148)),
    ],
)
async def test_a_label_is_a_pdf_of_the_asked_size(query: str, millimetres: tuple[int, int]) -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        response = await shop.client.get(f"/services/label/{label}{query}")
        assert response.headers["content-type"] == "application/pdf"
        page = PdfReader(BytesIO(response.content)).pages[0]
        assert label in page.extract_text()
        assert "Thu ho: 350000" in page.extract_text()
        size = (float(page.mediabox.width), float(page.mediabox.height))
        assert tuple(round(points / 72 * 25.4) for points in size) == millimetres


async def test_a_cancelled_or_unknown_shipment_has_no_label() -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        await shop.cancel(label)
        for reference in (label, "S100001.NONE.1"):
            answer = (await shop.client.get(f"/services/label/{reference}")).json()
            assert (answer["success"], answer["error_code"]) == (False, "40102")


async def test_the_fee_asked_beforehand_is_the_fee_of_the_creation() -> None:
    async with open_shop() as shop:
        query = {"pick_province": "Hà Nội", "province": "Đà Nẵng", "weight": "600", "value": "3000000"}
        fee = (await shop.client.get("/services/shipment/fee", params=query)).json()["fee"]
        order = (await shop.create("DH-1", value=3_000_000))["order"]
        assert fee["delivery"] is True
        assert (fee["ship_fee_only"], fee["insurance_fee"]) == (order["fee"], order["insurance_fee"])
        assert fee["fee"] == order["fee"] + order["insurance_fee"]


async def test_a_fee_without_weight_is_refused() -> None:
    async with open_shop() as shop:
        query = {"pick_province": "Hà Nội", "province": "Đà Nẵng"}
        assert (await shop.client.get("/services/shipment/fee", params=query)).json()["success"] is False


async def test_the_pick_up_addresses_are_listed() -> None:
    async with open_shop() as shop:
        answer = (await shop.client.get("/services/shipment/list_pick_add")).json()
        assert {"pick_address_id", "address", "pick_tel", "pick_name"} == set(answer["data"][0])


async def test_money_is_settled_with_status_6_and_not_before() -> None:
    async with open_shop(settings=DELIVERED) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=6)
        assert ((await shop.row("DH-1"))["status"], (await shop.row("DH-1"))["settled_cod"]) == (5, 0)
        await shop.advance(steps=1)
        assert ((await shop.row("DH-1"))["status"], (await shop.row("DH-1"))["settled_cod"]) == (6, 350_000)


async def test_the_control_api_lists_all_shipments_page_by_page() -> None:
    async with open_shop() as shop:
        for number in range(7):
            await shop.created(f"DH-{number}")
        seen: list[str] = []
        after: int | None = 0
        while after is not None:
            page = await shop.control("GET", f"shipments?after={after}&limit=3")
            assert page["total"] == 7
            seen += [row["reference"] for row in page["items"]]
            after = page["next"]
        assert seen == [f"DH-{number}" for number in range(7)]


async def test_the_control_api_filters_by_status() -> None:
    async with open_shop() as shop:
        for number in range(4):
            await shop.created(f"DH-{number}")
        await shop.push("DH-2", 9)
        page = await shop.control("GET", "shipments?status=9")
        assert ([row["reference"] for row in page["items"]], page["next"]) == (["DH-2"], None)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "faults", {"drop_callback": 1.5}),
        ("PUT", "faults", {"drop_calback": 0.5}),
        ("PATCH", "settings", {"callback_url": "shop"}),
        ("PATCH", "settings", {"outcomes": {}}),
        ("POST", "advance", {}),
        ("POST", "advance", {"steps": 1, "seconds": 1}),
    ],
)
async def test_a_wrong_control_body_is_refused(method: str, path: str, body: dict[str, Any]) -> None:
    async with open_shop() as shop:
        response = await shop.client.request(method, f"/_simulator/{path}", json=body)
        assert response.status_code == 422


async def test_a_reset_forgets_everything_and_keeps_the_first_settings() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.control("PUT", "faults", {"refuse_creation": 1})
        await shop.control("PATCH", "settings", {"callback_url": None, "outcomes": {"lost": 1}})
        first = await shop.control("GET", "settings")
        await shop.control("POST", "reset")
        again = await shop.control("GET", "settings")
        assert (await shop.stats())["shipments"] == 0
        assert (await shop.control("GET", "faults"))["refuse_creation"] == 0
        assert first["callback_url"] is None
        assert again["callback_url"] is not None
        await shop.created("DH-1")


async def test_the_counters_tell_calls_and_creations() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.create("DH-1")
        await shop.create("DH-2", tel=None)
        await shop.track("DH-1")
        stats = await shop.stats()
        assert stats["calls"] == {"create": 3, "track": 1}
        assert (stats["created"], stats["duplicates_answered"], stats["invalid"]) == (1, 1, 1)


async def test_the_log_has_no_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="deploy.local.carriers")
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.create("DH-2", ward=None)
        await shop.advance(steps=7)
    assert "status" in caplog.text
    for secret in ("Hồng", "0912345678", "Lê Lợi"):
        assert secret not in caplog.text


async def test_a_wrong_method_is_no_ghtk_call() -> None:
    async with open_shop() as shop:
        response = await shop.client.get("/services/shipment/order/")
        assert response.status_code == httpx.codes.METHOD_NOT_ALLOWED
