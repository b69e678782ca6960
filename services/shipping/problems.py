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


class NotToBeSent(Problem):
    """Member: `reason`."""

    type = "shipment-not-to-be-sent"
    status = 409
    vi = "Không in nhãn của vận đơn này: {reason}. In vận đơn đang sống của đơn hàng."
    en = "No label of this shipment: {reason}. Print the order's living one."


class SizeNotOffered(Problem):
    type = "paper-size-not-offered"
    status = 422
    vi = "{what} không có cỡ {size}. Chọn một trong các cỡ: {sizes}."
    en = "{what} does not come in the size {size}. Choose one of: {sizes}."


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


class NotOfferedByCarrier(Problem):
    type = "not-offered-by-carrier"
    status = 409
    vi = "{carrier} không có chức năng này. GET /v1/carriers cho biết hãng làm được gì."
    en = "{carrier} does not offer this. GET /v1/carriers tells what it can do."


class UnknownPlace(Problem):
    type = "unknown-pick-up-place"
    status = 422
    vi = "Kết nối này không có nơi lấy hàng với mã {pick_up_id}. Chọn một nơi trong danh sách của kết nối."
    en = "The connection has no pick-up place {pick_up_id}. Choose one from its list."


class PlaceExists(Problem):
    type = "pick-up-place-exists"
    status = 409
    vi = "Kết nối đã có nơi lấy hàng cho kho '{warehouse}'. Sửa nơi có sẵn, hoặc dùng tên kho khác."
    en = "The connection has a pick-up place for warehouse '{warehouse}' already. Change that one, or use another name."


class AlreadyAtCarrier(Problem):
    type = "shipment-already-at-carrier"
    status = 409
    vi = "Vận đơn đã gửi cho hãng (hoặc có thể đã gửi) nên không đổi cách gửi được nữa. Hủy vận đơn trước rồi đăng lại."
    en = "The carrier has this shipment, or may have it, so how it is sent cannot change. Cancel it first, then post again."


class OrderNotShippable(Problem):
    type = "order-not-shippable"
    status = 404
    vi = "Chưa có đơn đã chốt với mã này ở bộ phận giao hàng. Kiểm tra mã, hoặc thử lại sau ít giây nếu đơn vừa chốt."
    en = "Shipping knows no closed order with this id. Check it, or repeat in a few seconds if it was closed just now."


class CarrierTellsItself(Problem):
    type = "carrier-tells-itself"
    status = 409
    vi = "{carrier} tự báo trạng thái nên không nhập tay. Chờ hãng báo, hoặc mở vận đơn xem lịch sử."
    en = "{carrier} reports statuses itself, so none are entered by hand. Wait for it, or see the shipment's timeline."


class UnknownStatus(Problem):
    type = "unknown-status-code"
    status = 422
    vi = "Không có mã trạng thái '{code}'. Dùng một trong: {known}."
    en = "There is no status code '{code}'. Use one of: {known}."


class StatusFromTheFuture(Problem):
    type = "status-from-the-future"
    status = 422
    vi = "Thời điểm nhập nằm trong tương lai. Nhập lúc việc đã xảy ra, hoặc bỏ trống để lấy giờ hiện tại."
    en = "The time lies in the future. Enter when it happened, or leave it out for now."


class UnknownShipments(Problem):
    type = "unknown-shipments"
    status = 422
    vi = "{count} vận đơn không có hoặc bạn không được xem, đầu tiên là {first}. Bỏ chúng ra rồi gửi lại."
    en = "{count} of these shipments do not exist or you may not see them, the first is {first}. Send it without them."


class FileNotReady(Problem):
    type = "print-not-ready"
    status = 409
    vi = "Bản in chưa xong. Xem tiến độ ở /v1/prints, xong rồi tải lại."
    en = "The print is not done yet. Follow it at /v1/prints and fetch the file then."


class FileForgotten(Problem):
    type = "print-forgotten"
    status = 410
    vi = "Tệp in chỉ giữ một ngày vì có thông tin khách. Hãy in lại."
    en = "Printed files are kept for a day, because they hold customers' data. Print again."


class NothingPrinted(Problem):
    type = "nothing-printed"
    status = 409
    vi = "Không vận đơn nào in được. Xem lý do từng vận đơn trong bản in này."
    en = "None of the shipments could be printed. See the reasons in the print."
