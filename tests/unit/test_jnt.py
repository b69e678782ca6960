"""J&T in its basic form, against answers as public integrations show them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.shipping.carriers.access import Access, NoTokens
from services.shipping.carriers.answers import AlreadyThere, CancelOutcome, Created
from services.shipping.carriers.errors import NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.jnt import JntExpress, digest
from tests.unit.ghn.support import NEW, PARCEL

CREDENTIALS = {"company_id": "CUSMODEL", "customer_id": "084LC012345", "key": "khoa"}


@asynccontextmanager
async def opened(*answers: Mapping[str, Any] | str) -> AsyncIterator[tuple[JntExpress, list[dict[str, Any]]]]:
    """The adapter, and what it asked so far: path, kind and message. Each answer is the one item of a response."""
    asked: list[dict[str, Any]] = []
    waiting = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        form = dict(re.findall(r'name="(\w+)"\r\n\r\n(.*?)\r\n--', request.content.decode(), re.DOTALL))
        assert form["data_digest"] == digest(form["logistics_interface"], "khoa")
        asked.append({"path": request.url.path, "kind": form["msg_type"], **orjson.loads(form["logistics_interface"])})
        said = waiting.pop(0)
        if isinstance(said, str):
            return httpx.Response(200, text=said)
        return httpx.Response(200, json={"logisticproviderid": "JNT", "responseitems": [said]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield JntExpress(Access("https://jnt.test/yuenan-interface-web", CREDENTIALS, NoTokens()), client), asked


async def test_a_parcel_is_created_in_kilograms_and_local_time_with_the_cod_as_its_items_value() -> None:
    item = {"success": "true", "billcode": "840000000001", "inquiryFee": "22000", "insurancefee": "1000"}
    async with opened({**item, "dispatchSite": "800-A01"}) as (jnt, asked):
        made = await jnt.create(PARCEL)
    assert made == Created("840000000001", "103", fee=23_000, sort_code="800-A01")
    [told] = asked
    assert (told["path"], told["kind"]) == ("/yuenan-interface-web/order/orderAction!createOrder.action", "ORDERCREATE")
    assert (told["txlogisticid"], told["itemsvalue"], told["goodsvalue"], told["weight"]) == (
        "DH-7C9K2M-1",
        "500000",
        "400000",
        "0.500",
    )
    assert told["receiver"] == {
        "name": "Trần Thị Mẫu",
        "phone": "0900000099",
        "mobile": "0900000099",
        "prov": NEW.province,
        "city": NEW.ward,
        "area": NEW.ward,
        "address": NEW.detail,
    }
    local = datetime.now(UTC) + timedelta(hours=7)
    for name in ("createordertime", "sendstarttime", "sendendtime"):
        at = datetime.fromisoformat(told[name]).replace(tzinfo=UTC)
        assert timedelta(minutes=-10) < at - local < timedelta(days=1, minutes=10)


@pytest.mark.parametrize(
    "item",
    [
        {"success": "true", "reason": "S10", "billcode": "840000000001"},
        {"success": "false", "reason": "S10", "billcode": "840000000001"},
        {"success": "false", "reason": "txlogisticid already exists", "billcode": "840000000001"},
    ],
)
async def test_a_reference_that_is_taken_is_no_new_parcel(item: dict[str, str]) -> None:
    async with opened(item) as (jnt, _):
        assert await jnt.create(PARCEL) == AlreadyThere("840000000001")


@pytest.mark.parametrize("reason", ["B030", "Receiver area does not exist", "Địa chỉ không tồn tại"])
async def test_a_refusal_is_one_also_where_it_says_that_something_does_not_exist(reason: str) -> None:
    async with opened({"success": "false", "reason": reason}) as (jnt, _):
        with pytest.raises(Refused) as refused:
            await jnt.create(PARCEL)
    assert refused.value.reason == reason


@pytest.mark.parametrize("reason", ["S02", "B042"])
async def test_access_that_is_not_accepted_is_no_refusal_of_the_parcel(reason: str) -> None:
    async with opened({"success": "false", "reason": reason}) as (jnt, _):
        with pytest.raises(NotLetIn):
            await jnt.create(PARCEL)


@pytest.mark.parametrize("said", ["<html>", '"x"', "{}"])
async def test_what_is_no_answer_leaves_it_open_whether_there_is_a_parcel(said: str) -> None:
    async with opened(said) as (jnt, _):
        with pytest.raises(UnknownOutcome):
            await jnt.create(PARCEL)


async def test_a_journey_is_read_oldest_first_and_what_is_no_code_is_kept_for_a_person() -> None:
    scans = [
        {"scantime": "2026-11-22 08:00:00", "scantypecode": 113, "scantype": "Ký nhận", "desc": "Khách đã nhận"},
        {"scantime": "2026-11-21 09:30:00", "scanCode": "112", "remark": "Đang giao"},
        {"scantime": "2026-11-20 10:00:00", "scantype": "Nhận hàng"},
    ]
    async with opened({"success": "true", "tracesList": [{"billcode": "84", "details": scans}]}) as (jnt, asked):
        journey = await jnt.track("840000000001")
    assert [(each.raw_status, each.reason) for each in journey] == [
        ("Nhận hàng", ""),
        ("112", "Đang giao"),
        ("113", "Khách đã nhận"),
    ]
    assert journey[-1].at == datetime(2026, 11, 22, 1, tzinfo=UTC)
    assert (asked[0]["kind"], asked[0]["billcode"]) == ("TRACKQUERY", "840000000001")


async def test_a_cancellation_withdraws_what_lies_under_the_reference() -> None:
    details = [{"scantime": "2026-11-22 08:00:00", "scantypecode": "105"}]
    async with opened({"success": "true"}, {"success": "true", "tracesList": [{"details": details}]}) as (jnt, asked):
        done = await jnt.cancel("DH-7C9K2M-1", waybill="840000000001")
    assert done.outcome is CancelOutcome.CANCELLED
    assert (asked[0]["kind"], asked[0]["customerid"], asked[0]["txlogisticid"]) == (
        "UPDATE",
        "084LC012345",
        "DH-7C9K2M-1",
    )
    assert [(each["fieldname"], each["fieldvalue"]) for each in asked[0]["fieldlist"]] == [("status", "WITHDRAW")]


async def test_a_price_is_asked_with_both_places() -> None:
    async with opened({"success": "true", "inquiryfee": "30000"}) as (jnt, asked):
        [quote] = await jnt.quotes(PARCEL)
    assert quote.fee == 30_000
    assert asked[0]["receiver"] == {"prov": NEW.province, "city": NEW.ward, "area": NEW.ward}
