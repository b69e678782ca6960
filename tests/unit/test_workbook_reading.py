"""The rows of an uploaded workbook, and the ends that a hostile one comes to."""

from __future__ import annotations

import asyncio
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import psutil
import pytest
from openpyxl import Workbook

from services.leads.workbook import errors
from services.leads.workbook.child import MAX_COLUMNS, MAX_ROW_CHARACTERS
from services.leads.workbook.columns import field_of, letter_of
from services.leads.workbook.errors import WorkbookRefused
from services.leads.workbook.limits import MIB, Limits
from services.leads.workbook.reading import SheetHeader, SheetRow, open_sheet
from tests.unit.workbook_support import WORKSHEET_PART, parts, save, text_cell, write_parts


async def read(path: Path, **options: Any) -> tuple[SheetHeader, list[SheetRow]]:
    async with open_sheet(path, **options) as sheet:
        return sheet.header, [row async for rows in sheet for row in rows]


async def read_rows(path: Path, rows: Sequence[Sequence[Any]]) -> list[SheetRow]:
    return (await read(save(path / "a.xlsx", {"S": rows})))[1]


async def refused(path: Path, **options: Any) -> WorkbookRefused:
    with pytest.raises(WorkbookRefused) as problem:
        await read(path, **options)
    return problem.value


def children() -> list[psutil.Process]:
    return psutil.Process().children()


# Rows -----------------------------------------------------------------------------------------------------------------


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

    assert (header.row, header.row_count) == (5, 1)
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
    assert field_of(label) == field


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


# Refusals -------------------------------------------------------------------------------------------------------------


async def test_without_a_phone_column_the_columns_found_are_named_and_no_number_is(tmp_path: Path) -> None:
    problem = await refused(
        save(tmp_path / "a.xlsx", {"S": [["Tên", "Ngày"], ["Hoa", "0912345678"]], "T": [["Mã", "Kho", "Giá"]]})
    )

    assert type(problem) is errors.WorkbookPhoneColumnMissing
    assert "“Mã”, “Kho”, “Giá”" in problem.detail("vi")
    assert "0912345678" not in str(problem.members)


async def test_a_list_without_a_header_is_refused_and_repeats_no_number(tmp_path: Path) -> None:
    problem = await refused(save(tmp_path / "a.xlsx", {"S": [["0912345678", "Hoa"], ["0987654321", "Lan"]]}))

    assert type(problem) is errors.WorkbookPhoneColumnMissing
    assert problem.members == {"found": "“Hoa”"}


async def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    problem = await refused(save(tmp_path / "a.xlsx", {"Khách": [["SĐT", "Tên"], [" ", None]]}))

    assert type(problem) is errors.WorkbookHasNoRows
    assert problem.members == {"sheet": "Khách"}


async def test_too_many_rows_are_refused_before_the_first_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], *([f"09{n:08}"] for n in range(11))]})

    with pytest.raises(errors.WorkbookTooManyRows) as problem:
        async with open_sheet(path, max_rows=10):
            pytest.fail("the sheet was opened")

    assert problem.value.members == {"rows": 11, "limit": 10}


async def test_empty_rows_do_not_count_towards_the_limit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], *([f"09{n:08}"] if n % 2 else [] for n in range(20))]})

    header, rows = await read(path, max_rows=10)

    assert header.row_count == len(rows) == 10


async def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    labels = ["SĐT", *(f"Cột {n}" for n in range(MAX_COLUMNS))]

    problem = await refused(save(tmp_path / "a.xlsx", {"S": [labels, ["0912345678"]]}))

    assert type(problem) is errors.WorkbookTooManyColumns


async def test_a_row_with_a_book_in_it_is_refused_by_its_number(tmp_path: Path) -> None:
    texts = ["x" * 32_000] * (MAX_ROW_CHARACTERS // 32_000 + 1)

    problem = await refused(save(tmp_path / "a.xlsx", {"S": [["SĐT"], ["0912345678"], ["0912345678", *texts]]}))

    assert type(problem) is errors.WorkbookRowTooLong
    assert problem.members["row"] == 3


@pytest.mark.parametrize("dimension", ["", '<dimension ref="A1:A2"/>'], ids=["no dimension", "a lying dimension"])
async def test_a_tiny_sheet_that_spans_all_of_excel_is_refused_and_harms_nobody(tmp_path: Path, dimension: str) -> None:
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="1048576">{text_cell("XFD1048576", "x")}</row>'
    content = parts(data)
    content[WORKSHEET_PART] = content[WORKSHEET_PART].replace(b"<sheetData>", dimension.encode() + b"<sheetData>")
    path = write_parts(tmp_path / "a.xlsx", content)
    assert path.stat().st_size < 1700

    assert type(await refused(path)) is errors.WorkbookAreaTooLarge
    assert children() == []


async def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """A sheet of 300 MB that says it has 100 bytes: the check cannot see it, the limits of the child do."""
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row>'.encode()
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts("").items():
            if name != WORKSHEET_PART:
                archive.writestr(name, content)
        with archive.open(WORKSHEET_PART, "w") as sheet:
            sheet.write(b"<worksheet><sheetData>" + data)
            row = b"<row>" + b"<c t='inlineStr'><is><t>" + b"x" * 30_000 + b"</t></is></c>" + b"</row>"
            for _ in range(10_000):
                sheet.write(row)
            sheet.write(b"</sheetData></worksheet>")
    bomb = bytearray(path.read_bytes())
    entry = bomb.rfind(b"PK\x01\x02")
    struct.pack_into("<I", bomb, entry + 24, 100)
    path.write_bytes(bomb)

    assert type(await refused(path, limits=Limits(memory_bytes=128 * MIB, cpu_seconds=10))) in {
        errors.WorkbookAreaTooLarge,
        errors.WorkbookDamaged,
    }


async def test_a_sheet_that_needs_more_memory_than_allowed_is_refused(tmp_path: Path) -> None:
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="1048576">{text_cell("J1048576", "x")}</row>'
    path = write_parts(tmp_path / "a.xlsx", parts(data))

    assert type(await refused(path, limits=Limits(memory_bytes=200 * MIB))) is errors.WorkbookAreaTooLarge


async def test_a_sheet_that_takes_more_time_of_the_processor_than_allowed_is_refused(tmp_path: Path) -> None:
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="1048576">{text_cell("H1048576", "x")}</row>'
    path = write_parts(tmp_path / "a.xlsx", parts(data))

    assert type(await refused(path, limits=Limits(cpu_seconds=1))) is errors.WorkbookAreaTooLarge


async def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], ["0912345678"]]})

    assert type(await refused(path, limits=Limits(wall_seconds=0.001))) is errors.WorkbookTimedOut
    assert children() == []


