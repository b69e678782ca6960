"""Public holidays: seeded with those of Vietnam, and changed where the company works on one or closes on another day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.orders.access import Administrator, Reader
from services.orders.actors import staff
from services.orders.calendars import change, store
from services.orders.calendars.body import Line
from services.orders.calendars.errors import DateTooFar, HolidayNotListed
from services.orders.calendars.store import Holiday
from services.orders.http import ClockDep, RuntimeDep
from shared.db import ReadSession
from shared.etag import ExpectedVersion, tag
from shared.given import GivenDate
from shared.public_holidays import vietnam_named

router = APIRouter(prefix="/v1/holidays", tags=["business time"])

FIRST_YEAR: Final = 2025
YEARS_AHEAD: Final = 10
"""Holidays of farther years are estimates that nobody plans by."""


class HolidayIn(BaseModel):
    """Whether the company is closed on a date, in all calendars that keep public holidays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"closed": True, "vi": "Nghỉ Tết thêm", "en": "Further day of Tết"}]},
    )

    closed: bool
    vi: Line
    en: Line
    reason: str = Field(default="", max_length=200)


class HolidayView(BaseModel):
    on: date
    closed: bool
    public: bool = Field(description="a public holiday of Vietnam, whether the company keeps it or not")
    vi: str = Field(examples=["Tết Nguyên Đán"])
    en: str = Field(examples=["Lunar New Year"])
    version: int = Field(description="also the ETag, for If-Match; a date that is not listed has version 0")
    changed_at: datetime
    changed_by: str = Field(description="'seed': as the public holidays say")
    reason: str


class HolidayYear(BaseModel):
    items: list[HolidayView]
    next: int | None = Field(description="`year` of the next page; null on the last that can be changed")


@router.get("")
async def list_holidays(_: Reader, runtime: RuntimeDep, clock: ClockDep, year: Annotated[int, Query()]) -> HolidayYear:
    """The holidays of a year, and the public ones on which the company works."""
    _check(date(min(max(year, 1), 9999), 1, 1), now=clock())
    async with runtime.db.read() as session:
        missing = await _missing(session, year)
        found = await store.holidays(
            session, revision=await store.revision(session), since=date(year, 1, 1), till=date(year, 12, 31)
        )
    items = [_view(each) for each in found] or [
        _public(on, names) for on, names in sorted(missing.items()) if on.year == year
    ]
    return HolidayYear(items=items, next=year + 1 if year < clock().year + YEARS_AHEAD else None)


@router.get("/{on}")
async def get_holiday(_: Reader, runtime: RuntimeDep, on: GivenDate, response: Response) -> HolidayView:
    """One date."""
    async with runtime.db.read() as session:
        found = await store.holidays(session, revision=await store.revision(session), since=on, till=on)
    if not found:
        raise HolidayNotListed(on=on)
    tag(response, found[0].version)
    return _view(found[0])


@router.put("/{on}")
async def put_holiday(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    on: GivenDate,
    version: ExpectedVersion,
    day: HolidayIn,
    response: Response,
) -> HolidayView:
    """Closes the company on a date, or opens it on a public holiday; open care is planned again from there.

    `If-Match: "0"` for a date that is not listed yet."""
    now = clock()
    _check(on, now=now)
    async with runtime.db.read() as session:
        missing = await _missing(session, on.year)
    async with runtime.db.transaction() as session:
        written = await change.put_holiday(
            session,
            missing,
            on=on,
            expected=version,
            closed=day.closed,
            names=(day.vi, day.en),
            at=now,
            by=staff(who),
            reason=day.reason,
        )
    tag(response, written.version)
    return _view(written)


async def _missing(session: ReadSession, year: int) -> Mapping[date, tuple[str, str]]:
    """Public holidays up to a year, of the years of which the table knows nothing yet."""
    _, known_until = await store.closed_dates(session, revision=await store.revision(session))
    missing = range(known_until + 1, year + 1)
    return await asyncio.to_thread(vietnam_named, missing) if missing else {}


def _check(on: date, *, now: datetime) -> None:
    if not FIRST_YEAR <= on.year <= now.year + YEARS_AHEAD:
        raise DateTooFar(on=on)


def _public(on: date, names: tuple[str, str]) -> HolidayView:
    return HolidayView(
        on=on,
        closed=True,
        public=True,
        vi=names[0],
        en=names[1],
        version=1,
        changed_at=datetime(2000, 1, 1, tzinfo=UTC),
        changed_by="seed",
        reason="",
    )


def _view(day: Holiday) -> HolidayView:
    return HolidayView(
        on=day.on,
        closed=day.closed,
        public=day.public,
        vi=day.vi,
        en=day.en,
        version=day.version,
        changed_at=day.at,
        changed_by=day.by_code,
        reason=day.reason,
    )
