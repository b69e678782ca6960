"""What callers of shipping can get wrong."""

from __future__ import annotations

from shared.errors import Problem


class CredentialsRefused(Problem):
    type = "carrier-credentials-refused"
    status = 422
    vi = "{carrier} không chấp nhận thông tin kết nối: {reason}. Kiểm tra lại token và mã shop trong trang của hãng."
    en = "{carrier} does not accept the credentials: {reason}. Check the token and shop code on the carrier's site."


class CarrierAway(Problem):
    type = "carrier-away"
    status = 502
    vi = "Không hỏi được {carrier} lúc này. Thử lại sau ít phút; chưa có gì được lưu."
    en = "{carrier} cannot be asked just now. Repeat in a few minutes; nothing was saved."


class CarrierRefused(Problem):
    type = "carrier-refused"
    status = 409
    vi = "{carrier} từ chối: {reason}. Sửa theo lý do này rồi thử lại."
    en = "{carrier} refuses: {reason}. Correct that and repeat."


class WrongCredentialNames(Problem):
    type = "wrong-credential-names"
    status = 422
    vi = "Kết nối {carrier} cần đúng các trường: {names}. Bổ sung hoặc bỏ bớt rồi gửi lại."
    en = "A connection to {carrier} takes exactly these credentials: {names}. Correct them and send again."


class InsecureAddress(Problem):
    type = "insecure-carrier-address"
    status = 422
    vi = "Địa chỉ hãng phải bắt đầu bằng https://, vì token đi kèm mỗi lần gọi. Chỉ máy này (127.0.0.1) được dùng http."
    en = "The carrier's address must start with https://, because the token travels with each call; http is for 127.0.0.1."


class ShopExists(Problem):
    type = "carrier-shop-exists"
    status = 409
    vi = "Đã có kết nối {carrier} tên '{shop_name}'. Đặt tên khác, hoặc sửa kết nối có sẵn."
    en = "There is a connection to {carrier} named '{shop_name}' already. Choose another name, or change that one."


class ConnectionInUse(Problem):
    type = "carrier-connection-in-use"
    status = 409
    vi = "Kết nối này đã có vận đơn hoặc phản hồi của hãng nên không xóa được. Hãy tắt nó."
    en = "This connection has shipments or callbacks and cannot be deleted. Disable it instead."


class NotCancellable(Problem):
    type = "shipment-not-cancellable"
    status = 409
    vi = "Vận đơn đang ở trạng thái '{shipment_status}' nên không hủy được nữa. Sau khi lấy hàng chỉ có thể yêu cầu hoàn."
    en = "The shipment is '{shipment_status}' and cannot be cancelled any more. After pick-up it can only be returned."


class NothingToRetry(Problem):
    type = "shipment-not-refused"
    status = 409
    vi = "Chỉ đăng lại được vận đơn bị hãng từ chối; vận đơn này đang ở trạng thái '{shipment_status}'."
    en = "Only a refused shipment can be posted again; this one is '{shipment_status}'."


class NoLabel(Problem):
    type = "shipment-without-label"
    status = 409
    vi = "Vận đơn chưa có mã của hãng nên chưa có nhãn. Chờ hãng nhận đơn rồi tải lại."
    en = "The carrier has given no waybill yet, so there is no label. Wait until it has accepted the shipment."


class UnknownConnection(Problem):
    type = "unknown-carrier-connection"
    status = 422
    vi = "Không có kết nối hãng đang bật với mã này. Chọn một kết nối đang bật."
    en = "There is no enabled carrier connection with this id. Choose an enabled one."


class CodeInTheTable(Problem):
    type = "carrier-code-in-table"
    status = 409
    vi = "Mã {code} có sẵn trong bảng mã của {carrier} nên không đặt nghĩa khác được. Xem bảng mã của hãng."
    en = "{carrier}'s own table has the code {code}, so it cannot be given another meaning. See the carrier's codes."
