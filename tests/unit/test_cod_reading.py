"""How statements are written, and what is read in them."""

from __future__ import annotations

from datetime import date

import pytest

from services.shipping.cod.amounts import code_key, day, dong
from services.shipping.cod.layouts import LAYOUTS, read_columns
from services.shipping.cod.lines import SheetReader
from services.shipping.cod.preamble import read_preamble
from shared.workbook.headings import plain


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("350000", 350_000),
        ("350.000", 350_000),
        ("350,000", 350_000),
        ("1.250.000 đ", 1_250_000),
        ("1 250 000", 1_250_000),
        ("VND 25,000", 25_000),
        ("25.000 VNĐ", 25_000),
        ("350.000,00", 350_000),
        ("350,000.50", 350_001),
        ("350000.123", 350_000),
        ("(25.000)", -25_000),
        ("-25.000", -25_000),
        ("−25.000", -25_000),
        ("25.000-", -25_000),
        ("0", 0),
        ("", None),
        ("-", None),
        ("–", None),
    ],
)
def test_an_amount_is_read_however_it_is_written(text: str, amount: int | None) -> None:
    assert dong(text) == amount


@pytest.mark.parametrize("text", ["abc", "12.34.56", "1,23,456", "S22.SGP39", "99999999999999", "٣٥٠"])
def test_what_is_no_amount_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        dong(text)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("2026-11-20", date(2026, 11, 20)),
        ("2026-11-20T10:00:00", date(2026, 11, 20)),
        ("ngày 20/11/2026", date(2026, 11, 20)),
        ("20-11-2026", date(2026, 11, 20)),
        ("31/02/2026", None),
        ("", None),
    ],
)
def test_a_day_is_read_however_it_is_written(text: str, on: date | None) -> None:
    assert day(text) == on


def test_codes_are_compared_by_their_letters_and_digits() -> None:
    assert code_key(" s22.sgp 39-j31 ") == code_key("S22SGP39J31") == "S22SGP39J31"
    assert code_key("ĐH-4F7K-1") == "DH4F7K1"


@pytest.mark.parametrize(
    ("carrier", "labels", "fields"),
    [
        (
            "ghtk",
            ("Mã đơn hàng", "Mã đơn hàng shop", "TIỀN THU HỘ", "Phí giao hàng", "Phí chuyển hoàn", "Thanh toán", "Lạ"),
            ("waybill", "code", "cod", "fee_delivery", "fee_return", "net", None),
        ),
        (
            "ghn",
            (
                "Mã đơn GHN",
                "Mã đơn của bạn",
                "Tiền COD",
                "Phí thu hộ",
                "Phí kích hoạt giao lại",
                "Phí DV",
                "Tổng đối soát",
            ),
            ("waybill", "code", "cod", "fee_cod", "fee_redelivery", "fee_total", "net"),
        ),
        ("viettelpost", ("Mã phiếu gửi", "COD", "Tổng cước"), ("waybill", "cod", "fee_total")),
        ("jt", ("Tracking number", "Order code", "COD amount", "Net"), ("waybill", "code", "cod", "net")),
    ],
)
def test_the_columns_of_a_carrier_are_read_by_name(
    carrier: str, labels: tuple[str, ...], fields: tuple[str | None, ...]
) -> None:
    reading = read_columns(carrier, labels, None)
    assert (reading.fields, reading.missing) == (fields, ())


def test_what_people_said_of_columns_goes_before_what_their_names_say() -> None:
    said = {"ma don hang": "code", "so": "waybill", "thanh toan": None}
    reading = read_columns("ghtk", ("Mã đơn hàng", "Số", "Tiền thu hộ", "Thanh toán"), said)  # type: ignore[arg-type]  # texts as they come
    assert reading.fields == ("code", "waybill", "cod", None)


def test_the_names_of_layouts_are_written_as_they_are_looked_for() -> None:
    names = [name for layout in LAYOUTS for name in layout.fields()]
    assert [name for name in names if plain(name) != name] == []


def test_fees_below_zero_are_fees_and_a_refund_among_them_is_a_refund() -> None:
    reader = SheetReader(0, ("waybill", "cod", "fee_delivery", "fee_total"), ("Mã", "COD", "Phí", "Tổng phí"))
    rows = [(2, ["A1", "100", "-20", "-25"]), (3, ["A2", "100", "-20", "-25"]), (4, ["A3", "0", "5", "5"])]
    lines = reader.read(rows)
    assert [(line.delivery_fee, line.fee) for line in lines] == [(20, 25), (20, 25), (-5, -5)]


def test_sums_are_left_out_and_money_without_a_code_is_not() -> None:
    reader = SheetReader(0, ("waybill", "net"), ("Mã", "Thanh toán"))
    rows = [(2, ["TONG0001", "5"]), (3, ["Tổng cộng", "5"]), (4, ["", "-1.100"]), (5, ["ghi chú", ""])]
    lines = reader.read(rows)
    assert [(line.row, line.net) for line in lines] == [(2, 5), (4, -1_100)]
    assert reader.ignored == 2


def test_a_cell_that_cannot_be_read_is_named_and_counts_as_nothing_known() -> None:
    reader = SheetReader(0, ("waybill", "cod"), ("Mã", "Tiền COD"))
    [line] = reader.read([(2, ["A1", "ba trăm"])])
    assert (line.cod, line.unreadable) == (None, "Tiền COD")


@pytest.mark.parametrize(
    ("rows", "number", "on"),
    [
        ([["Mã phiên: GHTK-1"], ["Ngày thanh toán", "20/11/2026"]], "GHTK-1", date(2026, 11, 20)),
        ([["Phiên đối soát", "", "P.77"]], "P.77", None),
        ([["BẢNG ĐỐI SOÁT PHIÊN SỐ 20261120-01 NGÀY 20/11/2026"]], "20261120-01", date(2026, 11, 20)),
        ([["Phiên đối soát ngày 20/11/2026"]], "", date(2026, 11, 20)),
        ([["Công ty ABC"], []], "", None),
    ],
)
def test_number_and_day_of_a_session_stand_above_its_header(
    rows: list[list[str]], number: str, on: date | None
) -> None:
    found = read_preamble(rows)
    assert (found.number, found.paid_on) == (number, on)
