"""GHN's statuses and reasons, and the road from “ready to pick” to an end.

Source: GHN's documentation (https://api.ghn.vn/home/docs/detail?id=48 and id=121) as public integrations copy it. A
failed pick-up has no status of its own: the order is ready to pick again, with the reason. The durations and the odds are
ours.
"""

from collections.abc import Mapping
from enum import StrEnum
from random import Random

from deploy.local.carriers.life import Code, Move, Outcome, Road


class Status(StrEnum):
    """GHN `status`."""

    READY_TO_PICK = "ready_to_pick"
    PICKING = "picking"
    CANCEL = "cancel"
    MONEY_COLLECT_PICKING = "money_collect_picking"
    PICKED = "picked"
    STORING = "storing"
    TRANSPORTING = "transporting"
    SORTING = "sorting"
    DELIVERING = "delivering"
    MONEY_COLLECT_DELIVERING = "money_collect_delivering"
    DELIVERED = "delivered"
    DELIVERY_FAIL = "delivery_fail"
    WAITING_TO_RETURN = "waiting_to_return"
    RETURN = "return"
    RETURN_TRANSPORTING = "return_transporting"
    RETURN_SORTING = "return_sorting"
    RETURNING = "returning"
    RETURN_FAIL = "return_fail"
    RETURNED = "returned"
    EXCEPTION = "exception"
    DAMAGE = "damage"
    LOST = "lost"


STATUS_TEXT: Mapping[Code, str] = {
    Status.READY_TO_PICK: "Mới tạo đơn hàng",
    Status.PICKING: "Nhân viên đang lấy hàng",
    Status.CANCEL: "Hủy đơn hàng",
    Status.MONEY_COLLECT_PICKING: "Đang thu tiền người gửi",
    Status.PICKED: "Nhân viên đã lấy hàng",
    Status.STORING: "Hàng đang nằm ở kho",
    Status.TRANSPORTING: "Đang luân chuyển hàng",
    Status.SORTING: "Đang phân loại hàng hóa",
    Status.DELIVERING: "Nhân viên đang giao cho người nhận",
    Status.MONEY_COLLECT_DELIVERING: "Nhân viên đang thu tiền người nhận",
    Status.DELIVERED: "Nhân viên đã giao hàng thành công",
    Status.DELIVERY_FAIL: "Nhân viên giao hàng thất bại",
    Status.WAITING_TO_RETURN: "Đang đợi trả hàng về cho người gửi",
    Status.RETURN: "Trả hàng",
    Status.RETURN_TRANSPORTING: "Đang luân chuyển hàng trả",
    Status.RETURN_SORTING: "Đang phân loại hàng trả",
    Status.RETURNING: "Nhân viên đang đi trả hàng",
    Status.RETURN_FAIL: "Nhân viên trả hàng thất bại",
    Status.RETURNED: "Nhân viên trả hàng thành công",
    Status.EXCEPTION: "Đơn hàng ngoại lệ không nằm trong quy trình",
    Status.DAMAGE: "Hàng bị hư hỏng",
    Status.LOST: "Hàng bị mất",
}

