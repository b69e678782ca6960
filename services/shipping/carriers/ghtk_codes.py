"""GHTK's status and reason tables as data.

Source: GHTK webhook documentation (https://api.ghtk.vn/en/docs/submit-order/webhook), on which public integrations
agree. Which of our statuses a code means is our reading: 10 is a failed attempt that is still to be decided, 20 the
carrier's decision to return (rules D1 and D2); 7 takes the order back to the shop (rule D6). 123, 127 and 128 are both
statuses and reasons.
"""

from __future__ import annotations

from typing import Final

from services.shipping.carriers.capabilities import AddOn
from services.shipping.carriers.codes import CodeTable, ReasonMeaning, StatusMeaning

_STATUSES: Final = {
    "-1": StatusMeaning("cancelled", "Hủy đơn hàng", "Cancelled", final=True),
    "1": StatusMeaning("accepted", "Chưa tiếp nhận", "Not yet received", cancellable=True),
    "2": StatusMeaning("accepted", "Đã tiếp nhận", "Received", cancellable=True),
    "3": StatusMeaning("picked_up", "Đã lấy hàng/Đã nhập kho", "Picked up, in the warehouse"),
    "4": StatusMeaning("out_for_delivery", "Đã điều phối giao hàng/Đang giao hàng", "Out for delivery"),
    "5": StatusMeaning("delivered", "Đã giao hàng/Chưa đối soát", "Delivered, COD not paid out yet"),
    "6": StatusMeaning("delivered", "Đã đối soát", "COD paid out", final=True, settles=True),
    "7": StatusMeaning("pickup_failed", "Không lấy được hàng", "Pick-up failed", final=True),
    "8": StatusMeaning("accepted", "Hoãn lấy hàng", "Pick-up postponed"),
    "9": StatusMeaning("delivery_failed", "Không giao được hàng", "Delivery failed"),
    "10": StatusMeaning("delivery_failed", "Delay giao hàng", "Delivery attempt failed, postponed"),
    "11": StatusMeaning("returned", "Đã đối soát công nợ trả hàng", "Returned, its fees settled", final=True),
    "12": StatusMeaning(
        "accepted", "Đã điều phối lấy hàng/Đang lấy hàng", "Courier on the way to pick up", cancellable=True
    ),
    "13": StatusMeaning("lost", "Đơn hàng bồi hoàn", "Lost or damaged, compensated", final=True),
    "20": StatusMeaning("returning", "Đang trả hàng", "Returning to the shop"),
    "21": StatusMeaning("returned", "Đã trả hàng", "Returned to the shop"),
    "45": StatusMeaning("delivered", "Shipper báo đã giao hàng", "Courier reports: delivered", provisional=True),
    "49": StatusMeaning(
        "delivery_failed", "Shipper báo không giao được hàng", "Courier reports: delivery failed", provisional=True
    ),
    "123": StatusMeaning("picked_up", "Shipper báo đã lấy hàng", "Courier reports: picked up", provisional=True),
    "127": StatusMeaning(
        "pickup_failed", "Shipper báo không lấy được hàng", "Courier reports: pick-up failed", provisional=True
    ),
    "128": StatusMeaning(
        "accepted", "Shipper báo delay lấy hàng", "Courier reports: pick-up postponed", provisional=True
    ),
    "410": StatusMeaning(
        "delivery_failed", "Shipper báo delay giao hàng", "Courier reports: delivery postponed", provisional=True
    ),
}

