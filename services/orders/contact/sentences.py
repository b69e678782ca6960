"""The gate's answer in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.orders.care.gate import Refusal
from services.orders.care.process import Text
from services.orders.contact.answer import Answer

_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")

_GROUNDS: Final[dict[str, Text]] = {
    "left_number": Text(vi="khách đã để lại số", en="the customer left the number"),
    "came_again": Text(vi="khách để lại số lần nữa", en="the customer left the number again"),
    "contacted_us": Text(vi="khách đã liên hệ với mình", en="the customer contacted us"),
    "agreed": Text(vi="khách đã hẹn gọi lại", en="the customer agreed to another call"),
    "recorded": Text(vi="khách đã đồng ý, có ghi nhận", en="consent is recorded"),
    "none": Text(
        vi="chưa có đồng ý, trong giới hạn của Nghị định 91/2020", en="no consent, within the limits of Decree 91/2020"
    ),
}
_REFUSALS: Final[dict[Refusal, Text]] = {
    "do_not_call": Text(vi="số này trong danh sách không liên hệ", en="the number must not be contacted"),
    "consent_withdrawn": Text(vi="khách đã rút lại đồng ý", en="the customer took consent back"),
    "paused": Text(vi="đơn đang tạm dừng chăm sóc", en="care is paused"),
    "outside_hours": Text(vi="ngoài giờ được phép", en="it is outside the hours"),
    "too_soon": Text(vi="vừa gọi số này", en="the number was called just before"),
    "daily_limit": Text(vi="đã đủ số lần cho phép", en="the number has been contacted often enough"),
}


def of(found: Answer) -> Text:
    """What a screen shows beside the button."""
    deed = Text(vi="gọi", en="call") if found.by == "call" else Text(vi="nhắn", en="write")
    if found.permission.allowed and found.ground is not None:
        ground = _GROUNDS[found.ground.how]
        return Text(vi=f"Được {deed.vi}: {ground.vi}.", en=f"You may {deed.en}: {ground.en}.")
    refusal = _REFUSALS[found.permission.refusal or "do_not_call"]
    vi, en = _when(found.permission.next_at)
    return Text(vi=f"Chưa được {deed.vi}: {refusal.vi}{vi}.", en=f"You may not {deed.en}: {refusal.en}{en}.")


def _when(next_at: datetime | None) -> tuple[str, str]:
    if next_at is None:
        return "", ""
    shown = f"{next_at.astimezone(_ZONE):%d/%m/%Y %H:%M}"
    return f"; được từ {shown}", f"; from {shown} on"
