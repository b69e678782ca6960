"""A failed delivery in words, as the due list and the order's timeline tell it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.orders.care.process import Text
from services.orders.rescue.turn import Why
from shared.calendar import VIETNAM
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

_WHY: Final[dict[Why, Text]] = {
    "call_hours": Text(vi="quá {hours} giờ gọi", en="{hours} h of calling time are over"),
    "cut_off": Text(vi="sắp hết hạn của hãng", en="the carrier's cut-off is near"),
    "desk_first": Text(vi="bộ phận COD gọi trước", en="the COD desk calls first"),
    "no_owner": Text(vi="đơn không có người giữ", en="nobody holds the order"),
    "left": Text(vi="người giữ đơn đã nghỉ việc", en="who holds the order has left"),
    "off_duty": Text(vi="người giữ đơn đang tạm ngưng", en="who holds the order is off duty"),
}
_ZONE: Final = ZoneInfo(VIETNAM)


def why_desk(why: Why, *, call_minutes: int) -> Text:
    """Why the COD desk gets a call.

    Args:
        call_minutes: what the company gives whoever holds the order.
    """
    hours = f"{call_minutes / 60:g}"
    words = _WHY[why]
    return Text(vi=words.vi.format(hours=hours.replace(".", ",")), en=words.en.format(hours=hours))


def call_sentence(
    *,
    code: str,
    owner: str,
    over: bool,
    handed_over: bool,
    why: Why | Literal[""],
    desk_at: datetime | None,
    call_minutes: int,
    called_at: datetime | None,
    called_by: str,
    deadline_at: datetime,
) -> Text:
    """Whose turn it is to call about a failed delivery, for the operator.

    Args:
        code: of the order.
        owner: staff code of who has the call; empty: nobody.
        why: why the desk has it, or gets it at `desk_at`.
        called_at: when the customer was reached.
    """
    until = f"{code}: báo hãng trước {_shown(deadline_at)}", f"{code}: tell the carrier by {_shown(deadline_at)}"
    if over:
        return Text(vi=f"{code}: cuộc gọi cứu đơn đã xong", en=f"{code}: the call about the failed delivery is over")
    if called_at is not None and not handed_over:
        who, at = called_by or "?", _shown(called_at)
        return Text(
            vi=f"{until[0]}. {who} đã nói chuyện với khách lúc {at}, chờ quyết định",
            en=f"{until[1]}. {who} spoke with the customer at {at} and has to decide",
        )
    if not why or desk_at is None:
        return Text(vi=until[0], en=until[1])
    reason = why_desk(why, call_minutes=call_minutes)
    at = _shown(desk_at)
    if handed_over:
        return Text(
            vi=f"{until[0]}. Đã chuyển bộ phận COD lúc {at}: {reason.vi}",
            en=f"{until[1]}. The COD desk has it since {at}: {reason.en}",
        )
    return Text(
        vi=f"{until[0]}. {owner} gọi khách; {at} chuyển bộ phận COD: {reason.vi}",
        en=f"{until[1]}. {owner} calls the customer; the COD desk gets it at {at}: {reason.en}",
    )


def _shown(at: datetime) -> str:
    return f"{at.astimezone(_ZONE):%H:%M %d/%m}"


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
