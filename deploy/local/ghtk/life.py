"""GHTK's statuses and reasons, and the road from “received” to an end.

Status and reason numbers are GHTK's (webhook documentation, https://api.ghtk.vn/en/docs/submit-order/webhook, and the
tables that public integrations agree on); the durations and the odds are ours.
"""

from collections.abc import Mapping
from enum import IntEnum
from random import Random

from deploy.local.carriers.life import Code, Move, Outcome, Road


class Status(IntEnum):
    """GHTK `status_id`. Codes of two digits starting with 4 and of three digits are a courier's provisional reports."""

    CANCELLED = -1
    NOT_YET_RECEIVED = 1
    RECEIVED = 2
    PICKED_UP = 3
    DELIVERING = 4
    DELIVERED = 5
    SETTLED = 6
    PICK_UP_FAILED = 7
    PICK_UP_POSTPONED = 8
    DELIVERY_FAILED = 9
    DELIVERY_DELAYED = 10
    RETURN_SETTLED = 11
    PICKING_UP = 12
    COMPENSATED = 13
    RETURNING = 20
    RETURNED = 21
    COURIER_DELIVERED = 45
    COURIER_DELIVERY_FAILED = 49
    COURIER_PICKED_UP = 123
    COURIER_PICK_UP_FAILED = 127
    COURIER_PICK_UP_DELAYED = 128
    COURIER_DELIVERY_DELAYED = 410


STATUS_TEXT: Mapping[Code, str] = {
    Status.CANCELLED: "Hủy đơn hàng",
    Status.NOT_YET_RECEIVED: "Chưa tiếp nhận",
    Status.RECEIVED: "Đã tiếp nhận",
    Status.PICKED_UP: "Đã lấy hàng/Đã nhập kho",
    Status.DELIVERING: "Đã điều phối giao hàng/Đang giao hàng",
    Status.DELIVERED: "Đã giao hàng/Chưa đối soát",
    Status.SETTLED: "Đã đối soát",
    Status.PICK_UP_FAILED: "Không lấy được hàng",
    Status.PICK_UP_POSTPONED: "Hoãn lấy hàng",
    Status.DELIVERY_FAILED: "Không giao được hàng",
    Status.DELIVERY_DELAYED: "Delay giao hàng",
    Status.RETURN_SETTLED: "Đã đối soát công nợ trả hàng",
    Status.PICKING_UP: "Đã điều phối lấy hàng/Đang lấy hàng",
    Status.COMPENSATED: "Đơn hàng bồi hoàn",
    Status.RETURNING: "Đang trả hàng",
    Status.RETURNED: "Đã trả hàng",
    Status.COURIER_DELIVERED: "Shipper báo đã giao hàng",
    Status.COURIER_DELIVERY_FAILED: "Shipper báo không giao được hàng",
    Status.COURIER_PICKED_UP: "Shipper báo đã lấy hàng",
    Status.COURIER_PICK_UP_FAILED: "Shipper báo không lấy được hàng",
    Status.COURIER_PICK_UP_DELAYED: "Shipper báo delay lấy hàng",
    Status.COURIER_DELIVERY_DELAYED: "Shipper báo delay giao hàng",
}

# Only before the parcel is in the carrier's hands (cancel page of the GHTK documentation).
CANCELLABLE = frozenset({Status.NOT_YET_RECEIVED, Status.RECEIVED, Status.PICKING_UP})
# Nothing follows by itself. 5 and 21 are not here: their money is still open.
FINAL = frozenset(
    {Status.CANCELLED, Status.SETTLED, Status.PICK_UP_FAILED, Status.RETURN_SETTLED, Status.COMPENSATED},
)

CANCELLED_BY_API_REASON = "115"

