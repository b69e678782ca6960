"""The GHN adapter against the simulated GHN over HTTP, and against what stands in the answers' place when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from deploy.local.carriers.carrier import Push
from deploy.local.carriers.life import TRANSFER
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghn import Faults, OutcomeRates, SimulatorSettings, Status, create_app
from deploy.local.ghn.places import country
from services.shipping.carriers.access import Access, NoTokens
from services.shipping.carriers.answers import AlreadyThere, CallbackMessage, CancelOutcome, Created
from services.shipping.carriers.errors import Away, CarrierError, NotLetIn, Refused, UnknownOutcome, UnreadableCallback
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghn_codes import CODES, TRANSFERRED
from services.shipping.carriers.ghn_requests import creation
from services.shipping.carriers.parcel import (
    Address,
    CarrierUnits,
    Options,
    Parcel,
    ParcelLine,
    PickUp,
    RecipientChange,
    Unit,
)

SETTINGS = SimulatorSettings(outcomes=OutcomeRates(delivered=1))
API = "http://ghn.test/shiip/public-api"
NEW = Address(province="Thành phố Hồ Chí Minh", ward="Phường Sài Gòn", detail="5 Lê Lợi", ward_code="26740")
OLD = Address(
    province="Thành phố Hồ Chí Minh",
    district="Quận 1",
    ward="Phường Bến Nghé",
    detail="5 Lê Lợi",
    ward_code="26740",
)
PARCEL = Parcel(
    reference="DH-7C9K2M-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=NEW,
    lines=(ParcelLine(name="Kem dưỡng", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),),
    cod=500_000,
    value=400_000,
    note="Gọi trước khi giao",
    pick_up=PickUp(
        name="Kho Mẫu", phone="+84900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 đường Mẫu"
    ),
)

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class World:
    """The adapter of a shop, and the carrier's inside."""

    ghn: Ghn
    simulation: Simulation
    seen: list[httpx.Request]

    @property
    def calls(self) -> list[str]:
        return [request.url.path.rsplit("/", 1)[1] for request in self.seen]

    def body(self, call: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(next(each for each in self.seen if each.url.path.endswith(call)).content)
        return found

    def put(self, status: str, **push: Any) -> str:
        """The only parcel gets a status; returns its waybill."""
        [shipment] = self.simulation.carrier.page(after=0, limit=2)
        self.simulation.carrier.push(shipment, Push(Status(status), **push))
        return shipment.waybill


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(settings=SETTINGS)


@pytest.fixture
async def world(app: FastAPI) -> AsyncIterator[World]:
    async with app.router.lifespan_context(app), opened(app) as found:
        await found.simulation.reset()
        yield found


@asynccontextmanager
async def opened(app: FastAPI, **credentials: str) -> AsyncIterator[World]:
    seen: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request)

    access = {"token": SETTINGS.token, "shop_id": str(SETTINGS.shop_id), **credentials}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, event_hooks={"request": [note]}) as client:
        yield World(Ghn(Access(API, access, NoTokens()), client), app.state.simulation, seen)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Ghn]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield Ghn(Access(API, {"token": "t", "shop_id": "885"}, NoTokens()), client)


def says(body: Any, *, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda _: httpx.Response(status, content=content)


async def created(world: World, parcel: Parcel = PARCEL) -> str:
    made = await world.ghn.create(parcel)
    assert isinstance(made, Created)
    return made.waybill


async def test_a_creation_is_sent_as_documented_and_what_came_of_it_is_looked_at(world: World) -> None:
    made = await world.ghn.create(PARCEL)
    assert isinstance(made, Created)
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    assert (made.waybill, made.raw_status) == (shipment.waybill, "ready_to_pick")
    assert made.fee == shipment.fee + shipment.insurance_fee > 0
    assert made.sort_code
    assert world.calls == ["create", "detail"]
    assert (world.seen[0].headers["Token"], world.seen[0].headers["ShopId"]) == (SETTINGS.token, "885")
    body = world.body("create")
    assert (body["client_order_code"], body["cod_amount"], body["weight"]) == ("DH-7C9K2M-1", 500_000, 500)
    assert (body["payment_type_id"], body["required_note"], body["service_type_id"]) == (1, "CHOXEMHANGKHONGTHU", 2)
    assert (body["to_phone"], body["from_phone"]) == ("0900000099", "0900000001")
    assert (body["insurance_value"], body["note"]) == (400_000, "Gọi trước khi giao")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(payer="customer"), {"payment_type_id": 2}),
        (Options(inspection="none"), {"required_note": "KHONGCHOXEMHANG"}),
        (Options(inspection="try"), {"required_note": "CHOTHUHANG"}),
        (Options(insured=False), {"insurance_value": 0, "order_value": 400_000}),
        (Options(failed_delivery_fee=20_000), {"cod_failed_amount": 20_000}),
        (Options(length_cm=30, width_cm=20, height_cm=5), {"length": 30, "width": 20, "height": 5}),
    ],
)
async def test_options_are_put_into_ghn_s_words(world: World, options: Options, expected: dict[str, Any]) -> None:
    await created(world, replace(PARCEL, options=options))
    assert world.body("create") | expected == world.body("create")


