"""How a shipment is put into words for operators: codes and sentences only, nothing personal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.shipping import schedule
from services.shipping.polling import Round
from shared.contracts import levels
from shared.contracts.activities import OperatorView
from shared.contracts.events.shipping import ShipmentStatus

LEVEL_OF: Final[dict[ShipmentStatus, str]] = {
    "draft": levels.CLOSED,
    "refused": levels.CLOSED,
    "accepted": levels.SENT,
    "picked_up": levels.SENT,
    "out_for_delivery": levels.OUT_FOR_DELIVERY,
    "delivery_failed": levels.DELIVERY_FAILED,
    "delivered": levels.DELIVERED,
    "returning": levels.RETURNING,
    "returned": levels.RETURNED,
    "lost": levels.LOST,
    "pickup_failed": levels.CLOSED,
    "cancelled": levels.CANCELLED_AFTER_POSTING,
}
"""Rules D2, D3, D4 and D6."""

STATUS_WORDS: Final[dict[ShipmentStatus, tuple[str, str]]] = {
    "draft": ("Chờ tạo ở hãng", "Waiting to be created at the carrier"),
    "refused": ("Hãng từ chối, chờ người sửa", "Refused, waiting for a person"),
    "accepted": ("Đã đăng đơn, chờ lấy hàng", "Accepted, waiting for pick-up"),
    "picked_up": ("Đã lấy hàng", "Picked up"),
    "out_for_delivery": ("Đang giao", "Out for delivery"),
    "delivery_failed": ("Giao không thành công", "Delivery failed"),
    "delivered": ("Giao thành công", "Delivered"),
    "returning": ("Đang hoàn", "Returning"),
    "returned": ("Đã hoàn", "Returned"),
    "lost": ("Thất lạc, hư hỏng", "Lost or damaged"),
    "pickup_failed": ("Không lấy được hàng", "Pick-up failed"),
    "cancelled": ("Đã hủy", "Cancelled"),
}


@dataclass(frozen=True)
class Standing:
    """What the sentence needs of a shipment's row. Money in đồng."""

    code: str
    """Of the order."""
    carrier: str
    waybill: str
    reference: str
    status: ShipmentStatus
    status_at: datetime
    cod: int
    provisional: bool
    settled: bool
    cancel_requested: bool
    calls: int
    """Creations asked of the carrier so far."""
    attention: tuple[str, ...]
    money: tuple[str, str] = ("", "")
    """Who owes what since when, in Vietnamese and English."""
    money_due_at: datetime | None = None
    """When money that has not come by then is missing."""


def shipment_view(standing: Standing, *, now: datetime) -> OperatorView:
    """Where a shipment stands, and since when it is overdue."""
    vi, en = STATUS_WORDS[standing.status]
    if standing.status == "delivered" and standing.cod > 0:
        vi += ", tiền COD đã về" if standing.settled else ", chờ tiền COD"
        en += ", COD paid out" if standing.settled else ", COD not paid out yet"
    if standing.provisional:
        vi += "; shipper vừa báo, chờ hãng xác nhận"
        en += "; the courier has just reported, not confirmed yet"
    if standing.cancel_requested and standing.status in ("draft", "refused", "accepted"):
        vi += "; đang hủy"
        en += "; being cancelled"
    if standing.attention:
        marks = ", ".join(standing.attention)
        vi += f"; cần xem: {marks}"
        en += f"; look at: {marks}"
    if standing.money[0]:
        vi += f"; {standing.money[0]}"
        en += f"; {standing.money[1]}"
    name = f"{standing.code} · {standing.carrier.upper() or '?'} {standing.waybill or standing.reference}"
    due_at = standing.money_due_at or schedule.overdue_at(
        standing.status, since=standing.status_at, settled=standing.settled or standing.cod == 0
    )
    return OperatorView(
        sentence_vi=f"{name}: {vi}.",
        sentence_en=f"{name}: {en}.",
        level=LEVEL_OF[standing.status],
        carrier=standing.carrier,
        due_at=due_at,
        overdue=due_at is not None and due_at <= now,
        attempts=standing.calls,
    )


def polling_view(done: Round) -> OperatorView:
    """What a connection's last round of polling did."""
    if done.connection is None:
        return OperatorView(sentence_vi="Kết nối đã bị xóa.", sentence_en="The connection was deleted.")
    name = f"{done.connection.carrier.upper()} · {done.connection.shop_name}"
    if done.away:
        vi, en = "không hỏi được hãng, sẽ thử lại", "the carrier cannot be asked, trying again"
    else:
        vi, en = f"vừa hỏi {done.asked} vận đơn quá hạn", f"asked about {done.asked} overdue shipments"
    return OperatorView(
        sentence_vi=f"{name}: {vi}; {done.open} vận đơn còn theo dõi.",
        sentence_en=f"{name}: {en}; {done.open} shipments still followed.",
        carrier=done.connection.carrier,
        overdue=done.away,
    )
