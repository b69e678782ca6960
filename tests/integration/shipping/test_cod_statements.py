"""Statements: how they are read, matched, compared, and what happens to those that cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.harness import Databases
from tests.integration.shipping.cod_support import HEADER, Desk, Parcel, open_desk, paid, workbook


@pytest.fixture
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    async with open_desk(databases) as opened:
        yield opened


def parcels(count: int) -> list[Parcel]:
    return [Parcel(f"S1.SGP{number:04d}.{number}", f"DH-AAAA{number:04d}") for number in range(1, count + 1)]


async def test_a_statement_without_faults_brings_the_money_home_and_names_no_difference(desk: Desk) -> None:
    three = parcels(3)
    await desk.ship(*three)
    sheets = {"Đơn hoàn": [["Đơn chuyển hoàn"], HEADER, paid(three[2])], "Ghi chú": [["Liên hệ CSKH"]]}
    content = workbook([paid(each) for each in three[:2]], above=[["Mã phiên:", "GHTK-20261120"]], sheets=sheets)
    sent = await desk.take_in(content)
    assert (sent["state"], sent["lines"], sent["matched"], sent["cod"], sent["fees"]) == (
        "matched",
        3,
        3,
        1_050_000,
        66_000,
    )
    assert (sent["number"], sent["net"], sent["layout"]) == ("GHTK-20261120", 984_000, "ghtk-1")
    assert await desk.differences() == []
    settled = await desk.events("shipping.cod.settled.v1")
    assert [(each["amount"], each["evidence"]) for each in settled] == [(350_000, "statement")] * 3
    story = await desk.story(three[0])
    assert (story["state"], story["received"], story["due"], story["charged_fee"]) == ("home", 350_000, 350_000, 22_000)
    assert (await desk.look(three[0])).done


async def test_each_fault_of_a_statement_is_named_once_and_a_second_file_does_not_double_it(desk: Desk) -> None:
    good, short, over, double, fee, back, early = parcels(7)
    back = Parcel(back.waybill, back.code, status="returned")
    early = Parcel(early.waybill, early.code, status="out_for_delivery")
    await desk.ship(good, short, over, double, fee, back, early)
    rows = [
        paid(good),
        paid(short, cod=300_000),
        paid(over, cod=400_000),
        paid(double),
        paid(double, fee=0),
        paid(fee, fee=30_000),
        paid(back),
        paid(early),
        ("S9.KHACH.1", "", 120_000, 20_000, 0, 100_000),
    ]
    named = sorted(
        [
            (short.waybill, "short", 50_000),
            (over.waybill, "over", -50_000),
            (double.waybill, "double", -350_000),
            (fee.waybill, "wrong_fee", 8_000),
            (back.waybill, "returned_yet_paid", -350_000),
            (early.waybill, "paid_not_delivered", -350_000),
            ("S9.KHACH.1", "unknown_line", -100_000),
        ]
    )
    first = await desk.take_in(workbook(rows))
    assert await desk.kinds() == named
    assert {each["kind"] for each in first["differences"]} == {kind for _, kind, _ in named}
    ids = {each["id"] for each in await desk.differences()}
    answer = await desk.client.post(f"/v1/cod/statements/{first['id']}/withdraw", json={"reason": "nhập nhầm shop"})
    assert answer.json()["state"] == "withdrawing"
    await desk.compare(first["id"])
    assert await desk.kinds() == []
    await desk.take_in(workbook(rows))
    assert await desk.kinds() == named
    assert {each["id"] for each in await desk.differences()} == ids


async def test_a_later_statement_mends_a_difference_and_says_so(desk: Desk) -> None:
    short, double = parcels(2)
    await desk.ship(short, double)
    await desk.take_in(workbook([paid(short, cod=300_000), paid(double), paid(double, fee=0)]))
    assert (await desk.story(short))["state"] == "owed"
    assert not (await desk.look(short)).done
    await desk.take_in(workbook([paid(short, cod=50_000, fee=0), paid(double, cod=-350_000, fee=0)]))
    assert await desk.differences() == []
    closed = await desk.events("shipping.difference.closed.v1")
    assert {(each["kind"], each["end"], each["cause"]) for each in closed} == {
        ("short", "mended", "statement"),
        ("double", "mended", "statement"),
    }
    assert (await desk.story(short))["state"] == "home"
    assert (await desk.look(short)).done


async def test_the_same_file_is_refused_with_the_statement_that_it_became(desk: Desk) -> None:
    await desk.ship(*parcels(1))
    content = workbook([paid(each) for each in parcels(1)])
    first = await desk.send(content)
    again = await desk.send(content, name="other-name.xlsx")
    assert again.status_code == 409
    assert again.json()["statement_id"] == first.json()["id"]


async def test_another_file_of_the_same_session_is_noticed_and_may_replace_it(desk: Desk) -> None:
    [parcel] = parcels(1)
    await desk.ship(parcel)
    above = [["PHIÊN ĐỐI SOÁT SỐ P20261120 NGÀY 20/11/2026"]]
    first = await desk.take_in(workbook([paid(parcel, cod=300_000)], above=above))
    assert (first["number"], first["paid_on"]) == ("P20261120", "2026-11-20")
    corrected = workbook([paid(parcel)], above=above)
    refused = await desk.send(corrected)
    assert (refused.status_code, refused.json()["statement_id"]) == (409, first["id"])
    second = await desk.take_in(corrected, replaces="true")
    await desk.compare(first["id"])
    assert (await desk.statement(first["id"]))["state"] == "withdrawn"
    assert second["state"] == "matched"
    assert await desk.differences() == []
    told = await desk.events("shipping.cod.settled.v1")
    assert [(event["amount"], event["statement_id"]) for event in told] == [(350_000, second["id"])]
    assert (await desk.story(parcel))["state"] == "home"


async def test_a_statement_with_unknown_columns_is_kept_explained_and_read_when_somebody_says_what_they_mean(
    desk: Desk,
) -> None:
    [parcel] = parcels(1)
    await desk.ship(parcel)
    header = ("Phiếu số", "Khoản trả", "Diễn giải")
    kept = (await desk.send(workbook([(parcel.waybill, "350.000", "x")], header=header))).json()
    assert kept["state"] == "unmapped"
    assert "Phiếu số" in kept["message"]
    assert kept["unread"]["missing"] == ["code"]
    wrong = await desk.client.post(f"/v1/cod/statements/{kept['id']}/columns", json={"columns": {"Phiếu số": "waybil"}})
    assert (wrong.status_code, "waybill" in wrong.json()["known"]) == (422, True)
    half = await desk.client.post(f"/v1/cod/statements/{kept['id']}/columns", json={"columns": {"Phiếu số": "waybill"}})
    assert (half.status_code, half.json()["columns"]) == (422, "tiền COD")
    said = {"columns": {"Phiếu số": "waybill", "KHOẢN TRẢ": "cod"}}
    read = await desk.client.post(f"/v1/cod/statements/{kept['id']}/columns", json=said)
    assert (read.status_code, read.json()["matched"]) == (200, 1)
    assert read.json()["sheets"][0]["columns"]["Diễn giải"] is None
    await desk.compare(kept["id"])
    assert (await desk.story(parcel))["state"] == "home"
    later = Parcel("S1.SGP9.9", "DH-BBBB0001")
    await desk.ship(later)
    by_itself = await desk.take_in(workbook([(later.waybill, "350.000", "y")], header=header))
    assert (by_itself["state"], by_itself["matched"]) == ("matched", 1)


async def test_a_statement_of_another_shop_waits_for_a_person(desk: Desk) -> None:
    await desk.ship(*parcels(1))
    answer = (await desk.send(workbook([("X1.1", "", 1_000, 0, 0, 1_000)]))).json()
    assert (answer["state"], await desk.differences()) == ("doubtful", [])
    await desk.client.post(f"/v1/cod/statements/{answer['id']}/confirm")
    await desk.compare(answer["id"])
    assert await desk.kinds() == [("X1.1", "unknown_line", -1_000)]


async def test_lines_are_matched_by_own_code_and_by_hand_where_no_rule_finds_them(desk: Desk) -> None:
    by_code, by_order, by_hand = parcels(3)
    await desk.ship(by_code, by_order, by_hand)
    rows = [
        paid(by_code, waybill="", code=f" {by_code.reference.lower().replace('-', ' ')} "),
        paid(by_order, waybill=by_order.code.replace("DH", "ĐH"), code=""),
        paid(by_hand, waybill="S1 GÕ NHẦM", code=""),
    ]
    sent = await desk.take_in(workbook(rows))
    lines = (await desk.client.get(f"/v1/cod/statements/{sent['id']}/lines")).json()["items"]
    assert [each["matched_by"] for each in lines] == ["reference", "order", ""]
    place = f"/v1/cod/statements/{sent['id']}/lines/3/match"
    assert (await desk.client.post(place, json={"shipment_id": str(by_hand.id)})).status_code == 200
    assert await desk.differences() == []
    assert (await desk.client.post(place, json={"shipment_id": str(by_hand.id)})).status_code == 409


async def test_a_ghn_session_as_text_with_a_column_of_its_own_is_read_whole(databases: Databases) -> None:
    async with open_desk(databases, carrier="ghn") as desk:
        one, two = Parcel("GHN0001AB", "DH-CCCC0001"), Parcel("GHN0002AB", "DH-CCCC0002", status="returned")
        await desk.ship(one, two)
        header = "Mã đơn GHN;Mã đơn của bạn;Trạng thái GHN;Tiền COD;Phí giao hàng;Phí hoàn;Phí lạ;Phí DV;Tổng đối soát"
        content = (
            "Phiên COD-7788;;;\n"
            f"{header}\n"
            f"ghn0001ab;;Giao thành công;350.000 đ;(22.000);;1;(22.000);328.000\n"
            f"GHN0002AB;;Đã hoàn;0;(22.000);(11.000);1;(33.000);(33.000)\n"
            "Tổng cộng;;;350.000;(44.000);(11.000);;(55.000);295.000\n"
        )
        sent = await desk.take_in(content.encode("utf-8-sig"), name="phien.csv")
        assert (sent["number"], sent["lines"], sent["fees"], sent["net"]) == ("COD-7788", 2, 55_000, 295_000)
        assert await desk.differences() == []
        [line, _] = (await desk.client.get(f"/v1/cod/statements/{sent['id']}/lines")).json()["items"]
        assert (line["fees"], line["cells"][6]) == ({"delivery": 22_000}, "1")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "workbook-empty"),
        (b"%PDF-1.7 nothing" + bytes(3 << 20), "workbook-unknown-file"),
        (workbook([("Tổng cộng", "", 5, 0, 0, 5)]), "statement-has-no-lines"),
        (workbook([]), "workbook-has-no-rows"),
    ],
    ids=["empty", "pdf", "only sums", "only a header"],
)
async def test_a_file_that_is_no_statement_is_refused_and_leaves_nothing(
    desk: Desk, content: bytes, problem: str
) -> None:
    answer = await desk.send(content)
    assert (answer.status_code, answer.json()["title"]) == (422, problem)
    assert (await desk.client.get("/v1/cod/statements")).json()["items"] == []