REASON_TEXT: Mapping[str, str] = {
    "100": "Shop hẹn lấy ca tiếp theo",
    "101": "Không liên lạc được với shop",
    "102": "Shop chưa chuẩn bị hàng",
    "103": "Shop đổi địa chỉ lấy hàng",
    "104": "Shop hẹn ngày lấy hàng",
    "105": "GHTK quá tải",
    "106": "Thời tiết hoặc lý do khách quan",
    "107": "Lý do khác",
    "110": "Ngoài vùng phục vụ",
    "111": "Hàng không nhận chuyển",
    "112": "Shop báo hủy",
    "113": "Shop hoãn hoặc không liên lạc được 3 lần",
    "114": "Lý do khác",
    "115": "Đối tác hủy đơn qua API",
    "120": "GHTK quá tải",
    "121": "Người nhận hẹn giao ca tiếp theo",
    "122": "Không gọi được người nhận",
    "123": "Người nhận hẹn ngày giao",
    "124": "Người nhận chuyển địa chỉ",
    "125": "Địa chỉ người nhận sai, shop kiểm tra lại",
    "126": "Thời tiết hoặc lý do khách quan",
    "127": "Lý do khác",
    "128": "Đối tác hẹn thời gian giao",
    "129": "Không tìm thấy hàng",
    "1200": "Số điện thoại người nhận sai, shop kiểm tra lại",
    "130": "Người nhận không nhận hàng",
    "131": "Không liên lạc được người nhận 3 lần",
    "132": "Người nhận hẹn lại quá 3 lần",
    "133": "Shop báo hủy",
    "134": "Lý do khác",
    "135": "Đối tác hủy đơn qua API",
    "140": "Shop hẹn trả ca sau",
    "141": "Không liên lạc được với shop",
    "142": "Shop không có nhà",
    "143": "Shop hẹn ngày trả",
    "144": "Lý do khác",
}
_PICK_UP_DELAYED_REASONS = ("100", "101", "102", "103", "104", "105", "106", "107")
_PICK_UP_FAILED_REASONS = ("110", "111", "112", "113", "114")
_DELIVERY_DELAYED_REASONS = ("120", "121", "122", "123", "124", "125", "126", "127", "1200")
_REFUSED_AT_THE_DOOR = "130"
_UNREACHABLE_THREE_TIMES = "131"
_POSTPONED_TOO_OFTEN = "132"


# What comes next when nothing goes wrong; the plans below are this road with detours.
_USUAL_NEXT: Mapping[Code, Code] = {
    Status.NOT_YET_RECEIVED: Status.RECEIVED,
    Status.RECEIVED: Status.PICKING_UP,
    Status.PICKING_UP: Status.COURIER_PICKED_UP,
    Status.COURIER_PICKED_UP: Status.PICKED_UP,
    Status.COURIER_PICK_UP_DELAYED: Status.PICK_UP_POSTPONED,
    Status.PICK_UP_POSTPONED: Status.PICKING_UP,
    Status.COURIER_PICK_UP_FAILED: Status.PICK_UP_FAILED,
    Status.PICKED_UP: Status.DELIVERING,
    Status.DELIVERING: Status.COURIER_DELIVERED,
    Status.COURIER_DELIVERED: Status.DELIVERED,
    Status.DELIVERED: Status.SETTLED,
    Status.COURIER_DELIVERY_DELAYED: Status.DELIVERY_DELAYED,
    Status.COURIER_DELIVERY_FAILED: Status.DELIVERY_DELAYED,
    Status.DELIVERY_DELAYED: Status.DELIVERING,
    Status.DELIVERY_FAILED: Status.RETURNING,
    Status.RETURNING: Status.RETURNED,
    Status.RETURNED: Status.RETURN_SETTLED,
}

