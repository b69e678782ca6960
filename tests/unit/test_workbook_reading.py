"""The rows of an uploaded workbook, and what its columns mean."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.leads.workbook.columns import HEADINGS
from shared.workbook.headings import letter_of
from tests.unit.workbook_support import (
    parts,
    read,
    read_rows,
    save,
    text_cell,
    write_parts,
)


async def test_rows_come_with_the_numbers_that_excel_shows(tmp_path: Path) -> None:
    rows = await read_rows(tmp_path, [["SĐT", "Tên"], ["0912345678", "Hoa"], [], [None, " "], ["0987654321", "Lan"]])

    assert [(row.number, row.values) for row in rows] == [
        (2, {"phone": "0912345678", "name": "Hoa"}),
        (5, {"phone": "0987654321", "name": "Lan"}),
    ]


async def test_a_title_above_and_empty_columns_before_are_passed_over(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet["C2"] = "DANH SÁCH SỐ ĐIỆN THOẠI THÁNG 11"
    sheet["C5"], sheet["D5"] = "Họ và tên", "Số điện thoại"
    sheet["C6"], sheet["D6"] = "Hoa", "0912345678"
    book.save(tmp_path / "a.xlsx")

    header, rows = await read(tmp_path / "a.xlsx")

    assert header.row == 5
    assert [column.index for column in header.columns] == [2, 3]
    assert [(row.number, row.values) for row in rows] == [(6, {"name": "Hoa", "phone": "0912345678"})]


async def test_values_are_texts_without_the_marks_of_a_spreadsheet(tmp_path: Path) -> None:
    values = [
        912345678,
        84912345678.0,
        1.5,
        True,
        date(2026, 11, 5),
        datetime.fromisoformat("2026-11-05T09:30"),
        time(9, 30),
        1e20,
    ]

    rows = await read_rows(tmp_path, [["SĐT", "Giá trị"], *(["0912345678", value] for value in values)])

    assert [row.extra["Giá trị"] for row in rows] == [
        *("912345678", "84912345678", "1.5", "TRUE", "2026-11-05", "2026-11-05T09:30:00", "09:30:00", "1e+20")
    ]


async def test_a_text_that_looks_like_a_formula_is_that_text(tmp_path: Path) -> None:
    cells = ["=1+1", "+84912345678", "-1", "@SUM(A1)"]
    data = f'<row r="1">{text_cell("A1", "SĐT")}{text_cell("B1", "Ghi chú")}</row>' + "".join(
        f'<row r="{n}">{text_cell(f"A{n}", "0912345678")}{text_cell(f"B{n}", cell)}</row>'
        for n, cell in enumerate(cells, 2)
    )

    _, rows = await read(write_parts(tmp_path / "a.xlsx", parts(data)))

    assert [row.values["note"] for row in rows] == cells


async def test_a_formula_gives_the_value_that_excel_computed(tmp_path: Path) -> None:
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="2"><c r="A2"><f>84*10^9</f><v>84912345678</v></c></row>'

    _, rows = await read(write_parts(tmp_path / "a.xlsx", parts(data)))

    assert [row.values for row in rows] == [{"phone": "84912345678"}]


async def test_two_numbers_on_two_lines_of_a_cell_stay_apart(tmp_path: Path) -> None:
    rows = await read_rows(tmp_path, [["SĐT"], ["0912345678\n0987654321"]])

    assert rows[0].values["phone"] == "0912345678\n0987654321"


# Columns --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("Số điện thoại", "phone"),
        ("SỐ ĐIỆN THOẠI (*)", "phone"),
        ("so dien thoai", "phone"),
        ("  Sđt  ", "phone"),
        ("S\u1ed1 \u0111i\u1ec7n tho\u1ea1i kh\u00e1ch h\u00e0ng", "phone"),
        ("So\u0302\u0301 \u0111ie\u0323\u0302n thoa\u0323i", "phone"),
        ("SĐT KH", "phone"),
        ("Điện thoại người nhận", "phone"),
        ("ĐT", "phone"),
        ("Điện thoại 1", "phone"),
        ("phone_number", "phone"),
        ("Phone", "phone"),
        ("MOBILE", "phone"),
        ("Số điện thoại liên hệ (bắt buộc)", "phone"),
        ("SĐT 2", "other_phone"),
        ("Số Zalo", "other_phone"),
        ("Họ và tên", "name"),
        ("Tên khách hàng", "name"),
        ("Khách hàng", "name"),
        ("full_name", "name"),
        ("Sản phẩm", "product"),
        ("Nguồn số", "source"),
        ("Kênh", "source"),
        ("campaign_name", "campaign"),
        ("Chiến dịch", "campaign"),
        ("Địa chỉ giao hàng", "address"),
        ("Địa chỉ khách", "address"),
        ("Ghi chú", "note"),
        ("STT", None),
        ("Hãng", None),
        ("Số", None),
        ("Ngày", None),
        ("", None),
        ("(*)", None),
    ],
)
def test_column_names_are_understood_whatever_their_case_and_accents(label: str, field: str | None) -> None:
    assert HEADINGS.field_of(label) == field


async def test_columns_that_mean_nothing_to_us_are_kept_under_their_names(tmp_path: Path) -> None:
    header, rows = await read(
        save(
            tmp_path / "a.xlsx",
            {"S": [["STT", "SĐT", "Size", "Size", None], [1, "0912345678", "M", "L", "đã gọi"]]},
        )
    )

    assert header.unknown == ("STT", "Size", "Size (D)", "(E)")
    assert rows[0].extra == {"STT": "1", "Size": "M", "Size (D)": "L", "(E)": "đã gọi"}
    assert rows[0].cells == ("1", "0912345678", "M", "L", "đã gọi")


async def test_a_second_phone_column_is_the_other_phone_and_a_second_name_an_unknown_column(tmp_path: Path) -> None:
    header, rows = await read(
        save(
            tmp_path / "a.xlsx",
            {"S": [["SĐT", "Điện thoại", "Tên", "Họ tên"], ["0912345678", "0987654321", "Hoa", "Lê Thị Hoa"]]},
        )
    )

    assert header.fields == {"phone": "SĐT", "other_phone": "Điện thoại", "name": "Tên"}
    assert rows[0].extra == {"Họ tên": "Lê Thị Hoa"}


async def test_the_first_visible_sheet_with_a_phone_column_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    book = Workbook()
    book.worksheets[0].title = "Hướng dẫn"
    book.worksheets[0]["A1"] = "Điền vào trang sau"
    for title, state in (("Ẩn", "hidden"), ("Tháng 10", "visible"), ("Tháng 11", "visible")):
        sheet = book.create_sheet(title)
        sheet.sheet_state = state
        sheet.append(["SĐT"])
        sheet.append([f"0912345678 {title}"])
    book.save(tmp_path / "a.xlsx")

    header, rows = await read(tmp_path / "a.xlsx")

    assert (header.sheet, header.other_sheets) == ("Tháng 10", ("Hướng dẫn", "Tháng 11"))
    assert [row.values["phone"] for row in rows] == ["0912345678 Tháng 10"]


@pytest.mark.parametrize(
    ("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_columns_have_the_letters_that_excel_shows(index: int, letter: str) -> None:
    assert letter_of(index) == letter
