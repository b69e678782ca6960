"""The ViettelPost adapter makes parcels: what is sent, which service, what is refused, and what may have happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.shipping.carriers.answers import (
    AlreadyThere,
    Created,
    FeeQuote,
)
from services.shipping.carriers.errors import (
    Away,
    CarrierError,
    Refused,
    UnknownOutcome,
)
from services.shipping.carriers.parcel import Options
from tests.unit.viettelpost.support import (
    MADE,
    OLD,
    OLD_UNITS,
    PARCEL,
    Route,
    Server,
    bad,
    created,
    failing,
    good,
    viettelpost,
)


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
