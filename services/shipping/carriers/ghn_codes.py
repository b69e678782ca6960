"""GHN's status and reason tables as data.

Source: GHN's documentation (https://api.ghn.vn/home/docs/detail?id=48 and id=121) as public integrations copy it. Which of
our statuses a code means is our reading:

- A failed pick-up has no status: the order is `ready_to_pick` again, with the reason. Given up for good it is `cancel`.
- `delivery_fail` is a failed attempt, `waiting_to_return` the day in which the shop may ask for another one: both are
  failed deliveries that a rescue may turn (rule D1). `storing` is also the parcel back in the warehouse between two
  attempts, and what asking for another attempt leads to.
- The way back has statuses of its own (rule D2); `return_fail` is nobody at the shop, and does not end it.
- `exception` is a parcel outside every process: it waits for a person, on its way back as well.
- That the COD was paid out is no status but a date (`cod_transfer_date`, `CODTransferDate`), kept as `cod_transferred`.
"""

from __future__ import annotations

from typing import Final

from services.shipping.carriers.codes import CodeTable, ReasonMeaning, StatusMeaning

CREATED: Final = "ready_to_pick"
TRANSFERRED: Final = "cod_transferred"
"""Ours: GHN gives a date where others have a status."""

_STATUSES: Final = {
    CREATED: StatusMeaning(
        "accepted", "Mới tạo đơn hàng, chờ lấy hàng", "Created, waiting for pick-up", cancellable=True
    ),
    "picking": StatusMeaning("accepted", "Nhân viên đang lấy hàng", "Courier on the way to pick up", cancellable=True),
    "cancel": StatusMeaning("cancelled", "Hủy đơn hàng", "Cancelled", final=True),
    "money_collect_picking": StatusMeaning(
        "accepted", "Đang thu tiền người gửi", "Courier with the sender", cancellable=True
    ),
    "picked": StatusMeaning("picked_up", "Nhân viên đã lấy hàng", "Picked up"),
    "storing": StatusMeaning("picked_up", "Hàng đang nằm ở kho", "In the warehouse"),
    "transporting": StatusMeaning("picked_up", "Đang luân chuyển hàng", "In transit"),
    "sorting": StatusMeaning("picked_up", "Đang phân loại hàng hóa", "Being sorted"),
    "delivering": StatusMeaning("out_for_delivery", "Nhân viên đang giao cho người nhận", "Out for delivery"),
    "money_collect_delivering": StatusMeaning(
        "out_for_delivery", "Nhân viên đang thu tiền người nhận", "Courier with the receiver"
    ),
    "delivered": StatusMeaning("delivered", "Giao hàng thành công", "Delivered, COD not paid out yet"),
    TRANSFERRED: StatusMeaning("delivered", "GHN đã chuyển tiền thu hộ", "COD paid out", final=True, settles=True),
    "delivery_fail": StatusMeaning("delivery_failed", "Giao hàng thất bại", "Delivery failed"),
    "waiting_to_return": StatusMeaning(
        "delivery_failed", "Đang đợi trả hàng về cho người gửi", "Waiting to be returned", awaits_decision=True
    ),
    "return": StatusMeaning("returning", "Trả hàng", "Return started"),
    "return_transporting": StatusMeaning("returning", "Đang luân chuyển hàng trả", "Return in transit"),
    "return_sorting": StatusMeaning("returning", "Đang phân loại hàng trả", "Return being sorted"),
    "returning": StatusMeaning("returning", "Nhân viên đang đi trả hàng", "Courier on the way to the shop"),
    "return_fail": StatusMeaning("returning", "Trả hàng thất bại", "Return failed, to be tried again"),
    "returned": StatusMeaning("returned", "Trả hàng thành công", "Returned to the shop", final=True),
    "exception": StatusMeaning(
        "delivery_failed",
        "Đơn hàng ngoại lệ không nằm trong quy trình",
        "Outside every process",
        either_way=True,
        needs_person=True,
    ),
    "damage": StatusMeaning("lost", "Hàng bị hư hỏng", "Damaged", final=True),
    "lost": StatusMeaning("lost", "Hàng bị mất", "Lost", final=True),
}

