"""Where the fulfilment of an order stands, in one sentence for the operator: codes only, nothing of the customer."""

from __future__ import annotations


def fulfilment_sentence(phase: str, *, code: str, stock: str | None, posted_by: str) -> tuple[str, str]:
    """Vietnamese and English."""
    if phase == "closed" and stock != "reserved":
        return (
            f"{code}: đã chốt, đang chờ hàng về kho; đủ hàng thì bộ phận COD đăng đơn.",
            f"{code}: closed, waits for stock; once it is there the COD desk posts it.",
        )
    return {
        "closed": (
            f"{code}: đã chốt, đủ hàng; bộ phận COD phải đăng đơn.",
            f"{code}: closed and in stock; the COD desk must post it.",
        ),
        "posted": (
            f"{code}: {posted_by} đã đăng, đang tạo vận đơn ở hãng vận chuyển.",
            f"{code}: posted by {posted_by}, a shipment is being made at the carrier.",
        ),
        "shipped": (
            f"{code}: hãng vận chuyển chưa nhận; bộ phận COD xem lý do ở vận đơn.",
            f"{code}: the carrier has not accepted it; the COD desk sees the reason at its shipment.",
        ),
        "cancelled": (f"{code}: đã hủy, hàng đã trả về kho.", f"{code}: cancelled, the stock was given back."),
        "done": (f"{code}: hãng vận chuyển đã nhận đơn.", f"{code}: the carrier has accepted it."),
    }[phase]
