"""The ViettelPost adapter against what is documented of ViettelPost, and against what stands in its place when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from services.shipping.carriers.access import Access, HeldToken
from services.shipping.carriers.answers import (
    AlreadyThere,
    CallbackMessage,
    CancelOutcome,
    CarrierPlace,
    Created,
    FeeQuote,
)
from services.shipping.carriers.errors import (
    Away,
    CarrierError,
    NotLetIn,
    NotOffered,
    Refused,
    UnknownOutcome,
    UnreadableCallback,
)
from services.shipping.carriers.parcel import Address, CarrierUnits, Options, Parcel, ParcelLine, PickUp, Unit
from services.shipping.carriers.viettelpost import ViettelPost

NEW = Address("Đà Nẵng", "Phường Hải Châu", "5 Lê Lợi")
OLD_UNITS = CarrierUnits(
    Unit("province", "4", "Đà Nẵng"), Unit("ward", "721", "Phường Hải Châu I"), Unit("district", "71", "")
)
OLD = Address("Đà Nẵng", "Phường Hải Châu I", "5 Lê Lợi", district="Quận Hải Châu", units=OLD_UNITS)
PARCEL = Parcel(
    reference="DH-AAAA1111-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=NEW,
    lines=(
        ParcelLine(name="Kem dưỡng ẩm", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),
        ParcelLine(name="Sữa rửa mặt", sku="SR-1", quantity=1, unit_price=120_000, weight_grams=130),
    ),
    cod=500_000,
    value=500_000,
    note="Gọi trước khi giao",
    pick_up=PickUp(
        name="Kho Mẫu", phone="+84900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 đường Mẫu"
    ),
    options=Options(service="VCN"),
)
ACCOUNT = {"username": "shop", "password": "mật khẩu"}
INVENTORY = [
    {"groupaddressId": 88001, "name": "Kho Mẫu", "phone": "0900000001", "address": "12 đường Mẫu", "provinceId": 1}
]
MADE = {"ORDER_NUMBER": "10345381626", "MONEY_COLLECTION": 500_000, "MONEY_TOTAL": "32500", "KPI_HT": 72}


def good(data: Any = None, *, message: Any = "OK") -> httpx.Response:
    return httpx.Response(200, json={"status": 200, "error": False, "message": message, "data": data})


def bad(message: Any = "Dữ liệu không hợp lệ", *, status: int | str = 204, data: Any = None) -> httpx.Response:
    """A failure as it comes: on HTTP 200."""
    return httpx.Response(200, json={"status": status, "error": True, "message": message, "data": data})


Route = Callable[[httpx.Request], httpx.Response] | httpx.Response


class Server:
    """A ViettelPost that issues tokens, takes only the newest one, and answers by path."""

    def __init__(self, routes: Mapping[str, Route] | None = None, *, expired_on_401: bool = False) -> None:
        self.routes = {"/v2/user/listInventory": good(INVENTORY), **(routes or {})}
        self.token = "long-0"
        self.expired_on_401 = expired_on_401
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        path, body = request.url.path, orjson.loads(request.content or b"null")
        if path == "/v2/user/Login":
            return good({"token": "short"}) if body["PASSWORD"] == ACCOUNT["password"] else bad("Sai mật khẩu")
        if path == "/v2/user/ownerconnect":
            assert (request.headers["Token"], body["USERNAME"]) == ("short", "shop")
            return self._issue()
        if path == "/v2/user/LoginVTP":
            return self._issue() if body["token"] == "portal" else bad("Token không tồn tại")
        if request.headers.get("Token") != self.token:
            return httpx.Response(401) if self.expired_on_401 else bad("Token invalid", status=202)
        route = self.routes[path]
        if isinstance(route, httpx.Response):
            return httpx.Response(route.status_code, content=route.content, headers=route.headers)
        return route(request)

    def _issue(self) -> httpx.Response:
        self.token = f"long-{int(self.token.removeprefix('long-')) + 1}"
        return good({"token": self.token, "expired": 4_000_000_000_000})

    def paths(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.seen]

    def body(self, path: str) -> dict[str, Any]:
        """Of the last request to a path."""
        found = [request for request in self.seen if request.url.path == path]
        body: dict[str, Any] = orjson.loads(found[-1].content)
        return body


@asynccontextmanager
async def viettelpost(
    server: Callable[[httpx.Request], httpx.Response], credentials: Mapping[str, str] = ACCOUNT
) -> AsyncIterator[ViettelPost]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
        yield ViettelPost(Access("https://vtp.test", credentials, HeldToken()), client)


async def created(parcel: Parcel, route: Route | None = None) -> tuple[Created | AlreadyThere, Server]:
    answer = route or good(MADE)
    server = Server({"/v2/order/createOrder": answer, "/v2/order/createOrderNlp": answer})
    async with viettelpost(server) as carrier:
        return await carrier.create(parcel), server


async def test_a_creation_is_sent_in_grams_with_the_check_against_duplicates_and_the_address_in_words() -> None:
    made, server = await created(PARCEL)
    assert made == Created(waybill="10345381626", raw_status="100", fee=32_500)
    body = server.body("/v2/order/createOrderNlp")
    assert (body["ORDER_NUMBER"], body["CHECK_UNIQUE"]) == ("DH-AAAA1111-1", True)
    assert (body["PRODUCT_WEIGHT"], body["PRODUCT_QUANTITY"], body["PRODUCT_TYPE"]) == (630, 3, "HH")
    assert body["LIST_ITEM"][0]["PRODUCT_WEIGHT"] == 250
    assert (body["RECEIVER_PHONE"], body["SENDER_PHONE"]) == ("0900000099", "0900000001")
    assert body["RECEIVER_ADDRESS"] == "5 Lê Lợi, Phường Hải Châu, Đà Nẵng"
    assert body["SENDER_ADDRESS"] == "12 đường Mẫu, Phường Cầu Giấy, Hà Nội"
    assert "RECEIVER_PROVINCE" not in body


async def test_an_address_of_the_old_form_is_sent_by_the_ids_of_the_carrier_s_list_when_both_ends_are_in_it() -> None:
    old = replace(PARCEL, to=OLD, pick_up_units=OLD_UNITS)
    _, server = await created(old)
    body = server.body("/v2/order/createOrder")
    assert (body["RECEIVER_PROVINCE"], body["RECEIVER_DISTRICT"], body["RECEIVER_WARD"]) == (4, 71, 721)
    assert (body["SENDER_PROVINCE"], body["SENDER_ADDRESS"]) == (4, "12 đường Mẫu")
    _, server = await created(replace(PARCEL, to=OLD))
    assert (
        server.body("/v2/order/createOrderNlp")["RECEIVER_ADDRESS"]
        == "5 Lê Lợi, Phường Hải Châu I, Quận Hải Châu, Đà Nẵng"
    )


@pytest.mark.parametrize(
    ("cod", "payer", "payment"),
    [(500_000, "shop", 3), (0, "shop", 1), (500_000, "customer", 2), (0, "customer", 4)],
)
async def test_who_pays_follows_from_the_cod_and_the_payer_so_that_nobody_pays_the_fee_twice(
    cod: int, payer: str, payment: int
) -> None:
    options = Options.model_validate({"service": "VCN", "payer": payer})
    _, server = await created(replace(PARCEL, cod=cod, options=options))
    body = server.body("/v2/order/createOrderNlp")
    assert (body["ORDER_PAYMENT"], body["MONEY_COLLECTION"]) == (payment, cod)


async def test_the_note_is_cut_by_bytes_and_what_the_courier_must_know_stands_first() -> None:
    options = Options(service="VCN", inspection="try")
    _, server = await created(replace(PARCEL, note="gọi trước khi giao " * 20, options=options))
    note = server.body("/v2/order/createOrderNlp")["ORDER_NOTE"]
    assert note.startswith("Cho thử hàng. gọi")
    assert 120 < len(note.encode()) <= 150


PRICES = [
    {"MA_DV_CHINH": "VHT", "TEN_DICHVU": "Hỏa tốc", "GIA_CUOC": 60_000, "THOI_GIAN": "24 giờ"},
    {"MA_DV_CHINH": "VCN", "TEN_DICHVU": "Chuyển phát nhanh", "GIA_CUOC": "32500", "THOI_GIAN": "3 ngày"},
    {"MA_DV_CHINH": "", "GIA_CUOC": 1},
]


@pytest.mark.parametrize("answer", [httpx.Response(200, json=PRICES), good(PRICES), good({"RESULT": PRICES})])
async def test_prices_are_read_with_and_without_an_envelope(answer: httpx.Response) -> None:
    server = Server({"/v2/order/getPriceAllNlp": answer})
    async with viettelpost(server) as carrier:
        quotes = await carrier.quotes(replace(PARCEL, options=Options()))
    assert quotes == (
        FeeQuote(service="VHT", title="Hỏa tốc", fee=60_000, hours=24),
        FeeQuote(service="VCN", title="Chuyển phát nhanh", fee=32_500, hours=72),
    )
    assert server.body("/v2/order/getPriceAllNlp")["TYPE"] == 1


async def test_without_a_chosen_service_the_cheapest_that_goes_there_is_taken() -> None:
    server = Server({"/v2/order/getPriceAllNlp": good(PRICES), "/v2/order/createOrderNlp": good(MADE)})
    async with viettelpost(server) as carrier:
        await carrier.create(replace(PARCEL, options=Options()))
    assert server.body("/v2/order/createOrderNlp")["ORDER_SERVICE"] == "VCN"


async def test_a_route_without_a_service_is_refused_before_anything_is_made() -> None:
    for answer in (good([]), bad("Price does not apply to this itinerary!")):
        server = Server({"/v2/order/getPriceAllNlp": answer})
        async with viettelpost(server) as carrier:
            with pytest.raises(Refused):
                await carrier.create(replace(PARCEL, options=Options()))
        assert "createOrderNlp" not in server.paths()


@pytest.mark.parametrize(
    ("message", "reason"),
    [("Số điện thoại sai", "Số điện thoại sai"), (["Thiếu tên", "Thiếu số"], "Thiếu tên; Thiếu số")],
)
async def test_a_refusal_on_http_200_keeps_the_carrier_s_sentences(message: Any, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        await created(PARCEL, bad(message))
    assert refused.value.reason == reason
    assert reason not in str(refused.value)  # messages of errors reach logs


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"STATUS": "200", "Error": "false", "Message": "OK", "Data": {"order_number": 123}}),
        httpx.Response(200, json={"status": 200, "data": {"ORDER_NUMBER": "123"}}),
    ],
)
async def test_an_envelope_is_read_in_upper_and_lower_case_with_numbers_as_text(answer: httpx.Response) -> None:
    made, _ = await created(PARCEL, answer)
    assert made.waybill == "123"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"status": 400, "error": False, "message": "Bad request"}),
        httpx.Response(200, json={"status": "204", "error": False, "message": "Không có dữ liệu"}),
        httpx.Response(200, json={"error": "TRUE", "message": ""}),
    ],
)
async def test_a_failure_is_one_in_whichever_way_it_is_told(answer: httpx.Response) -> None:
    with pytest.raises(Refused):
        await created(PARCEL, answer)


async def test_a_taken_reference_that_names_its_waybill_is_adopted() -> None:
    made, _ = await created(PARCEL, bad("Trùng", data={"ORDER_NUMBER": "10345381626"}))
    assert made == AlreadyThere("10345381626")


def failing(error: type[httpx.TransportError]) -> Route:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("x", request=request)

    return answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failing(httpx.ReadTimeout), UnknownOutcome),
        (failing(httpx.RemoteProtocolError), UnknownOutcome),
        (httpx.Response(502, content=b"<html>"), UnknownOutcome),
        (httpx.Response(200, content=b"<html>"), UnknownOutcome),
        (httpx.Response(200, json={"hello": 1}), UnknownOutcome),
        (httpx.Response(200, json="OK"), UnknownOutcome),
        (httpx.Response(307, headers={"location": "/v2/order/createOrderNlp"}), UnknownOutcome),
        (good({}), UnknownOutcome),
        (failing(httpx.ConnectError), Away),
        (httpx.Response(429), Away),
    ],
)
async def test_a_creation_without_a_readable_answer_may_have_happened(answer: Route, error: type[CarrierError]) -> None:
    with pytest.raises(error):
        await created(PARCEL, answer)


@pytest.mark.parametrize("expired_on_401", [False, True])
async def test_an_expired_token_is_renewed_once_and_the_call_repeated(expired_on_401: bool) -> None:
    server = Server({"/v2/order/createOrderNlp": good(MADE)}, expired_on_401=expired_on_401)
    async with viettelpost(server) as carrier:
        await carrier.test()
        server.token = "long-7"  # the carrier has ended the one that we hold
        assert isinstance(await carrier.create(PARCEL), Created)
    assert server.paths()[:3] == ["Login", "ownerconnect", "listInventory"]
    assert server.paths()[3:] == [
        "createOrderNlp",
        *([] if expired_on_401 else ["listInventory"]),
        "Login",
        "ownerconnect",
        "createOrderNlp",
    ]


async def test_a_refusal_with_a_good_token_does_not_log_in_again() -> None:
    server = Server({"/v2/order/UpdateOrder": bad("Không thể hủy")})
    async with viettelpost(server) as carrier:
        assert (await carrier.cancel("DH-1", waybill="1")).outcome == CancelOutcome.REFUSED
    assert server.paths().count("Login") == 1


async def test_a_token_from_the_portal_is_used_as_it_is_and_exchanged_when_it_is_not_accepted() -> None:
    server = Server()
    server.token = "portal"
    async with viettelpost(server, {"token": "portal"}) as carrier:
        await carrier.test()
        assert server.paths() == ["listInventory"]
    server = Server()
    async with viettelpost(server, {"token": "portal"}) as carrier:
        await carrier.test()
    assert "LoginVTP" in server.paths()


@pytest.mark.parametrize(
    "credentials", [{"username": "shop", "password": "falsch"}, {"token": "another"}, {}, {"username": "shop"}]
)
async def test_credentials_that_do_not_suffice_are_not_let_in(credentials: dict[str, str]) -> None:
    async with viettelpost(Server(), credentials) as carrier:
        with pytest.raises(NotLetIn):
            await carrier.test()


async def test_a_carrier_that_is_away_while_a_token_is_renewed_made_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("x", request=request)

    async with viettelpost(answer) as carrier:
        with pytest.raises(Away):
            await carrier.create(PARCEL)


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


DATA = {
    "ORDER_NUMBER": "10345381626",
    "ORDER_REFERENCE": "DH-AAAA1111-1",
    "ORDER_STATUSDATE": "21/11/2026 17:34:05",
    "ORDER_STATUS": 506,
    "STATUS_NAME": "Tồn",
    "NOTE": "Khách hẹn mai",
    "REASON_CODE": "K1",
    "MONEY_COLLECTION": 999,
    "MONEY_TOTALFEE": 999,
}
LOWER = {name.lower(): value for name, value in DATA.items()}


@pytest.mark.parametrize(
    "body",
    [
        {"DATA": DATA, "TOKEN": "s"},
        {"Data": LOWER, "Token": "s"},
        {"DATA": orjson.dumps(DATA).decode(), "TOKEN": "s"},
        {"DATA": [DATA], "TOKEN": "s"},
        [{"DATA": DATA, "TOKEN": "s"}],
        {**DATA, "TOKEN": "s"},
        [LOWER],
        {**DATA, "ORDER_STATUS": "506", "ORDER_NUMBER": 10345381626},
        {**DATA, "ORDER_STATUSDATE": "2026-11-21T10:34:05Z"},
    ],
)
def test_a_callback_is_read_in_every_wrapper_to_the_second_and_without_its_money(body: Any) -> None:
    [report] = ViettelPost.read_callback(CallbackMessage(orjson.dumps(body)))
    assert (report.waybill, report.reference, report.raw_status) == ("10345381626", "DH-AAAA1111-1", "506")
    assert report.at == datetime(2026, 11, 21, 10, 34, 5, tzinfo=UTC)
    assert (report.reason_code, report.reason) == ("K1", "Khách hẹn mai")
    assert (report.collected, report.fee, report.partial) == (None, None, False)


@pytest.mark.parametrize(
    ("value", "code"), [(True, "400R"), ("true", "400R"), (1, "400R"), (False, "400"), (None, "400")]
)
def test_a_parcel_on_its_way_back_is_told_from_one_on_its_way_out(value: object, code: str) -> None:
    body = {"DATA": {**DATA, "ORDER_STATUS": 400, "IS_RETURNING": value}}
    [report] = ViettelPost.read_callback(CallbackMessage(orjson.dumps(body)))
    assert report.raw_status == code


def test_a_whole_journey_in_one_callback_is_read_in_its_order() -> None:
    body = {"DATA": [{**DATA, "ORDER_STATUS": status} for status in (105, 200, 500)], "TOKEN": "s"}
    reports = ViettelPost.read_callback(CallbackMessage(orjson.dumps(body)))
    assert [report.raw_status for report in reports] == ["105", "200", "500"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"17",
        b'{"DATA": []}',
        b'{"DATA": "{"}',
        b'{"DATA": null, "TOKEN": "s"}',
        orjson.dumps({"DATA": {**DATA, "ORDER_NUMBER": ""}}),
        orjson.dumps({"DATA": {**DATA, "ORDER_STATUS": "đã giao"}}),
        orjson.dumps({"DATA": {**DATA, "ORDER_STATUSDATE": "31/02/2026 00:00:00"}}),
        orjson.dumps({"DATA": {**DATA, "ORDER_STATUSDATE": None}}),
        orjson.dumps([DATA] * 201),
    ],
)
def test_what_is_no_callback_is_refused_with_what_is_wrong(body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        ViettelPost.read_callback(CallbackMessage(body))


@pytest.mark.parametrize(
    ("body", "headers", "genuine"),
    [
        ({"DATA": DATA, "TOKEN": "bí mật"}, {}, True),
        ({"DATA": DATA, "TOKEN": "khác"}, {}, False),
        ({"DATA": DATA}, {}, False),
        ([{"DATA": DATA, "TOKEN": "bí mật"}, {"DATA": DATA, "TOKEN": "khác"}], {}, False),
        (DATA, {"authorization": "Bearer bí mật"}, True),
        (DATA, {"authorization": "bí mật"}, True),
        (DATA, {"x-vtp-token": "bí mật"}, True),
        (DATA, {"authorization": "khác"}, False),
    ],
)
def test_a_callback_s_secret_is_looked_for_in_the_body_and_in_the_headers(
    body: Any, headers: dict[str, str], genuine: bool
) -> None:
    message = CallbackMessage(orjson.dumps(body), headers=headers)
    assert ViettelPost.is_genuine(message, {"callback_token": "bí mật"}) is genuine
    assert ViettelPost.is_genuine(message, {})
