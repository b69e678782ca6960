"""The workbook to fill in with numbers, for people who have none of their own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from services.leads.workbook.columns import Field
from services.leads.workbook.writing import TEXT_FORMAT, safe_text

SHEET: Final = "Danh sách số"
EXAMPLE_SHEET: Final = "Ví dụ"
"""The example stands on a sheet of its own, which is never read: an example that somebody forgot to delete must not
become an order."""
CHOICES_SHEET: Final = "Danh mục"
LAST_ROW: Final = 5_001
"""Rows with drop-downs; rows below are read all the same."""

_COLUMNS: Final[tuple[tuple[Field, str, int, str], ...]] = (
    ("phone", "Số điện thoại (*)", 18, "0912 345 678"),
    ("name", "Họ tên", 24, "Nguyễn Thị Hoa"),
    ("product", "Sản phẩm", 26, "Máy lọc không khí mini"),
    ("source", "Nguồn", 18, "Facebook"),
    ("campaign", "Chiến dịch", 22, "Khai trương tháng 11"),
    ("address", "Địa chỉ", 40, "12 Lê Lợi, phường Sài Gòn, TP. Hồ Chí Minh"),
    ("note", "Ghi chú", 30, "Gọi sau 17 giờ"),
    ("other_phone", "Số điện thoại 2", 18, "024 3825 1234"),
    ("owner", "Giao cho", 24, ""),
)
"""Meaning, heading, width in characters, example."""
_NOTES: Final[dict[Field, str]] = {
    "phone": "Bắt buộc. Hai số của một khách: cách nhau bằng dấu / hoặc dùng cột “Số điện thoại 2”.",
    "product": "Chọn trong danh sách hoặc gõ mã sản phẩm. Để trống: lấy theo nguồn.",
    "source": "Chọn trong danh sách. Tên chưa có sẽ được ghi vào chiến dịch.",
    "owner": "Mã nhân viên nhận số, ví dụ NV001. Để trống: hệ thống tự chia. Cần quyền chia số.",
}
_HEADING: Final = Font(bold=True, color="FFFFFF")
_HEADING_FILL: Final = PatternFill("solid", fgColor="1F4E78")
_EXAMPLE: Final = Font(italic=True, color="7F7F7F")


def template(
    *, products: Sequence[str] = (), sources: Sequence[str] = (), people: Sequence[tuple[str, str]] = ()
) -> bytes:
    """The .xlsx to download: Vietnamese headings, an example, drop-downs.

    Args:
        products: names to choose from in the product column; other names may still be typed.
        sources: the same for the source column.
        people: codes and names of colleagues that leads may be given to.
    """
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = SHEET
    _write_headings(sheet)
    example = book.create_sheet(EXAMPLE_SHEET)
    _write_headings(example)
    owners = [f"{code} – {name}" if name else code for code, name in people]
    for index, (field, _, _, text) in enumerate(_COLUMNS, 1):
        # Of the example's values, those that can be checked are ones that exist.
        chosen = {"source": sources, "product": products, "owner": owners}.get(field)
        cell = example.cell(2, index, safe_text(chosen[0] if chosen else text))
        cell.data_type = "s"
        cell.number_format = TEXT_FORMAT
        cell.font = _EXAMPLE
    _add_choices(book, sheet, {"product": products, "source": sources, "owner": owners})
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _write_headings(sheet: Worksheet) -> None:
    for index, (field, heading, width, _) in enumerate(_COLUMNS, 1):
        cell = sheet.cell(1, index, heading)
        cell.font = _HEADING
        cell.fill = _HEADING_FILL
        if field in _NOTES:
            cell.comment = Comment(_NOTES[field], "Chốt")
        column = sheet.column_dimensions[get_column_letter(index)]
        column.width = width
        # As Text, a number that is typed or pasted keeps its 0.
        column.number_format = TEXT_FORMAT
    sheet.freeze_panes = "A2"


def _add_choices(book: Workbook, sheet: Worksheet, choices: dict[Field, Sequence[str]]) -> None:
    """Drop-downs whose values stand on a hidden sheet: a list inside a validation ends at 255 characters."""
    offered = {field: texts for field, texts in choices.items() if texts}
    if not offered:
        return
    hidden = book.create_sheet(CHOICES_SHEET)
    hidden.sheet_state = "hidden"
    letters = {field: get_column_letter(index) for index, (field, *_) in enumerate(_COLUMNS, 1)}
    for index, (field, texts) in enumerate(offered.items(), 1):
        for row, text in enumerate(texts, 1):
            cell = hidden.cell(row, index, safe_text(text))
            cell.data_type = "s"
        place = get_column_letter(index)
        name = f"chon_{field}"
        book.defined_names[name] = DefinedName(name, attr_text=f"'{CHOICES_SHEET}'!${place}$1:${place}${len(texts)}")
        validation = DataValidation(type="list", formula1=f"={name}", allow_blank=True, showErrorMessage=False)
        validation.add(f"{letters[field]}2:{letters[field]}{LAST_ROW}")
        sheet.add_data_validation(validation)