async def test_a_heavy_parcel_is_measured_piece_by_piece(world: World) -> None:
    stove = ParcelLine(name="Bếp", sku="B-1", quantity=1, unit_price=400_000, weight_grams=21_000)
    await created(world, replace(PARCEL, lines=(stove,)))
    body = world.body("create")
    assert (body["service_type_id"], body["items"][0]["weight"], body["items"][0]["length"]) == (5, 21_000, 10)


async def test_a_shop_of_the_account_sends_from_its_own_address(world: World) -> None:
    await created(world, replace(PARCEL, pick_up=PARCEL.pick_up.model_copy(update={"place_id": "885"})))
    assert "from_address" not in world.body("create")
    [place] = await world.ghn.pick_up_places()
    assert place.place_id == "885"


async def test_one_official_ward_code_is_another_ward_in_each_era(world: World) -> None:
    await created(world)
    await created(world, replace(PARCEL, reference="DH-OLD-1", to=OLD))
    after, before = world.simulation.carrier.page(after=0, limit=3)
    assert (after.creation.address, before.creation.address) == (
        "5 Lê Lợi, Phường Sài Gòn",
        "5 Lê Lợi, Phường Bến Nghé, Quận 1",
    )
    assert [
        orjson.loads(each.content).get("is_new_to_address") for each in world.seen if "create" in each.url.path
    ] == [
        True,
        None,
    ]


async def test_an_address_found_in_ghn_s_lists_goes_by_its_codes_and_names() -> None:
    ward = country().old_ward_by_name(province="Hồ Chí Minh", district="Quận 1", ward="Phường Bến Nghé")
    assert ward is not None
    assert ward.parent is not None
    units = CarrierUnits(
        province=Unit("province", "202", "Hồ Chí Minh"),
        district=Unit("district", ward.parent.code, "Quận 1"),
        ward=Unit("ward", ward.code, "Phường Bến Nghé"),
    )
    body = creation(replace(PARCEL, to=replace(OLD, units=units)), note="")
    assert (body["to_ward_code"], body["to_district_id"]) == (ward.code, int(ward.parent.code))
    units = CarrierUnits(province=Unit("province", "1", "Hồ Chí Minh"), ward=Unit("ward", "2", "Phường Sài Gòn"))
    body = creation(replace(PARCEL, to=replace(NEW, units=units)), note="")
    assert (body["to_province_name"], body["to_ward_name"]) == ("Hồ Chí Minh", "Phường Sài Gòn")
    assert "to_district_id" not in body


async def test_units_of_both_eras_are_read_page_by_page(world: World) -> None:
    new = await world.ghn.units("new")
    assert len(new) == 34 + 3_321
    ward = next(unit for unit in new if unit.name == "Phường Sài Gòn")
    assert next(unit for unit in new if unit.code == ward.parent_code).name == "Hồ Chí Minh"
    assert "phuong sai gon" in ward.other_names
    assert max(world.calls.count(call) for call in set(world.calls)) < 80


async def test_what_lies_under_a_reference_is_told_unless_it_is_the_very_parcel(world: World) -> None:
    waybill = await created(world)
    assert await created(world) == waybill  # made by the same words: it is the parcel
    assert await world.ghn.create(replace(PARCEL, cod=400_000)) == AlreadyThere(waybill)
    world.put("cancel")
    assert await world.ghn.create(PARCEL) == AlreadyThere(waybill)
    assert len(list(world.simulation.carrier.page(after=0, limit=9))) == 1


async def test_a_creation_that_timed_out_is_found_again(world: World) -> None:
    world.simulation.set_faults(Faults(create_timeout=1))
    with pytest.raises(UnknownOutcome):
        await world.ghn.create(PARCEL)
    world.simulation.set_faults(Faults())
    report = await world.ghn.look_up(PARCEL.reference)
    assert report is not None
    assert (report.raw_status, report.collected, report.reference) == ("ready_to_pick", 500_000, PARCEL.reference)


