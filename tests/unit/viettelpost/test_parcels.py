"""The ViettelPost adapter commands parcels that are made, and reads labels and lists."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from services.shipping.carriers.answers import (
    CancelOutcome,
    CarrierPlace,
)
from services.shipping.carriers.errors import (
    Away,
    NotOffered,
    Refused,
)
from tests.unit.viettelpost.support import (
    Route,
    Server,
    bad,
    good,
    viettelpost,
)


async def test_commands_have_the_numbers_that_are_documented() -> None:
    server = Server({"/v2/order/UpdateOrder": good()})
    async with viettelpost(server) as carrier:
        sent = []
        for command in (
            carrier.cancel("DH-1", waybill="10345381626"),
            carrier.deliver_again("10345381626", note="Khách nhận chiều nay " * 20),
            carrier.send_back("10345381626", note="Khách không nhận"),
        ):
            await command
            sent.append(server.body("/v2/order/UpdateOrder"))
    assert [body["TYPE"] for body in sent] == [4, 3, 2]
    assert {body["ORDER_NUMBER"] for body in sent} == {"10345381626"}
    assert all(len(body["NOTE"].encode()) <= 150 for body in sent)


async def test_a_cancellation_is_only_requested_until_a_status_tells_it_and_needs_the_waybill() -> None:
    server = Server({"/v2/order/UpdateOrder": good()})
    async with viettelpost(server) as carrier:
        assert (await carrier.cancel("DH-1", waybill="1")).outcome == CancelOutcome.REQUESTED
        with pytest.raises(Away):
            await carrier.cancel("DH-1", waybill="")


async def test_a_journey_is_asked_for_again_by_its_waybill() -> None:
    server = Server({"/v2/order/registerOrderHook": good(message="Đăng ký thành công")})
    async with viettelpost(server) as carrier:
        await carrier.ask_to_report("10345381626")
        assert server.seen[-1].url.params["oid"] == "10345381626"
        server.routes["/v2/order/registerOrderHook"] = bad("Không tìm thấy vận đơn")
        with pytest.raises(Refused):
            await carrier.ask_to_report("10345381626")
        server.routes["/v2/order/registerOrderHook"] = httpx.Response(302, headers={"location": "/"})
        with pytest.raises(Away):
            await carrier.ask_to_report("10345381626")


async def test_there_is_no_status_to_ask_for() -> None:
    async with viettelpost(Server()) as carrier:
        with pytest.raises(NotOffered):
            await carrier.track("1")
        with pytest.raises(NotOffered):
            await carrier.look_up("DH-1")


async def test_labels_are_fetched_with_a_link_that_lasts_an_hour() -> None:
    server = Server({"/v2/order/printing-code": good(message="bill-token")})
    page = httpx.Response(200, content=b"<html>", headers={"content-type": "text/html;charset=UTF-8"})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/DigitalizePrint/report.do":
            server.seen.append(request)
            return page
        return server(request)

    async with viettelpost(answer) as carrier:
        label = await carrier.label(["1", "2"], size="A6")
        assert (label.content, label.media_type) == (b"<html>", "text/html")
        asked = server.body("/v2/order/printing-code")
        assert asked["ORDER_ARRAY"] == ["1", "2"]
        assert 0 < asked["EXPIRY_TIME"] / 1000 - datetime.now(UTC).timestamp() <= 3600
        assert dict(server.seen[-1].url.params) == {"type": "2", "bill": "bill-token", "showPostage": "1"}
        page = httpx.Response(404)
        with pytest.raises(Refused):
            await carrier.label(["1"], size="A5")


async def test_places_and_services_are_lists_of_the_shop() -> None:
    services = good([{"SERVICE_CODE": "VCN", "SERVICE_NAME": "Chuyển phát nhanh"}, {"SERVICE_NAME": "?"}])
    async with viettelpost(Server({"/v2/categories/listService": services})) as carrier:
        assert await carrier.pick_up_places() == (CarrierPlace("88001", "Kho Mẫu", "0900000001", "12 đường Mẫu"),)
        assert [(each.code, each.title) for each in await carrier.services()] == [("VCN", "Chuyển phát nhanh")]


async def test_the_lists_of_both_eras_are_read() -> None:
    routes: dict[str, Route] = {
        "/v2/categories/listProvinceById": good(
            [{"PROVINCE_ID": 1, "PROVINCE_CODE": "HNI", "PROVINCE_NAME": "Hà Nội"}]
        ),
        "/v2/categories/listDistrict": good(
            [{"DISTRICT_ID": 4, "DISTRICT_VALUE": "1", "DISTRICT_NAME": "Quận Ba Đình"}]
        ),
        "/v2/categories/listWards": good([{"WARDS_ID": 9, "WARDS_NAME": "Phường Kim Mã", "DISTRICT_ID": 4}]),
        "/v3/categories/listProvinceNew": good([{"PROVINCE_ID": 101, "PROVINCE_NAME": "Thành phố Hà Nội"}]),
        "/v3/categories/listWardsNew": good([{"WARDS_ID": 907, "WARDS_NAME": "Phường Giảng Võ", "PROVINCE_ID": 101}]),
    }
    async with viettelpost(Server(routes)) as carrier:
        assert [(unit.level, unit.code, unit.parent_code) for unit in await carrier.units("old")] == [
            ("province", "1", ""),
            ("district", "4", "1"),
            ("ward", "9", "4"),
        ]
        assert [(unit.level, unit.name, unit.parent_code) for unit in await carrier.units("new")] == [
            ("province", "Thành phố Hà Nội", ""),
            ("ward", "Phường Giảng Võ", "101"),
        ]
