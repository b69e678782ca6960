"""The list of an account as banks export it: the rows that are credits."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Final, Literal

from services.shipping.cod.amounts import day, dong
from services.shipping.cod.bank import Credit
from shared.workbook.errors import WorkbookRefused
from shared.workbook.headings import Headings
from shared.workbook.reading import open_sheets

Field = Literal["day", "credit", "amount", "text", "reference"]

MAX_ROWS: Final = 50_000
MAX_TEXT: Final = 500
MAX_REFERENCE: Final = 100
HEADINGS: Final[Headings[Field]] = Headings(
    aliases={
        "day": ("ngay", "ngay giao dich", "ngay gd", "ngay hach toan", "ngay hieu luc", "date", "transaction date"),
        "credit": ("ghi co", "phat sinh co", "so tien ghi co", "co", "tien vao", "credit", "credit amount", "deposit"),
        "amount": ("so tien", "so tien giao dich", "amount", "gia tri"),
        "text": ("noi dung", "dien giai", "noi dung giao dich", "mo ta", "description", "details", "narrative", "remark"),
        "reference": ("so giao dich", "ma giao dich", "so but toan", "so tham chieu", "so ct", "so chung tu", "reference",
                      "transaction id", "ref no", "transaction no"),
    },
    needed=("credit", "amount"),
)  # fmt: skip


class BankFileColumns(WorkbookRefused):
    """Member: `found`, what stands where the column names should be."""

    type = "bank-file-columns-missing"
    vi = "Tệp cần cột ngày giao dịch và cột số tiền ghi có; tệp có: {found}. Đặt lại tên cột rồi gửi lại."
    en = "The file needs columns for the day and for the credited amount; it has: {found}. Name them and send it again."


class BankFileRow(WorkbookRefused):
    """Members: `row`, `text`."""

    type = "bank-file-row-unreadable"
    vi = "Dòng {row}: không đọc được ngày hoặc số tiền trong “{text}”. Sửa dòng đó rồi gửi lại; chưa có gì được nhập."
    en = "Row {row}: the day or the amount in “{text}” cannot be read. Correct it and send again; nothing was entered."


async def read(file: BinaryIO) -> list[Credit]:
    """The credits of a file, in its order.

    Raises:
        WorkbookRefused: it is no such list, or a row of it cannot be read.
    """
    credits: list[Credit] = []
    with tempfile.TemporaryDirectory(prefix="chot-bank-") as directory:
        path = Path(directory) / "bank"
        await asyncio.to_thread(_save, file, path)
        async with open_sheets(
            path, HEADINGS, formats=("xlsx", "xls", "csv"), missing=BankFileColumns, max_rows=MAX_ROWS
        ) as sheets:
            async for sheet in sheets:
                if "day" not in sheet.header.fields:
                    raise BankFileColumns(found=", ".join(f"“{column.label}”" for column in sheet.header.columns))
                async for rows in sheet:
                    for row in rows:
                        credit = _credit(row.number, dict(row.values))
                        if credit is not None:
                            credits.append(credit)
    return credits


def _save(file: BinaryIO, path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(file, target)


def _credit(number: int, values: dict[Field, str]) -> Credit | None:
    """None for a row that is no credit: money that went out, a balance, a sum without a day."""
    written = values.get("credit", "") or values.get("amount", "")
    on = day(values.get("day", ""))
    if on is None and not any(character.isdigit() for character in values.get("day", "")):
        return None
    try:
        amount = dong(written) or 0
    except ValueError:
        raise BankFileRow(row=number, text=written) from None
    if amount <= 0:
        return None
    if on is None:
        raise BankFileRow(row=number, text=values.get("day", ""))
    return Credit(on, amount, values.get("text", "")[:MAX_TEXT], values.get("reference", "")[:MAX_REFERENCE])
