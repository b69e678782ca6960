"""Which of several tasks that are due comes first, and why. The ranks are a column of the table (`tasks.priority`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, Field

from services.orders.care.process import Text


class Priority(BaseModel):
    """Of two tasks that are due, the lower rank comes first."""

    rank: int = Field(examples=[20])
    vi: str = Field(examples=["Khách đang chờ đúng giờ đã hẹn"])
    en: str = Field(examples=["The customer waits for the time that was promised"])


REASONS: Final[Mapping[int, Text]] = {
    10: Text(vi="Cứu đơn: hãng vận chuyển sắp trả hàng", en="Rescue: the carrier is about to return the parcel"),
    20: Text(vi="Khách đang chờ đúng giờ đã hẹn", en="The customer waits for the time that was promised"),
    30: Text(vi="Số mới nguội sau vài phút", en="Interest in a new number dies in minutes"),
    40: Text(vi="Khung giờ này dễ gặp khách", en="This is the time of day at which the number may be reached"),
    50: Text(vi="Đồng nghiệp đang chờ trả lời", en="A colleague waits for the answer"),
    60: Text(vi="Tin nhắn còn có ích khi khách nhớ cuộc gọi", en="A message helps while the call is remembered"),
    70: Text(vi="Hỏi lại khách đang cân nhắc", en="A customer who thinks it over is asked again"),
    80: Text(vi="Việc khác", en="Anything else"),
}
"""Rank → why tasks of this rank stand where they do."""


def priority_of(rank: int) -> Priority:
    """A rank with its reason."""
    return Priority(rank=rank, vi=REASONS[rank].vi, en=REASONS[rank].en)
