"""Why an operator's command is refused."""

from __future__ import annotations

from shared.errors import Problem


class NotInCare(Problem):
    type = "not-in-care"
    status = 409
    vi = "Đơn này không còn trong chăm sóc nên không có bước nào để can thiệp. Chuyển trạng thái của đơn nếu cần chăm lại."
    en = "This order is not in care, so there is no step to act upon. Move its level if care should begin again."


class CareIsPaused(Problem):
    type = "care-is-paused"
    status = 409
    vi = "Chăm sóc của đơn này đang tạm dừng. Bấm “Tiếp tục” trước, rồi thực hiện lại."
    en = "The care of this order is paused. Resume it first, then repeat the command."


class CareIsNotPaused(Problem):
    type = "care-is-not-paused"
    status = 409
    vi = "Chăm sóc của đơn này không tạm dừng, nên không có gì để tiếp tục."
    en = "The care of this order is not paused, so there is nothing to resume."


class NothingToBringForward(Problem):
    type = "nothing-to-bring-forward"
    status = 409
    vi = "Không có việc nào của bước “{step_vi}” làm sớm hơn được. {why_vi}"
    en = "Nothing of step “{step_en}” can be done earlier. {why_en}"


class StepToChoose(Problem):
    type = "step-to-choose"
    status = 422
    vi = "Không bỏ qua bước này để sang “{to}” được. Chọn `to` là một trong các bước: {steps_vi}."
    en = "This step cannot be skipped for “{to}”. Give as `to` one of these steps: {steps_en}."


class PauseInThePast(Problem):
    type = "pause-in-the-past"
    status = 422
    vi = "Thời điểm tiếp tục phải ở tương lai. Chọn giờ khác, hoặc để trống để dừng cho đến khi có người cho tiếp tục."
    en = "Care has to resume in the future. Give another time, or none to stop it until somebody resumes it."
