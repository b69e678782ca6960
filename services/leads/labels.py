"""Words for codes, as people read them on the screen and in workbooks (glossary). Those of levels are data of the company
(`level_catalogue`)."""

from __future__ import annotations

from typing import Final

from shared.errors import Language

Words = dict[str, tuple[str, str]]
"""Code → Vietnamese, English."""

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
    """What people read for a code; one that is not known stands for itself."""
    return words.get(code, (code, code))[0 if language == "vi" else 1]
