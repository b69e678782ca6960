"""A failed delivery in words, as the due list and the order's timeline tell it. Pure."""

from __future__ import annotations

from typing import Final

from services.orders.care.process import Text
from shared.contracts.events.shipping_rescue import RescueChanged, RescueOutcome, RescueWish

_WISHES: Final[dict[RescueWish, str]] = {
    "deliver_again": "giao lại",
    "change_recipient": "đổi số điện thoại hoặc địa chỉ rồi giao lại",
    "send_back": "hoàn hàng",
    "customer_refuses": "hoàn hàng vì khách không nhận",
}
_OUTCOMES: Final[dict[RescueOutcome, str]] = {
    "redelivery": "đang giao lại",
    "failed_again": "giao lại không thành công",
    "delivered": "giao thành công",
    "returning": "đang hoàn",
    "returned": "đã hoàn",
    "lost": "thất lạc, hư hỏng",
    "cancelled": "đã hủy",
    "withdrawn": "trạng thái đã được thu hồi",
}


def task_name(fact: RescueChanged) -> Text:
    """What the due list says."""
    again = " (hãng từ chối yêu cầu trước)" if fact.turn > 1 else ""
    again_en = " (the carrier refused)" if fact.turn > 1 else ""
    return Text(
        vi=f"Cứu đơn, giao thất bại lần {fact.attempt}: {fact.reason_vi}{again}",
        en=f"Rescue, failed delivery no. {fact.attempt}: {fact.reason_en}{again_en}",
    )


def sentence(fact: RescueChanged) -> str:
    """What happened, for the timeline."""
    wish = _WISHES[fact.wish] if fact.wish else ""
    outcome = _OUTCOMES.get(fact.outcome, "")
    match fact.step:
        case "failed" | "changed":
            return f"Giao không thành công lần {fact.attempt}: {fact.reason_vi}"
        case "asked":
            day = f" ngày {fact.day:%d/%m/%Y}" if fact.day is not None else ""
            return f"Yêu cầu hãng {wish}{day}" + (", báo qua tổng đài hoặc trang của hãng" if fact.by_hand else "")
        case "accepted":
            return f"Hãng nhận yêu cầu {wish}"
        case "refused":
            return f"Hãng từ chối yêu cầu {wish}, cần gọi lại khách"
        case "confirmed":
            return f"Hãng đã làm theo yêu cầu {wish}: {outcome}"
        case "expired":
            return f"Hãng không làm theo yêu cầu {wish}" + (f": {outcome}" if outcome else ", cần xử lý lại")
        case "ended":
            return f"Kiện hàng đi tiếp khi chưa có yêu cầu: {outcome}"
        case "outcome":
            return f"Sau lần giao thất bại thứ {fact.attempt}: {outcome}" + (", đơn được cứu" if fact.saved else "")