async def test_a_refusal_keeps_the_carrier_s_sentence(world: World) -> None:
    unknown_ward = replace(NEW, ward="Phường Không Có")
    with pytest.raises(Refused) as refused:
        await world.ghn.create(replace(PARCEL, to=unknown_ward))
    assert "Không tìm thấy thông tin phường xã" in refused.value.reason
    assert "Không tìm thấy" not in str(refused.value)  # messages of errors reach logs
    assert list(world.simulation.carrier.page(after=0, limit=1)) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(b"<html>502</html>", status=502), UnknownOutcome),
        (says(b"<html>", status=200), UnknownOutcome),
        (says([], status=200), UnknownOutcome),
        (says({"code": 200, "message": "Success", "data": {}}), UnknownOutcome),
        (
            says({"code": 400, "message": "Too many request. This request is processing", "data": None}, status=400),
            UnknownOutcome,
        ),
        (
            says({"code": 400, "message": "x", "code_message": "SERVER_ERR_COMMON", "data": None}, status=400),
            UnknownOutcome,
        ),
        (says({"code": 400, "message": "[online] Chưa init Redis", "data": None}, status=400), UnknownOutcome),
        (says({"code": 400, "message": "Sai Required Note", "code_message": "USER_ERR_COMMON"}, status=400), Refused),
        (says({"code": 400, "message": "To address conflict", "code_message_value": "Sai"}, status=400), Refused),
        (says({"code": 429, "message": "Too many requests"}, status=429), Away),
        (says({"code": 401, "message": "Token is not valid!"}, status=401), NotLetIn),
        (says({"code": 400, "message": "code=401, message=Token is not valid!", "data": None}, status=400), NotLetIn),
        (says({"code": 400, "message": "x", "code_message": "SHOP_NOT_FOUND"}, status=400), NotLetIn),
    ],
)
async def test_what_a_creation_s_answer_means(answer: Answer, error: type[CarrierError]) -> None:
    async with answering(answer) as ghn:
        with pytest.raises(error) as raised:
            await ghn.create(PARCEL)
    assert type(raised.value) is error


async def test_a_failure_inside_ghn_is_not_taken_for_an_order_that_is_not_there() -> None:
    for status, body in ((400, {"code": 400, "message": "[online] Chưa init Redis"}), (200, {"code": 500})):
        async with answering(says(body, status=status)) as ghn:
            with pytest.raises(Away):
                await ghn.look_up("DH-1")


async def test_an_order_that_is_not_there(world: World) -> None:
    assert await world.ghn.look_up("DH-NOBODY") is None
    assert await world.ghn.track("ABCDEFGH") == ()
    assert (await world.ghn.cancel("DH-NOBODY", waybill="")).outcome == CancelOutcome.NOTHING_THERE


@pytest.mark.parametrize("credentials", [{"token": "wrong"}, {"shop_id": "999"}])
async def test_wrong_credentials_are_told_by_the_test(app: FastAPI, credentials: dict[str, str]) -> None:
    async with opened(app) as world:
        await world.ghn.test()
    async with opened(app, **credentials) as world:
        with pytest.raises(NotLetIn):
            await world.ghn.test()


