"""Why an uploaded workbook is refused, and what its sender can do about it."""

from __future__ import annotations

from shared.errors import Problem


class WorkbookRefused(Problem):
    """Any refusal of an uploaded workbook."""

    status = 422


class WorkbookEmpty(WorkbookRefused):
    type = "workbook-empty"
    vi = "Tệp không có dữ liệu (0 byte). Có thể tải lên bị đứt; chọn lại tệp và gửi lần nữa."
    en = "The file is empty (0 bytes). The upload may have broken off; choose the file again and send it once more."


class WorkbookTooLarge(WorkbookRefused):
    type = "workbook-too-large"
    status = 413
    vi = "Tệp lớn hơn {limit_mib} MiB. Xóa hình ảnh và các trang không dùng, hoặc chia thành nhiều tệp rồi gửi lại."
    en = "The file is larger than {limit_mib} MiB. Remove pictures and unused sheets, or split it, and send it again."


class WorkbookEncrypted(WorkbookRefused):
    type = "workbook-encrypted"
    vi = "Tệp đang đặt mật khẩu. Mở bằng Excel, bỏ mật khẩu (Tệp → Thông tin → Bảo vệ sổ làm việc), lưu rồi gửi lại."
    en = "The file has a password. Open it in Excel, remove the password (File → Info → Protect Workbook) and send again."


class WorkbookOldExcel(WorkbookRefused):
    type = "workbook-old-excel"
    vi = "Tệp là Excel 97–2003 (.xls). Mở bằng Excel, chọn Lưu thành → Sổ làm việc Excel (.xlsx) rồi gửi lại."
    en = (
        "The file is of Excel 97–2003 (.xls). Open it in Excel, choose Save As → Excel Workbook (.xlsx) and send again."
    )


class WorkbookIsText(WorkbookRefused):
    type = "workbook-is-text"
    vi = "Tệp là văn bản (CSV) được đổi tên. Mở bằng Excel, chọn Lưu thành → Sổ làm việc Excel (.xlsx) rồi gửi lại."
    en = "The file is text (CSV) under another name. Open it in Excel, choose Save As → Excel Workbook (.xlsx), send again."


class WorkbookIsWebPage(WorkbookRefused):
    type = "workbook-is-web-page"
    vi = "Tệp là trang web (HTML) được đổi tên. Mở bằng Excel, chọn Lưu thành → Sổ làm việc Excel (.xlsx) rồi gửi lại."
    en = "The file is a web page (HTML) renamed. Open it in Excel, choose Save As → Excel Workbook (.xlsx) and send again."


class WorkbookOtherFormat(WorkbookRefused):
    """A spreadsheet, but not .xlsx. Member: `format`, its file name extension."""

    type = "workbook-other-format"
    vi = "Tệp là bảng tính {format}, không phải .xlsx. Mở ra, chọn Lưu thành → Sổ làm việc Excel (.xlsx) rồi gửi lại."
    en = "The file is a {format} spreadsheet, not .xlsx. Open it, choose Save As → Excel Workbook (.xlsx) and send again."


class WorkbookUnknownFile(WorkbookRefused):
    type = "workbook-unknown-file"
    vi = "Tệp không phải sổ làm việc Excel (.xlsx). Chọn đúng tệp, hoặc tải tệp mẫu về và điền vào đó."
    en = "The file is no Excel workbook (.xlsx). Choose the right file, or download the template and fill it in."


class WorkbookDamaged(WorkbookRefused):
    type = "workbook-damaged"
    vi = "Tệp bị hỏng, không đọc được. Mở bằng Excel (chọn sửa chữa nếu được hỏi), lưu thành tệp .xlsx mới rồi gửi lại."
    en = "The file is damaged. Open it in Excel (let it repair), save it as a new .xlsx and send that."


class WorkbookSuspicious(WorkbookRefused):
    """Not what Excel writes. Member: `finding`, which check it failed."""

    type = "workbook-suspicious"
    vi = "Cấu trúc tệp bất thường ({finding}). Mở bằng Excel, chép dữ liệu sang sổ làm việc mới, lưu rồi gửi lại."
    en = "The file is built unusually ({finding}). Open it in Excel, copy the data to a new workbook and send that."


class WorkbookAreaTooLarge(WorkbookRefused):
    type = "workbook-area-too-large"
    vi = "Vùng dữ liệu của trang quá rộng. Xóa các dòng, cột trống ở xa (hoặc chép dữ liệu sang tệp mới) rồi gửi lại."
    en = "The sheet claims too large an area. Delete far-off empty rows and columns, or copy the data to a new file."


class WorkbookTimedOut(WorkbookRefused):
    type = "workbook-timed-out"
    status = 503
    vi = "Đọc tệp quá {seconds} giây chưa xong. Thử lại sau ít phút; nếu vẫn vậy, chia tệp thành nhiều phần."
    en = "Reading the file took more than {seconds} seconds. Repeat in a few minutes; if it stays so, split the file."


class WorkbookHeaderMissing(WorkbookRefused):
    """Member: `found`, what stands where the column names should be."""

    type = "workbook-header-missing"
    vi = "Không thấy cột cần đọc; tệp có: {found}. Đặt lại tên cột ở dòng tiêu đề rồi gửi lại."
    en = "There is no column that is needed; the file has: {found}. Name the columns in the header row, send it again."


class WorkbookHasNoRows(WorkbookRefused):
    """Member: `sheet`."""

    type = "workbook-has-no-rows"
    vi = "Trang “{sheet}” chưa có dòng nào dưới dòng tiêu đề. Điền dữ liệu, lưu rồi gửi lại."
    en = "The sheet “{sheet}” has no rows below its header. Fill it in, save it and send it again."


class WorkbookTooManyRows(WorkbookRefused):
    """Members: `rows`, `limit`."""

    type = "workbook-too-many-rows"
    vi = "Tệp có {rows} dòng, mỗi lần nhập tối đa {limit} dòng. Chia thành nhiều tệp rồi gửi lần lượt."
    en = "The file has {rows} rows and one import takes at most {limit}. Split it and send the parts one by one."


class WorkbookTooManyColumns(WorkbookRefused):
    """Members: `columns`, `limit`."""

    type = "workbook-too-many-columns"
    vi = "Trang có {columns} cột, tối đa {limit}. Chỉ giữ các cột cần nhập rồi gửi lại."
    en = "The sheet has {columns} columns, at most {limit} are read. Keep those that you need and send it again."


class WorkbookRowTooLong(WorkbookRefused):
    """Members: `row`, `limit`."""

    type = "workbook-row-too-long"
    vi = "Dòng {row} có hơn {limit} ký tự. Rút ngắn nội dung của dòng đó rồi gửi lại."
    en = "Row {row} has more than {limit} characters. Shorten it and send the file again."