# Hours until a status is reached from the one before it: (shortest, longest). Ours, of a believable size.
_HOURS: Mapping[Code, tuple[float, float]] = {
    Status.RECEIVED: (0.1, 1),
    Status.PICKING_UP: (0.5, 4),
    Status.COURIER_PICKED_UP: (1, 6),
    Status.COURIER_PICK_UP_DELAYED: (1, 6),
    Status.COURIER_PICK_UP_FAILED: (1, 6),
    Status.PICKED_UP: (0.5, 3),
    Status.PICK_UP_POSTPONED: (0.1, 1),
    Status.PICK_UP_FAILED: (0.5, 3),
    Status.DELIVERING: (10, 48),
    Status.COURIER_DELIVERED: (1, 9),
    Status.COURIER_DELIVERY_FAILED: (1, 9),
    Status.COURIER_DELIVERY_DELAYED: (1, 9),
    Status.DELIVERED: (0.2, 2),
    Status.DELIVERY_DELAYED: (0.2, 2),
    Status.DELIVERY_FAILED: (0.5, 3),
    Status.SETTLED: (20, 72),
    Status.RETURNING: (10, 24),
    Status.RETURNED: (24, 120),
    Status.RETURN_SETTLED: (20, 72),
    Status.COMPENSATED: (72, 240),
}


def _moves(outcome: Outcome, random: Random) -> list[Move]:
    match outcome:
        case Outcome.DELIVERED:
            return _usual(Status.RECEIVED)
        case Outcome.PICKED_UP_LATE:
            reason = random.choice(_PICK_UP_DELAYED_REASONS)
            return [
                Move(Status.PICKING_UP),
                Move(Status.COURIER_PICK_UP_DELAYED, reason),
                Move(Status.PICK_UP_POSTPONED, reason),
                *_usual(Status.PICK_UP_POSTPONED),
            ]
        case Outcome.REDELIVERED:
            return [*_until_delivering(), *_failed_attempt(random), *_usual(Status.DELIVERY_DELAYED)]
        case Outcome.RETURNED:
            return [*_until_delivering(), *_given_up(random), *_usual(Status.DELIVERY_FAILED)]
        case Outcome.PICK_UP_FAILED:
            reason = random.choice(_PICK_UP_FAILED_REASONS)
            return [
                Move(Status.PICKING_UP),
                Move(Status.COURIER_PICK_UP_FAILED, reason),
                Move(Status.PICK_UP_FAILED, reason),
            ]
        case Outcome.LOST:
            return [*_until_delivering(), Move(Status.COMPENSATED)]


def _usual(status: Status) -> list[Move]:
    return ROAD.usual_moves(status)


def _until_delivering() -> list[Move]:
    road = _usual(Status.RECEIVED)
    return road[: [move.status for move in road].index(Status.DELIVERING) + 1]


def _failed_attempt(random: Random) -> list[Move]:
    report = random.choice((Status.COURIER_DELIVERY_FAILED, Status.COURIER_DELIVERY_DELAYED))
    reason = random.choice(_DELIVERY_DELAYED_REASONS)
    return [Move(report, reason), Move(Status.DELIVERY_DELAYED, reason)]


def _given_up(random: Random) -> list[Move]:
    """Either refused at the door at once, or three attempts, after which GHTK sends the parcel back."""
    reason = random.choice((_REFUSED_AT_THE_DOOR, _UNREACHABLE_THREE_TIMES, _POSTPONED_TOO_OFTEN))
    failed_before = 0 if reason == _REFUSED_AT_THE_DOOR else 2
    moves: list[Move] = []
    for _ in range(failed_before):
        moves += [*_failed_attempt(random), Move(Status.DELIVERING)]
    return [*moves, Move(Status.COURIER_DELIVERY_FAILED, reason), Move(Status.DELIVERY_FAILED, reason)]


ROAD = Road(
    text=STATUS_TEXT,
    reasons=REASON_TEXT,
    created=Status.RECEIVED,
    cancelled=Move(Status.CANCELLED, CANCELLED_BY_API_REASON),
    usual_next=_USUAL_NEXT,
    hours=_HOURS,
    final=FINAL,
    cancellable=CANCELLABLE,
    moves=_moves,
    settled=frozenset({Status.SETTLED}),
    compensated=frozenset({Status.COMPENSATED}),
)
