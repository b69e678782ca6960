"""Why nobody should stick a paper on a parcel. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NO_PAPER: Final[Mapping[str, str]] = {
    "cancelled": "đã hủy, đang hủy hoặc đã đăng lại / cancelled, about to be, or posted again",
    "refused": "hãng từ chối, chưa gửi được / refused by the carrier",
    "pickup_failed": "hãng không lấy được hàng, cần đăng lại / never picked up, to be posted again",
}


def why_not(status: str) -> str:
    """
    Args:
        status: of the shipment; 'cancelled' also where that is asked for, or the order was posted again.

    Returns:
        The reason, in both languages; empty: one may.
    """
    return _NO_PAPER.get(status, "")
