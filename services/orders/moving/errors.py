"""What can go wrong with a move of running care."""

from __future__ import annotations

from shared.errors import NotFound, Problem


class MoveNotFound(NotFound):
    vi = "Không có đợt chuyển quy trình này. Tải lại danh sách."
    en = "There is no such move. Load the list again."


class MoveNotReady(Problem):
    type = "move-not-ready"
    status = 409
    vi = "Đợt chuyển đang ở trạng thái {state}, không làm được việc này. Tải lại rồi xem bước tiếp theo."
    en = "The move is {state}, so this cannot be done now. Load it again and see what comes next."


class NothingToMove(Problem):
    type = "nothing-to-move"
    status = 422
    vi = "Không có đơn nào đang chăm sóc khớp với lựa chọn. Sửa bộ lọc rồi thử lại."
    en = "No running care fits this selection. Change it and try again."


class UnknownSteps(Problem):
    type = "unknown-steps"
    status = 422
    vi = "Bảng nối bước có bước không tồn tại: {steps}. Sửa lại bảng nối."
    en = "The map names steps that do not exist: {steps}. Correct it."


class MoveCleared(Problem):
    type = "move-cleared"
    status = 409
    vi = "Đợt chuyển này quá cũ, danh sách đơn đã được dọn. Tạo đợt chuyển mới với cùng lựa chọn."
    en = "This move is so old that the list of its orders was cleared. Make another one with the same selection."
