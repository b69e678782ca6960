"""Calendars of business time: kept, changed, looked at; and what a change does to open care."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.orders.access import Administrator, Reader
from services.orders.actors import staff
from services.orders.calendars import change, store
from services.orders.calendars.body import CalendarBody, faults
from services.orders.calendars.change import named
from services.orders.calendars.errors import CalendarInvalid, CalendarNotFound, DelayUnreadable
from services.orders.calendars.preview import (
    DuesView,
    MonthView,
    Preview,
    PreviewIn,
    calendar_of,
    dues_view,
    month_view,
)
from services.orders.calendars.store import Version
from services.orders.care.process import parse_duration
from services.orders.http import ClockDep, Limit, RuntimeDep
from shared.db import ReadSession, Session
from shared.etag import ExpectedVersion, tag
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/calendars", tags=["business time"])

Key = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["call_hours"])]
Team = Annotated[str, Query(max_length=60, description="a team's own calendar; left out: the company's")]
Month = Annotated[str, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2027-02"])]


class CalendarIn(CalendarBody):
    """A calendar and why it is as it is."""

    reason: str = Field(default="", max_length=200, examples=["Nghỉ Tết sớm hai ngày"])


class NewCalendar(CalendarIn):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["call_hours"], description="care processes name it so"
    )
    team: str = Field(default="", max_length=60, description="for orders whose owner is in this team; '' = the company")


class CalendarView(CalendarBody):
    key: str
    team: str
    version: int = Field(description="also the ETag, for If-Match")
    revision: int = Field(description="number of the change; its progress in open care is at /v1/calendars/replans")
    changed_at: datetime
    changed_by: str
    reason: str


class CalendarPage(BaseModel):
    items: list[CalendarView]
    next: str | None = Field(description="`after` of the next page; null on the last")


class VersionView(BaseModel):
    version: int
    applied_from: datetime
    applied_until: datetime | None = Field(description="null: it applies now")
    changed_by: str
    reason: str
    calendar: CalendarBody | None = Field(description="null: the team kept the company's")


class VersionPage(BaseModel):
    items: list[VersionView]
    next: int | None = Field(description="`before` of the next page; null on the last")


class ReplanView(BaseModel):
    """What a change means for open care."""

    revision: int
    calendar: str = Field(description="key, with @ and the team of a team's own; or holidays", examples=["call_hours"])
    version: int
    state: str = Field(description="running, done")
    touched: int | None = Field(description="open orders that may be due at another time; null: not counted yet")
    looked: int
    moved: int = Field(description="of which a task is due at another time now")
    failed: int = Field(description="that could not be planned; their workflows go on trying")
    started_at: datetime
    finished_at: datetime | None


class ReplanPage(BaseModel):
    items: list[ReplanView]
    next: int | None = Field(description="`before` of the next page; null on the last")


_REPLANS: Final = text(
    """
SELECT r.revision, c.calendar, c.team, c.version, r.state, r.touched, r.looked, r.moved, r.failed, r.started_at, r.finished_at
FROM replans r JOIN business_time_changes c USING (revision) WHERE r.revision < :before ORDER BY r.revision DESC LIMIT :limit
"""
)
_LAST: Final = 2_000_000_000
"""Above every version and revision."""


@router.get("")
async def list_calendars(
    _: Reader, runtime: RuntimeDep, limit: Limit = 50, after: Annotated[str, Query(max_length=120)] = ""
) -> CalendarPage:
    """The calendars that apply now, the company's and those of teams, by key."""
    key, _separator, team = after.partition("@")
    async with runtime.db.read() as session:
        found = await store.current(session, revision=await store.revision(session), after=(key, team), limit=limit)
    full = len(found) == limit
    return CalendarPage(
        items=[_view(each) for each in found], next=named(found[-1].key, found[-1].team) if full else None
    )


@router.post("", status_code=201, response_model=CalendarView)
async def create_calendar(
    who: Administrator, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, body: NewCalendar
) -> Response:
    """A new calendar of the company, or a team's own in place of the company's.

    Open care of the orders that it concerns is planned again in it."""

    async def effect(session: Session) -> CalendarView:
        made = await change.create(
            session, key=body.key, team=body.team, body=_body(body), at=clock(), by=staff(who), reason=body.reason
        )
        return _view(made)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/replans")
async def list_replans(_: Reader, runtime: RuntimeDep, limit: Limit = 20, before: int = _LAST) -> ReplanPage:
    """What changes of business time did to open care, the last change on top: how many orders were looked at and moved."""
    async with runtime.db.read() as session:
        rows = (await session.execute(_REPLANS, {"before": before, "limit": limit})).all()
    items = [ReplanView(**{**row._mapping, "calendar": named(row.calendar, row.team)}) for row in rows]
    return ReplanPage(items=items, next=items[-1].revision if len(items) == limit else None)


