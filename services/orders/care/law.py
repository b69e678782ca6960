"""What the law forbids whatever a company writes into its process (rule D38; Decree 91/2020).

Who left the number and agreed to be called about it is outside of these limits; everybody else is inside, and a process
cannot know beforehand whom it will meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from services.orders.care.problem import Problem, problem
from services.orders.care.process import CareProcess, duration_text
from shared.calendar import Period

CALLS: Final = Period.parse("08:00-17:00")
"""Advertising calls."""
MESSAGES: Final = Period.parse("07:00-22:00")
"""Advertising messages."""
CALL_GAP: Final = timedelta(hours=24)
"""One advertising call a number."""
MESSAGES_A_DAY: Final = 3
"""Advertising messages to a number within 24 hours."""


def beyond_law(process: CareProcess) -> Iterator[Problem]:
    """Limits of a process that are wider than those of the law."""
    for window, allowed, vi, en in (
        ("adverts", CALLS, "Cuộc gọi quảng cáo", "Advertising calls"),
        ("messages", MESSAGES, "Tin nhắn quảng cáo", "Advertising messages"),
    ):
        name = getattr(process.windows, window)
        periods = [period for day in process.calendar(name).weekly for period in day]
        periods += [period for _, day in process.calendar(name).extra for period in day]
        wide = next((one for one in periods if one.start < allowed.start or one.end > allowed.end), None)
        if wide is not None:
            yield problem(
                "beyond_law",
                f"calendars.{name}",
                vi=f"{vi} chỉ được từ {allowed} (Nghị định 91/2020), lịch này có {wide}.",
                en=f"{en} are legal {allowed} only (Decree 91/2020); this calendar has {wide}.",
            )
    if process.caps.advert_call_gap < CALL_GAP:
        yield problem(
            "beyond_law",
            "caps.advert_call_gap",
            vi=f"Khách chưa đồng ý chỉ được gọi một lần trong 24 giờ, không phải {_vi(process)}.",
            en=f"Who has not agreed may be called once in 24 hours, not after {_en(process)}.",
        )
    if process.caps.advert_messages > MESSAGES_A_DAY:
        yield problem(
            "beyond_law",
            "caps.advert_messages",
            vi=f"Khách chưa đồng ý chỉ được nhận {MESSAGES_A_DAY} tin nhắn trong 24 giờ.",
            en=f"Who has not agreed may get {MESSAGES_A_DAY} messages in 24 hours.",
        )


def _vi(process: CareProcess) -> str:
    return f"sau {duration_text(process.caps.advert_call_gap)}"


def _en(process: CareProcess) -> str:
    return duration_text(process.caps.advert_call_gap)
