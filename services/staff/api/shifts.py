"""Shifts ('ca làm việc'), who is in which, and the company's special days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.staff import shifts as changes
from services.staff.api.dependencies import Administrator, DatabaseDep, Reader
from services.staff.api.schemas import Line, Name, Typed
from services.staff.problems import AccountNotFound, ShiftNotFound, SpecialDayNotFound
from services.staff.repository import accounts, shifts
from services.staff.repository.shifts import Day, DayKind, Shift
from shared.auth import PrincipalDep
from shared.calendar import VIETNAM
from shared.contracts.events.staff import ShiftTimes, SpecialDay
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.given import GivenDate
from shared.idempotency import OnceDep
from shared.shifts import roster_of

router = APIRouter(prefix="/v1", tags=["shifts"])

Accounts = Annotated[list[UUID], Field(max_length=1_000)]
Periods = Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=10)]


class SpecialDayIn(BaseModel):
    """A date on which a shift has periods of its own, whatever weekday or holiday it is; none: it is not worked."""

    model_config = ConfigDict(extra="forbid")

    on: GivenDate
    periods: Periods = []


class ShiftIn(BaseModel):
    """When a shift is worked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Ca hành chính",
                    "weekdays": [1, 2, 3, 4, 5, 6],
                    "periods": ["08:00-12:00", "13:30-17:30"],
                    "special_days": [{"on": "2026-12-31", "periods": ["08:00-12:00"]}],
                }
            ]
        },
    )

    name: Name
    zone: Typed = Field(default=VIETNAM, description="IANA time zone whose clock the periods are read off")
    weekdays: set[Annotated[int, Field(ge=1, le=7)]] = Field(description="1 = Monday … 7 = Sunday")
    periods: Periods = Field(description="'08:00-12:00'; a night shift is two, up to 24:00 and from 00:00")
    works_on_holidays: bool = False
    special_days: list[SpecialDayIn] = Field(default=[], max_length=400)
    active: bool = True

    def times(self, shift_id: UUID) -> ShiftTimes:
        return ShiftTimes(
            shift_id=shift_id,
            name=self.name,
            zone=self.zone,
            weekdays=tuple(sorted(self.weekdays)),
            periods=tuple(sorted(self.periods)),
            works_on_holidays=self.works_on_holidays,
            special_days=tuple(
                SpecialDay(on=day.on, periods=tuple(sorted(day.periods)))
                for day in sorted(self.special_days, key=lambda day: day.on)
            ),
        )


class ShiftSummary(BaseModel):
    id: UUID
    name: str
    zone: str
    weekdays: list[int]
    periods: list[str]
    works_on_holidays: bool
    special_days: list[SpecialDayIn]
    active: bool
    members: int = Field(description="people in it")
    version: int = Field(description="also the ETag, for If-Match")


class ShiftMember(BaseModel):
    account_id: UUID
    code: str
    name: str


class ShiftView(ShiftSummary):
    people: list[ShiftMember]


class ShiftPage(BaseModel):
    items: list[ShiftSummary]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class MembersChange(BaseModel):
    """Who comes into a shift and who leaves it; everybody else stays."""

    model_config = ConfigDict(extra="forbid")

    add: Accounts = []
    remove: Accounts = []


class OwnShifts(BaseModel):
    """The shifts of a person, and whether they are in one now."""

    account_id: UUID
    shifts: list[str]
    state: Literal["present", "off_shift", "holiday", "any_time"] = Field(description="any_time: no shifts")
    next_start: datetime | None = Field(description="when the next period begins")


class DayIn(BaseModel):
    """`holiday`: a day off besides the public ones. `workday`: a public holiday that is worked."""

    model_config = ConfigDict(extra="forbid")

    kind: DayKind
    label: Line = ""


class DayView(BaseModel):
    on: date
    kind: Literal["holiday", "workday", "public_holiday"]
    label: str


@router.post("/shifts", status_code=201, response_model=ShiftView)
async def create_shift(who: Administrator, db: DatabaseDep, once: OnceDep, body: ShiftIn) -> Response:
    """A new shift, with nobody in it."""

    async def effect(session: Session) -> ShiftView:
        times = body.times(uuid7())
        await shifts.lock(session)
        await changes.put(session, times, active=body.active, holidays=(), at=datetime.now(UTC), by=who.code)
        return await _view(session, times.shift_id)

    return await once.run(db, str(who.account_id), effect)


@router.get("/shifts")
async def list_shifts(
    _: Reader, db: DatabaseDep, limit: Annotated[int, Query(ge=1, le=200)] = 50, after: UUID | None = None
) -> ShiftPage:
    """Shifts, in the order in which they were made."""
    async with db.read() as session:
        found = await shifts.page(session, limit=limit, after=after)
    return ShiftPage(
        items=[ShiftSummary(**_fields(one)) for one in found], next=found[-1].id if len(found) == limit else None
    )


@router.get("/shifts/{shift_id}")
async def get_shift(_: Reader, db: DatabaseDep, shift_id: UUID, response: Response) -> ShiftView:
    """One shift and who is in it."""
    async with db.read() as session:
        view = await _view(session, shift_id)
    tag(response, view.version)
    return view