@router.post("/preview")
async def preview_calendar(_: Reader, runtime: RuntimeDep, wanted: PreviewIn) -> Preview:
    """What a calendar would mean before it is kept: a month of it, and when things would fall due. Changes nothing."""
    body = wanted.calendar
    found = faults(body)
    if found:
        raise CalendarInvalid(found)
    async with runtime.db.read() as session:
        holidays = await _holidays(session)
    month = month_view(body, holidays, wanted.month)
    dues = None
    if wanted.at is not None:
        dues = dues_view(calendar_of(body, holidays), at=wanted.at, after=[_delay(text) for text in wanted.after])
    return Preview(**dict(month), dues=dues)


@router.get("/{key}")
async def get_calendar(_: Reader, runtime: RuntimeDep, key: Key, response: Response, team: Team = "") -> CalendarView:
    """One calendar as it applies now. A team without one of its own keeps the company's."""
    async with runtime.db.read() as session:
        found = await _existing(session, key, team)
    tag(response, found.version)
    return _view(found)


@router.put("/{key}")
async def change_calendar(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    key: Key,
    version: ExpectedVersion,
    body: CalendarIn,
    response: Response,
    team: Team = "",
) -> CalendarView:
    """Another version of a calendar, in force at once. What is open in care is planned again in it, also for hours that
    passed; what ended stays as it was, and times that were agreed with customers stay agreed."""
    async with runtime.db.transaction() as session:
        changed = await change.change(
            session,
            key=key,
            team=team,
            expected=version,
            body=_body(body),
            at=clock(),
            by=staff(who),
            reason=body.reason,
        )
    tag(response, changed.version)
    return _view(changed)


@router.delete("/{key}", status_code=204)
async def drop_team_calendar(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    key: Key,
    version: ExpectedVersion,
    team: Annotated[str, Query(max_length=60)] = "",
) -> None:
    """The team keeps the company's calendar again. The company's own cannot be removed: care relies on it."""
    async with runtime.db.transaction() as session:
        await change.change(
            session, key=key, team=team, expected=version, body=None, at=clock(), by=staff(who), reason=""
        )


@router.get("/{key}/versions")
async def list_versions(
    _: Reader,
    runtime: RuntimeDep,
    key: Key,
    team: Team = "",
    at: Annotated[GivenInstant | None, Query(description="only the version that applied then")] = None,
    limit: Limit = 20,
    before: int = _LAST,
) -> VersionPage:
    """Every version there ever was, the last on top, each with when it applied and who made it."""
    async with runtime.db.read() as session:
        if await store.last(session, key, team) is None:
            raise CalendarNotFound
        found = await store.versions(session, key, team, at=at, before=before, limit=limit)
    items = [
        VersionView(
            version=each.version,
            applied_from=each.at,
            applied_until=each.until,
            changed_by=each.by_code,
            reason=each.reason,
            calendar=each.body,
        )
        for each in found
    ]
    return VersionPage(items=items, next=items[-1].version if len(items) == limit else None)


@router.get("/{key}/month")
async def get_month(_: Reader, runtime: RuntimeDep, key: Key, month: Month, team: Team = "") -> MonthView:
    """The open periods of every day of a month, holidays and special days considered."""
    async with runtime.db.read() as session:
        body = await _body_of(session, key, team)
        return month_view(body, await _holidays(session), month)


@router.get("/{key}/due")
async def get_due(
    _: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    key: Key,
    team: Team = "",
    at: Annotated[GivenInstant | None, Query(description="as if now were then")] = None,
    after: Annotated[list[str], Query(max_length=20)] = ["15m", "1h", "4h", "1d"],  # noqa: B006  # FastAPI copies it
) -> DuesView:
    """When something would fall due that is to be done so long after a moment, in this calendar's time."""
    async with runtime.db.read() as session:
        body = await _body_of(session, key, team)
        calendar = calendar_of(body, await _holidays(session))
    return dues_view(calendar, at=at or clock(), after=[_delay(text) for text in after])


async def _existing(session: ReadSession, key: str, team: str) -> Version:
    found = await store.last(session, key, team)
    if found is None or found.body is None:
        raise CalendarNotFound
    return found


async def _body_of(session: ReadSession, key: str, team: str) -> CalendarBody:
    """The calendar that counts for a team: its own, else the company's."""
    found = await store.last(session, key, team) if team else None
    if found is None or found.body is None:
        found = await _existing(session, key, store.COMPANY)
    assert found.body is not None
    return found.body


async def _holidays(session: ReadSession) -> list[store.Holiday]:
    return list(await store.holidays(session, revision=await store.revision(session), since=date.min, till=date.max))


def _delay(text: str) -> timedelta:
    """
    Raises:
        DelayUnreadable: it is not written like 15m, 4h or 1d.
    """
    try:
        delay = parse_duration(text)
    except ValueError:
        raise DelayUnreadable(after=text) from None
    assert isinstance(delay, timedelta)
    return delay


def _body(body: CalendarIn) -> CalendarBody:
    return CalendarBody.model_validate(body.model_dump(include=set(CalendarBody.model_fields)))


def _view(version: Version) -> CalendarView:
    assert version.body is not None
    return CalendarView(
        **dict(version.body),
        key=version.key,
        team=version.team,
        version=version.version,
        revision=version.revision,
        changed_at=version.at,
        changed_by=version.by_code,
        reason=version.reason,
    )
