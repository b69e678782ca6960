"""What people who work with statements, credits and differences can get wrong."""

from __future__ import annotations

from shared.errors import Problem


class StatementBefore(Problem):
    """Members: `statement_id`, `state`, `at`."""

    type = "statement-imported-before"
    status = 409
    vi = "Tệp này đã được nhập lúc {at}. Mở bảng đối soát đó để xem kết quả; nếu nhập nhầm, rút nó rồi nhập lại."
    en = "This file was imported at {at}. Open that statement; if it was a mistake, withdraw it and import again."


class SessionBefore(Problem):
    """Members: `statement_id`, `state`, `at`, `number`."""

    type = "statement-session-imported-before"
    status = 409
    vi = "Phiên {number} đã được nhập từ tệp khác lúc {at}. Nếu tệp này là bản sửa của phiên đó, gửi lại với replaces=true."
    en = (
        "Session {number} was imported from another file at {at}. If this file corrects it, send it with replaces=true."
    )


class ColumnsWrong(Problem):
    """Members: `columns`, what is wrong; `known`, what could be meant."""

    type = "statement-columns-wrong"
    status = 422
    vi = "Chưa đọc được cột theo khai báo: {columns}. Các giá trị có thể dùng: {known}."
    en = "The columns cannot be read as you say: {columns}. What can be said: {known}."


class StatementHasNoLines(Problem):
    type = "statement-has-no-lines"
    status = 422
    vi = "Tệp không có dòng nào về vận đơn dưới dòng tiêu đề. Kiểm tra đã chọn đúng tệp đối soát rồi gửi lại."
    en = "No row below the header is about a parcel. Check that this is the statement, and send it again."


class StatementNotThere(Problem):
    """Member: `state`."""

    type = "statement-not-in-that-state"
    status = 409
    vi = "Bảng đối soát đang ở trạng thái '{state}' nên không làm được việc này. Tải lại để xem việc nào làm được."
    en = "The statement is '{state}', in which this cannot be done. Load it again to see what can."


class DifferenceEnded(Problem):
    """Member: `state`."""

    type = "difference-ended"
    status = 409
    vi = "Chênh lệch này đã kết thúc ('{state}'). Tải lại danh sách."
    en = "This difference has ended ('{state}'). Load the list again."


class NothingToWriteOff(Problem):
    type = "nothing-to-write-off"
    status = 409
    vi = "Vận đơn này không còn khoản nào hãng nợ. Kiểm tra lại mã vận đơn."
    en = "The carrier owes nothing for this shipment. Check the waybill."


class CreditBefore(Problem):
    """Member: `credit_id`."""

    type = "bank-credit-entered-before"
    status = 409
    vi = "Khoản báo có này đã được nhập. Nếu ngân hàng ghi có hai lần giống hệt nhau, nhập kèm mã giao dịch khác nhau."
    en = "This credit was entered before. If the bank credited the same twice, enter both with their own references."


class CreditTaken(Problem):
    """Member: `statement_id`."""

    type = "bank-credit-linked-elsewhere"
    status = 409
    vi = "Khoản báo có này đang gắn với bảng đối soát khác. Gỡ khỏi bảng đó trước."
    en = "This credit belongs to another statement. Take it off that one first."


class LineNotThere(Problem):
    type = "statement-line-matched"
    status = 409
    vi = "Dòng này đã khớp với một vận đơn. Chỉ ghép tay được dòng chưa khớp của bảng đối soát đang có hiệu lực."
    en = "This line has its parcel already. Only a line without one, of a statement that counts, is matched by hand."