async def test_the_journey_has_the_carrier_s_times_in_utc_and_its_money_at_the_end(world: World) -> None:
    waybill = await created(world)
    await world.simulation.carrier.advance_steps(8)
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    journey = await world.ghn.track(waybill)
    assert [report.raw_status for report in journey] == [str(entry.status) for entry in shipment.history]
    assert [report.at for report in journey] == [
        entry.at.replace(microsecond=entry.at.microsecond // 1000 * 1000) for entry in shipment.history
    ]
    assert [report.collected for report in journey] == [None] * 8 + [500_000]
    assert journey[-1].fee == shipment.fee + shipment.insurance_fee


async def test_a_paid_out_cod_is_a_status_that_settles_at_its_date(world: World) -> None:
    waybill = await created(world)
    await world.simulation.carrier.advance_steps(9)
    assert (await world.ghn.track(waybill))[-1].raw_status == "delivered"
    await world.simulation.carrier.advance_steps(1)
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    last = (await world.ghn.track(waybill))[-1]
    assert (last.raw_status, last.collected) == (TRANSFERRED, 500_000)
    assert shipment.transferred_at is not None
    assert abs(last.at - shipment.transferred_at) < timedelta(milliseconds=1)
    assert CODES.statuses[TRANSFERRED].settles


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"is_cod_transferred": "true", "cod_transfer_date": "2026-11-07"}, "2026-11-06T17:00:00Z"),
        ({"is_cod_transferred": True, "cod_transfer_date": "2026-11-05"}, "2026-11-05T08:00:00Z"),
        ({"is_cod_transferred": True, "cod_transfer_date": None}, "2026-11-06T09:00:00Z"),
        ({"is_cod_transferred": False, "cod_transfer_date": "null"}, None),
    ],
)
async def test_every_form_of_a_transfer_date_is_read(changes: dict[str, Any], at: str | None) -> None:
    order = {
        "order_code": "L88K7R",
        "status": "delivered",
        "cod_amount": "500000",
        "updated_date": "2026-11-06T09:00:00Z",
        "log": [{"status": "delivered", "updated_date": "2026-11-05T08:00:00Z"}],
        **changes,
    }
    async with answering(says({"code": 200, "message": "Success", "data": [order]})) as ghn:
        last = (await ghn.track("L88K7R"))[-1]
    moment = datetime.fromisoformat(at) if at else None
    assert (last.raw_status == TRANSFERRED) == (moment is not None)
    assert moment in (None, last.at)
    assert last.collected == 500_000


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ready_to_pick", CancelOutcome.CANCELLED),
        ("picking", CancelOutcome.CANCELLED),
        ("cancel", CancelOutcome.CANCELLED),
        ("picked", CancelOutcome.REFUSED),
        ("delivered", CancelOutcome.REFUSED),
    ],
)
async def test_what_a_cancellation_did_is_decided_by_the_status(
    world: World, status: str, outcome: CancelOutcome
) -> None:
    waybill = await created(world)
    world.put(status)
    for known in ("", waybill):
        cancellation = await world.ghn.cancel(PARCEL.reference, waybill=known)
        assert cancellation.outcome == outcome
        assert cancellation.report is not None


async def test_a_failed_delivery_is_delivered_again_or_sent_back(world: World) -> None:
    waybill = await created(world)
    with pytest.raises(Refused):
        await world.ghn.deliver_again(waybill, note="")
    world.put("waiting_to_return")
    await world.ghn.deliver_again(waybill, note="Khách hẹn chiều mai")
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    assert (shipment.status, shipment.creation.note) == (Status.STORING, "Khách hẹn chiều mai")
    world.put("delivery_fail")
    await world.ghn.send_back(waybill, note="")
    assert shipment.status == Status.RETURN


async def test_the_receiver_of_a_parcel_on_its_way_is_changed(world: World) -> None:
    waybill = await created(world)
    await world.ghn.change_recipient(waybill, RecipientChange(phone="+84911111111", recipient="Lê Văn Mẫu"))
    [shipment] = world.simulation.carrier.page(after=0, limit=2)
    assert (shipment.creation.tel, shipment.creation.name) == ("0911111111", "Lê Văn Mẫu")
    world.put("returned")
    with pytest.raises(Refused):
        await world.ghn.change_recipient(waybill, RecipientChange(phone="+84911111112"))


@pytest.mark.parametrize("size", ["A5", "80x80", "52x70"])
async def test_labels_of_several_orders_are_one_page(world: World, size: str) -> None:
    first = await created(world)
    second = await created(world, replace(PARCEL, reference="DH-2"))
    label = await world.ghn.label([first, second], size=size)
    assert label.media_type == "text/html"
    assert first.encode() in label.content
    assert second.encode() in label.content
    with pytest.raises(Refused):
        await world.ghn.label(["NOBODY"], size=size)


async def test_the_fee_asked_beforehand_is_the_fee_of_the_creation(world: World) -> None:
    for to in (NEW, OLD):
        parcel = replace(PARCEL, to=to, reference=f"DH-{to.era}", value=2_000_000)
        [quote] = await world.ghn.quotes(parcel)
        made = await world.ghn.create(parcel)
        assert isinstance(made, Created)
        assert (quote.service, quote.fee, quote.insurance_fee) == ("2", made.fee, 10_000)
    with pytest.raises(Refused):
        await world.ghn.quotes(replace(PARCEL, to=replace(NEW, province="Tỉnh Không Có")))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cod": 50_000_001}, "cod_over_limit"),
        ({"value": 5_000_001}, "value_over_limit"),
        ({"reference": "x" * 51}, "reference_too_long"),
        ({"options": Options(height_cm=201)}, "side_over_limit"),
        ({"lines": (replace(PARCEL.lines[0], weight_grams=50_000),)}, "weight_over_limit"),
    ],
)
def test_what_ghn_would_refuse_is_refused_before_it_is_asked(changes: dict[str, Any], code: str) -> None:
    assert [breach.code for breach in Ghn.check(replace(PARCEL, **changes))] == [code]
    assert Ghn.check(PARCEL) == ()


