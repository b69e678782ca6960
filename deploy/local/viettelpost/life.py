"""ViettelPost's statuses, and the road from “received” to an end.

Numbers and words are those of the partner document and of the public integrations that agree on them; reasons are
documented nowhere. The durations and the odds are ours. A parcel that comes back passes offices and couriers under the
same numbers as on its way out, which is why its road has them twice.
"""

from collections.abc import Mapping
from enum import IntEnum
from random import Random

from deploy.local.carriers.life import Code, Move, Outcome, Road


class Status(IntEnum):
    """ViettelPost `ORDER_STATUS`, as far as a parcel of the simulator passes it by itself or a test puts it there."""

    NOT_APPROVED = -100
    TO_BE_DROPPED = -108
    AT_COLLECTION_POINT = -109
    TO_POST_OFFICE = -110
    RECEIVED = 100
    CARRIER_CANCELS = 101
    WAITING = 102
    ASSIGNED = 103
    PICKING_UP = 104
    PICKED_UP = 105
    TAKEN_BACK = 106
    CANCELLED = 107
    AT_ORIGIN = 200
    ENTRY_CANCELLED = 201
    EDITED = 202
    LISTED = 300
    BAGGED = 301
    TRIP_CLOSED = 302
    VEHICLE_CLOSED = 303
    LIST_CLOSED = 310
    HANDED_OVER = 320
    ARRIVED = 400
    BAG_RECEIVED = 401
    TRIP_RECEIVED = 402
    VEHICLE_RECEIVED = 403
    DELIVERING = 500
    DELIVERED = 501
    RETURNING = 502
    DESTROYED = 503
    RETURNED = 504
    RETURN_PROPOSED = 505
    RECEIVER_ABSENT = 506
    RECEIVER_COMES = 507
    AGAIN = 508
    FORWARDED = 509
    UNASSIGNED = 510
    RETURN_APPROVED = 515
    AGAIN_REQUESTED = 550
    DELIVERING_570 = 570


STATUS_TEXT: Mapping[Code, str] = {
    Status.NOT_APPROVED: "Đơn hàng mới tạo, chưa duyệt",
    Status.TO_BE_DROPPED: "Đơn hàng gửi tại bưu cục",
    Status.AT_COLLECTION_POINT: "Đã gửi tại điểm thu gom",
    Status.TO_POST_OFFICE: "Đang bàn giao qua bưu cục",
    Status.RECEIVED: "Tiếp nhận đơn hàng từ đối tác",
    Status.CARRIER_CANCELS: "ViettelPost yêu cầu hủy đơn hàng",
    Status.WAITING: "Đơn hàng chờ xử lý",
    Status.ASSIGNED: "Giao cho bưu cục",
    Status.PICKING_UP: "Giao cho bưu tá đi nhận",
    Status.PICKED_UP: "Bưu tá đã nhận hàng",
    Status.TAKEN_BACK: "Đối tác yêu cầu lấy lại hàng",
    Status.CANCELLED: "Đối tác yêu cầu hủy qua API",
    Status.AT_ORIGIN: "Nhận từ bưu tá - Bưu cục gốc",
    Status.ENTRY_CANCELLED: "Hủy nhập phiếu gửi",
    Status.EDITED: "Sửa phiếu gửi",
    Status.LISTED: "Đóng bảng kê đi",
    Status.BAGGED: "Đóng túi gói",
    Status.TRIP_CLOSED: "Đóng chuyến thư",
    Status.VEHICLE_CLOSED: "Đóng tuyến xe",
    Status.LIST_CLOSED: "Đóng bảng kê",
    Status.HANDED_OVER: "Bàn giao",
    Status.ARRIVED: "Nhận bảng kê đến",
    Status.BAG_RECEIVED: "Nhận túi gói",
    Status.TRIP_RECEIVED: "Nhận chuyến thư",
    Status.VEHICLE_RECEIVED: "Nhận chuyến xe",
    Status.DELIVERING: "Giao bưu tá đi phát",
    Status.DELIVERED: "Thành công - Phát thành công",
    Status.RETURNING: "Chuyển hoàn bưu cục gốc",
    Status.DESTROYED: "Hủy - Theo yêu cầu khách hàng",
    Status.RETURNED: "Thành công - Chuyển trả người gửi",
    Status.RETURN_PROPOSED: "Tồn - Thông báo chuyển hoàn bưu cục gốc",
    Status.RECEIVER_ABSENT: "Tồn - Khách hàng nghỉ, không có nhà",
    Status.RECEIVER_COMES: "Tồn - Khách hàng đến bưu cục nhận",
    Status.AGAIN: "Phát tiếp",
    Status.FORWARDED: "Chuyển tiếp bưu cục khác",
    Status.UNASSIGNED: "Hủy phân công phát",
    Status.RETURN_APPROVED: "Duyệt hoàn",
    Status.AGAIN_REQUESTED: "Khách hàng, đơn vị yêu cầu phát tiếp",
    Status.DELIVERING_570: "Đang phát",
}

