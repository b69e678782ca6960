"""The sentences of everything that is not a phone number."""

from __future__ import annotations

from typing import Final

from shared.phone.model import PhoneProblem, ProblemCode

EMPTY: Final = PhoneProblem(
    ProblemCode.EMPTY,
    vi="Chưa có số điện thoại. Nhập số rồi lưu lại.",
    en="There is no phone number. Enter one and save again.",
)
NO_DIGITS: Final = PhoneProblem(
    ProblemCode.NO_DIGITS,
    vi="Ô số điện thoại không có chữ số nào. Nhập số rồi lưu lại.",
    en="The phone field has no digits. Enter the number and save again.",
)
EXCEL_ERROR: Final = PhoneProblem(
    ProblemCode.EXCEL_ERROR,
    vi="Ô số điện thoại đang báo lỗi của Excel. Định dạng cột là Văn bản (Text), nhập lại số rồi lưu.",
    en="The phone cell shows an Excel error. Format the column as Text, enter the number and save again.",
)
ROUNDED_BY_EXCEL: Final = PhoneProblem(
    ProblemCode.ROUNDED_BY_EXCEL,
    vi="Excel đã làm tròn số điện thoại này. Định dạng cột là Văn bản (Text), dán lại số gốc rồi lưu.",
    en="Excel has rounded this number. Format the column as Text, paste the original number and save again.",
)
HOTLINE: Final = PhoneProblem(
    ProblemCode.HOTLINE,
    vi="Số 1800, 1900 là số tổng đài. Nhập số di động hoặc số cố định rồi lưu.",
    en="1800 and 1900 numbers are hotlines. Enter a mobile or landline number and save again.",
)
SHORT_CODE: Final = PhoneProblem(
    ProblemCode.SHORT_CODE,
    vi="Đây là đầu số ngắn, không phải số của một người. Nhập số di động hoặc số cố định rồi lưu.",
    en="This is a short code, nobody's own number. Enter a mobile or landline number and save again.",
)
FOREIGN_WITHOUT_PLUS: Final = PhoneProblem(
    ProblemCode.FOREIGN_WITHOUT_PLUS,
    vi="Số nước ngoài phải bắt đầu bằng dấu + và mã nước. Thêm dấu + rồi lưu.",
    en="A foreign number must begin with + and the country code. Add the + and save again.",
)
FOREIGN_INVALID: Final = PhoneProblem(
    ProblemCode.FOREIGN_INVALID,
    vi="Số nước ngoài không đúng mã nước hoặc độ dài. Kiểm tra lại rồi lưu.",
    en="The foreign number has a wrong country code or length. Check it and save again.",
)
TEXT_TOO_LONG: Final = PhoneProblem(
    ProblemCode.TEXT_TOO_LONG,
    vi="Ô số điện thoại có quá nhiều chữ. Chỉ để lại số điện thoại, phần khác chuyển sang ghi chú rồi lưu.",
    en="The phone field holds too much text. Leave the number only, move the rest to the note and save again.",
)
TOO_MANY_NUMBERS: Final = PhoneProblem(
    ProblemCode.TOO_MANY_NUMBERS,
    vi="Ô có quá nhiều số, số này không được lưu. Chỉ để lại các số của một khách, mỗi khách một dòng.",
    en="There are too many numbers, so this one is not kept. Leave one customer's numbers, one customer a row.",
)
MORE_THAN_ONE: Final = PhoneProblem(
    ProblemCode.MORE_THAN_ONE,
    vi="Ô này chỉ nhận một số điện thoại. Chỉ để lại một số rồi lưu.",
    en="This field takes one phone number only. Leave one and save again.",
)
TOO_SHORT: Final = PhoneProblem(
    ProblemCode.TOO_SHORT,
    vi="Quá ngắn để là số điện thoại (giá tiền, số lượng, giờ, mã?) nên được bỏ qua. Nếu là số điện thoại, nhập đủ số.",
    en="Too short for a phone number (a price, a count, a time, a code?), so it was left out. If it is one, enter all of it.",
)
UNCLEAR: Final = PhoneProblem(
    ProblemCode.UNCLEAR,
    vi="Chưa rõ đâu là số điện thoại. Nhập lại liền nhau, chỉ gồm chữ số, rồi lưu.",
    en="It is not clear which digits are the phone number. Enter them together, digits only, and save again.",
)


def missing_digits(count: int) -> PhoneProblem:
    """`count` ≥ 1 digits too few."""
    are = "digit is" if count == 1 else "digits are"
    return PhoneProblem(
        ProblemCode.MISSING_DIGITS,
        vi=f"Số điện thoại thiếu {count} chữ số. Kiểm tra lại rồi lưu.",
        en=f"{count} {are} missing from the phone number. Check it and save again.",
    )


def extra_digits(count: int) -> PhoneProblem:
    """`count` ≥ 1 digits too many."""
    return PhoneProblem(
        ProblemCode.EXTRA_DIGITS,
        vi=f"Số điện thoại thừa {count} chữ số. Kiểm tra lại rồi lưu; nếu là hai số, cách nhau bằng dấu /.",
        en=f"The phone number has {count} digit{'' if count == 1 else 's'} too many. "
        "Check it and save again; put / between two numbers.",
    )


def unknown_prefix(prefix: str) -> PhoneProblem:
    """The length is right, but no operator or province has `prefix`."""
    return PhoneProblem(
        ProblemCode.UNKNOWN_PREFIX,
        vi=f"Đầu số {prefix} không có ở Việt Nam. Kiểm tra lại rồi lưu.",
        en=f"No number in Vietnam begins with {prefix}. Check it and save again.",
    )