@router.put("/shifts/{shift_id}")
async def change_shift(
    who: Administrator, db: DatabaseDep, shift_id: UUID, version: ExpectedVersion, body: ShiftIn, response: Response
) -> ShiftView:
    """Changes a shift; from the moment others hear of it, its people get numbers by the new times."""
    at = datetime.now(UTC)
    holidays = await changes.holidays_around(at)
    async with db.transaction() as session:
        await shifts.lock(session)
        before = await _existing(session, shift_id)
        if before.version != version:
            raise PreconditionFailed
        await changes.put(session, body.times(shift_id), active=body.active, holidays=holidays, at=at, by=who.code)
        view = await _view(session, shift_id)
    tag(response, view.version)
    return view


@router.patch("/shifts/{shift_id}/members")
async def change_members(who: Reader, db: DatabaseDep, shift_id: UUID, change: MembersChange) -> ShiftView:
    """Puts people below oneself, or anybody with `staff.admin`, into a shift or takes them out."""
    at = datetime.now(UTC)
    holidays = await changes.holidays_around(at)
    async with db.transaction() as session:
        await shifts.lock(session)
        await _existing(session, shift_id)
        await changes.change_members(
            session, who, shift_id, add=change.add, remove=change.remove, holidays=holidays, at=at
        )
        return await _view(session, shift_id)


@router.get("/accounts/{account_id}/shifts", tags=["accounts"])
async def shifts_of(who: Reader, db: DatabaseDep, account_id: UUID) -> OwnShifts:
    """In which shifts somebody is, and whether in one of them now."""
    async with db.read() as session:
        if await accounts.find_visible(session, account_id, who) is None:
            raise AccountNotFound
        return await _own(session, account_id)


@router.get("/me/shifts", tags=["me"])
async def own_shifts(who: PrincipalDep, db: DatabaseDep) -> OwnShifts:
    """One's own shifts, and whether one is in one of them now."""
    async with db.read() as session:
        return await _own(session, who.account_id)


@router.get("/special-days")
async def list_special_days(
    _: PrincipalDep, db: DatabaseDep, year: Annotated[int | None, Query(ge=2020, le=2100)] = None
) -> list[DayView]:
    """Public holidays of a year (without one: this one), and the days on which the company differs from them."""
    wanted = datetime.now(UTC).year if year is None else year
    public = await changes.holidays_of(wanted)
    async with db.read() as session:
        own = await shifts.days(session, since=date(wanted, 1, 1), till=date(wanted, 12, 31))
    found = {on: DayView(on=on, kind="public_holiday", label="") for on in public}
    found |= {day.on: DayView(on=day.on, kind=day.kind, label=day.label) for day in own}
    return [found[on] for on in sorted(found)]


@router.put("/special-days/{on}")
async def put_special_day(who: Administrator, db: DatabaseDep, on: GivenDate, body: DayIn) -> DayView:
    """Makes a date a day off, or a public holiday one that is worked, for all shifts."""
    at = datetime.now(UTC)
    holidays = await changes.holidays_around(at)
    async with db.transaction() as session:
        await shifts.lock(session)
        await changes.put_day(session, Day(on, body.kind, body.label), holidays=holidays, at=at, by=who.code)
    return DayView(on=on, kind=body.kind, label=body.label)


@router.delete("/special-days/{on}", status_code=204)
async def drop_special_day(who: Administrator, db: DatabaseDep, on: GivenDate) -> None:
    """Makes a date again what the public holidays say of it."""
    at = datetime.now(UTC)
    holidays = await changes.holidays_around(at)
    async with db.transaction() as session:
        await shifts.lock(session)
        if not await changes.drop_day(session, on, holidays=holidays, at=at, by=who.code):
            raise SpecialDayNotFound


async def _existing(session: ReadSession, shift_id: UUID) -> Shift:
    shift = await shifts.one(session, shift_id)
    if shift is None:
        raise ShiftNotFound
    return shift


async def _view(session: ReadSession, shift_id: UUID) -> ShiftView:
    shift = await _existing(session, shift_id)
    people = [
        ShiftMember(account_id=one.account_id, code=one.code, name=one.name)
        for one in await shifts.members(session, shift_id)
    ]
    return ShiftView(**_fields(shift), people=people)


def _fields(shift: Shift) -> dict[str, object]:
    return {
        **shift.times.model_dump(exclude={"shift_id"}),
        "id": shift.id,
        "active": shift.active,
        "members": shift.members,
        "version": shift.version,
    }


async def _own(session: ReadSession, account_id: UUID) -> OwnShifts:
    at = datetime.now(UTC)
    of = (await shifts.of_accounts(session, [account_id]))[account_id]
    roster = roster_of(of, await changes.days_off(session, await changes.holidays_around(at), at=at))
    return OwnShifts(
        account_id=account_id,
        shifts=[times.name for times in of],
        state="any_time" if roster is None else roster.at(at).state,
        next_start=None if roster is None else roster.next_start(at),
    )