_REASONS: Final = {
    "GHN-PFA1A0": ReasonMeaning("Người gửi hẹn lại ngày lấy hàng", "Shop reschedules the pick-up"),
    "GHN-PFA2A2": ReasonMeaning("Thông tin lấy hàng sai (địa chỉ / SĐT)", "Wrong pick-up address or phone"),
    "GHN-PFA2A1": ReasonMeaning("Không liên lạc được người gửi / máy bận", "Shop cannot be reached"),
    "GHN-PFA2A3": ReasonMeaning("Người gửi không nghe máy", "Shop does not answer"),
    "GHN-PFA1A1": ReasonMeaning("Người gửi muốn gửi hàng tại bưu cục", "Shop wants to drop the parcel off"),
    "GHN-PCB0B2": ReasonMeaning("Hàng vi phạm quy định khối lượng, kích thước", "Against the rules of weight and size"),
    "GHN-PFA4A1": ReasonMeaning("Hàng vi phạm quy cách đóng gói", "Against the rules of packing"),
    "GHN-PCB0B1": ReasonMeaning("Người gửi không muốn gửi hàng nữa", "Shop no longer sends"),
    "GHN-PFA4A2": ReasonMeaning("Hàng hóa GHN không vận chuyển", "Goods are not carried"),
    "GHN-PFA3A2": ReasonMeaning("Nhân viên lấy hàng gặp sự cố", "Courier had an incident"),
    "GHN-DFC1A0": ReasonMeaning("Người nhận hẹn lại ngày giao", "Receiver reschedules"),
    "GHN-DFC1A2": ReasonMeaning(
        "Không liên lạc được người nhận / chặn số", "Receiver unreachable or blocks the number"
    ),
    "GHN-DFC1A4": ReasonMeaning("Người nhận không nghe máy", "Receiver does not answer"),
    "GHN-DCD0A1": ReasonMeaning("Sai thông tin người nhận (địa chỉ / SĐT)", "Wrong address or phone of the receiver"),
    "GHN-DFC1A1": ReasonMeaning("Người nhận đổi địa chỉ giao hàng", "Receiver changes the address"),
    "GHN-DFC1A7": ReasonMeaning(
        "Từ chối nhận do không cho xem / thử hàng", "Refused: may not look at or try the goods"
    ),
    "GHN-DCD0A6": ReasonMeaning("Từ chối nhận do sai sản phẩm", "Refused: wrong product"),
    "GHN-DCD0A7": ReasonMeaning("Từ chối nhận do sai COD", "Refused: wrong COD"),
    "GHN-DCD0A5": ReasonMeaning("Từ chối nhận do hàng hư hỏng", "Refused: damaged"),
    "GHN-DCD1A5": ReasonMeaning("Từ chối nhận do không có tiền", "Refused: no money"),
    "GHN-DCD0A8": ReasonMeaning("Người nhận đổi ý không mua nữa", "Receiver changed their mind"),
    "GHN-DCD1A1": ReasonMeaning("Người nhận báo không đặt hàng", "Receiver says they ordered nothing"),
    "GHN-DFC1A6": ReasonMeaning("Nhân viên giao hàng gặp sự cố", "Courier had an incident"),
    "GHN-DCD1A3": ReasonMeaning("Hàng bể vỡ trong quá trình vận chuyển", "Broken in transit"),
    "GHN-RFE0A0": ReasonMeaning("Người gửi hẹn lại ngày trả hàng", "Shop reschedules the return"),
    "GHN-RFE0A1": ReasonMeaning("Người gửi đổi địa chỉ trả hàng", "Shop changes the return address"),
    "GHN-RFE0A6": ReasonMeaning("Người gửi không nghe máy", "Shop does not answer"),
    "GHN-RFE0A3": ReasonMeaning("Người gửi từ chối nhận do sai sản phẩm", "Shop refuses: wrong product"),
    "GHN-RFE0A4": ReasonMeaning("Người gửi từ chối nhận do hàng hư hỏng", "Shop refuses: damaged"),
    "GHN-RFE0A5": ReasonMeaning("Nhân viên trả hàng gặp sự cố", "Courier had an incident"),
}

CODES: Final = CodeTable(statuses=_STATUSES, reasons=_REASONS)