REASON_TEXT: Mapping[str, str] = {
    "GHN-PFA1A0": "Lấy không thành công: Người gửi hẹn lại ngày lấy hàng",
    "GHN-PFA2A2": "Lấy không thành công: Thông tin lấy hàng sai (địa chỉ / SĐT)",
    "GHN-PFA2A1": "Lấy không thành công: Thuê bao không liên lạc được / Máy bận",
    "GHN-PFA2A3": "Lấy không thành công: Người gửi không nghe máy",
    "GHN-PFA1A1": "Lấy không thành công: Người gửi muốn gửi hàng tại bưu cục",
    "GHN-PCB0B2": "Lấy không thành công: Hàng vi phạm quy định khối lượng, kích thước",
    "GHN-PFA4A1": "Lấy không thành công: Hàng vi phạm quy cách đóng gói",
    "GHN-PCB0B1": "Lấy không thành công: Người gửi không muốn gửi hàng nữa",
    "GHN-PFA4A2": "Lấy không thành công: Hàng hóa GHN không vận chuyển",
    "GHN-PFA3A2": "Lấy không thành công: Nhân viên gặp sự cố",
    "GHN-DFC1A0": "Giao không thành công: Người nhận hẹn lại ngày giao",
    "GHN-DFC1A2": "Giao không thành công: Không liên lạc được người nhận / Chặn số",
    "GHN-DFC1A4": "Giao không thành công: Người nhận không nghe máy",
    "GHN-DCD0A1": "Giao không thành công: Sai thông tin người nhận (địa chỉ / SĐT)",
    "GHN-DFC1A1": "Giao không thành công: Người nhận đổi địa chỉ giao hàng",
    "GHN-DFC1A7": "Giao không thành công: Người nhận từ chối nhận do không cho xem / thử hàng",
    "GHN-DCD0A6": "Giao không thành công: Người nhận từ chối nhận do sai sản phẩm",
    "GHN-DCD0A7": "Giao không thành công: Người nhận từ chối nhận do sai COD",
    "GHN-DCD0A5": "Giao không thành công: Người nhận từ chối nhận do hàng hư hỏng",
    "GHN-DCD1A5": "Giao không thành công: Người nhận từ chối nhận do không có tiền",
    "GHN-DCD0A8": "Giao không thành công: Người nhận đổi ý không mua nữa",
    "GHN-DCD1A1": "Giao không thành công: Người nhận báo không đặt hàng",
    "GHN-DFC1A6": "Giao không thành công: Nhân viên gặp sự cố",
    "GHN-DCD1A3": "Giao không thành công: Hàng suy suyển, bể vỡ trong quá trình vận chuyển",
    "GHN-RFE0A0": "Trả không thành công: Người gửi hẹn lại ngày trả hàng",
    "GHN-RFE0A1": "Trả không thành công: Người gửi đổi địa chỉ trả hàng",
    "GHN-RFE0A6": "Trả không thành công: Người gửi không nghe máy",
    "GHN-RFE0A3": "Trả không thành công: Người gửi từ chối nhận do sai sản phẩm",
    "GHN-RFE0A4": "Trả không thành công: Người gửi từ chối nhận do hàng hư hỏng",
    "GHN-RFE0A5": "Trả không thành công: Nhân viên gặp sự cố",
}
_PICK_UP_REASONS = tuple(code for code in REASON_TEXT if code.startswith("GHN-P"))
_LATER_REASONS = ("GHN-DFC1A0", "GHN-DFC1A2", "GHN-DFC1A4", "GHN-DCD0A1", "GHN-DFC1A1", "GHN-DFC1A6")
_REFUSAL_REASONS = tuple(code for code in REASON_TEXT if code.startswith("GHN-D") and code not in _LATER_REASONS)
_RETURN_REASONS = tuple(code for code in REASON_TEXT if code.startswith("GHN-R"))
NO_LONGER_SENDS = "GHN-PCB0B1"
_ATTEMPTS = 3
"""After so many failed attempts GHN asks whether to return."""

_USUAL_NEXT: Mapping[Code, Code] = {
    Status.READY_TO_PICK: Status.PICKING,
    Status.PICKING: Status.MONEY_COLLECT_PICKING,
    Status.MONEY_COLLECT_PICKING: Status.PICKED,
    Status.PICKED: Status.STORING,
    Status.STORING: Status.TRANSPORTING,
    Status.TRANSPORTING: Status.SORTING,
    Status.SORTING: Status.DELIVERING,
    Status.DELIVERING: Status.MONEY_COLLECT_DELIVERING,
    Status.MONEY_COLLECT_DELIVERING: Status.DELIVERED,
    Status.DELIVERY_FAIL: Status.WAITING_TO_RETURN,
    Status.WAITING_TO_RETURN: Status.RETURN,
    Status.RETURN: Status.RETURN_TRANSPORTING,
    Status.RETURN_TRANSPORTING: Status.RETURN_SORTING,
    Status.RETURN_SORTING: Status.RETURNING,
    Status.RETURN_FAIL: Status.RETURNING,
    Status.RETURNING: Status.RETURNED,
}

