"""What callers can do wrong with exports."""

from __future__ import annotations

from shared.errors import Problem


class ExportTooLarge(Problem):
    type = "export-too-large"
    status = 422
    vi = "Bộ lọc có hơn {limit} số, mỗi tệp tối đa {limit}. Thu hẹp theo ngày hoặc nguồn rồi xuất từng phần."
    en = "More than {limit} leads fit the filter, a workbook takes {limit} at most. Narrow it by date or source."


class ExportNotReady(Problem):
    type = "export-not-ready"
    status = 409
    vi = "Tệp chưa xong ({rows}/{expected} dòng). Đợi đến khi trạng thái là 'done' rồi tải."
    en = "The workbook is not ready ({rows} of {expected} rows). Wait for the state 'done', then download it."


class ExportGone(Problem):
    type = "export-gone"
    status = 410
    vi = "Tệp đã hết hạn tải. Xuất lại với cùng bộ lọc."
    en = "The workbook was kept for a day and is gone. Export again with the same filter."


class ExportFailed(Problem):
    type = "export-failed"
    status = 409
    vi = "Xuất tệp không thành công. Xuất lại; nếu vẫn lỗi, báo quản trị kèm mã {export_id}."
    en = "The export failed. Export again; if it fails once more, report the id {export_id}."
