"""Workbooks made by hand: ordinary ones with openpyxl, hostile ones part by part."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from openpyxl import Workbook

from services.leads.workbook.sheets import SheetHeader, SheetRow, open_sheet
from shared.workbook.errors import WorkbookRefused

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORKSHEET_PART = "xl/worksheets/sheet1.xml"


def save(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    """A workbook with the rows of each sheet from A1 on."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def parts(sheet_data: str) -> dict[str, bytes]:
    """The parts of the smallest workbook that Excel opens, around the given rows."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    texts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/{WORKSHEET_PART}" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
        '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        WORKSHEET_PART: f'<worksheet xmlns="{MAIN}"><sheetData>{sheet_data}</sheetData></worksheet>',
    }
    return {name: b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode() for name, text in texts.items()}


def text_cell(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def write_parts(path: Path, content: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return path


LEAD_ROWS = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="2">{text_cell("A2", "0912345678")}</row>'


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
    """The processes that read workbooks for us; beside them a run of tests has its engines."""
    return [each for each in psutil.Process().children() if "shared.workbook.child" in each.cmdline()]


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
