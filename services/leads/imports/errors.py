"""What people can do wrong with imports."""

from __future__ import annotations

from shared.errors import Problem


class ImportedBefore(Problem):
    """Members: `import_id`, `state`, `at`."""

    type = "workbook-imported-before"
    status = 409
    vi = "Tệp này đã được nhập lúc {at}. Mở bản nhập {import_id}, hoặc gửi lại với only_new=true để chỉ nhận dòng mới."
    en = "This file was imported before, at {at}. Look at import {import_id}, or send it with only_new=true for new rows."


class ImportNotThere(Problem):
    """Members: `state`, `action`."""

    type = "import-state"
    status = 409
    vi = "Bản nhập đang ở trạng thái “{state}” nên không làm được việc này. Tải lại để xem trạng thái mới."
    en = "The import is “{state}”, so this cannot be done. Load it again to see where it stands."


class ColumnsWrong(Problem):
    """Members: `columns`, the names in question; `known`, those of the file."""

    type = "import-columns"
    status = 422
    vi = "Cột chưa đúng: {columns}. Tệp có các cột: {known}. Mỗi ý nghĩa chỉ dùng cho một cột và phải có cột số điện thoại."
    en = "Columns are wrong: {columns}. The file has: {known}. Each meaning goes to one column, and one must be the phone."
