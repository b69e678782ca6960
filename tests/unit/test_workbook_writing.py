"""The workbooks that we hand out, as Excel and our own import see them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from openpyxl import load_workbook

from services.leads.workbook.outcome import Outcome
from services.leads.workbook.sheets import SheetRow, open_sheet
from services.leads.workbook.template import CHOICES_SHEET, EXAMPLE_SHEET, SHEET, template
from services.leads.workbook.writing import MAX_CELL, VerdictWorkbook
from shared.workbook import errors


async def read(path: Path) -> list[SheetRow]:
    async with open_sheet(path) as sheet:
        return [row async for rows in sheet for row in rows]


# Verdicts -------------------------------------------------------------------------------------------------------------


def test_every_row_stands_with_its_number_its_texts_its_result_and_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "ket-qua.xlsx"
    with VerdictWorkbook(path, columns=["SĐT", "Tên"]) as verdicts:
        verdicts.add(2, ["0912345678", "Hoa"], Outcome.ACCEPTED)
        verdicts.add(3, ["+84 912 345 678", "Hoa"], Outcome.DUPLICATE, reason="Trùng với dòng 2.")
        verdicts.add(7, ["091234567", "Lan"], Outcome.REJECTED, reason="Số điện thoại thiếu 1 chữ số.")

    sheet = load_workbook(path).worksheets[0]

    assert list(sheet.values) == [
        ("Dòng", "Kết quả", "Lý do", "SĐT", "Tên"),
        (2, "Đã nhận", None, "0912345678", "Hoa"),
        (3, "Đơn trùng", "Trùng với dòng 2.", "+84 912 345 678", "Hoa"),
        (7, "Bị loại", "Số điện thoại thiếu 1 chữ số.", "091234567", "Lan"),
    ]


def test_results_are_also_told_in_english(tmp_path: Path) -> None:
    path = tmp_path / "result.xlsx"
    with VerdictWorkbook(path, columns=[], language="en") as verdicts:
        for outcome in Outcome:
            verdicts.add(2, [], outcome)

    rows = list(load_workbook(path).worksheets[0].values)

    assert rows[0] == ("Row", "Result", "Reason")
    assert [row[1] for row in rows[1:]] == [
        "Accepted",
        "Duplicate",
        "Rejected",
        "Imported before",
        "Not taken in",
        "Undone",
        "Kept",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+84912345678",
        "-1",
        "@SUM(A1)",
        "#N/A",
        "0912345678",
        "TRUE",
        "1e5",
        "=",
        " ",
    ],
)
def test_no_text_starts_a_formula_or_becomes_a_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xlsx"
    with VerdictWorkbook(path, columns=[text]) as verdicts:
        verdicts.add(2, [text], Outcome.REJECTED, reason=text)

    sheet = load_workbook(path).worksheets[0]

    for cell in (sheet["D1"], sheet["C2"], sheet["D2"]):
        assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


def test_what_a_cell_cannot_hold_is_replaced_or_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with VerdictWorkbook(path, columns=["SĐT"]) as verdicts:
        verdicts.add(2, ["09\x0012\x1b"], Outcome.REJECTED, reason="x" * (MAX_CELL + 1))

    sheet = load_workbook(path).worksheets[0]

    assert sheet["D2"].value == "09\ufffd12\ufffd"
    assert len(str(sheet["C2"].value)) == MAX_CELL


def test_after_an_error_there_is_no_file_and_nothing_half_written(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def write() -> None:
        with VerdictWorkbook(tmp_path / "a.xlsx", columns=["SĐT"]) as verdicts:
            verdicts.add(2, ["0912345678"], Outcome.ACCEPTED)
            raise Stop

    with pytest.raises(Stop):
        write()

    assert list(tmp_path.iterdir()) == []


async def test_the_verdicts_can_be_corrected_and_imported_again(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with VerdictWorkbook(path, columns=["SĐT", "Tên"]) as verdicts:
        verdicts.add(7, ["091234567", "Lan"], Outcome.REJECTED, reason="Thiếu 1 chữ số.")

    rows = await read(path)

    assert [row.values for row in rows] == [{"phone": "091234567", "name": "Lan"}]


# Template -------------------------------------------------------------------------------------------------------------


async def test_an_unchanged_template_brings_no_example_into_the_business(tmp_path: Path) -> None:
    path = tmp_path / "mau.xlsx"
    path.write_bytes(template())

    with pytest.raises(errors.WorkbookHasNoRows):
        await read(path)


async def test_a_row_written_like_the_example_is_read_with_every_field(tmp_path: Path) -> None:
    book = load_workbook(io.BytesIO(template()))
    example = next(book[EXAMPLE_SHEET].iter_rows(min_row=2, values_only=True))
    book[SHEET].append(example)
    book.save(tmp_path / "mau.xlsx")

    rows = await read(tmp_path / "mau.xlsx")

    assert [row.values for row in rows] == [
        {
            "phone": "0912 345 678",
            "other_phone": "024 3825 1234",
            "name": "Nguyễn Thị Hoa",
            "product": "Máy lọc không khí mini",
            "source": "Facebook",
            "campaign": "Khai trương tháng 11",
            "address": "12 Lê Lợi, phường Sài Gòn, TP. Hồ Chí Minh",
            "note": "Gọi sau 17 giờ",
        }
    ]
    assert rows[0].extra == {}


def test_phones_typed_into_the_template_keep_their_zero() -> None:
    sheet = load_workbook(io.BytesIO(template()))[SHEET]

    assert sheet.column_dimensions["A"].number_format == "@"


def test_products_and_sources_are_offered_as_drop_downs_from_a_hidden_sheet() -> None:
    products = [f"Sản phẩm số {n} có tên dài" for n in range(40)]

    book = load_workbook(io.BytesIO(template(products=products, sources=["Facebook", "=1+1"])))

    choices = book[CHOICES_SHEET]
    assert choices.sheet_state == "hidden"
    offered = {}
    for validation in book[SHEET].data_validations.dataValidation:
        name = str(validation.formula1).removeprefix("=")
        ((title, area),) = book.defined_names[name].destinations
        texts = [cell.value for row in book[title][area] for cell in row]
        offered[str(validation.sqref).split(":")[0]] = texts
    assert offered == {"C2": products, "D2": ["Facebook", "=1+1"]}
    assert choices["B2"].data_type == "s"


def test_a_template_without_choices_has_no_drop_downs() -> None:
    book = load_workbook(io.BytesIO(template()))

    assert book.sheetnames == [SHEET, EXAMPLE_SHEET]
    assert list(book[SHEET].data_validations.dataValidation) == []
