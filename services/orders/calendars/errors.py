"""What can be wrong with a change of business time."""

from __future__ import annotations

from collections.abc import Sequence

from services.orders.calendars.body import Fault
from shared.errors import Language, NotFound, Problem


class CalendarNotFound(NotFound):
    vi = "Không có lịch này. Xem danh sách ở /v1/calendars."
    en = "There is no such calendar. See the list at /v1/calendars."


class CalendarExists(Problem):
    type = "calendar-exists"
    status = 409
    vi = "Đã có lịch “{key}” cho {whose}. Sửa lịch đó (PUT kèm If-Match) hoặc đặt khóa khác."
    en = "There is a calendar {key!r} of {whose} already. Change that one (PUT with If-Match) or take another key."


class CalendarInvalid(Problem):
    """A calendar that contradicts itself; `faults` lists every fault with its day."""

    type = "calendar-invalid"
    status = 422

    def __init__(self, faults: Sequence[Fault]) -> None:
        told = [{"code": fault.code, "where": fault.where, "vi": fault.vi, "en": fault.en} for fault in faults]
        super().__init__(faults=told)
        self._faults = faults

    def detail(self, language: Language) -> str:
        return " ".join(fault.vi if language == "vi" else fault.en for fault in self._faults)


class CompanyCalendarNeeded(Problem):
    type = "company-calendar-needed"
    status = 409
    vi = "Lịch của công ty không xóa được vì quy trình chăm sóc cần đến. Hãy sửa giờ trong lịch."
    en = "The company's calendar cannot be removed, since care processes rely on it. Change its hours instead."


class TeamCalendarWithoutCompany(Problem):
    type = "team-calendar-without-company"
    status = 409
    vi = "Công ty chưa có lịch “{key}”. Tạo lịch của công ty trước, rồi đặt lịch riêng cho nhóm."
    en = "The company has no calendar {key!r} yet. Make the company's first, then the team's own."


class HolidayNotListed(NotFound):
    vi = 'Ngày {on} không phải ngày lễ và chưa ai khai. Muốn nghỉ ngày đó, gửi PUT kèm If-Match: "0".'
    en = 'The date {on} is no holiday and nobody listed it. To close on it, send PUT with If-Match: "0".'


class NothingBusinesslike(Problem):
    type = "never-open"
    status = 422
    vi = "Lịch không còn giờ mở nào sau thời điểm {at}. Kiểm tra lại lịch."
    en = "The calendar has no open time after {at}. Check the calendar."


class DelayUnreadable(Problem):
    type = "delay-unreadable"
    status = 422
    vi = "Không đọc được khoảng “{after}”. Viết như 15m, 4h hoặc 1d."
    en = "The delay {after!r} cannot be read. Write it like 15m, 4h or 1d."


class DateTooFar(Problem):
    type = "date-too-far"
    status = 422
    vi = "Ngày {on} quá xa. Ngày lễ sửa được từ năm 2025 đến mười năm tới."
    en = "The date {on} is too far away. Holidays can be changed from 2025 until ten years from now."
