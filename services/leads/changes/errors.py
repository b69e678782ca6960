"""Why a lead cannot be changed so."""

from __future__ import annotations

from shared.errors import Problem


class BeingUndone(Problem):
    type = "lead-being-undone"
    status = 409
    vi = "Bản nhập của đơn này đang được hoàn tác nên đơn không sửa được nữa. Ít phút sau tải lại: đơn còn thì làm lại."
    en = "The import of this lead is being undone, so it cannot be changed. Load it in some minutes: if it stays, repeat."


class NotDuplicate(Problem):
    type = "lead-not-duplicate"
    status = 409
    vi = "Đơn này không phải đơn trùng nên không có gì để bỏ. Tải lại đơn."
    en = "This lead is no duplicate, so there is nothing to release. Load it again."


class DuplicateNumber(Problem):
    type = "duplicate-number"
    status = 409
    vi = "Đây là đơn trùng của {anchor_id}. Bỏ đánh trùng trước, rồi sửa số."
    en = "This is a duplicate of {anchor_id}. Release it first, then correct its number."


class NumberTaken(Problem):
    """The number belongs to another lead within its duplicate window, and this one is past the point of joining it."""

    type = "number-taken"
    status = 409
    vi = "Số này đang thuộc đơn {anchor_id}, còn đơn bạn sửa đã ở {level} nên không thể thành đơn trùng. Mở đơn {anchor_id}."
    en = "The number belongs to lead {anchor_id}; this one is at {level} and cannot become its duplicate. Open {anchor_id}."


class LeadEnded(Problem):
    type = "lead-ended"
    status = 409
    vi = "Đơn đang ở {level}, không sửa số được nữa. Nếu khách đổi số, tạo đơn mới với số đúng."
    en = "The lead is at {level}, so its number cannot be corrected any more. Create a new one with the right number."


class NumberReasonRequired(Problem):
    type = "reason-required"
    status = 422
    vi = "Đơn đang ở {level}; sửa số sẽ đưa đơn về L1, nên cần lý do (trường 'reason')."
    en = "The lead is at {level}; a corrected number takes it back to L1, which needs a reason (field 'reason')."


class NothingToChange(Problem):
    type = "nothing-to-change"
    status = 422
    vi = "Không có trường nào để sửa. Gửi ít nhất một trong: phone, other_phones, name, product, note, address."
    en = "There is nothing to change. Send at least one of: phone, other_phones, name, product, note, address."


class SameLead(Problem):
    type = "same-lead"
    status = 422
    vi = "Không gộp một đơn với chính nó. Chọn đơn khác trong 'other_id'."
    en = "A lead cannot be merged with itself. Name another one in 'other_id'."


class CannotMerge(Problem):
    """`lead_id` is the lead that stands in the way, `level` its level."""

    type = "cannot-merge"
    status = 409
    vi = (
        "Đơn {lead_id} đang ở {level} nên không gộp được: đơn cũ phải chưa gửi, đơn mới chưa chốt, không phải số rác. "
        "Hai đơn đã chốt mà chưa đăng thì gộp ở phần đơn hàng."
    )
    en = (
        "Lead {lead_id} is at {level}, so they cannot be merged: the older must not be sent, the younger not closed, none "
        "spam. Two that are closed and not posted are merged as orders."
    )


class DuplicateOfAnother(Problem):
    type = "duplicate-of-another"
    status = 409
    vi = "Đơn {lead_id} là đơn trùng của {anchor_id}. Gộp với {anchor_id}, hoặc bỏ đánh trùng trước."
    en = "Lead {lead_id} is a duplicate of {anchor_id}. Merge with {anchor_id}, or release it first."


class PastCare(Problem):
    type = "lead-past-care"
    status = 409
    vi = "Đơn đang ở {level}, đã chốt với khách nên không thể là số rác. Hủy đơn nếu cần."
    en = "The lead is at {level}, closed with a customer, so it cannot be spam. Cancel the order if need be."


class IsSpam(Problem):
    type = "lead-is-spam"
    status = 409
    vi = "Đơn đang bị đánh dấu số rác ({kind}). Bỏ dấu số rác trước."
    en = "The lead is marked as spam ({kind}). Take the mark away first."


class NotSpam(Problem):
    type = "lead-not-spam"
    status = 409
    vi = "Đơn này không bị đánh dấu số rác. Tải lại đơn."
    en = "This lead is not marked as spam. Load it again."