# UpdateOrder, TYPE 4: below 200, and neither picked up nor cancelled already.
CANCELLABLE = frozenset(
    status for status in Status if status < Status.AT_ORIGIN and status not in (Status.PICKED_UP, Status.CANCELLED)
)
# Nothing follows by itself. 501 is not here: its money is still open, although no status will say when it is paid.
FINAL = frozenset({Status.CARRIER_CANCELS, Status.CANCELLED, Status.ENTRY_CANCELLED, Status.DESTROYED, Status.RETURNED})
BACK_AGAIN = frozenset({Status.RETURN_APPROVED, Status.RETURNING})
OUT_AGAIN = frozenset({Status.AGAIN_REQUESTED})

_USUAL_NEXT: Mapping[Code, Code] = {
    Status.NOT_APPROVED: Status.RECEIVED,
    Status.TO_BE_DROPPED: Status.AT_ORIGIN,
    Status.AT_COLLECTION_POINT: Status.TO_POST_OFFICE,
    Status.TO_POST_OFFICE: Status.AT_ORIGIN,
    Status.RECEIVED: Status.ASSIGNED,
    Status.WAITING: Status.ASSIGNED,
    Status.ASSIGNED: Status.PICKING_UP,
    Status.PICKING_UP: Status.PICKED_UP,
    Status.PICKED_UP: Status.AT_ORIGIN,
    Status.AT_ORIGIN: Status.LISTED,
    Status.LISTED: Status.ARRIVED,
    Status.ARRIVED: Status.DELIVERING,
    Status.DELIVERING: Status.DELIVERED,
    Status.RECEIVER_ABSENT: Status.AGAIN,
    Status.RECEIVER_COMES: Status.DELIVERED,
    Status.AGAIN: Status.DELIVERING,
    Status.AGAIN_REQUESTED: Status.DELIVERING,
    Status.FORWARDED: Status.DELIVERING,
    Status.UNASSIGNED: Status.DELIVERING,
    Status.RETURN_PROPOSED: Status.RETURN_APPROVED,
    Status.RETURN_APPROVED: Status.RETURNING,
    Status.RETURNING: Status.RETURNED,
}

# Hours until a status is reached from the one before it: (shortest, longest). Ours, of a believable size.
_HOURS: Mapping[Code, tuple[float, float]] = {
    **dict.fromkeys(STATUS_TEXT, (0.5, 4)),
    Status.PICKED_UP: (1, 6),
    Status.AT_ORIGIN: (1, 5),
    Status.ARRIVED: (10, 40),
    Status.DELIVERING: (1, 12),
    Status.DELIVERED: (1, 9),
    Status.RECEIVER_ABSENT: (1, 9),
    Status.AGAIN: (8, 16),
    Status.RETURN_APPROVED: (20, 48),
    Status.RETURNED: (24, 96),
    Status.DESTROYED: (72, 240),
}


def _moves(outcome: Outcome, random: Random) -> list[Move]:
    usual = ROAD.usual_moves
    until_delivering = usual(Status.RECEIVED)
    until_delivering = until_delivering[: [move.status for move in until_delivering].index(Status.DELIVERING) + 1]
    match outcome:
        case Outcome.DELIVERED:
            return usual(Status.RECEIVED)
        case Outcome.PICKED_UP_LATE:
            return [Move(Status.ASSIGNED), Move(Status.PICKING_UP), Move(Status.WAITING), *usual(Status.WAITING)]
        case Outcome.REDELIVERED:
            return [*until_delivering, Move(Status.RECEIVER_ABSENT), *usual(Status.RECEIVER_ABSENT)]
        case Outcome.RETURNED:
            attempts = random.choice((0, 1, 2))
            failed = [Move(status) for status in (Status.RECEIVER_ABSENT, Status.AGAIN, Status.DELIVERING)] * attempts
            proposed = [Move(Status.RETURN_PROPOSED), Move(Status.RETURN_APPROVED), Move(Status.RETURNING)]
            way_back = [Move(status) for status in (Status.LISTED, Status.ARRIVED, Status.DELIVERING)]
            return [*until_delivering, *failed, *proposed, *way_back, Move(Status.RETURNED)]
        case Outcome.PICK_UP_FAILED:
            return [Move(Status.ASSIGNED), Move(Status.PICKING_UP), Move(Status.CARRIER_CANCELS)]
        case Outcome.LOST:
            return [*until_delivering, Move(Status.DESTROYED)]


ROAD = Road(
    text=STATUS_TEXT,
    reasons={},
    created=Status.RECEIVED,
    cancelled=Move(Status.CANCELLED),
    usual_next=_USUAL_NEXT,
    hours=_HOURS,
    final=FINAL,
    cancellable=CANCELLABLE,
    moves=_moves,
    transfer_after=Status.DELIVERED,
    compensated=frozenset({Status.DESTROYED}),
)
