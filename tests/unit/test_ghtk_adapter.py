"""The GHTK adapter against the messages that GHTK documents, and against what stands in their place when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from deploy.local.ghtk.life import REASON_TEXT, STATUS_TEXT
from services.shipping.carriers.access import Access, NoTokens
from services.shipping.carriers.answers import AlreadyThere, CancelOutcome, Created
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.ghtk import Ghtk, _creation
from services.shipping.carriers.ghtk_codes import CODES
from services.shipping.carriers.parcel import Address, Parcel, ParcelLine, PickUp
from services.shipping.carriers.reading import integer_of, moment_of, money_of, text_of

SAMPLES = Path(__file__).parents[1] / "contracts" / "ghtk"
PARCEL = Parcel(
    reference="019a5b3c7d10-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=Address(province="Đà Nẵng", ward="Phường Hải Châu", detail="Số 5 đường Mẫu"),
    lines=(ParcelLine(name="Kem dưỡng ẩm 50 ml", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),),
    cod=500_000,
    value=500_000,
    note="Cho xem hàng, " + "gọi trước khi giao " * 10,
    pick_up=PickUp(name="Kho Mẫu", phone="+84900000001", province="Hà Nội", detail="12 đường Mẫu", place_id="88001"),
)

Answer = Callable[[httpx.Request], httpx.Response]


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes().strip()


def says(*names: str) -> Answer:
    """Answers with samples, one after the other."""
    waiting = list(names)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=sample(waiting.pop(0)))

    return answer


@asynccontextmanager
async def ghtk(answer: Answer) -> AsyncIterator[Ghtk]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield Ghtk(Access("https://ghtk.test", {"token": "t", "client_source": "S1"}, NoTokens()), client)


def failing(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("x", request=request)

    return answer


async def test_a_creation_is_sent_as_documented() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=sample("create_response.json"))

    async with ghtk(answer) as carrier:
        made = await carrier.create(PARCEL)
    assert made == Created(waybill="S100001.H14-A1.1375000000", raw_status="2", fee=32_500, sort_code="H14-A1")
    [request] = seen
    assert str(request.url) == "https://ghtk.test/services/shipment/order/?ver=1.5"
    assert (request.headers["Token"], request.headers["X-Client-Source"]) == ("t", "S1")
    body = orjson.loads(request.content)
    order = body["order"]
    assert body["products"][0]["weight"] == 0.25  # kilograms
    assert (order["id"], order["pick_money"], order["is_freeship"]) == ("019a5b3c7d10-1", 500_000, 1)
    assert (order["tel"], order["pick_tel"], order["pick_address_id"]) == ("0900000099", "0900000001", "88001")
    assert order["hamlet"] == "Khác"
    assert order["note"].endswith(" gọi trước")  # whole words, 120 characters at most
    assert "district" not in order


async def test_numbers_may_be_text() -> None:
    async with ghtk(says("variant_create_response_numbers_as_text.json")) as carrier:
        made = await carrier.create(PARCEL)
    assert isinstance(made, Created)
    assert made.fee == 32_500


async def test_a_reference_that_is_taken_names_its_shipment() -> None:
    async with ghtk(says("create_duplicate.json")) as carrier:
        assert await carrier.create(PARCEL) == AlreadyThere(waybill="S100001.H14-A1.1375000000")


@pytest.mark.parametrize("name", ["create_refused.json", "create_invalid.json"])
async def test_a_refusal_keeps_the_carrier_s_sentence(name: str) -> None:
    async with ghtk(says(name)) as carrier:
        with pytest.raises(Refused) as refused:
            await carrier.create(PARCEL)
    assert refused.value.reason == orjson.loads(sample(name))["message"]
    assert refused.value.reason not in str(refused.value)  # messages of errors reach logs


@pytest.mark.parametrize(
    "answer",
    [
        failing(httpx.ReadTimeout),
        failing(httpx.RemoteProtocolError),
        failing(httpx.WriteError),
        lambda _: httpx.Response(502, content=sample("bad_gateway.html")),
        lambda _: httpx.Response(200, content=sample("bad_gateway.html")),
        lambda _: httpx.Response(200, content=b'{"order": {}}'),
        lambda _: httpx.Response(200, content=b'{"success": true, "order": {}}'),
        lambda _: httpx.Response(200, content=b"[]"),
    ],
)
async def test_a_creation_without_a_readable_answer_may_have_happened(answer: Answer) -> None:
    async with ghtk(answer) as carrier:
        with pytest.raises(UnknownOutcome):
            await carrier.create(PARCEL)


@pytest.mark.parametrize(
    "answer", [failing(httpx.ConnectError), failing(httpx.ConnectTimeout), lambda _: httpx.Response(429)]
)
async def test_a_creation_that_never_arrived_did_not_happen(answer: Answer) -> None:
    async with ghtk(answer) as carrier:
        with pytest.raises(Away):
            await carrier.create(PARCEL)


async def test_a_status_without_an_answer_changed_nothing() -> None:
    for answer in (failing(httpx.ReadTimeout), lambda _: httpx.Response(500)):
        async with ghtk(answer) as carrier:
            with pytest.raises(Away):
                await carrier.track("S1")


@pytest.mark.parametrize(
    ("name", "status"),
    [("status_received.json", "2"), ("status_delivered.json", "5"), ("variant_status_integer.json", None)],
)
async def test_a_status_is_read_with_its_time_in_vietnam_and_its_money(name: str, status: str | None) -> None:
    order: dict[str, Any] = orjson.loads(sample(name))["order"]
    async with ghtk(says(name)) as carrier:
        report = await carrier.look_up("019a5b3c7d10-1")
    assert report is not None
    assert report.raw_status == (status or str(order["status"]))
    assert report.at == datetime.fromisoformat(f"{order['modified']}+07:00").astimezone(UTC)
    assert report.collected == int(order["pick_money"])


async def test_an_unknown_shipment_and_an_unknown_shop_are_told_apart() -> None:
    async with ghtk(says("status_unknown_reference.json", "pick_up_addresses.json")) as carrier:
        assert await carrier.look_up("DH-1") is None
    async with ghtk(says("status_unknown_reference.json", "unauthorised.json")) as carrier:
        with pytest.raises(NotLetIn):
            await carrier.look_up("DH-1")


def cancelled_status() -> bytes:
    body = orjson.loads(sample("status_received.json"))
    body["order"]["status"] = "-1"
    return orjson.dumps(body)


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [
        ("cancel_accepted.json", cancelled_status(), CancelOutcome.CANCELLED),
        ("variant_cancel_accepted_with_message.json", sample("status_received.json"), CancelOutcome.REQUESTED),
        ("cancel_already_cancelled.json", cancelled_status(), CancelOutcome.CANCELLED),
        ("cancel_picked_up.json", sample("status_delivered.json"), CancelOutcome.REFUSED),
    ],
)
async def test_what_a_cancellation_did_is_decided_by_the_status_not_by_words(
    answer: str, status: bytes, outcome: CancelOutcome
) -> None:
    waiting = [sample(answer), status]
    async with ghtk(lambda _: httpx.Response(200, content=waiting.pop(0))) as carrier:
        assert (await carrier.cancel("019a5b3c7d10-1", waybill="")).outcome == outcome


async def test_nothing_to_cancel_is_no_error() -> None:
    names = ("status_unknown_reference.json", "status_unknown_reference.json", "pick_up_addresses.json")
    async with ghtk(says(*names)) as carrier:
        assert (await carrier.cancel("DH-1", waybill="")).outcome == CancelOutcome.NOTHING_THERE


async def test_a_fee_is_asked_in_grams() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=sample("fee_response.json"))

    async with ghtk(answer) as carrier:
        quotes = await carrier.quotes(PARCEL)
    assert {request.url.params["weight"] for request in seen} == {"500"}
    assert [quote.service for quote in quotes] == ["road", "fly"]
    assert all(quote.fee > quote.insurance_fee for quote in quotes)


async def test_a_label_that_is_not_a_pdf_is_a_refusal() -> None:
    async with ghtk(says("label_unknown_reference.json")) as carrier:
        with pytest.raises(Refused):
            await carrier.label(["S1"], size="A6")


async def test_a_report_without_a_label_takes_the_one_that_was_asked_for() -> None:
    body = orjson.loads(sample("status_received.json"))
    del body["order"]["label_id"]
    async with ghtk(lambda _: httpx.Response(200, content=orjson.dumps(body))) as carrier:
        [report] = await carrier.track("S1.A.1")
        assert report.waybill == "S1.A.1"
        with pytest.raises(Away):
            await carrier.look_up("DH-1")


def test_every_documented_status_and_reason_has_a_meaning() -> None:
    assert set(CODES.statuses) == {str(int(status)) for status in STATUS_TEXT}
    assert set(CODES.reasons) == set(REASON_TEXT)


def test_courier_reports_are_provisional_and_nothing_else_is() -> None:
    provisional = {code for code, meaning in CODES.statuses.items() if meaning.provisional}
    assert provisional == {"45", "49", "123", "127", "128", "410"}
    assert {code for code, meaning in CODES.statuses.items() if meaning.settles} == {"6"}
    assert {code for code, meaning in CODES.statuses.items() if meaning.cancellable} == {"1", "2", "12"}


@pytest.mark.parametrize("value", [12, 12.0, "12", "12.0", " 12 "])
def test_whole_numbers_are_read_however_they_are_written(value: object) -> None:
    assert integer_of(value) == 12


@pytest.mark.parametrize("value", [None, "", "x", 1.5, float("inf"), float("nan"), True, [], {}, 10**20, "1e400"])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        integer_of(value)
    assert money_of(value) is None


def test_amounts_are_not_negative() -> None:
    assert money_of(-1) is None
    assert money_of("350000") == 350_000


@pytest.mark.parametrize(
    "text", ["2026-11-07T12:14:40+07:00", "2026-11-07T12:14:40 07:00", "2026-11-07 12:14:40", "2026-11-07T05:14:40Z"]
)
def test_moments_are_read_with_and_without_a_zone(text: str) -> None:
    assert moment_of(text) == datetime(2026, 11, 7, 5, 14, 40, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", None, 17, {}])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moment_of(value)


def test_texts_are_short_and_storable() -> None:
    assert text_of("a\0b") == "ab"
    assert len(text_of("x" * 5000)) == 500
    assert text_of({"a": 1}) == ""


def test_a_parcel_keeps_the_district_of_the_old_address_form() -> None:
    order = _creation(replace(PARCEL, to=replace(PARCEL.to, district="Quận Hải Châu")))["order"]
    assert order["district"] == "Quận Hải Châu"