CALLBACK: dict[str, Any] = {
    "CODAmount": 500_000,
    "CODTransferDate": None,
    "ClientOrderCode": "DH-7C9K2M-1",
    "OrderCode": "Z82BS",
    "Reason": "",
    "ReasonCode": "",
    "ShopID": 885,
    "Status": "delivering",
    "Time": "2021-11-11T03:52:50.158Z",
    "Type": "switch_status",
}


def told(**changes: Any) -> list[tuple[str, str]]:
    body = orjson.dumps({**CALLBACK, **changes})
    return [(each.raw_status, each.at.isoformat()) for each in Ghn.read_callback(CallbackMessage(body))]


MOMENT = "2021-11-11T03:52:50.158000+00:00"


@pytest.mark.parametrize("kind", ["switch_status", "Switch_status", "create", "Create", ""])
def test_a_callback_is_read_whatever_the_case_of_its_type(kind: str) -> None:
    [report] = Ghn.read_callback(CallbackMessage(orjson.dumps({**CALLBACK, "Type": kind, "ReasonCode": "GHN-DFC1A4"})))
    assert (report.waybill, report.reference, report.raw_status) == ("Z82BS", "DH-7C9K2M-1", "delivering")
    assert report.at == datetime(2021, 11, 11, 3, 52, 50, 158_000, tzinfo=UTC)
    assert (report.reason_code, report.collected, report.fee) == ("GHN-DFC1A4", None, None)


@pytest.mark.parametrize("kind", ["update_weight", "Update_cod", "update_fee"])
def test_a_new_weight_or_price_tells_no_status(kind: str) -> None:
    assert told(Type=kind) == []


def test_other_forms_of_a_callback_are_read_too() -> None:
    assert told(Status="DELIVERED") == [("delivered", MOMENT)]
    listed = orjson.dumps([CALLBACK, {**CALLBACK, "Status": "delivered"}])
    assert [each.raw_status for each in Ghn.read_callback(CallbackMessage(listed))] == ["delivering", "delivered"]
    lower = orjson.dumps({name.lower(): value for name, value in CALLBACK.items()})
    assert len(Ghn.read_callback(CallbackMessage(lower))) == 1
    assert told(Status="teleported") == [("teleported", MOMENT)]
    assert Ghn.read_callback(CallbackMessage(orjson.dumps({**CALLBACK, "IsPartialReturn": True})))[0].partial


def test_a_callback_with_a_transfer_date_tells_the_payment_besides() -> None:
    at = "2021-11-15T02:00:00.000Z"
    assert told(Status="delivered", CODTransferDate=at) == [
        ("delivered", MOMENT),
        (TRANSFERRED, "2021-11-15T02:00:00+00:00"),
    ]
    assert told(Type="update_cod", CODTransferDate="2021-11-11") == [(TRANSFERRED, MOMENT)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"OrderCode=Z82BS",
        b'{"Status": "delivered"}',
        orjson.dumps({**CALLBACK, "Time": "hôm qua"}),
        orjson.dumps({**CALLBACK, "Time": None}),
        orjson.dumps({**CALLBACK, "Status": None}),
        orjson.dumps({**CALLBACK, "CODTransferDate": "mai"}),
    ],
)
def test_an_unreadable_callback_says_what_is_wrong_without_its_values(body: bytes) -> None:
    with pytest.raises(UnreadableCallback) as unreadable:
        Ghn.read_callback(CallbackMessage(body))
    assert "hôm qua" not in str(unreadable.value)


async def test_a_payment_told_by_the_simulator_s_callback_is_read(app: FastAPI) -> None:
    bodies: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    settings = SETTINGS.model_copy(update={"callback_url": "http://shop.test/x", "announce_transfer": True})
    telling = create_app(settings=settings, callback_transport=httpx.MockTransport(receive))
    async with telling.router.lifespan_context(telling), opened(telling) as world:
        await created(world)
        await world.simulation.carrier.advance_steps(20)
        await world.simulation.sender.drain()
        [shipment] = world.simulation.carrier.page(after=0, limit=2)
    reports = [report for body in bodies for report in Ghn.read_callback(CallbackMessage(body))]
    assert [report.raw_status for report in reports] == [
        *(str(entry.status) for entry in shipment.history if entry.kind != TRANSFER),
        TRANSFERRED,
    ]
