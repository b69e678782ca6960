"""What somebody who decides about a failed delivery can get wrong."""

from __future__ import annotations

from shared.errors import NotFound, Problem


class RescueNotFound(NotFound):
    vi = "Không tìm thấy lần giao thất bại này. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such failed delivery, or you may not see it. Check the id."


class RescueOver(Problem):
    type = "rescue-over"
    status = 409
    vi = "Hãng đã đi tiếp với kiện hàng này ({outcome}) nên không yêu cầu được nữa. Xem hành trình của vận đơn."
    en = "The carrier has gone on with this parcel ({outcome}), so nothing can be asked any more. See its timeline."


class AlreadyAsked(Problem):
    type = "rescue-already-asked"
    status = 409
    vi = "{by} vừa yêu cầu hãng rồi, hãng chưa trả lời. Chờ vài giây rồi tải lại."
    en = "{by} has just asked the carrier, which has not answered yet. Wait some seconds and load again."


class AlreadyDecided(Problem):
    type = "rescue-already-decided"
    status = 409
    vi = (
        "{by} đã quyết định trước bạn ({wish}, {at}) và hãng đã biết. Nếu khách nói khác, gửi lại với replace = true để thay "
        "yêu cầu đó."
    )
    en = (
        "{by} was faster ({wish_en}, {at}), and the carrier knows. If the customer says something else, send it again with "
        "replace = true."
    )


class CarrierCannot(Problem):
    type = "carrier-cannot"
    status = 422
    vi = (
        "{carrier} không nhận yêu cầu '{wish}' qua hệ thống. Gọi tổng đài hoặc vào trang của hãng để yêu cầu, rồi ghi lại ở "
        "đây với by_hand = true."
    )
    en = (
        "{carrier} takes no request '{wish}' through its interface. Ask by telephone or on its site, then record it here "
        "with by_hand = true."
    )


class DayWillNotDo(Problem):
    type = "rescue-day"
    status = 422
    vi = "Ngày giao lại phải từ hôm nay đến {last}. Chọn ngày khác, hoặc bỏ trống để hãng giao sớm nhất."
    en = "Another delivery is asked for between today and {last}. Choose such a day, or none for as soon as may be."


class RescuePhoneInvalid(Problem):
    type = "recipient-phone-invalid"
    status = 422
    vi = "Số điện thoại người nhận chưa đúng. {reason_vi}"
    en = "The recipient's phone number will not do. {reason_en}"


class PlaceUnknownToCarrier(Problem):
    type = "place-unknown-to-carrier"
    status = 422
    vi = "{reason}"
    en = "{reason_en}"
