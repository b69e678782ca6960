"""ViettelPost's status table as data.

Source: `ORDER_STATUS` of the webhook in the partner document "TÀI LIỆU KẾT NỐI API VIETTELPOST" and the tables of public
integrations, on which all but one agree; that one, which calls 507 lost and 509 money collected, is left aside. 511-514
and 551 are documented nowhere: like every other code that is not here they are kept and raised. Which of our statuses a
code means is our reading of the groups that integrations use:

- 505 waits for the shop's decision (UpdateOrder 2 returns, 3 delivers again) and 506, 507 are parcels held after a failed
  attempt: all are failed deliveries that a rescue may turn (rule D1).
- 101 is ViettelPost giving the parcel up before it was picked up: the order goes back to the shop (rule D6). 107 is our own
  cancellation, 201 one of a waybill that a post office had entered already.
- 503 is a parcel that was destroyed at the shop's wish (rule D3), 504 one that was handed back.
- -109 and -110 are told by the collection point before any post office has the parcel, and 570 stands in nobody's table
  but only in lists of groups: they are shown and move nothing until another code confirms them.
- There is no code for 'COD paid out': only a statement settles money.

On its way back a parcel passes the same offices and couriers under the same codes. `IS_RETURNING` in a callback tells the
two ways apart where it is sent; such a code is kept with an R behind it. Where it is not sent, a code that is the same
either way does not end a return that has begun.

A cancellation is accepted while the status is below 200 and neither 105 (picked up) nor 107 (cancelled already).
Reasons (`REASON_CODE`) are documented nowhere: they are kept as they come, with the courier's note.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.shipping.carriers.codes import CodeTable, StatusMeaning

BACK: Final = "R"
"""Behind a code that was told with IS_RETURNING."""
PICKED_UP: Final = 105
CANCELLED: Final = 107
ENTERED: Final = 200
"""From this code on the waybill is entered at a post office, and nothing can be cancelled any more."""

_BEFORE_ENTRY: Final = {
    "-100": StatusMeaning("accepted", "Đơn hàng mới tạo, chưa duyệt", "New, not approved yet"),
    "-108": StatusMeaning("accepted", "Đơn hàng gửi tại bưu cục", "To be dropped at a post office"),
    "-109": StatusMeaning("picked_up", "Đã gửi tại điểm thu gom", "Dropped at a collection point", provisional=True),
    "-110": StatusMeaning(
        "picked_up", "Đang bàn giao qua bưu cục", "Being handed over to a post office", provisional=True
    ),
    "100": StatusMeaning("accepted", "Tiếp nhận đơn hàng từ đối tác", "Received from the shop"),
    "101": StatusMeaning("pickup_failed", "ViettelPost yêu cầu hủy đơn hàng", "ViettelPost asks to cancel", final=True),
    "102": StatusMeaning("accepted", "Đơn hàng chờ xử lý", "Waiting to be processed"),
    "103": StatusMeaning("accepted", "Giao cho bưu cục", "Assigned to a post office"),
    "104": StatusMeaning("accepted", "Giao cho bưu tá đi nhận", "Courier on the way to pick up"),
    "105": StatusMeaning("picked_up", "Bưu tá đã nhận hàng", "Picked up by the courier"),
    "106": StatusMeaning("returning", "Đối tác yêu cầu lấy lại hàng", "The shop asked for its goods back"),
    "107": StatusMeaning("cancelled", "Đối tác yêu cầu hủy qua API", "Cancelled through the API", final=True),
}
_CARRIED: Final = {
    "200": StatusMeaning("picked_up", "Nhận từ bưu tá - Bưu cục gốc", "Received at the office of origin"),
    "202": StatusMeaning("picked_up", "Sửa phiếu gửi", "Waybill edited, its weight or fee may change"),
    "300": StatusMeaning("picked_up", "Đóng bảng kê đi", "Listed for dispatch"),
    "301": StatusMeaning("picked_up", "Đóng túi gói", "Bag closed"),
    "302": StatusMeaning("picked_up", "Đóng chuyến thư", "Mail trip closed"),
    "303": StatusMeaning("picked_up", "Đóng tuyến xe", "Vehicle route closed"),
    "310": StatusMeaning("picked_up", "Đóng bảng kê", "List closed"),
    "320": StatusMeaning("picked_up", "Bàn giao", "Handed over between offices"),
    "400": StatusMeaning("picked_up", "Nhận bảng kê đến", "Arrived"),
    "401": StatusMeaning("picked_up", "Nhận túi gói", "Bag received"),
    "402": StatusMeaning("picked_up", "Nhận chuyến thư", "Mail trip received"),
    "403": StatusMeaning("picked_up", "Nhận chuyến xe", "Vehicle received"),
    "500": StatusMeaning("out_for_delivery", "Giao bưu tá đi phát", "Out for delivery"),
    "506": StatusMeaning("delivery_failed", "Tồn - Khách hàng nghỉ, không có nhà", "Held: receiver absent"),
    "507": StatusMeaning("delivery_failed", "Tồn - Khách hàng đến bưu cục nhận", "Held: receiver comes to the office"),
    "508": StatusMeaning("out_for_delivery", "Phát tiếp", "To be delivered again"),
    "509": StatusMeaning("out_for_delivery", "Chuyển tiếp bưu cục khác", "Forwarded to another office"),
    "510": StatusMeaning("picked_up", "Hủy phân công phát", "Taken back from the delivery courier"),
    "570": StatusMeaning("out_for_delivery", "Đang phát", "Being delivered", provisional=True),
}
"""What happens to a parcel on its way to the receiver and on its way back alike."""
_DECIDED: Final = {
    "201": StatusMeaning("cancelled", "Hủy nhập phiếu gửi", "Entry of the waybill cancelled", final=True),
    "501": StatusMeaning("delivered", "Thành công - Phát thành công", "Delivered", final=True),
    "502": StatusMeaning("returning", "Chuyển hoàn bưu cục gốc", "Returning to the office of origin"),
    "503": StatusMeaning("lost", "Hủy - Theo yêu cầu khách hàng", "Destroyed on request", final=True),
    "504": StatusMeaning("returned", "Thành công - Chuyển trả người gửi", "Returned to the sender", final=True),
    "505": StatusMeaning(
        "delivery_failed",
        "Tồn - Thông báo chuyển hoàn bưu cục gốc",
        "Held: return proposed, the shop decides",
        awaits_decision=True,
    ),
    "515": StatusMeaning("returning", "Duyệt hoàn", "Return approved"),
    "550": StatusMeaning("out_for_delivery", "Khách hàng, đơn vị yêu cầu phát tiếp", "Another delivery was requested"),
}


def _cancellable(code: str) -> bool:
    number = int(code)
    return number < ENTERED and number not in (PICKED_UP, CANCELLED)


def _on_the_way_back(meaning: StatusMeaning) -> StatusMeaning:
    return replace(meaning, status="returning", vi=f"{meaning.vi} (chiều hoàn)", en=f"{meaning.en} (on the way back)")


_STATUSES: Final = {
    **{code: replace(meaning, cancellable=_cancellable(code)) for code, meaning in _BEFORE_ENTRY.items()},
    **{code: replace(meaning, either_way=True) for code, meaning in _CARRIED.items()},
    **_DECIDED,
    **{f"{code}{BACK}": _on_the_way_back(meaning) for code, meaning in _CARRIED.items()},
    # Nobody documents what 'delivered' on the way back means: most likely 504, which then confirms it.
    f"501{BACK}": StatusMeaning(
        "returned",
        "Thành công - Phát thành công (chiều hoàn)",
        "Delivered (on the way back)",
        provisional=True,
    ),
}

CODES: Final = CodeTable(statuses=_STATUSES, reasons={})


def code_of(number: int, *, returning: bool) -> str:
    """A status number as the table has it; one that the table does not have stays as it is."""
    code = str(number)
    return code + BACK if returning and code + BACK in _STATUSES else code
