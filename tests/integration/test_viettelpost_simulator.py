"""The simulated ViettelPost, as its adapter meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from deploy.local.viettelpost import (
    OutcomeRates,
    SimulatorFaults,
    SimulatorSettings,
    Status,
    ViettelPostSimulator,
    create_app,
)
from deploy.local.viettelpost.life import STATUS_TEXT
from services.shipping.carriers.access import Access, HeldToken
from services.shipping.carriers.answers import CallbackMessage, CancelOutcome, Created
from services.shipping.carriers.errors import NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.parcel import Address, CarrierUnits, Options, Parcel, ParcelLine, PickUp, Unit
from services.shipping.carriers.viettelpost import ViettelPost
from services.shipping.carriers.viettelpost_codes import CODES

PARCEL = Parcel(
    reference="DH-AAAA1111-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=Address("Đà Nẵng", "Phường Hải Châu", "5 Lê Lợi"),
    lines=(ParcelLine(name="Kem dưỡng ẩm", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),),
    cod=500_000,
    value=500_000,
    note="Gọi trước",
    pick_up=PickUp(name="Kho", phone="+84900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 đường Mẫu"),
    options=Options(service="VCN"),
)


@pytest.fixture(scope="module")
async def simulator() -> AsyncIterator[ViettelPostSimulator]:
    async with ViettelPostSimulator(settings=SimulatorSettings(outcomes=OutcomeRates(delivered=1))) as started:
        yield started


@pytest.fixture
async def viettelpost(simulator: ViettelPostSimulator) -> ViettelPostSimulator:
    await simulator.simulation.reset()
    return simulator


@pytest.fixture
async def adapter(viettelpost: ViettelPostSimulator) -> AsyncIterator[ViettelPost]:
    async with httpx.AsyncClient() as client:
        yield ViettelPost(Access(viettelpost.base_url, viettelpost.account, HeldToken()), client)


async def created(adapter: ViettelPost, parcel: Parcel = PARCEL) -> str:
    made = await adapter.create(parcel)
    assert isinstance(made, Created)
    return made.waybill


async def told(viettelpost: ViettelPostSimulator, parcel: Parcel = PARCEL, **settings: Any) -> list[tuple[str, Any]]:
    """(raw status, moment) of every callback of one whole life, in the order of arrival."""
    bodies: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    given = SimulatorSettings(callback_url="http://shop.test/", **settings)
    app = create_app(settings=given, callback_transport=httpx.MockTransport(receive))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client,
    ):
        adapter = ViettelPost(Access("http://vtp.test", viettelpost.account, HeldToken()), client)
        await created(adapter, parcel)
        await app.state.simulation.carrier.advance_time(timedelta(days=60))
        await app.state.simulation.sender.drain()
    reports = [report for body in bodies for report in ViettelPost.read_callback(CallbackMessage(body))]
    return [(report.raw_status, report.at) for report in reports]


async def test_it_has_every_status_that_the_adapter_knows_and_no_other() -> None:
    assert {str(int(status)) for status in STATUS_TEXT} == {code for code in CODES.statuses if not code.endswith("R")}


async def test_what_may_be_cancelled_and_what_ends_is_the_same_on_both_sides(viettelpost: ViettelPostSimulator) -> None:
    road = viettelpost.simulation.dialect.road
    cancellable = {code for code, meaning in CODES.statuses.items() if meaning.cancellable}
    assert {str(int(status)) for status in road.cancellable} == cancellable
    ends = {code for code, meaning in CODES.statuses.items() if meaning.final}
    assert {str(int(status)) for status in road.final} == ends - {"501"}  # its money is still to come


async def test_a_creation_is_made_once_and_a_taken_number_is_refused_without_its_waybill(
    adapter: ViettelPost, viettelpost: ViettelPostSimulator
) -> None:
    await created(adapter)
    with pytest.raises(Refused):
        await adapter.create(PARCEL)
    assert len(viettelpost.shipments) == 1


async def test_a_creation_without_the_check_makes_a_second_one(viettelpost: ViettelPostSimulator) -> None:
    async with httpx.AsyncClient() as client:
        adapter = ViettelPost(Access(viettelpost.base_url, viettelpost.account, HeldToken()), client)
        await created(adapter)
        token = (await adapter.access.tokens.renew(adapter._log_in)).value
        body = {
            "ORDER_NUMBER": PARCEL.reference,
            **{f"{end}_FULLNAME": "A" for end in ("SENDER", "RECEIVER")},
            **{f"{end}_PHONE": "0900000001" for end in ("SENDER", "RECEIVER")},
            **{f"{end}_ADDRESS": "1 Lê Lợi, Phường Hải Châu, Đà Nẵng" for end in ("SENDER", "RECEIVER")},
            "PRODUCT_NAME": "x",
            "PRODUCT_WEIGHT": "500",
            "ORDER_PAYMENT": 3,
            "ORDER_SERVICE": "VCN",
        }
        url = f"{viettelpost.base_url}/v2/order/createOrderNlp"
        answer = await client.post(url, json=body, headers={"Token": token})
    assert answer.json()["error"] is False
    assert len(viettelpost.shipments) == 2


async def test_a_creation_that_times_out_has_happened(adapter: ViettelPost, viettelpost: ViettelPostSimulator) -> None:
    viettelpost.set_faults(SimulatorFaults(create_timeout=1))
    with pytest.raises(UnknownOutcome):
        await adapter.create(PARCEL)
    assert len(viettelpost.shipments) == 1


async def test_mistakes_are_told_on_http_200_one_as_a_text_and_several_as_a_list(adapter: ViettelPost) -> None:
    with pytest.raises(Refused) as one:
        await adapter.create(replace(PARCEL, recipient=""))
    with pytest.raises(Refused) as several:
        await adapter.create(replace(PARCEL, recipient="", phone="x"))
    assert one.value.reason == "Thiếu thông tin bắt buộc: RECEIVER_FULLNAME"
    assert several.value.reason.count(";") == 1
    with pytest.raises(Refused):
        await adapter.create(replace(PARCEL, options=Options(service="KHONG")))


def units(province: str, district: str, ward: str) -> CarrierUnits:
    return CarrierUnits(Unit("province", province, ""), Unit("ward", ward, ""), Unit("district", district, ""))


async def test_ids_of_the_old_form_must_lie_in_one_another(
    adapter: ViettelPost, viettelpost: ViettelPostSimulator
) -> None:
    ben_nghe = Address("Hồ Chí Minh", "Phường Bến Nghé", "1 Đồng Khởi", "Quận 1", units=units("2", "43", "431"))
    await created(adapter, replace(PARCEL, to=ben_nghe, pick_up_units=units("1", "4", "41")))
    [shipment] = viettelpost.shipments
    assert shipment.creation.address == "1 Đồng Khởi, Phường Bến Nghé, Quận 1, Hồ Chí Minh"
    wrong = replace(ben_nghe, units=units("1", "43", "431"))
    with pytest.raises(Refused):
        await adapter.create(replace(PARCEL, reference="DH-2", to=wrong, pick_up_units=units("1", "4", "41")))


async def test_both_lists_of_units_are_whole(adapter: ViettelPost) -> None:
    old, new = await adapter.units("old"), await adapter.units("new")
    assert {unit.name for unit in old} >= {"Hồ Chí Minh", "Quận 1", "Phường Bến Nghé"}
    assert {unit.name for unit in new} >= {"Thành phố Hồ Chí Minh", "Phường Sài Gòn"}
    assert {unit.parent_code for unit in new if unit.level == "ward"} == {"101", "102", "104"}


@pytest.mark.parametrize("expired_as", ["envelope", "http"])
async def test_tokens_that_were_ended_are_renewed_by_the_adapter(
    adapter: ViettelPost, viettelpost: ViettelPostSimulator, expired_as: str
) -> None:
    viettelpost.simulation.change_settings({"expired_as": expired_as})
    await adapter.test()
    viettelpost.end_all_tokens()
    await created(adapter)
    assert viettelpost.stats.calls["ownerconnect"] == 2


async def test_a_token_ends_by_itself_and_a_short_one_is_no_long_one(viettelpost: ViettelPostSimulator) -> None:
    app = create_app(settings=SimulatorSettings(token_lifetime_seconds=60))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vtp.test") as client,
    ):
        account = {"USERNAME": viettelpost.account["username"], "PASSWORD": viettelpost.account["password"]}
        short = (await client.post("/v2/user/Login", json=account)).json()["data"]["token"]
        answer = await client.get("/v2/user/listInventory", headers={"Token": short})
        assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (200, True, 202)
        connected = await client.post("/v2/user/ownerconnect", json=account, headers={"Token": short})
        headers = {"Token": connected.json()["data"]["token"]}
        assert (await client.get("/v2/user/listInventory", headers=headers)).json()["error"] is False
        await app.state.simulation.carrier.advance_time(timedelta(minutes=2))
        assert (await client.get("/v2/user/listInventory", headers=headers)).json()["error"] is True


async def test_a_wrong_password_is_not_let_in(viettelpost: ViettelPostSimulator) -> None:
    async with httpx.AsyncClient() as client:
        credentials = {**viettelpost.account, "password": "another"}
        with pytest.raises(NotLetIn):
            await ViettelPost(Access(viettelpost.base_url, credentials, HeldToken()), client).test()


async def test_a_portal_token_is_used_and_after_it_was_ended_exchanged() -> None:
    settings = SimulatorSettings(portal_token="portal")
    async with ViettelPostSimulator(settings=settings) as viettelpost, httpx.AsyncClient() as client:
        adapter = ViettelPost(Access(viettelpost.base_url, {"token": "portal"}, HeldToken()), client)
        await adapter.test()
        assert "login_by_token" not in viettelpost.stats.calls
        viettelpost.end_all_tokens()
        await adapter.test()
        assert viettelpost.stats.calls["login_by_token"] == 1


async def test_commands_are_taken_only_where_they_are_documented(
    adapter: ViettelPost, viettelpost: ViettelPostSimulator
) -> None:
    waybill = await created(adapter)
    with pytest.raises(Refused):
        await adapter.deliver_again(waybill, note="")
    viettelpost.push(waybill, Status.RETURN_PROPOSED)
    await adapter.deliver_again(waybill, note="Khách nhận chiều nay")
    assert viettelpost.shipment(waybill).status == Status.AGAIN_REQUESTED
    viettelpost.push(waybill, Status.RETURN_PROPOSED)
    await adapter.send_back(waybill, note="")
    assert viettelpost.shipment(waybill).status == Status.RETURN_APPROVED
    assert (await adapter.cancel("", waybill=waybill)).outcome == CancelOutcome.REFUSED
    other = await created(adapter, replace(PARCEL, reference="DH-2"))
    assert (await adapter.cancel("", waybill=other)).outcome == CancelOutcome.REQUESTED
    assert viettelpost.shipment(other).status == Status.CANCELLED


@pytest.mark.parametrize("label_format", ["pdf", "html"])
async def test_labels_come_as_pdf_or_as_a_page(
    adapter: ViettelPost, viettelpost: ViettelPostSimulator, label_format: str
) -> None:
    viettelpost.simulation.change_settings({"label_format": label_format})
    waybills = [await created(adapter, replace(PARCEL, reference=f"DH-{number}")) for number in range(2)]
    label = await adapter.label(waybills, size="A5")
    if label_format == "pdf":
        assert label.media_type == "application/pdf"
        assert label.content.startswith(b"%PDF")
        assert label.content.count(b"/Type /Page\n") == 2
    else:
        assert label.media_type == "text/html"
        assert all(waybill.encode() in label.content for waybill in waybills)
    with pytest.raises(Refused):
        await adapter.label(["1"], size="A6")


async def test_a_life_is_told_to_the_second_in_every_spelling_beginning_with_the_creation(
    viettelpost: ViettelPostSimulator,
) -> None:
    life = await told(viettelpost, outcomes=OutcomeRates(delivered=1))
    assert [status for status, _ in life] == ["100", "103", "104", "105", "200", "300", "400", "500", "501"]
    moments = [at for _, at in life]
    assert moments == sorted(moments)
    assert all(at.microsecond == 0 for at in moments)


async def test_the_way_back_has_the_same_numbers_and_says_that_it_is_the_way_back(
    viettelpost: ViettelPostSimulator,
) -> None:
    life = [status for status, _ in await told(viettelpost, outcomes=OutcomeRates(returned=1))]
    assert life[-7:] == ["505", "515", "502", "300R", "400R", "500R", "504"]


async def test_spellings_are_of_every_documented_kind(viettelpost: ViettelPostSimulator, adapter: ViettelPost) -> None:
    waybill = await created(adapter)
    shipment, settings = viettelpost.shipment(waybill), SimulatorSettings(callback_token="s")
    seen = set()
    for _ in range(40):
        viettelpost.push(waybill, Status.ARRIVED, callback=False)
        message = viettelpost.simulation.dialect.callback(settings, shipment, shipment.latest)
        assert message is not None
        body = orjson.loads(message.body)
        data = body.get("DATA", body.get("data", body))
        number = data.get("ORDER_STATUS", data.get("order_status"))
        seen.add(("DATA" in body, "data" in body, isinstance(number, str)))
        [report] = ViettelPost.read_callback(CallbackMessage(message.body))
        assert report.raw_status == "400"
        assert ViettelPost.is_genuine(CallbackMessage(message.body), {"callback_token": "s"})
    assert seen == {(True, False, False), (True, False, True), (False, True, False), (False, False, False)}
