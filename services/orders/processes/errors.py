"""What can go wrong when a process is edited, published or chosen."""

from __future__ import annotations

from shared.errors import NotFound, Problem


class ProcessNotFound(NotFound):
    vi = "Không có quy trình “{key}”. Kiểm tra lại mã quy trình."
    en = "There is no process “{key}”. Check its key."


class VersionNotFound(NotFound):
    vi = "Quy trình “{key}” không có phiên bản {version}. Xem danh sách phiên bản."
    en = "The process “{key}” has no version {version}. See its versions."


class DraftNotFound(NotFound):
    vi = "Không có bản nháp này. Tải lại danh sách bản nháp."
    en = "There is no such draft. Load the list of drafts again."


class SaveNotFound(NotFound):
    vi = "Bản nháp không có lần lưu {version}. Xem lịch sử lưu."
    en = "The draft has no save {version}. See its history."


class StepNotFound(NotFound):
    vi = "Bản nháp không có bước “{step}”. Tải lại bản nháp."
    en = "The draft has no step “{step}”. Load it again."


class DraftClosed(Problem):
    type = "draft-closed"
    status = 409
    vi = "Bản nháp này đã xong ({state}), không sửa được nữa. Tạo bản nháp mới từ phiên bản mới nhất."
    en = "This draft is {state} and cannot be changed. Begin a new one from the latest version."


class ProcessRetired(Problem):
    type = "process-retired"
    status = 409
    vi = "Quy trình “{key}” đã ngừng dùng. Khôi phục quy trình trước, hoặc chọn quy trình khác."
    en = "The process “{key}” is retired. Restore it first, or choose another one."


class ProcessInUse(Problem):
    type = "process-in-use"
    status = 409
    vi = "Quy trình “{key}” đang được chọn bởi: {rules}. Sửa quy tắc chọn trước rồi ngừng dùng."
    en = "The process “{key}” is still chosen by: {rules}. Change the rules of choice first, then retire it."


class ProcessUnsound(Problem):
    """`findings` says what is wrong and on which path."""

    type = "process-unsound"
    status = 422
    vi = "Quy trình còn {count} lỗi nên chưa áp dụng được. Xem 'findings', sửa rồi áp dụng lại."
    en = "The process has {count} faults and cannot be published. See 'findings', mend them and publish again."


class NothingChanged(Problem):
    type = "nothing-changed"
    status = 409
    vi = "Bản nháp giống hệt phiên bản {version}. Không có gì để áp dụng."
    en = "The draft is the same as version {version}. There is nothing to publish."


class NewerVersion(Problem):
    type = "newer-version"
    status = 409
    vi = "Phiên bản {latest} đã được {by} áp dụng sau khi bạn bắt đầu bản nháp. Xem khác biệt, rồi gửi 'replaces': {latest}."
    en = "Version {latest} was published by {by} after this draft began. Look at the difference, then send 'replaces': {latest}."


class UnknownNames(Problem):
    """`names` lists what nobody knows."""

    type = "unknown-names"
    status = 422
    vi = "Không có {what}: {names}. Chọn cái đang có."
    en = "There is no {what}: {names}. Choose existing ones."
