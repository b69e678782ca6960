"""What the verdict on a row, and what became of it, is called on a screen."""

from __future__ import annotations

from typing import Final

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "moves": ("Chuyển trạng thái.", "Moves the parcel."),
    "confirms": (
        "Ghi vào hành trình, trạng thái không đổi.",
        "Goes onto the timeline; the status stays.",
    ),
    "older": (
        "Cũ hơn trạng thái hiện tại: chỉ ghi vào hành trình.",
        "Older than the present status: goes onto the timeline only.",
    ),
    "known": ("Hành trình đã có đúng mốc này.", "The timeline has exactly this already."),
    "doubled": ("Trùng với một dòng phía trên.", "The same as a row above."),
    "contradicts": (
        "Một vận đơn có nhiều trạng thái mà không có thời gian. Thêm cột “Thời gian” hoặc giữ một dòng.",
        "One parcel with several statuses and no time. Add a column “Time”, or keep one of the rows.",
    ),
    "unknown_code": (
        "Không tìm thấy mã này trong các vận đơn bạn được xem. Kiểm tra mã (Excel có thể đã đổi số dài thành 8,49E+11).",
        "No parcel that you may see has this code. Check it (Excel may have turned a long number into 8.49E+11).",
    ),
    "ambiguous": (
        "Nhiều vận đơn có mã này. Chọn kết nối hãng rồi gửi lại.",
        "Several parcels have this code. Choose the carrier connection and send it again.",
    ),
    "not_at_carrier": (
        "Vận đơn chưa được hãng nhận. Chờ hãng cấp mã vận đơn.",
        "The carrier does not have this parcel yet. Wait for its waybill.",
    ),
    "superseded": (
        "Đơn hàng đã được đăng lại bằng vận đơn khác. Dùng mã của vận đơn mới.",
        "The order was posted again as another parcel. Take the code of that one.",
    ),
    "status_missing": ("Dòng không có trạng thái. Điền trạng thái.", "The row has no status. Fill it in."),
    "unknown_status": (
        "Không hiểu trạng thái này. Dùng mã hoặc lời của hãng (GET /v1/carrier-codes), hoặc trạng thái của Chốt.",
        "Nobody knows this status. Use the carrier's code or words (GET /v1/carrier-codes), or a status of ours.",
    ),
    "tells_money": (
        "Trạng thái này báo tiền COD đã trả. Tiền được ghi nhận bằng bảng đối soát, không bằng tệp trạng thái.",
        "This status says that the COD is paid out. Money comes by the carrier's statement, not by a list of statuses.",
    ),
    "settled": (
        "Tiền COD của vận đơn đã về nên trạng thái không đổi theo tệp. Xử lý ở đối soát.",
        "The COD of this parcel is home, so no file moves it. Settle it among the differences.",
    ),
    "time_unreadable": (
        "Không đọc được thời gian. Viết như 22/11/2026 14:30.",
        "The time cannot be read. Write it like 22/11/2026 14:30.",
    ),
    "time_in_future": ("Thời gian ở tương lai. Kiểm tra ngày.", "The time lies in the future. Check the day."),
    "taken_back": ("Đã hoàn tác.", "Taken back."),
    "kept_settled": (
        "Giữ lại: tiền COD của vận đơn đã về.",
        "Kept: the COD of the parcel has come home since.",
    ),
    "kept_superseded": (
        "Giữ lại: đơn hàng đã được đăng lại bằng vận đơn khác.",
        "Kept: the order was posted again as another parcel since.",
    ),
}
