"""The GHN adapter makes parcels: what is sent, what comes of it, what is refused, and what may have happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from deploy.local.ghn import Faults
from deploy.local.ghn.places import country
from services.shipping.carriers.answers import AlreadyThere, CancelOutcome, Created
from services.shipping.carriers.errors import Away, CarrierError, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghn_requests import creation
from services.shipping.carriers.parcel import (
    CarrierUnits,
    Options,
    ParcelLine,
    Unit,
)
from tests.unit.ghn.support import NEW, OLD, PARCEL, SETTINGS, Answer, World, answering, created, opened, says


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
