"""What a user of the staff service can do wrong, and what to do about it."""

from __future__ import annotations

from shared.errors import Problem


class WrongCredentials(Problem):
    type = "wrong-credentials"
    status = 401
    vi = "Sai tên đăng nhập hoặc mật khẩu. Kiểm tra lại, chú ý chữ hoa và bộ gõ tiếng Việt."
    en = "The login name or the password is wrong. Check both, capital letters and the keyboard layout too."


class TooManyTries(Problem):
    type = "too-many-tries"
    status = 429
    vi = "Đã sai mật khẩu quá nhiều lần. Thử lại sau {minutes} phút, hoặc nhờ quản trị đặt lại mật khẩu."
    en = "Too many wrong passwords. Try again in {minutes} minutes, or ask an administrator to reset the password."

    def __init__(self, *, seconds: int) -> None:
        super().__init__(minutes=-(-seconds // 60))
        self.headers = {"Retry-After": str(seconds)}  # type: ignore[misc]  # of this answer, not of the class


class AccountInactive(Problem):
    type = "account-inactive"
    status = 403
    vi = "Tài khoản này đã ngừng hoạt động. Liên hệ quản trị nếu cần mở lại."
    en = "This account is closed. Ask an administrator if it should be opened again."


class SessionEnded(Problem):
    type = "session-ended"
    status = 401
    vi = "Phiên đăng nhập đã kết thúc. Đăng nhập lại."
    en = "The session has ended. Sign in again."


class RefreshTokenReused(Problem):
    type = "refresh-token-reused"
    status = 401
    vi = "Mã làm mới này đã dùng rồi, có thể đã bị lộ; phiên đã được đóng. Đăng nhập lại."
    en = "This refresh token was used before and may be stolen, so its session was closed. Sign in again."


class PasswordMustChange(Problem):
    type = "password-must-change"
    status = 403
    vi = "Hãy đổi mật khẩu tạm (POST /v1/me/password) trước khi làm việc khác."
    en = "Change the temporary password (POST /v1/me/password) before anything else."


class PasswordTooShort(Problem):
    type = "password-too-short"
    status = 422
    vi = "Mật khẩu cần ít nhất {least} ký tự. Chọn mật khẩu dài hơn."
    en = "A password needs at least {least} characters. Choose a longer one."


class PasswordTooSimple(Problem):
    type = "password-too-simple"
    status = 422
    vi = "Mật khẩu chứa tên đăng nhập hoặc có chưa đến {least} ký tự khác nhau. Chọn mật khẩu khó đoán hơn."
    en = (
        "The password has the login name in it or fewer than {least} different characters. "
        "Choose one that is harder to guess."
    )


class PasswordUnchanged(Problem):
    type = "password-unchanged"
    status = 422
    vi = "Mật khẩu mới giống mật khẩu cũ. Chọn mật khẩu khác."
    en = "The new password is the old one. Choose another."


class LoginMalformed(Problem):
    type = "login-malformed"
    status = 422
    vi = "Tên đăng nhập gồm 3–64 chữ không dấu, chữ số hoặc . _ @ + -, bắt đầu bằng chữ hoặc số. Sửa lại rồi lưu."
    en = "A login name has 3 to 64 plain letters, digits or . _ @ + - and starts with a letter or digit. Correct it."


class LoginTaken(Problem):
    type = "login-taken"
    status = 409
    vi = "Tên đăng nhập '{login}' đã có người dùng. Chọn tên khác."
    en = "Somebody has the login name '{login}' already. Choose another."


class PhoneMalformed(Problem):
    type = "phone-malformed"
    status = 422
    vi = "{reason_vi} Hoặc để trống."
    en = "{reason_en} Or leave it empty."


class AccountNotFound(Problem):
    type = "account-not-found"
    status = 404
    vi = "Không tìm thấy tài khoản này trong phạm vi bạn quản lý. Kiểm tra lại mã."
    en = "There is no such account among those you may see. Check the id."


class NotBelowYou(Problem):
    type = "not-below-you"
    status = 403
    vi = "Chỉ quản lý của người này mới bật, tắt nhận số cho họ được. Nhờ quản lý của họ."
    en = "Only a manager of this person may switch their duty. Ask one of their managers."


class SuperiorUnknown(Problem):
    type = "superior-unknown"
    status = 422
    vi = "Không tìm thấy quản lý trực tiếp trong phạm vi bạn quản lý. Chọn người khác."
    en = "The direct superior is not among the accounts you may see. Choose another."


class SuperiorInactive(Problem):
    type = "superior-inactive"
    status = 422
    vi = "{code} đã ngừng hoạt động nên không làm quản lý được. Chọn người đang làm việc."
    en = "{code} is closed and cannot be anybody's superior. Choose somebody who works here."


class SuperiorCircle(Problem):
    type = "superior-circle"
    status = 409
    vi = "{superior} đang là cấp dưới của {code}, không thể là quản lý của {code}. Chọn người khác."
    en = "{superior} works below {code} and cannot be the superior of {code}. Choose another."


class SuperiorIsSelf(Problem):
    type = "superior-is-self"
    status = 422
    vi = "Không ai là quản lý trực tiếp của chính mình. Chọn người khác."
    en = "Nobody is their own direct superior. Choose somebody else."


class SuperiorNeeded(Problem):
    type = "superior-needed"
    status = 422
    vi = "Bạn chỉ quản lý được người dưới quyền. Chọn quản lý trực tiếp là bạn hoặc cấp dưới của bạn."
    en = "You manage those below you only. Choose yourself or somebody below you as the direct superior."


class TreeTooDeep(Problem):
    type = "tree-too-deep"
    status = 409
    vi = "Cây quản lý chỉ sâu tối đa {levels} cấp. Chọn quản lý ở cấp cao hơn."
    en = "The tree of superiors has {levels} levels at most. Choose a superior further up."


class SuccessorNeeded(Problem):
    type = "successor-needed"
    status = 409
    vi = "{code} đang quản lý {subordinates} người. Chọn quản lý mới cho họ (new_superior_id) rồi ngừng tài khoản."
    en = "{code} has {subordinates} subordinates. Name a new superior for them (new_superior_id), then close the account."


class SuccessorIsLeaver(Problem):
    type = "successor-is-leaver"
    status = 422
    vi = "Quản lý mới không thể là chính người nghỉ. Chọn người khác."
    en = "The new superior cannot be who leaves. Choose somebody else."


class AboveYou(Problem):
    type = "above-you"
    status = 403
    vi = "Việc này cần các quyền mà bạn không có: {permissions}. Nhờ quản trị có đủ quyền làm giúp."
    en = "This takes permissions that you do not have: {permissions}. Ask an administrator who has them."

    def __init__(self, beyond: frozenset[str]) -> None:
        super().__init__(permissions=", ".join(sorted(beyond)))


class LastAdministrator(Problem):
    type = "last-administrator"
    status = 409
    vi = "Sau thay đổi này sẽ không còn ai quản trị người dùng. Trao quyền 'staff.admin' cho một người khác trước."
    en = "Nobody would be left to administer staff. Give 'staff.admin' to somebody else first."


class GroupNotFound(Problem):
    type = "group-not-found"
    status = 404
    vi = "Không có nhóm quyền này. Xem danh sách ở GET /v1/groups."
    en = "There is no such group. GET /v1/groups lists them."


class GroupUnknown(Problem):
    type = "group-unknown"
    status = 422
    vi = "Không có nhóm quyền '{group}'. Chọn một nhóm trong GET /v1/groups."
    en = "There is no group '{group}'. Choose one of GET /v1/groups."


class GroupTaken(Problem):
    type = "group-taken"
    status = 409
    vi = "Nhóm quyền '{group}' đã có. Chọn tên khác hoặc sửa nhóm đó."
    en = "The group '{group}' exists already. Choose another name or edit that group."


class GroupNameMalformed(Problem):
    type = "group-name-malformed"
    status = 422
    vi = "Tên nhóm gồm 2–40 chữ thường không dấu, chữ số, _ hoặc -, bắt đầu bằng chữ. Sửa lại rồi lưu."
    en = "A group's name has 2 to 40 small plain letters, digits, _ or - and starts with a letter. Correct it."


class PermissionUnknown(Problem):
    type = "permission-unknown"
    status = 422
    vi = "Không có quyền: {unknown}. Các quyền có thể chọn: {allowed}."
    en = "There are no such permissions: {unknown}. Choose from: {allowed}."

    def __init__(self, *, unknown: list[str], allowed: list[str]) -> None:
        super().__init__(unknown=", ".join(unknown), allowed=", ".join(allowed))


class ShiftNotFound(Problem):
    type = "shift-not-found"
    status = 404
    vi = "Không có ca làm việc này. Xem danh sách ở GET /v1/shifts."
    en = "There is no such shift. GET /v1/shifts lists them."


class ShiftNameTaken(Problem):
    type = "shift-name-taken"
    status = 409
    vi = "Đã có ca làm việc tên '{name}'. Đặt tên khác."
    en = "There is a shift named '{name}' already. Choose another name."


class ShiftTimesInvalid(Problem):
    type = "shift-times-invalid"
    status = 422
    vi = "Giờ làm của ca chưa đúng: {reason}. Viết từng khoảng như 08:00-12:00, không chồng nhau, không qua nửa đêm."
    en = "The times of the shift will not do: {reason}. Write each period like 08:00-12:00, none overlapping or over midnight."


class ShiftZoneUnknown(Problem):
    type = "shift-zone-unknown"
    status = 422
    vi = "Không có múi giờ '{zone}'. Viết như Asia/Ho_Chi_Minh."
    en = "There is no time zone '{zone}'. Write it like Asia/Ho_Chi_Minh."


class SpecialDayNotFound(Problem):
    type = "special-day-not-found"
    status = 404
    vi = "Ngày này không phải ngày riêng của công ty. Xem danh sách ở GET /v1/special-days."
    en = "This date is no special day of the company. GET /v1/special-days lists them."