_REASONS: Final = {
    "100": ReasonMeaning("Shop hẹn lấy vào ca tiếp theo", "Shop asks for the next shift"),
    "101": ReasonMeaning("Không liên lạc được với shop", "Shop cannot be reached"),
    "102": ReasonMeaning("Shop chưa chuẩn bị hàng", "Goods are not ready"),
    "103": ReasonMeaning("Shop đổi địa chỉ lấy hàng", "Shop changed the pick-up address"),
    "104": ReasonMeaning("Shop hẹn ngày lấy hàng", "Shop set a date"),
    "105": ReasonMeaning("GHTK quá tải, không lấy kịp", "The carrier is overloaded"),
    "106": ReasonMeaning("Thời tiết hoặc lý do khách quan", "Weather or circumstances"),
    "107": ReasonMeaning("Lý do lấy hàng khác", "Another reason of pick-up"),
    "110": ReasonMeaning("Ngoài vùng phục vụ", "Outside the service area"),
    "111": ReasonMeaning("Hàng không nhận vận chuyển", "Goods are not accepted"),
    "112": ReasonMeaning("Shop báo hủy", "Shop cancelled"),
    "113": ReasonMeaning("Shop hoãn hoặc không liên lạc được 3 lần", "Shop postponed or could not be reached 3 times"),
    "114": ReasonMeaning("Lý do không lấy được khác", "Another reason against pick-up"),
    "115": ReasonMeaning("Đối tác hủy đơn qua API", "Cancelled through the API"),
    "120": ReasonMeaning("GHTK quá tải, giao không kịp", "The carrier is overloaded"),
    "121": ReasonMeaning("Người nhận hẹn giao ca tiếp theo", "Receiver asks for the next shift"),
    "122": ReasonMeaning("Không gọi được người nhận", "Receiver does not answer"),
    "123": ReasonMeaning("Người nhận hẹn ngày giao", "Receiver set a date"),
    "124": ReasonMeaning("Người nhận chuyển địa chỉ", "Receiver moved"),
    "125": ReasonMeaning("Địa chỉ người nhận sai, shop kiểm tra lại", "Wrong address, shop must check"),
    "126": ReasonMeaning("Thời tiết hoặc lý do khách quan", "Weather or circumstances"),
    "127": ReasonMeaning("Lý do giao chậm khác", "Another reason of delay"),
    "128": ReasonMeaning("Đối tác hẹn thời gian giao", "Shop set the delivery time"),
    "129": ReasonMeaning("Không tìm thấy hàng", "Parcel not found"),
    "130": ReasonMeaning("Người nhận không nhận hàng", "Receiver refuses the parcel"),
    "131": ReasonMeaning("Không liên lạc được người nhận 3 lần", "Receiver could not be reached 3 times"),
    "132": ReasonMeaning("Người nhận hẹn lại quá 3 lần", "Receiver postponed more than 3 times"),
    "133": ReasonMeaning("Shop báo hủy đơn", "Shop cancelled"),
    "134": ReasonMeaning("Lý do không giao được khác", "Another reason against delivery"),
    "135": ReasonMeaning("Đối tác hủy đơn qua API", "Cancelled through the API"),
    "140": ReasonMeaning("Shop hẹn trả ca sau", "Shop asks for a later shift"),
    "141": ReasonMeaning("Không liên lạc được với shop để trả", "Shop cannot be reached for the return"),
    "142": ReasonMeaning("Shop không có nhà", "Nobody at the shop"),
    "143": ReasonMeaning("Shop hẹn ngày trả", "Shop set a date for the return"),
    "144": ReasonMeaning("Lý do trả chậm khác", "Another reason of a late return"),
    "1200": ReasonMeaning("Số điện thoại người nhận sai, shop kiểm tra lại", "Wrong phone number, shop must check"),
}

CODES: Final = CodeTable(statuses=_STATUSES, reasons=_REASONS)

ADD_ONS: Final = {
    "1": AddOn("Hàng dễ vỡ", "Fragile"),
    "2": AddOn("Hàng giá trị cao", "High value"),
    "7": AddOn("Nông sản, thực phẩm khô", "Agricultural or dry food"),
    "13": AddOn("Gọi shop khi giao gặp vấn đề", "Call the shop when a delivery has a problem"),
    "17": AddOn("Giao một phần, chọn sản phẩm", "Partial delivery by choice of product"),
    "18": AddOn("Giao một phần, đổi trả hàng", "Partial delivery with return of goods"),
    "20": AddOn("Nguyên hộp", "Whole box"),
    "22": AddOn("Tài liệu", "Documents"),
    "39": AddOn("Thực phẩm tươi", "Fresh food"),
    "40": AddOn("Hàng nhỏ", "Small goods"),
    "42": AddOn("Không đảo chiều", "Keep the orientation"),
    "52": AddOn("Chất lỏng", "Liquid"),
    "75": AddOn("Cây cối", "Plants"),
}
"""GHTK calls them tags. Looking (10), trying (11) and the fee for a refusal (19) are options of their own."""
