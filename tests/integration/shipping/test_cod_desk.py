"""What the COD desk does besides sending statements: the bank, the work list, giving money up, what was agreed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from services.shipping.carriers.answers import Report
from services.shipping.facts import Fact, apply
from services.shipping.work import work
from shared.contracts.permissions import SEE_ALL, SHIPPING_READ, SHIPPING_WRITE
from tests.harness import Databases
from tests.integration.shipping.cod_support import NOW, Desk, Parcel, open_desk, paid, workbook


@pytest.fixture
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    async with open_desk(databases) as opened:
        yield opened


async def test_where_the_bank_is_the_proof_money_is_home_when_the_last_credit_has_come(desk: Desk) -> None:
    await desk.agree(version=1, proof="bank", days_to_credit=2)
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    sent = await desk.take_in(workbook([paid(parcel)], above=[["Mã phiên: P-7788"], ["Ngày thanh toán", "22/11/2026"]]))
    assert (sent["state"], sent["net"], (await desk.story(parcel))["state"]) == ("matched", 328_000, "owed")
    owed = (await desk.client.get("/v1/cod/ageing")).json()["items"]
    assert [each["owed"] for each in owed] == [{"shipments": 1, "amount": 350_000}]
    assert "GHTK nợ 350.000 đ" in (await desk.story(parcel))["sentence"]
    first = {"credited_on": "2026-11-22", "amount": 300_000, "text": "GHTK TT COD P 7788", "reference": "FT1"}
    entered = await desk.client.post("/v1/cod/bank-credits", json=first)
    assert (entered.status_code, entered.json()["linked_by"]) == (201, "number")
    again = await desk.client.post("/v1/cod/bank-credits", json=first)
    assert (again.status_code, again.json()["credit_id"]) == (409, entered.json()["id"])
    desk.wait(days=3)
    await desk.compare(sent["id"])
    assert await desk.kinds() == [("P-7788", "bank_short", 28_000)]
    header = ("Ngày giao dịch", "Ghi nợ", "Ghi có", "Nội dung", "Số giao dịch")
    rows = [
        ("25/11/2026", "", "28.000", "CT DEN GHTK", "FT2"),
        ("25/11/2026", "", "300.000", "GHTK TT COD P 7788", "FT1"),
        ("25/11/2026", "50.000", "", "TIEN DIEN", "FT3"),
        ("Cộng", "50.000", "328.000", "", ""),
    ]
    imported = await desk.client.post(
        "/v1/cod/bank-credits/import", files={"file": ("bank.xlsx", workbook(rows, header=header))}
    )
    assert imported.json() == {"rows": 2, "added": 1, "known": 1, "linked": 1}
    await desk.compare(sent["id"])
    assert await desk.differences() == []
    story = await desk.story(parcel)
    assert (story["state"], story["credited"], len(story["credits"])) == ("home", 350_000, 2)
    [settled] = await desk.events("shipping.cod.settled.v1")
    assert (settled["evidence"], settled["amount"]) == ("bank", 350_000)
    assert (await desk.client.get("/v1/cod/ageing")).json()["items"] == []
    reader = await desk.running.client(SHIPPING_READ, SEE_ALL)
    assert (await reader.get(f"/v1/cod/shipments/{parcel.id}")).json()["credits"] == []


async def test_a_bank_that_numbers_each_day_anew_loses_no_credit(desk: Desk) -> None:
    header = ("Ngày giao dịch", "Ghi có", "Nội dung", "Số CT")
    days = [("21/11/2026", 1_000, "A", "1"), ("22/11/2026", 2_000, "B", "1"), ("22/11/2026", 3_000, "C", "1")]

    async def send(*rows: tuple[object, ...]) -> tuple[int, int]:
        file = {"file": ("bank.xlsx", workbook(rows, header=header))}
        answer = await desk.client.post("/v1/cod/bank-credits/import", files=file)
        assert answer.status_code == 200, answer.text
        return answer.json()["added"], answer.json()["known"]

    assert await send(*days[:2]) == (2, 0)
    assert await send(*days) == (1, 2)
    assert await send(*days[::-1]) == (0, 3)
    again = {"credited_on": "2026-11-22", "amount": 2_000, "text": "B", "reference": "1"}
    answer = await desk.client.post("/v1/cod/bank-credits", json=again)
    held = {each["amount"]: each["id"] for each in (await desk.client.get("/v1/cod/bank-credits")).json()["items"]}
    assert (answer.status_code, answer.json()["credit_id"]) == (409, held[2_000])


async def test_a_credit_is_linked_and_taken_off_by_hand(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    sent = await desk.take_in(workbook([paid(parcel)]))
    credit = {"credited_on": "2026-11-22", "amount": 400_000, "text": "khac"}
    entered = (await desk.client.post("/v1/cod/bank-credits", json=credit)).json()
    assert entered["statement_id"] is None
    place = f"/v1/cod/bank-credits/{entered['id']}/statement"
    linked = await desk.client.put(place, json={"statement_id": sent["id"]})
    assert linked.json()["linked_by"] == "KT001"
    await desk.compare(sent["id"])
    assert [kind for _, kind, _ in await desk.kinds()] == ["bank_over"]
    assert (await desk.client.delete(place)).status_code == 204
    await desk.compare(sent["id"])
    assert await desk.differences() == []
    assert (await desk.statement(sent["id"]))["credited"] == 0


async def test_a_credit_that_is_taken_off_takes_home_what_it_had_proved_and_linked_again_brings_it_back(
    desk: Desk,
) -> None:
    await desk.agree(version=1, proof="bank")
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    sent = await desk.take_in(workbook([paid(parcel)], above=[["Mã phiên: P-7788"]]))
    credit = {"credited_on": "2026-11-22", "amount": 328_000, "text": "TT COD P 7788", "reference": "FT1"}
    entered = (await desk.client.post("/v1/cod/bank-credits", json=credit)).json()
    await desk.compare(sent["id"])
    assert (await desk.story(parcel))["state"] == "home"

    place = f"/v1/cod/bank-credits/{entered['id']}/statement"
    for _ in range(2):
        desk.wait(hours=1)
        assert (await desk.client.delete(place)).status_code == 204
        await desk.compare(sent["id"])
        story = await desk.story(parcel)
        assert (story["state"], story["settled_at"], story["credited"]) == ("owed", None, 0)
        assert not (await desk.look(parcel)).done
        desk.wait(hours=1)
        assert (await desk.client.put(place, json={"statement_id": sent["id"]})).status_code == 200
        await desk.compare(sent["id"])
        assert (await desk.story(parcel))["state"] == "home"

    # Whoever keeps the latest by its time ends with the money at home.
    told = sorted(await desk.events("shipping.cod.settled.v1"), key=lambda event: str(event["at"]))
    assert [(event["amount"], event["evidence"]) for event in told] == [
        (350_000, "bank"),
        (0, "bank"),
        (350_000, "bank"),
        (0, "bank"),
        (350_000, "bank"),
    ]


async def test_a_carrier_s_money_that_no_statement_explains_is_on_the_work_list_until_one_does(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    for text, amount in (
        ("CT DEN: GHTK TT COD", 328_000),
        ("Giao Hàng Tiết Kiệm chuyển", 5_000),
        ("LAI TIEN GUI", 9_000),
    ):
        credit = {"credited_on": "2026-11-22", "amount": amount, "text": text}
        assert (await desk.client.post("/v1/cod/bank-credits", json=credit)).status_code == 201
    first, other = sorted(await desk.differences(kind="bank_unknown"), key=lambda each: each["amount"])
    assert (first["about"], first["found"], first["gives_up"]) == ("CT DEN: GHTK TT COD", 328_000, False)
    opened = await desk.events("shipping.difference.opened.v1")
    assert [(each["kind"], each["shipment_id"]) for each in opened] == [("bank_unknown", None)] * 2

    sent = await desk.take_in(workbook([paid(parcel)], above=[["Ngày thanh toán", "22/11/2026"]]))
    assert [each["id"] for each in await desk.differences()] == [other["id"]]
    place = f"/v1/cod/differences/{other['id']}/resolve"
    ended = await desk.client.post(place, json={"reason": "hãng thưởng sản lượng, không phải tiền thu hộ"})
    assert ended.json()["state"] == "resolved"

    withdrawn = await desk.client.post(f"/v1/cod/statements/{sent['id']}/withdraw", json={"reason": "nhầm shop"})
    assert withdrawn.status_code in (200, 202), withdrawn.text
    [again] = await desk.differences(kind="bank_unknown")
    assert (again["id"], again["times"]) == (first["id"], 2)


async def test_a_carrier_s_money_that_may_be_any_of_its_shops_stands_under_the_carrier(desk: Desk) -> None:
    other = await desk.connect("ghtk", "Shop Đà Nẵng", proof="statement")
    parcel = Parcel("S2.2", "DH-AAAA0002")
    await desk.ship(parcel, connection_id=other)
    credit = {"credited_on": "2026-11-22", "amount": 328_000, "text": "CT DEN: GHTK TT COD"}
    assert (await desk.client.post("/v1/cod/bank-credits", json=credit)).status_code == 201
    [difference] = await desk.differences(carrier="ghtk")
    assert (difference["kind"], difference["carrier"]) == ("bank_unknown", "ghtk")
    assert (difference["connection_id"], difference["shop_name"]) == (None, "")
    assert await desk.differences(connection_id=str(desk.connection_id)) == []
    assert await desk.differences(carrier="ghn") == []
    lines = (await desk.client.get("/v1/cod/differences/export", params={"carrier": "ghtk"})).text.splitlines()
    assert lines[1].startswith("GHTK,,")

    sent = await desk.send(workbook([paid(parcel)], above=[["Ngày thanh toán", "22/11/2026"]]), connection_id=other)
    assert sent.status_code == 201, sent.text
    await desk.compare(sent.json()["id"])
    assert await desk.differences() == []
    told = await desk.events("shipping.difference.opened.v1", "shipping.difference.closed.v1")
    assert [(each["carrier"], each["connection_id"]) for each in told] == [("ghtk", None)] * 2


async def test_money_that_is_overdue_is_raised_on_its_day_and_ages_in_the_table(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    advance = await desk.look(parcel)
    assert (advance.done, advance.next_due) == (False, parcel.at + timedelta(days=10))
    assert advance.view.sentence_vi.endswith("GHTK nợ 350.000 đ từ 20/11/2026, hạn 30/11/2026.")
    desk.wait(days=9)
    advance = await desk.look(parcel)
    assert (advance.done, advance.view.overdue) == (False, True)
    [difference] = await desk.differences(kind="missing", older_than=10)
    assert (difference["amount"], difference["age_days"], difference["gives_up"]) == (350_000, 11, True)
    shown = (await desk.client.get("/v1/shipments", params={"attention": True})).json()["items"]
    assert [each["attention"] for each in shown] == [["money_differs"]]
    [row] = (await desk.client.get("/v1/cod/ageing")).json()["items"]
    assert (row["owed"], row["to_3_days"]["amount"], row["beyond"]["shipments"]) == (
        {"shipments": 1, "amount": 350_000},
        350_000,
        0,
    )
    [opened] = await desk.events("shipping.difference.opened.v1")
    assert (opened["kind"], opened["amount"], opened["order_id"]) == ("missing", 350_000, str(parcel.order_id))


async def test_only_who_may_gives_money_up_and_a_later_payment_still_counts(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    await desk.take_in(workbook([paid(parcel, cod=300_000)]))
    [difference] = await desk.differences()
    clerk = await desk.running.client(SHIPPING_READ, SHIPPING_WRITE, SEE_ALL, code="KT002")
    place = f"/v1/cod/differences/{difference['id']}/resolve"
    refused = await clerk.post(place, json={"reason": "bỏ qua"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "shipping.write_off")
    refused = await clerk.post(f"/v1/cod/shipments/{parcel.id}/write-off", json={"reason": "bỏ qua"})
    assert refused.status_code == 403
    ended = await desk.client.post(place, json={"reason": "hãng từ chối, giám đốc duyệt"})
    assert (ended.json()["state"], ended.json()["closed_by"]) == ("written_off", "KT001")
    story = await desk.story(parcel)
    assert (story["state"], story["written_off"]["amount"], story["written_off"]["by"]) == (
        "written_off",
        50_000,
        "KT001",
    )
    advance = await desk.look(parcel)
    assert (advance.done, advance.outcome) == (True, "written_off")
    [told] = await desk.events("shipping.cod.written_off.v1")
    assert (told["amount"], told["by"]) == (50_000, "KT001")
    assert (await desk.client.post(place, json={"reason": "lần nữa"})).status_code == 409
    await desk.take_in(workbook([paid(parcel, cod=50_000, fee=0)]))
    assert (await desk.story(parcel))["state"] == "home"


async def test_a_difference_that_a_person_ended_stays_ended_until_its_amount_changes(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    await desk.take_in(workbook([paid(parcel, cod=360_000)]))
    [difference] = await desk.differences()
    place = f"/v1/cod/differences/{difference['id']}/resolve"
    assert (await desk.client.post(place, json={"reason": "trả lại hãng bằng tiền mặt"})).json()["state"] == "resolved"
    assert (await desk.look(parcel)).done
    assert await desk.differences() == []
    await desk.take_in(workbook([paid(parcel, cod=5_000, fee=0)]))
    [again] = await desk.differences()
    assert (again["id"], again["kind"], again["amount"]) != (difference["id"], "over", -10_000)
    assert again["amount"] == -15_000


async def test_a_parcel_that_comes_back_after_it_was_paid_is_raised_by_the_carrier_s_report(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    await desk.take_in(workbook([paid(parcel)]))
    assert await desk.differences() == []
    report = Report(parcel.waybill, parcel.reference, "21", NOW)
    async with work(desk.running.db) as current:
        await apply(current, [Fact(parcel.id, "callback", NOW, report)], now=NOW, pace=1)
    assert await desk.kinds() == [(parcel.waybill, "returned_yet_paid", -350_000)]
    assert not (await desk.look(parcel)).done


async def test_a_carrier_s_word_is_proof_only_where_that_was_agreed(desk: Desk) -> None:
    one, two = Parcel("S1.1", "DH-AAAA0001"), Parcel("S2.2", "DH-AAAA0002")
    other = await desk.connect("ghtk", "Shop Đà Nẵng")
    await desk.ship(one)
    await desk.ship(two, connection_id=other)
    async with work(desk.running.db) as current:
        for parcel in (one, two):
            report = Report(parcel.waybill, parcel.reference, "6", NOW)
            await apply(current, [Fact(parcel.id, "callback", NOW, report)], now=NOW, pace=1)
    assert [(await desk.story(parcel))["state"] for parcel in (one, two)] == ["owed", "home"]
    assert (await desk.story(one))["carrier_says_paid_at"] is not None
    [settled] = await desk.events("shipping.cod.settled.v1")
    assert (settled["shipment_id"], settled["evidence"]) == (str(two.id), "status")


async def test_differences_are_exported_and_seen_by_whose_they_are(desk: Desk) -> None:
    parcel = Parcel("S1.1", "DH-AAAA0001")
    await desk.ship(parcel)
    await desk.take_in(workbook([paid(parcel, cod=300_000), ("@SUM1", "", 5_000, 0, 0, 5_000)]))
    exported = await desk.client.get("/v1/cod/differences/export")
    lines = exported.text.splitlines()
    assert lines[0].startswith("\ufeffHãng,Shop,Loại,Mã vận đơn")
    assert sorted(line.split(",")[3] for line in lines[1:]) == ["'@SUM1", parcel.waybill]
    stranger = await desk.running.client(SHIPPING_READ, account_id=uuid4())
    assert (await stranger.get("/v1/cod/differences")).json()["items"] == []
    assert (await stranger.get(f"/v1/cod/shipments/{parcel.id}")).status_code == 404


async def test_what_was_agreed_is_entered_once_and_changed_from_what_one_has_seen(desk: Desk) -> None:
    other = await desk.connect("ghtk", "Shop Đà Nẵng")
    place = f"/v1/cod/contracts/{other}"
    usual = (await desk.client.get(place)).json()
    assert (usual["proof"], usual["agreed"], usual["days_to_pay"]) == ("status", False, 10)
    body = {"proof": "statement", "days_to_pay": 5}
    assert (await desk.client.put(place, json=body)).status_code == 428
    assert (await desk.client.put(place, json=body, headers={"If-Match": '"0"'})).headers["ETag"] == '"1"'
    assert (await desk.client.put(place, json=body, headers={"If-Match": '"0"'})).status_code == 412
