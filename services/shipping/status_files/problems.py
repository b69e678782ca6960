"""What callers of status files can get wrong."""

from __future__ import annotations

from shared.errors import Problem
from shared.workbook.errors import WorkbookRefused


class StatusFileWithoutCodes(WorkbookRefused):
    """Member: `found`, what stands where the column names should be."""

    type = "status-file-without-codes"
    vi = "Không thấy cột mã vận đơn hay mã đơn hàng; tệp có: {found}. Đặt tên cột là “Mã vận đơn” rồi gửi lại."
    en = "There is no column of waybills or order codes; the file has: {found}. Name it “Waybill” and send it again."


class StatusFileEmpty(Problem):
    type = "status-file-empty"
    status = 422
    vi = "Danh sách không có mã nào. Dán mã vận đơn hoặc mã đơn hàng, mỗi dòng một mã."
    en = "There is no code in the list. Paste waybills or order codes, one on each line."


class StatusFileTooLong(Problem):
    """Members: `rows`, `limit`."""

    type = "status-file-too-long"
    status = 422
    vi = "Danh sách có {rows} mã, mỗi lần tối đa {limit}. Chia thành nhiều lần."
    en = "The list has {rows} codes and at most {limit} are taken at once. Split it."


class StatusFileAppliedBefore(Problem):
    """Member: `file_id`, the one that was applied."""

    type = "status-file-applied-before"
    status = 409
    vi = "Nội dung này đã được áp dụng (tệp {file_id}). Nếu muốn áp dụng lại, hãy hoàn tác lần trước."
    en = "The same content was applied already (file {file_id}). Take that one back to apply it again."


class StatusFileUndone(Problem):
    type = "status-file-undone"
    status = 409
    vi = "Tệp này đã được hoàn tác. Gửi lại tệp để xem trước và áp dụng lần nữa."
    en = "This file was taken back. Send it again to preview and apply it once more."


class StatusFileNotApplied(Problem):
    type = "status-file-not-applied"
    status = 409
    vi = "Tệp này chưa được áp dụng nên không có gì để hoàn tác."
    en = "This file was not applied, so there is nothing to take back."


class UnknownConnectionOfFile(Problem):
    type = "unknown-connection-of-file"
    status = 422
    vi = "Không có kết nối hãng với mã này. Chọn một kết nối trong danh sách, hoặc bỏ trống."
    en = "There is no carrier connection with this id. Choose one of the list, or leave it out."