async def test_the_time_that_the_caller_takes_is_not_held_against_the_file(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await read(path)
    seconds = max(1.0, 4 * (loop.time() - began))

    async with open_sheet(path, limits=Limits(wall_seconds=seconds)) as sheet:
        chunks = aiter(sheet)
        count = len(await anext(chunks))
        await asyncio.sleep(seconds)
        async for rows in chunks:
            count += len(rows)

    assert count == 20_000


@pytest.mark.parametrize("part", ["xl/workbook.xml", WORKSHEET_PART])
async def test_xml_that_breaks_off_is_damaged(tmp_path: Path, part: str) -> None:
    content = parts(f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="2">{text_cell("A2", "0912345678")}</row>')
    content[part] = content[part][: len(content[part]) // 2]

    assert type(await refused(write_parts(tmp_path / "a.xlsx", content))) is errors.WorkbookDamaged


async def test_the_checks_come_before_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"SDT,Ten\n0912345678,Hoa\n")

    assert type(await refused(path)) is errors.WorkbookIsText


# The child ------------------------------------------------------------------------------------------------------------


def many_rows(path: Path, count: int) -> Path:
    """A workbook of `count` rows, written faster than openpyxl can."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts("").items():
            if name != WORKSHEET_PART:
                archive.writestr(name, content)
        with archive.open(WORKSHEET_PART, "w") as sheet:
            sheet.write(b"<worksheet><sheetData>")
            sheet.write(f'<row r="1">{text_cell("A1", "SĐT")}{text_cell("B1", "Tên")}</row>'.encode())
            for n in range(2, count + 2):
                cells = text_cell(f"A{n}", f"09{n:08}") + text_cell(f"B{n}", f"Nguyễn Văn An {n}")
                sheet.write(f'<row r="{n}">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
    return path


async def test_twenty_thousand_rows_stream_with_flat_memory_on_both_sides(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)
    numbers: list[int] = []

    tracemalloc.start()
    try:
        async with open_sheet(path, limits=Limits(memory_bytes=96 * MIB)) as sheet:
            async for rows in sheet:
                numbers += [row.number for row in rows]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert numbers == list(range(2, 20_002))
    # All rows at once would be 11 MiB of objects.
    assert peak < 3 * MIB


async def test_rows_come_in_chunks_of_the_size_asked_for(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 1050)

    async with open_sheet(path, chunk_rows=500) as sheet:
        assert [len(rows) async for rows in sheet] == [500, 500, 50]


async def test_very_long_rows_make_shorter_chunks(tmp_path: Path) -> None:
    noise = random.Random(1)
    path = save(
        tmp_path / "a.xlsx",
        {"S": [["SĐT", "Ghi chú"], *([f"09{n:08}", noise.randbytes(15_000).hex()] for n in range(100))]},
    )

    async with open_sheet(path, chunk_rows=500) as sheet:
        sizes = [len(rows) async for rows in sheet]

    assert sum(sizes) == 100
    assert max(sizes) < 40


async def test_a_caller_who_stops_early_leaves_no_process_behind(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)

    async with open_sheet(path, chunk_rows=10) as sheet:
        async for rows in sheet:
            assert rows[0].number == 2
            break
        assert len(children()) == 1

    assert children() == []


async def test_a_cancelled_caller_leaves_no_process_behind(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)
    opened = asyncio.Event()

    async def hold() -> None:
        async with open_sheet(path):
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert children() == []


async def test_the_child_gets_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHOT_DATABASE_URL", "postgresql://secret")
    path = many_rows(tmp_path / "a.xlsx", 20_000)

    async with open_sheet(path, chunk_rows=10):
        environment = children()[0].environ()

    assert set(environment) <= {"PYTHONPATH", "LC_CTYPE"}


def test_the_child_imports_little() -> None:
    code = "import services.leads.workbook.child, sys; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"asyncio", "fastapi", "openpyxl", "pydantic", "sqlalchemy", "structlog"} & set(modules)
