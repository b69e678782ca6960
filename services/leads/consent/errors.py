"""What callers can do wrong with consent and the do-not-call list."""

from __future__ import annotations

from shared.errors import Problem


class NumbersUnreadable(Problem):
    """`unreadable` lists the texts by their places, with what is wrong."""

    type = "numbers-unreadable"
    status = 422
    vi = "Có số không đọc được, xem 'unreadable'. Sửa rồi gửi lại; chưa có gì được lưu."
    en = "Some numbers cannot be read, see 'unreadable'. Correct them and send again; nothing was saved."


class NotListed(Problem):
    type = "not-on-do-not-call-list"
    status = 404
    vi = "Số này không có trong danh sách không gọi theo nguồn đó. Tra lại số rồi thử lại."
    en = "That source has not put this number on the do-not-call list. Look the number up and try again."


class ListUnreadable(Problem):
    type = "list-unreadable"
    status = 422
    vi = "Không đọc được tệp: cần .xlsx có cột “Số điện thoại”, hoặc tệp .txt UTF-8, mỗi dòng một số."
    en = "The file cannot be read: send an .xlsx with a column “Số điện thoại”, or UTF-8 text with a number on each line."


class ListEmpty(Problem):
    type = "list-empty"
    status = 422
    vi = "Tệp không có dòng nào. Kiểm tra lại tệp rồi gửi lại."
    en = "There are no rows in the file. Check it and send it again."


class ListTooLong(Problem):
    type = "list-too-long"
    status = 422
    vi = "Tệp có hơn {limit} dòng. Chia thành nhiều tệp và nhập lần lượt bằng chế độ 'add'."
    en = "The file has more than {limit} rows. Split it and import the parts one by one in mode 'add'."
