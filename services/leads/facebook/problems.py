"""What can go wrong with Facebook pages, for those who connect them and for whoever calls their addresses."""

from __future__ import annotations

from shared.errors import Problem


class VerificationFailed(Problem):
    type = "verification-failed"
    status = 403
    vi = "Mã xác minh không đúng. Sao chép lại mã xác minh của trang ở mục Facebook."
    en = "The verify token is wrong. Copy the page's verify token again."


class SignatureWrong(Problem):
    type = "signature-wrong"
    status = 403
    vi = "Chữ ký X-Hub-Signature-256 thiếu hoặc không đúng. Kiểm tra khóa bí mật của ứng dụng (app secret) ở mục Facebook."
    en = "X-Hub-Signature-256 is missing or wrong. Check the app secret of the page."


class FacebookPageTaken(Problem):
    type = "facebook-page-taken"
    status = 409
    vi = "Trang {page_id} đã được kết nối. Sửa kết nối đang có."
    en = "Page {page_id} is connected already. Change that connection."


class FacebookRefused(Problem):
    type = "facebook-refused"
    status = 422
    vi = "Facebook không nhận thông tin này: {reason}. Kiểm tra mã trang, app secret, token và quyền của ứng dụng rồi lưu lại."
    en = "Facebook refused this: {reason}. Check page id, app secret, token and the app's permissions, then save again."


class FacebookAway(Problem):
    type = "facebook-away"
    status = 503
    vi = "Facebook chưa trả lời ({reason}), nên chưa kiểm tra được. Thử lại sau ít phút; chưa có gì được lưu."
    en = "Facebook does not answer ({reason}), so nothing could be checked. Try again in a few minutes; nothing was saved."


class CredentialsKeyMissing(Problem):
    type = "credentials-key-missing"
    status = 409
    vi = "Máy chủ chưa có khóa mã hóa. Nhờ quản trị đặt CHOT_CREDENTIALS_KEY cho dịch vụ leads rồi thử lại."
    en = "The server has no key to encrypt with. Have CHOT_CREDENTIALS_KEY set for the leads service, then try again."


class SourceOfOtherChannel(Problem):
    type = "source-of-other-channel"
    status = 422
    vi = "Nguồn số của '{field}' phải thuộc kênh '{channel}'. Chọn nguồn khác hoặc tạo nguồn mới."
    en = "The source of '{field}' must be of channel '{channel}'. Choose another or make one."


class CredentialsLost(Problem):
    type = "credentials-lost"
    status = 422
    vi = "Khóa mã hóa của máy chủ đã đổi nên không đọc được thông tin cũ. Nhập lại cả app_secret và access_token."
    en = "The server's key changed, so what is stored cannot be read. Give both app_secret and access_token again."
