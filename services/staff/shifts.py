"""Changes of shifts: each in one transaction with what it means for every person it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfoNotFoundError

from services.staff.problems import (
    AccountNotFound,
    NotBelowYou,
    ShiftNameTaken,
    ShiftTimesInvalid,
    ShiftZoneUnknown,
)
from services.staff.repository import accounts, shifts
from services.staff.repository.shifts import Day
from shared import outbox, public_holidays
from shared.auth import Principal
from shared.calendar import InvalidCalendar
from shared.contracts.events.staff import SHIFTS_CHANGED, ShiftsChanged, ShiftTimes
from shared.contracts.permissions import STAFF_ADMIN
from shared.db import Database, ReadSession, Session
from shared.shifts import calendar_of

TELL_AGAIN: Final = timedelta(days=90)
"""Before the holidays that were told run out, they are told again, those of the next year included."""


async def put(
    session: Session, times: ShiftTimes, *, active: bool, holidays: Collection[date], at: datetime, by: str
) -> None:
    """Writes a shift, new or changed, and tells of everybody in it.

    Raises:
        ShiftNameTaken, ShiftTimesInvalid, ShiftZoneUnknown: it will not do.
    """
    check(times)
    if await shifts.name_taken(session, times.name, by_other_than=times.shift_id):
        raise ShiftNameTaken(name=times.name)
    await shifts.put(session, times, active=active, at=at)
    concerned = [member.account_id for member in await shifts.members(session, times.shift_id)]
    await tell(session, concerned, holidays=holidays, at=at, by=by)


def check(times: ShiftTimes) -> None:
    """Whether the times of a shift can be worked.

    Raises:
        ShiftTimesInvalid: periods that contradict each other, or none at all.
        ShiftZoneUnknown: no such time zone.
    """
    try:
        calendar_of(times, ())
    except InvalidCalendar as error:
        raise ShiftTimesInvalid(reason=str(error)) from None
    except (ZoneInfoNotFoundError, ValueError):
        raise ShiftZoneUnknown(zone=times.zone) from None


async def change_members(
    session: Session,
    who: Principal,
    shift_id: UUID,
    *,
    add: Sequence[UUID],
    remove: Sequence[UUID],
    holidays: Collection[date],
    at: datetime,
) -> None:
    """Puts people into a shift and takes others out.

    Raises:
        AccountNotFound, NotBelowYou: somebody whom one does not lead.
    """
    for account_id in {*add, *remove}:
        await _check_leads(session, who, account_id)
    changed = await shifts.remove(session, shift_id, remove) | await shifts.add(session, shift_id, add)
    await tell(session, changed, holidays=holidays, at=at, by=who.code)


async def _check_leads(session: Session, who: Principal, account_id: UUID) -> None:
    account = await accounts.find_visible(session, account_id, who)
    if account is None:
        raise AccountNotFound
    if not who.may(STAFF_ADMIN) and not await accounts.is_below(session, account_id, superior_id=who.account_id):
        raise NotBelowYou


async def tell(session: Session, ids: Collection[UUID], *, holidays: Collection[date], at: datetime, by: str) -> None:
    """Writes the present shifts of people to the outbox."""
    if not ids:
        return
    off = sorted(await days_off(session, holidays, at=at))
    versions = await shifts.next_states(session, ids, till=_last(at))
    of = await shifts.of_accounts(session, ids)
    told = [
        ShiftsChanged(
            account_id=account_id,
            version=versions[account_id],
            shifts=tuple(of[account_id]),
            holidays=tuple(off),
            at=at,
            by=by,
        )
        for account_id in sorted(ids)
    ]
    await outbox.write(
        session, [outbox.event_row(SHIFTS_CHANGED, change, subject=change.account_id) for change in told]
    )


async def put_day(session: Session, day: Day, *, holidays: Collection[date], at: datetime, by: str) -> None:
    """Makes a day one off or one worked, and tells of everybody in a shift."""
    await shifts.put_day(session, day)
    await tell(session, await shifts.everybody(session), holidays=holidays, at=at, by=by)


async def drop_day(session: Session, on: date, *, holidays: Collection[date], at: datetime, by: str) -> bool:
    """Makes a day what the public holidays say; False if it was."""
    if not await shifts.drop_day(session, on):
        return False
    await tell(session, await shifts.everybody(session), holidays=holidays, at=at, by=by)
    return True


async def tell_again(db: Database, *, at: datetime) -> None:
    """Tells of those whose holidays run out."""
    async with db.read() as reading:
        if not await shifts.running_out(reading, before=(at + TELL_AGAIN).date()):
            return
    holidays = await holidays_around(at)
    async with db.transaction() as session:
        await shifts.lock(session)
        concerned = await shifts.running_out(session, before=(at + TELL_AGAIN).date())
        await tell(session, concerned, holidays=holidays, at=at, by="")


async def days_off(session: ReadSession, holidays: Collection[date], *, at: datetime) -> frozenset[date]:
    """The company's days off: the public holidays but for where it differs from them."""
    differing = await shifts.days(session, since=_first(at), till=_last(at))
    more = {day.on for day in differing if day.kind == "holiday"}
    fewer = {day.on for day in differing if day.kind == "workday"}
    return frozenset({*holidays, *more} - fewer)


async def holidays_of(year: int) -> frozenset[date]:
    """Public holidays of a year."""
    return await asyncio.to_thread(public_holidays.vietnam, (year,))


async def holidays_around(at: datetime) -> frozenset[date]:
    """Public holidays of the year before, this and the next one. In a thread: the first time they take a while."""
    return await asyncio.to_thread(public_holidays.vietnam, range(_first(at).year, _last(at).year + 1))


def _first(at: datetime) -> date:
    return date(at.year - 1, 1, 1)


def _last(at: datetime) -> date:
    return date(at.year + 1, 12, 31)
