"""Why a workbook of leads is refused beside what holds for all workbooks, and what its sender can do about it."""

from __future__ import annotations

from shared.workbook.errors import WorkbookRefused


class WorkbookPhoneColumnMissing(WorkbookRefused):
    """Member: `found`, what stands where the column names should be."""

    type = "workbook-phone-column-missing"
    vi = "Không thấy cột số điện thoại; tệp có: {found}. Đặt tên cột là “Số điện thoại” ở dòng tiêu đề rồi gửi lại."
    en = (
        "There is no phone column; the file has: {found}. Name the column “Số điện thoại” or “Phone” and send it again."
    )
