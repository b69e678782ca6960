"""A calendar as people write it, and everything that can be wrong with it, each told with its day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.orders.care.process import DAY_NAMES, Hours, Text
from shared.calendar import VIETNAM, InvalidCalendar, Period
from shared.errors import Mistake
from shared.given import GivenDate

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Written = Annotated[str, Field(max_length=20)]
Periods = Annotated[list[Written], Field(max_length=24)]

LONGEST_RANGE: Final = 60
"""Days of one special entry: longer than any Tết; who closes for a season writes the weekly hours anew."""

_DAYS: Final[Mapping[str, Text]] = {
    "mon": Text(vi="thứ Hai", en="Monday"),
    "tue": Text(vi="thứ Ba", en="Tuesday"),
    "wed": Text(vi="thứ Tư", en="Wednesday"),
    "thu": Text(vi="thứ Năm", en="Thursday"),
    "fri": Text(vi="thứ Sáu", en="Friday"),
    "sat": Text(vi="thứ Bảy", en="Saturday"),
    "sun": Text(vi="Chủ nhật", en="Sunday"),
}


class Name(BaseModel):
    model_config = ConfigDict(extra="forbid")

    vi: Line
    en: Line


class SpecialDay(BaseModel):
    """A date, or a run of them, that is not worked as its weekday says, be it a holiday or not. Exactly one of `closed`,
    `periods` (hours of its own: a Tết shift) and `like` (a swapped working day: worked as that weekday is)."""

    model_config = ConfigDict(extra="forbid")

    on: GivenDate
    until: GivenDate | None = Field(default=None, description="last date of a run; the date itself if left out")
    closed: bool = False
    periods: Periods = []
    like: DayName | None = None
    note: str = Field(default="", max_length=200, examples=["Trực Tết"])

    @property
    def dates(self) -> list[date]:
        return [self.on + timedelta(days=n) for n in range(((self.until or self.on) - self.on).days + 1)]

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.closed + bool(self.periods) + (self.like is not None) != 1:
            raise Mistake(
                f"{self.on}: chọn một trong closed, periods, like", f"{self.on}: say one of closed, periods, like"
            )
        return self


class CalendarBody(BaseModel):
    """When work is done, in the clock of one zone."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": {"vi": "Giờ gọi khách", "en": "Calling hours"},
                    "zone": VIETNAM,
                    "weekly": {
                        "mon": ["08:00-12:00", "13:30-20:30"],
                        "sat": ["08:00-12:00"],
                    },
                    "public_holidays": True,
                    "special_days": [
                        {"on": "2027-02-03", "until": "2027-02-12", "closed": True, "note": "Nghỉ Tết"},
                        {"on": "2027-02-13", "like": "mon", "note": "Làm bù"},
                        {"on": "2027-02-14", "periods": ["09:00-15:00"], "note": "Trực Tết"},
                    ],
                }
            ]
        },
    )

    name: Name
    zone: str = Field(default=VIETNAM, max_length=60, description="IANA time zone whose clock the periods are read off")
    weekly: dict[DayName, Periods] = Field(
        description="'08:00-12:00'; a night shift is two, up to 24:00 and from 00:00; a day left out is closed"
    )
    public_holidays: bool = Field(default=True, description="closed on the dates of /v1/holidays that are")
    special_days: list[SpecialDay] = Field(default=[], max_length=400)

    def hours(self) -> Hours:
        """As the care process reads it; `faults` has found none."""
        week = {day: tuple(self.weekly.get(day, ())) for day in DAY_NAMES}  # type: ignore[call-overload]  # days are DayNames
        extra: dict[date, tuple[str, ...]] = {}
        for special in self.special_days:
            periods = week[special.like] if special.like is not None else tuple(special.periods)
            extra |= dict.fromkeys(special.dates, periods)
        return Hours(
            name=Text(vi=self.name.vi, en=self.name.en),
            zone=self.zone,
            managed=True,
            weekly=week,
            public_holidays=self.public_holidays,
            extra=extra,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which day or field, and what to do."""

    code: str
    where: str
    vi: str
    en: str


def faults(body: CalendarBody) -> list[Fault]:
    """Everything that is wrong with a calendar; nothing means that it may be kept."""
    found = [*_zone(body)]
    for day in DAY_NAMES:
        name = _DAYS[day]
        found += _periods(f"weekly.{day}", name.vi, name.en, body.weekly.get(day, ()))  # type: ignore[call-overload]  # a DayName
    found += _special(body)
    if not any(body.weekly.values()):
        found.append(
            Fault(
                "never_open",
                "weekly",
                "Lịch này không mở ngày nào trong tuần, việc sẽ không bao giờ đến hạn. Thêm giờ cho ít nhất một ngày.",
                "This calendar is open on no day of the week, so nothing would ever fall due. Give at least one its hours.",
            )
        )
    return found


def _zone(body: CalendarBody) -> Iterator[Fault]:
    try:
        ZoneInfo(body.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, no name at all, or a folder such as "Asia"
        yield Fault(
            "zone_unknown",
            "zone",
            f"Không có múi giờ “{body.zone}”. Dùng tên như Asia/Ho_Chi_Minh.",
            f"There is no time zone {body.zone!r}. Use a name like Asia/Ho_Chi_Minh.",
        )


def _periods(where: str, vi: str, en: str, written: Sequence[str]) -> Iterator[Fault]:
    """Faults of the periods of one day, which has a name in both languages."""
    periods: list[Period] = []
    for text in written:
        try:
            periods.append(Period.parse(text))
        except InvalidCalendar:
            start, _, end = text.partition("-")
            if start.strip() >= end.strip() and len(start.strip()) == len(end.strip()) == len("08:00"):
                yield Fault(
                    "end_before_start",
                    where,
                    f"{vi}: {text} kết thúc trước khi bắt đầu. Ca đêm viết thành hai khoảng: đến 24:00 và từ 00:00 hôm sau.",
                    f"{en}: {text} ends before it starts. A night shift is two periods: up to 24:00, and from 00:00 on the "
                    "next day.",
                )
            else:
                yield Fault(
                    "period_unreadable",
                    where,
                    f"{vi}: không đọc được “{text}”. Viết như 08:00-12:00.",
                    f"{en}: {text!r} cannot be read. Write it like 08:00-12:00.",
                )
    for earlier, later in pairwise(sorted(periods)):
        if later.start < earlier.end:
            yield Fault(
                "periods_overlap",
                where,
                f"{vi}: {earlier} và {later} chồng lên nhau. Gộp lại hoặc sửa giờ.",
                f"{en}: {earlier} and {later} overlap. Join them or correct the times.",
            )


def _special(body: CalendarBody) -> Iterator[Fault]:
    seen: set[date] = set()
    for number, special in enumerate(body.special_days):
        where = f"special_days.{number}"
        vi, en = f"{special.on:%d/%m/%Y}", f"{special.on:%d %B %Y}"
        if special.until is not None and not 0 <= (special.until - special.on).days < LONGEST_RANGE:
            yield Fault(
                "range_reversed" if special.until < special.on else "range_too_long",
                where,
                f"{vi}: “until” phải từ ngày đó trở đi và không quá {LONGEST_RANGE} ngày.",
                f"{en}: until must not come before it, and no more than {LONGEST_RANGE} days after.",
            )
            continue
        yield from _periods(where, vi, en, special.periods)
        if special.like is not None and not body.weekly.get(special.like):
            yield Fault(
                "like_closed",
                where,
                f"{vi}: làm như {_DAYS[special.like].vi}, nhưng ngày đó không có giờ làm. Dùng “closed” hoặc “periods”.",
                f"{en}: worked like {_DAYS[special.like].en}, which has no hours. Use closed or periods.",
            )
        for on in special.dates:
            if on in seen:
                yield Fault(
                    "day_twice",
                    where,
                    f"{on:%d/%m/%Y} được khai hai lần. Chỉ giữ một.",
                    f"{on:%d %B %Y} is given twice. Keep one of them.",
                )
            seen.add(on)
