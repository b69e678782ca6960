"""The ends that a hostile or hopeless workbook comes to."""

from __future__ import annotations

import asyncio
import struct
import zipfile
from pathlib import Path

import pytest

from services.leads.workbook.errors import WorkbookPhoneColumnMissing
from services.leads.workbook.sheets import open_sheet
from shared.workbook import errors
from shared.workbook.child import MAX_COLUMNS, MAX_ROW_CHARACTERS
from shared.workbook.limits import MIB, Limits
from tests.unit.workbook_support import (
    WORKSHEET_PART,
    children,
    many_rows,
    parts,
    read,
    refused,
    save,
    text_cell,
    write_parts,
)


async def test_without_a_phone_column_the_columns_found_are_named_and_no_number_is(tmp_path: Path) -> None:
    problem = await refused(
        save(tmp_path / "a.xlsx", {"S": [["Tên", "Ngày"], ["Hoa", "0912345678"]], "T": [["Mã", "Kho", "Giá"]]})
    )

    assert type(problem) is WorkbookPhoneColumnMissing
    assert "“Mã”, “Kho”, “Giá”" in problem.detail("vi")
    assert "0912345678" not in str(problem.members)


async def test_a_list_without_a_header_is_refused_and_repeats_no_number(tmp_path: Path) -> None:
    problem = await refused(save(tmp_path / "a.xlsx", {"S": [["0912345678", "Hoa"], ["0987654321", "Lan"]]}))

    assert type(problem) is WorkbookPhoneColumnMissing
    assert problem.members == {"found": "“Hoa”"}


async def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    problem = await refused(save(tmp_path / "a.xlsx", {"Khách": [["SĐT", "Tên"], [" ", None]]}))

    assert type(problem) is errors.WorkbookHasNoRows
    assert problem.members == {"sheet": "Khách"}


async def test_too_many_rows_are_counted_to_the_last_and_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], *([f"09{n:08}"] for n in range(31))]})

    problem = await refused(path, max_rows=10, chunk_rows=4)

    assert type(problem) is errors.WorkbookTooManyRows
    assert problem.members == {"rows": 31, "limit": 10}


async def test_empty_rows_do_not_count_towards_the_limit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], *([f"09{n:08}"] if n % 2 else [] for n in range(20))]})

    _, rows = await read(path, max_rows=10)

    assert len(rows) == 10


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
