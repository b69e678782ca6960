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
