"""Words for codes, as people read them on the screen and in workbooks (glossary)."""

from __future__ import annotations

from typing import Final

from shared.errors import Language

Words = dict[str, tuple[str, str]]
"""Code → Vietnamese, English."""

LEVELS: Final[Words] = {
    "C3": ("Đơn mới", "New"),
    "C3.1": ("Đơn trùng", "Duplicate"),
    "L1": ("Đã lọc trùng", "Clean"),
    "L1.1": ("Sai số", "Wrong number"),
    "L1.2": ("Chăm sóc lại", "Care again"),
    "L1.3": ("Từ chối tiếp xúc", "Refuses contact"),
    "L1.4": ("Không liên lạc được", "Unreachable"),
    "L1.5": ("Không mua", "Not buying"),
    "L1.6": ("Hẹn mua", "Will buy later"),
    "L5": ("Đã chốt", "Closed"),
    "L5.3": ("Hủy sau chốt", "Cancelled after closing"),
    "L7": ("Đã gửi", "Sent"),
    "L7.1": ("Đang giao", "Out for delivery"),
    "L7.2": ("Giao không thành công", "Delivery failed"),
    "L7.3": ("Đã hoàn", "Returned"),
    "L7.4": ("Hủy sau đăng đơn", "Cancelled after posting"),
    "L7.5": ("Đang hoàn", "Returning"),
    "L7.6": ("Thất lạc, hư hỏng", "Lost or damaged"),
    "L8": ("Giao thành công", "Delivered"),
}
CHANNELS: Final[Words] = {
    "landing_page": ("Landing page", "Landing page"),
    "facebook_form": ("Form Facebook", "Facebook lead form"),
    "facebook_chat": ("Tin nhắn Facebook", "Facebook chat"),
    "excel": ("Nhập Excel", "Excel import"),
    "manual": ("Nhập tay", "Typed in"),
    "hotline": ("Hotline", "Hotline"),
    "event": ("Sự kiện", "Event"),
    "referral": ("Giới thiệu", "Referral"),
    "api": ("API", "API"),
}
SPAM: Final[Words] = {
    "fake": ("Số ảo", "Fake"),
    "test": ("Số thử", "Test"),
    "competitor": ("Đối thủ", "Competitor"),
}
PURPOSES: Final[Words] = {
    "requested_call": ("gọi tư vấn theo yêu cầu", "calls they asked for"),
    "advertising_call": ("gọi quảng cáo", "advertising calls"),
    "message": ("nhắn tin", "messages"),
}


def word(words: Words, code: str, language: Language) -> str:
    """What people read for a code; a code that a company added stands for itself."""
    return words.get(code, (code, code))[0 if language == "vi" else 1]
