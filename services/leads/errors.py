"""What callers of this service can do wrong."""

from __future__ import annotations

from shared.errors import Problem


class PhoneUnreadable(Problem):
    """`reason_vi` and `reason_en` come from the reading of the number; the item is kept under `raw_item_id`."""

    type = "phone-unreadable"
    status = 422
    vi = "{reason_vi}"
    en = "{reason_en}"


class NumberUnreadable(Problem):
    """A number in an edit; nothing was changed."""

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
    vi = "{viewer} đang xem số này. Chọn số khác, hoặc thử lại sau {until_clock}."
    en = "{viewer} is looking at this number. Choose another, or try again after {until_clock}."


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
    vi = "Số này bạn vừa nhả hoặc bị thu hồi; trong {days} ngày để đồng nghiệp gọi. Từ {free_clock} bạn lấy lại được."
    en = "This number was yours until it was released; for {days} days it is for others. You may claim it from {free_clock}."


class PhoneHidden(Problem):
    type = "phone-hidden"
    status = 403
    vi = "Đơn đã kết thúc quá {days} ngày nên số được che lại. Cần xem, nhờ quản lý có quyền xem số."
    en = "The order ended more than {days} days ago, so its number is masked again. Ask a manager who may reveal numbers."


class BatchKeyMissing(Problem):
    type = "batch-key-missing"
    status = 422
    vi = "Gửi nhiều số một lần phải kèm tiêu đề Idempotency-Key, để gửi lại khi mất kết nối mà không trùng."
    en = "A batch needs an Idempotency-Key header, so that it can be repeated after a lost answer without doubling."


class RawItemSettled(Problem):
    type = "raw-item-settled"
    status = 409
    vi = "Nội dung này đã xử lý xong ({verdict}). Nếu đã thành số, mở số {raw_item_id} để xem hoặc sửa."
    en = "This is settled already ({verdict}). If it is a lead, open lead {raw_item_id} to look at it or change it."


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


class SearchEmpty(Problem):
    type = "search-empty"
    status = 422
    vi = "Chưa có chữ hay số nào để tìm. Gõ tên, ghi chú, địa chỉ hoặc số điện thoại."
    en = "There is no letter or digit to search for. Type a name, a note, an address or a number."


class CursorUnreadable(Problem):
    type = "cursor-unreadable"
    status = 422
    vi = "Không đọc được 'after'. Gửi lại đúng giá trị 'next' của trang trước, với cùng bộ lọc và thứ tự."
    en = "'after' cannot be read. Send the 'next' of the page before, with the same filters and order."


class ListTooSlow(Problem):
    type = "list-too-slow"
    status = 503
    vi = "Tìm lâu quá {seconds} giây. Thêm bộ lọc (ngày, nguồn, người chăm) rồi thử lại."
    en = "The search took more than {seconds} seconds. Narrow it (dates, source, owner) and repeat."


class TagUnknown(Problem):
    type = "tag-unknown"
    status = 422
    vi = "Không có thẻ {tag_id}, thẻ đã ngừng dùng, hoặc không phải thẻ của đơn. Tải lại danh sách thẻ rồi chọn lại."
    en = "There is no tag {tag_id}, it is retired, or it is none for leads. Load the tags again and choose one."


class TagGroupUnknown(Problem):
    type = "tag-group-unknown"
    status = 422
    vi = "Không có nhóm thẻ này. Tải lại danh sách nhóm rồi chọn lại."
    en = "There is no such group of tags. Load the groups again and choose one."


class TagNameTaken(Problem):
    type = "tag-name-taken"
    status = 409
    vi = "Nhóm này đã có thẻ tên '{name}' (không phân biệt hoa thường, dấu). Đặt tên khác, hoặc gộp hai thẻ."
    en = "This group has a tag '{name}' already (case and accents do not count). Choose another name, or merge the two."


class TagGroupNameTaken(Problem):
    type = "tag-group-name-taken"
    status = 409
    vi = "Đã có nhóm thẻ tên '{name}'. Đặt tên khác."
    en = "There is a group of tags named '{name}' already. Choose another name."


class TagGroupInUse(Problem):
    type = "tag-group-in-use"
    status = 409
    vi = "Nhóm còn thẻ. Chuyển các thẻ sang nhóm khác hoặc xóa chúng trước."
    en = "The group still has tags. Move them to another group or delete them first."


class TagsDoNotMerge(Problem):
    type = "tags-do-not-merge"
    status = 409
    vi = "Chỉ gộp được vào một thẻ khác đang dùng, cùng loại đối tượng. Chọn thẻ khác."
    en = "A tag can only be merged into another one in use, for the same kind of record. Choose another."


class NoteTooOld(Problem):
    type = "note-too-old"
    status = 409
    vi = "Chỉ sửa được ghi chú của bạn trong {minutes} phút sau khi viết. Viết ghi chú mới thay vào đó."
    en = "You can change only a note of your own, within {minutes} minutes. Write a new one instead."


class PreviewExpired(Problem):
    type = "preview-expired"
    status = 409
    vi = "Bản xem trước này đã quá hạn hoặc đã hủy. Xem trước lại rồi xác nhận."
    en = "This preview is too old or was cancelled. Make another and confirm that."


class NothingToTransfer(Problem):
    type = "nothing-to-transfer"
    status = 422
    vi = "Không có số nào để chia theo lựa chọn này. Chọn lại số hoặc bộ lọc."
    en = "There are no leads to give by this selection. Choose other leads or another filter."


class TooManyToTransfer(Problem):
    type = "too-many-to-transfer"
    status = 422
    vi = "Bộ lọc này có hơn {limit} số. Thu hẹp lại (nguồn, ngày về, sản phẩm) rồi chia từng phần."
    en = "More than {limit} leads fit this filter. Narrow it (source, arrival, product) and give them in parts."


class HandOverToSelf(Problem):
    type = "hand-over-to-self"
    status = 422
    vi = "Người nghỉ không thể nhận lại số của chính mình. Bỏ người đó khỏi danh sách nhận."
    en = "Whoever leaves cannot receive their own leads. Take them off the list."


class BulkTooLarge(Problem):
    type = "bulk-too-large"
    status = 422
    vi = "Bộ lọc có hơn {limit} số, mỗi lần làm tối đa {limit}. Thu hẹp bộ lọc rồi làm từng phần."
    en = "The filter shows more than {limit} leads, one action takes {limit} at most. Narrow it and do it in parts."


class CountChanged(Problem):
    type = "count-changed"
    status = 409
    vi = "Bộ lọc giờ có {found} số, lúc bạn xem là {expected}; chưa có gì được làm. Xem lại danh sách rồi gửi lại."
    en = "The filter now shows {found} leads, you saw {expected}; nothing was done. Look at the list and send again."


class NumberNotToBeCalled(Problem):
    type = "number-not-to-be-called"
    status = 409
    vi = "Số này nằm trong danh sách không gọi, nên không lấy được. Chọn số khác."
    en = "This number is on the do-not-call list and cannot be claimed. Choose another."


class TooManyViews(Problem):
    type = "too-many-views"
    status = 409
    vi = "Bạn đã lưu {limit} bộ lọc. Xóa bớt rồi lưu lại."
    en = "You have saved {limit} views. Delete one and save again."
