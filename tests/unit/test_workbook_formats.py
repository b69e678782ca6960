"""Uploaded tables beside .xlsx: old Excel and delimited text where they are wanted, and files with several sheets."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, Literal

import pytest

from shared.workbook import errors
from shared.workbook.frames import Format
from shared.workbook.headings import Headings
from shared.workbook.reading import open_sheet, open_sheets
from tests.unit.workbook_support import save

Field = Literal["code", "status"]
HEADINGS: Final[Headings[Field]] = Headings(
    aliases={"code": ("ma van don", "waybill"), "status": ("trang thai", "status")}, needed=("code",)
)
ALL: Final[tuple[Format, ...]] = ("xlsx", "xls", "csv")
HEADER: Final = ("Mã vận đơn", "Trạng thái")


async def rows_of(path: Path) -> list[tuple[int, dict[Field, str]]]:
    async with open_sheet(path, HEADINGS, formats=ALL) as sheet:
        return [(row.number, row.values) async for rows in sheet for row in rows]


async def names_of(path: Path, *, max_rows: int | None = None) -> list[str]:
    async with open_sheets(path, HEADINGS, max_rows=max_rows) as sheets:
        return [sheet.header.sheet async for sheet in sheets]


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1258", ","), ("cp1258", ";"), ("utf-8", "|")],
)
async def test_delimited_text_is_read_in_every_way_that_programs_write_it(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "a.csv"
    # The code page of Vietnamese Windows has no letter with two marks: it writes a letter and a mark.
    written = ("Ma\u0303 vâ\u0323n đơn", "Tra\u0323ng tha\u0301i")
    lines = [
        "Danh sách",
        delimiter.join(written),
        "",
        f'S1.A2{delimiter}"giao{delimiter} xong"',
        f" S2 {delimiter}hoàn",
    ]
    path.write_bytes("\r\n".join(lines).encode(encoding))

    assert await rows_of(path) == [
        (4, {"code": "S1.A2", "status": f"giao{delimiter} xong"}),
        (5, {"code": "S2", "status": "hoàn"}),
    ]


async def test_one_column_without_any_delimiter_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("waybill\nS1\nS2\n")

    assert await rows_of(path) == [(2, {"code": "S1"}), (3, {"code": "S2"})]


async def test_a_cell_of_text_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('waybill,status\nS1,"' + "x" * 200_000)

    with pytest.raises(errors.WorkbookDamaged):
        await rows_of(path)


async def test_old_excel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.upload"
    path.write_bytes(old_excel([HEADER, ("S1.A2", "Đã giao"), ("S2", "Đã hoàn")]))

    assert await rows_of(path) == [
        (2, {"code": "S1.A2", "status": "Đã giao"}),
        (3, {"code": "S2", "status": "Đã hoàn"}),
    ]


async def test_half_a_file_of_old_excel_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(old_excel([HEADER, ("S1.A2", "Đã giao")])[:3000])

    with pytest.raises(errors.WorkbookDamaged):
        await rows_of(path)


async def test_a_file_without_a_column_that_is_needed_is_told_with_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Tên,Ghi chú\nLan,x\n")

    with pytest.raises(errors.WorkbookHeaderMissing) as refused:
        await rows_of(path)

    assert refused.value.members == {"found": "“Tên”, “Ghi chú”"}


async def test_every_sheet_that_fits_is_read_one_after_the_other(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.xlsx",
        {
            "Tổng": [["Tổng cộng", 3]],
            "Giao": [HEADER, ["S1", "giao"], ["S2", "giao"]],
            "Trống": [HEADER],
            "Hoàn": [["Đối soát"], ["Trạng thái", "Waybill"], ["hoàn", "S3"]],
        },
    )

    async with open_sheets(path, HEADINGS) as sheets:
        read = [(sheet.header.sheet, [row.values async for rows in sheet for row in rows]) async for sheet in sheets]

    assert read == [
        ("Giao", [{"code": "S1", "status": "giao"}, {"code": "S2", "status": "giao"}]),
        ("Hoàn", [{"code": "S3", "status": "hoàn"}]),
    ]


async def test_what_is_left_of_a_sheet_does_not_come_with_the_next(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"A": [HEADER, ["S1"], ["S2"]], "B": [HEADER, ["S3"]]})

    async with open_sheets(path, HEADINGS, chunk_rows=1) as sheets:
        first = [await anext(aiter(sheet)) async for sheet in sheets]

    assert [rows[0].values["code"] for rows in first] == ["S1", "S3"]


async def test_the_limit_of_rows_is_that_of_all_sheets_together(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"A": [HEADER, ["S1"], ["S2"]], "B": [HEADER, ["S3"]]})

    with pytest.raises(errors.WorkbookTooManyRows) as refused:
        await names_of(path, max_rows=2)

    assert refused.value.members == {"rows": 3, "limit": 2}


async def test_sheets_without_rows_are_refused_together(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"A": [HEADER], "B": [HEADER]})

    with pytest.raises(errors.WorkbookHasNoRows):
        await names_of(path)


def old_excel(rows: list[tuple[str, ...]]) -> bytes:
    """A workbook of Excel 97 with one sheet ([MS-XLS] in the smallest [MS-CFB] that holds it)."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    def begin(substream: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, substream, 0, 0, 0, 0))

    def label(row: int, column: int, text: str) -> bytes:
        return record(0x0204, struct.pack("<HHHHB", row, column, 0, len(text), 1) + text.encode("utf-16-le"))

    end = record(0x000A, b"")
    name = struct.pack("<BB", 1, 0) + b"S"
    sheet_place = len(begin(5)) + 4 + 6 + len(name) + len(end)
    book = begin(5) + record(0x0085, struct.pack("<IH", sheet_place, 0) + name) + end
    cells = b"".join(label(row, column, text) for row, texts in enumerate(rows) for column, text in enumerate(texts))
    return compound("Workbook", book + begin(0x10) + cells + end)


def compound(name: str, content: bytes) -> bytes:
    """A compound file with one stream: header, directory, the stream's sectors, their table."""
    sector, no_sector, chain_end = 512, 0xFFFFFFFF, 0xFFFFFFFE
    content = content.ljust(4096, b"\0")  # shorter ones would live in a stream of small sectors
    content = content.ljust(-(-len(content) // sector) * sector, b"\0")
    count = len(content) // sector

    def entry(text: str, kind: int, child: int, start: int, size: int) -> bytes:
        encoded = (text + "\0").encode("utf-16-le")
        links = struct.pack("<HBBIII", len(encoded), kind, 1, no_sector, no_sector, child)
        return encoded.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)

    directory = entry("Root Entry", 5, 1, chain_end, 0) + entry(name, 2, no_sector, 1, len(content)) + bytes(256)
    table = [chain_end, *range(2, count + 1), chain_end, 0xFFFFFFFD]
    table += [no_sector] * (sector // 4 - len(table))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIII", 0, 1, 0, 0, 4096) + struct.pack("<IIII", chain_end, 0, chain_end, 0)
    header += struct.pack("<I", count + 1) + b"\xff" * (108 * 4)
    return header + directory + content + struct.pack(f"<{sector // 4}I", *table)