_HOURS: Mapping[Code, tuple[float, float]] = {
    Status.READY_TO_PICK: (1, 6),
    Status.PICKING: (0.5, 4),
    Status.CANCEL: (1, 24),
    Status.MONEY_COLLECT_PICKING: (0.1, 1),
    Status.PICKED: (0.1, 2),
    Status.STORING: (0.5, 6),
    Status.TRANSPORTING: (1, 12),
    Status.SORTING: (1, 12),
    Status.DELIVERING: (2, 12),
    Status.MONEY_COLLECT_DELIVERING: (0.5, 6),
    Status.DELIVERED: (0.1, 1),
    Status.DELIVERY_FAIL: (1, 9),
    Status.WAITING_TO_RETURN: (0.1, 1),
    Status.RETURN: (24, 24),  # the shop has a day to ask for another attempt
    Status.RETURN_TRANSPORTING: (1, 24),
    Status.RETURN_SORTING: (1, 24),
    Status.RETURNING: (2, 24),
    Status.RETURN_FAIL: (1, 9),
    Status.RETURNED: (1, 9),
    Status.DAMAGE: (12, 72),
    Status.LOST: (72, 240),
}


def _moves(outcome: Outcome, random: Random) -> list[Move]:
    match outcome:
        case Outcome.DELIVERED:
            return _usual(Status.READY_TO_PICK)
        case Outcome.PICKED_UP_LATE:
            return [*_pick_up_failed(random), *_usual(Status.READY_TO_PICK)]
        case Outcome.REDELIVERED:
            return [*_until_delivering(), *_failed_attempt(random), *_usual(Status.DELIVERING)]
        case Outcome.RETURNED:
            return [*_until_delivering(), *_given_up(random), *_way_back(random)]
        case Outcome.PICK_UP_FAILED:
            return [*_pick_up_failed(random), Move(Status.CANCEL, NO_LONGER_SENDS)]
        case Outcome.LOST:
            return [*_until_delivering()[:-1], Move(random.choice((Status.LOST, Status.DAMAGE)))]


def _usual(status: Status) -> list[Move]:
    return ROAD.usual_moves(status)


def _until_delivering() -> list[Move]:
    road = _usual(Status.READY_TO_PICK)
    return road[: [move.status for move in road].index(Status.DELIVERING) + 1]


def _pick_up_failed(random: Random) -> list[Move]:
    return [Move(Status.PICKING), Move(Status.READY_TO_PICK, random.choice(_PICK_UP_REASONS))]


def _failed_attempt(random: Random) -> list[Move]:
    """Until the courier sets out again."""
    reason = random.choice(_LATER_REASONS)
    return [Move(Status.DELIVERY_FAIL, reason), Move(Status.STORING), Move(Status.DELIVERING)]


def _given_up(random: Random) -> list[Move]:
    """Either refused at the door at once, or attempts until GHN asks whether to return."""
    refused = random.random() < 0.5  # half of them
    failed_before = [] if refused else [move for _ in range(_ATTEMPTS - 1) for move in _failed_attempt(random)]
    reason = random.choice(_REFUSAL_REASONS if refused else _LATER_REASONS)
    return [*failed_before, Move(Status.DELIVERY_FAIL, reason), Move(Status.WAITING_TO_RETURN)]


def _way_back(random: Random) -> list[Move]:
    road = _usual(Status.WAITING_TO_RETURN)
    if random.random() < 0.3:  # nobody at the shop at first
        road[-1:] = [Move(Status.RETURN_FAIL, random.choice(_RETURN_REASONS)), Move(Status.RETURNING), road[-1]]
    return road


ROAD = Road(
    text=STATUS_TEXT,
    reasons=REASON_TEXT,
    created=Status.READY_TO_PICK,
    cancelled=Move(Status.CANCEL),
    usual_next=_USUAL_NEXT,
    hours=_HOURS,
    final=frozenset({Status.CANCEL, Status.RETURNED, Status.LOST, Status.DAMAGE}),
    cancellable=frozenset({Status.READY_TO_PICK, Status.PICKING, Status.MONEY_COLLECT_PICKING}),
    moves=_moves,
    transfer_after=Status.DELIVERED,
    compensated=frozenset({Status.LOST, Status.DAMAGE}),
)
