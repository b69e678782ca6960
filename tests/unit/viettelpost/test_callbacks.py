"""Callbacks of ViettelPost as the adapter reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.shipping.carriers.answers import (
    CallbackMessage,
)
from services.shipping.carriers.errors import (
    UnreadableCallback,
)
from services.shipping.carriers.viettelpost import ViettelPost

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
