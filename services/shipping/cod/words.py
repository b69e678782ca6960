"""Money in words, for operators and for people at the COD desk. Codes, amounts and days only, nothing personal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.shipping.cod.reckoning import Account, Found
from shared.contracts.activities import OperatorView
from shared.contracts.events.shipping import DifferenceKind
from shared.errors import ZONE

if TYPE_CHECKING:
    import asyncpg

KIND_WORDS: Final[Mapping[DifferenceKind, tuple[str, str]]] = {
    "short": ("Hãng trả thiếu", "Paid too little"),
    "over": ("Hãng trả thừa", "Paid too much"),
    "double": ("Hãng trả hai lần", "Paid twice"),
    "missing": ("Quá hạn chưa trả", "Not paid in time"),
    "returned_yet_paid": ("Hoàn mà vẫn trả tiền", "Returned, yet paid"),
    "paid_not_delivered": ("Trả tiền khi chưa giao", "Paid, but not delivered"),
    "wrong_fee": ("Sai phí", "Wrong fee"),
    "compensation_missing": ("Quá hạn chưa bồi hoàn", "Not compensated in time"),
    "compensation_short": ("Bồi hoàn thiếu", "Compensated too little"),
    "unknown_line": ("Dòng không có vận đơn", "A line about no parcel"),
    "wrong_net": ("Cộng sai số thực trả", "The payout does not add up"),
    "bank_missing": ("Tiền chưa về ngân hàng", "Not on the bank account"),
    "bank_short": ("Ngân hàng nhận thiếu", "The bank has too little"),
    "bank_over": ("Ngân hàng nhận thừa", "The bank has too much"),
    "bank_unknown": ("Tiền về chưa có đối soát", "Paid in without a statement"),
}
WHAT_TO_DO: Final[Mapping[DifferenceKind, tuple[str, str]]] = {
    "short": (
        "Gửi hãng mã vận đơn và số thiếu; khi hãng trả bù ở phiên sau, dòng này tự đóng.",
        "Send the carrier the waybill and the amount; when a later session pays it, this closes by itself.",
    ),
    "over": (
        "Báo hãng trừ lại ở phiên sau; dòng trừ (số âm) sẽ tự đóng chênh lệch này.",
        "Have the carrier deduct it in a later session; the negative line closes this.",
    ),
    "double": (
        "Báo hãng trừ lại lần trả thứ hai ở phiên sau; dòng trừ sẽ tự đóng chênh lệch này.",
        "Have the carrier deduct the second payment in a later session; the negative line closes this.",
    ),
    "missing": (
        "Hỏi hãng đơn nằm ở phiên nào; nếu phiên đó chưa nhập thì nhập tệp đối soát.",
        "Ask the carrier for its session; if that statement is not here yet, import it.",
    ),
    "returned_yet_paid": (
        "Kiểm tra hàng đã về kho chưa; nếu đã về, báo hãng trừ lại tiền ở phiên sau.",
        "Check that the goods came back; if so, have the carrier deduct the money in a later session.",
    ),
    "paid_not_delivered": (
        "Chờ hãng báo giao xong; quá một ngày thì hỏi hãng đơn đang ở đâu.",
        "Wait for the report of the delivery; after a day ask the carrier where the parcel is.",
    ),
    "wrong_fee": (
        "So cân nặng và dịch vụ với lúc đăng đơn; nếu hãng tính sai, yêu cầu hoàn phí.",
        "Compare weight and service with what was posted; if the carrier is wrong, ask for the fee back.",
    ),
    "compensation_missing": (
        "Gửi yêu cầu bồi hoàn kèm hóa đơn hàng cho hãng.",
        "Send the carrier a claim with the invoice of the goods.",
    ),
    "compensation_short": (
        "So với giá trị khai báo; gửi hãng hóa đơn để đòi phần còn thiếu.",
        "Compare with the declared value; claim the rest with the invoice.",
    ),
    "unknown_line": (
        "Tìm vận đơn rồi ghép tay dòng này; nếu không phải của shop, báo hãng.",
        "Find the parcel and match the line by hand; if it is not yours, tell the carrier.",
    ),
    "wrong_net": (
        "Xem các dòng có số thực trả khác COD trừ phí; hỏi hãng khoản trừ chưa có tên.",
        "Look at the lines whose payout is not COD less fees; ask the carrier what was deducted.",
    ),
    "bank_missing": (
        "Kiểm tra tài khoản ngân hàng; nếu tiền đã về, nhập báo có; nếu chưa, hỏi hãng.",
        "Check the bank account; enter the credit if it came, else ask the carrier.",
    ),
    "bank_short": (
        "Tìm khoản báo có còn lại; nếu không có, hỏi hãng phần thiếu.",
        "Look for the other credit; if there is none, ask the carrier for the rest.",
    ),
    "bank_over": (
        "Kiểm tra khoản báo có gắn nhầm bảng đối soát.",
        "Check whether a credit was linked to the wrong statement.",
    ),
    "bank_unknown": (
        "Nhập bảng đối soát của khoản này; nếu đã nhập, gắn khoản báo có vào bảng. Không phải tiền thu hộ thì đóng với lý do.",
        "Import the statement of this money; if it is here, link the credit to it. If it is no COD, close it with a reason.",
    ),
}


def amount_words(amount: int) -> str:
    """1250000 → '1.250.000 đ'."""
    return f"{amount:,} đ".replace(",", ".")


def day_words(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%d/%m/%Y}"


def money_words(account: Account, found: Sequence[Found], *, carrier: str) -> tuple[str, str]:
    """Who owes what since when; empty where nothing is owed or known to be wrong."""
    vi: list[str] = []
    en: list[str] = []
    name = carrier.upper()
    waits = account.overdue_at is not None and not account.settled and not account.written_off
    if account.written_off and not account.settled:
        vi.append("đã xóa nợ")
        en.append("written off")
    elif waits and account.overdue_at is not None and account.brought < account.due:
        owed = amount_words(account.due - account.brought)
        since, until = day_words(account.status_at), day_words(account.overdue_at)
        vi.append(f"{name} nợ {owed} từ {since}, hạn {until}")
        en.append(f"{name} owes {owed} since {since}, due {until}")
    for each in found:
        kind_vi, kind_en = KIND_WORDS[each.kind]
        vi.append(f"{kind_vi.lower()} {amount_words(abs(each.amount))} từ {day_words(each.since)}")
        en.append(f"{kind_en.lower()}: {amount_words(abs(each.amount))} since {day_words(each.since)}")
    return "; ".join(vi), "; ".join(en)


def statement_view(row: asyncpg.Record, *, now: datetime) -> OperatorView:
    """Where a statement stands, from the row that its turn has locked."""
    name = f"{row['carrier'].upper()} · {row['shop_name']} · {row['number'] or row['file_name'][:60]}"
    net = amount_words(row["net"])
    if row["state"] in ("matching", "withdrawing"):
        vi, en = (
            (f"đang đối chiếu, xong {row['compared_to']}/{row['lines']} dòng", "comparing")
            if row["state"] == "matching"
            else (f"đang rút, xong {row['compared_to']}/{row['lines']} dòng", "withdrawing")
        )
        en = f"{en}, {row['compared_to']} of {row['lines']} lines done"
    elif row["state"] == "matched":
        vi = f"đã đối chiếu {row['matched']}/{row['lines']} dòng, {row['open_differences']} chênh lệch; thực trả {net}"
        en = f"{row['matched']} of {row['lines']} lines compared, {row['open_differences']} differences; pays out {net}"
        if row["credited_at"] is not None:
            vi, en = f"{vi}, tiền đã về", f"{en}, on the account"
        else:
            credited = amount_words(row["credited"])
            vi = f"{vi}, ngân hàng đã nhận {credited}, {row['carrier'].upper()} chuyển ngày {day_words(row['paid_at'])}"
            en = f"{en}, the bank has {credited}, sent on {day_words(row['paid_at'])}"
    else:
        vi, en = "không tính", "does not count"
    return OperatorView(sentence_vi=f"{name}: {vi}.", sentence_en=f"{name}: {en}.", carrier=row["carrier"])
