"""J&T Express Vietnam's statuses as data.

Source: one public integration of its Vietnamese interface; J&T publishes no table. Which of our statuses a code means is
our reading; what is not here is kept and asked of a person.
"""

from __future__ import annotations

from typing import Final

from services.shipping.carriers.codes import CodeTable, StatusMeaning

CODES: Final = CodeTable(
    statuses={
        "103": StatusMeaning("accepted", "Đã xác nhận", "Confirmed", cancellable=True),
        "104": StatusMeaning("accepted", "Lấy hàng không thành công", "Pick-up failed, to be tried again"),
        "105": StatusMeaning("cancelled", "Đã hủy", "Cancelled", final=True),
        "106": StatusMeaning("picked_up", "Đã lấy hàng", "Picked up"),
        "107": StatusMeaning("picked_up", "Nhập kho", "In the warehouse", either_way=True),
        "109": StatusMeaning("picked_up", "Đang trung chuyển", "In transit", either_way=True),
        "110": StatusMeaning("picked_up", "Đang trung chuyển", "In transit", either_way=True),
        "111": StatusMeaning("picked_up", "Đang trung chuyển", "In transit", either_way=True),
        "112": StatusMeaning("out_for_delivery", "Đang giao hàng", "Out for delivery"),
        "113": StatusMeaning("delivered", "Đã ký nhận", "Delivered", final=True),
        "116": StatusMeaning("returning", "Chuyển hoàn", "Returning"),
        "117": StatusMeaning("returned", "Đã ký nhận hàng hoàn", "Returned", final=True),
        "118": StatusMeaning("delivery_failed", "Giao không thành công", "Delivery failed"),
        "120": StatusMeaning("returning", "Trả hàng không thành công", "Return failed", needs_person=True),
    },
    reasons={},
)
