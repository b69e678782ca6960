"""What callers of this service can do wrong."""

from __future__ import annotations

from shared.errors import Problem


class PhoneUnreadable(Problem):
    """`reason_vi` and `reason_en` come from the reading of the number; the item is kept under `raw_item_id`."""

    type = "phone-unreadable"
    status = 422
    vi = "{reason_vi}"
    en = "{reason_en}"


class SourceUnknown(Problem):
    type = "source-unknown"
    status = 422
    vi = "Không có nguồn số này, hoặc nguồn đã ngừng. Chọn một nguồn đang dùng."
    en = "There is no such source, or it is no longer in use. Choose one that is."


class KeyUnknown(Problem):
    type = "api-key-unknown"
    status = 401
    vi = "Khóa API không đúng hoặc đã bị thu hồi. Lấy khóa mới ở mục Nguồn số."
    en = "The API key is wrong or was revoked. Get a new one under lead sources."


class PoolNameTaken(Problem):
    type = "pool-name-taken"
    status = 409
    vi = "Đã có nhóm chia số tên '{name}'. Đặt tên khác."
    en = "There is a pool named '{name}' already. Choose another name."


class ReturningPoolUnknown(Problem):
    type = "returning-pool-unknown"
    status = 422
    vi = "Không có nhóm chăm khách cũ này, hoặc nhóm đã ngừng, hoặc là chính nhóm này. Chọn một nhóm khác đang dùng."
    en = "There is no such pool for returning customers, it is out of use, or it is this one. Choose another in use."


class PoolCaresForReturning(Problem):
    type = "pool-cares-for-returning"
    status = 409
    vi = "Nhóm '{name}' đang chuyển khách cũ về nhóm này. Sửa nhóm đó trước khi ngừng nhóm này."
    en = "Pool '{name}' sends its returning customers here. Change that pool before putting this one out of use."


class PoolOrderIncomplete(Problem):
    type = "pool-order-incomplete"
    status = 422
    vi = "Thứ tự phải có đủ các nhóm đang dùng, mỗi nhóm một lần. Tải lại danh sách rồi sắp xếp lại."
    en = "The order must name all pools in use, each once. Reload the list and arrange it again."


class LeadIsDuplicate(Problem):
    type = "lead-is-duplicate"
    status = 409
    vi = "Đơn trùng không có người chăm. Chia số gốc {anchor_id} thay vào đó."
    en = "A duplicate has no owner. Assign the first lead, {anchor_id}, instead."


class StaffUnknown(Problem):
    type = "staff-unknown"
    status = 422
    vi = "Không có người dùng này, hoặc tài khoản đã khóa. Chọn người khác."
    en = "There is no such colleague, or the account is locked. Choose somebody else."


class PhoneFilterUnreadable(Problem):
    type = "phone-filter-unreadable"
    status = 422
    vi = "Không tìm được theo số này: {reason_vi}"
    en = "This number cannot be searched for: {reason_en}"


class SourceNameTaken(Problem):
    type = "source-name-taken"
    status = 409
    vi = "Đã có nguồn số tên '{name}'. Đặt tên khác."
    en = "There is a source named '{name}' already. Choose another name."


class SourceHasNoKey(Problem):
    type = "source-has-no-key"
    status = 409
    vi = "Chỉ nguồn kênh 'api' và landing page có khóa. Tạo nguồn kênh 'api' cho hệ thống muốn gửi số vào."
    en = "Only sources of channel 'api' and landing pages have keys. Make a source of channel 'api' for that system."


class NotInFloatingPool(Problem):
    type = "not-in-floating-pool"
    status = 409
    vi = "Số này không còn trong kho số thả nổi. Tải lại danh sách và chọn số khác."
    en = "This number is not in the floating pool any more. Load the list again and choose another."


class NumberTaken(Problem):
    type = "number-taken"
    status = 409
    vi = "{taker} vừa lấy số này. Chọn số khác."
    en = "{taker} has just claimed this number. Choose another."


class NumberBeingViewed(Problem):
    type = "number-being-viewed"
    status = 409
    vi = "{viewer} đang xem số này. Chọn số khác, hoặc thử lại sau {until}."
    en = "{viewer} is looking at this number. Choose another, or try again after {until}."


class ClaimerNotActive(Problem):
    type = "claimer-not-active"
    status = 403
    vi = (
        "Tài khoản của bạn chưa được ghi nhận ở đây hoặc đã khóa, nên chưa lấy số được. Thử lại sau, hoặc báo quản trị."
    )
    en = "Your account is locked or not known here yet, so it cannot claim. Try again later, or tell an administrator."


class ClaimsOfDayUsed(Problem):
    type = "claims-of-day-used"
    status = 409
    vi = "Bạn đã lấy {used}/{limit} số trong hôm nay. Gọi những số đang giữ; qua 00:00 bạn lấy tiếp được."
    en = "You have claimed {used} of {limit} numbers today. Call those you hold; after midnight you can claim again."


class ClaimsUncalled(Problem):
    type = "claims-uncalled"
    status = 409
    vi = "Bạn còn {uncalled} số lấy từ kho mà chưa gọi (tối đa {limit}). Gọi bớt rồi lấy tiếp."
    en = "You hold {uncalled} claimed numbers that you have not called (at most {limit}). Call some, then claim again."


class ClaimOfOwnRelease(Problem):
    type = "claim-of-own-release"
    status = 409
    vi = "Số này bạn vừa nhả hoặc bị thu hồi; trong {days} ngày để đồng nghiệp gọi. Từ {free_from} bạn lấy lại được."
    en = "This number was yours until it was released; for {days} days it is for others. You may claim it from {free_from}."


class PhoneHidden(Problem):
    type = "phone-hidden"
    status = 403
    vi = "Đơn đã kết thúc quá {days} ngày nên số được che lại. Cần xem, nhờ quản lý có quyền xem số."
    en = "The order ended more than {days} days ago, so its number is masked again. Ask a manager who may reveal numbers."


class RawItemSettled(Problem):
    type = "raw-item-settled"
    status = 409
    vi = "Nội dung này đã thành số ({verdict}). Mở số {raw_item_id} để xem hoặc sửa."
    en = "This has become a lead already ({verdict}). Open lead {raw_item_id} to look at it or change it."


class ReplayTooLarge(Problem):
    type = "replay-too-large"
    status = 422
    vi = "Khoảng thời gian này có {found} nội dung bị từ chối, mỗi lần đọc lại tối đa {limit}. Chọn khoảng ngắn hơn."
    en = "The range has {found} rejected items, a replay reads {limit} at most. Choose a shorter range."


class RangeTooLong(Problem):
    type = "range-too-long"
    status = 422
    vi = "Khoảng thời gian tối đa là {days} ngày, và phải kết thúc sau khi bắt đầu. Chọn lại."
    en = "A range has {days} days at most and ends after it begins. Choose another."


class CampaignCodeTaken(Problem):
    type = "campaign-code-taken"
    status = 409
    vi = "Đã có chiến dịch mã '{code}'. Đặt mã khác."
    en = "There is a campaign with code '{code}' already. Choose another code."
