"""Changes of business time: each a version with a revision, and a batch that plans again what is open, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.calendars import store
from services.orders.calendars.body import CalendarBody, faults
from services.orders.calendars.errors import (
    CalendarExists,
    CalendarInvalid,
    CalendarNotFound,
    CompanyCalendarNeeded,
    TeamCalendarWithoutCompany,
)
from services.orders.calendars.store import COMPANY, HOLIDAYS, Holiday, Version
from services.orders.rescue import waking as rescue_waking
from shared import outbox
from shared.calendar import Calendar
from shared.contracts.workflows import start_replan
from shared.db import Session
from shared.errors import PreconditionFailed

_EARLIEST_ZONE: Final = timedelta(hours=14)
"""Where a date begins first: so long before it begins in UTC."""

SEED: Final = 1
"""The revision of what an installation begins with; what the library says of a year that comes near is a part of it."""

_REPLAN: Final = text("INSERT INTO replans (revision, since, started_at) VALUES (:revision, :since, :at)")


def named(key: str, team: str) -> str:
    """A calendar in ids and lists: its key, and the team if it is a team's own."""
    return f"{key}@{team}" if team else key


async def create(
    session: Session, *, key: str, team: str, body: CalendarBody, at: datetime, by: Actor, reason: str
) -> Version:
    """A new calendar of the company, or a team's own in place of the company's.

    Raises:
        CalendarInvalid, CalendarExists, TeamCalendarWithoutCompany: it will not do.
    """
    _check(body)
    revision = await store.begin_change(session)
    before = await store.last(session, key, team)
    company = await store.last(session, key, COMPANY) if team else None
    if before is not None and before.body is not None:
        raise CalendarExists(key=key, whose=team or "công ty")
    if team and company is None:
        raise TeamCalendarWithoutCompany(key=key)
    version = before.version + 1 if before is not None else 1
    compared = company.body if company is not None else None
    return await _write(
        session, revision, key=key, team=team, version=version, body=body, before=compared, at=at, by=by, reason=reason
    )


async def change(
    session: Session,
    *,
    key: str,
    team: str,
    expected: int,
    body: CalendarBody | None,
    at: datetime,
    by: Actor,
    reason: str,
) -> Version:
    """Another version of a calendar; without a body a team keeps the company's again.

    Raises:
        CalendarInvalid, CalendarNotFound, CompanyCalendarNeeded: it will not do.
        PreconditionFailed: somebody changed it since version `expected`.
    """
    if body is not None:
        _check(body)
    elif not team:
        raise CompanyCalendarNeeded
    revision = await store.begin_change(session)
    before = await store.last(session, key, team)
    if before is None or before.body is None:
        raise CalendarNotFound
    if before.version != expected:
        raise PreconditionFailed
    if body == before.body:
        return before
    return await _write(
        session,
        revision,
        key=key,
        team=team,
        version=before.version + 1,
        body=body,
        before=before.body,
        at=at,
        by=by,
        reason=reason,
    )


def _check(body: CalendarBody) -> None:
    found = faults(body)
    if found:
        raise CalendarInvalid(found)


async def _write(
    session: Session,
    revision: int,
    *,
    key: str,
    team: str,
    version: int,
    body: CalendarBody | None,
    before: CalendarBody | None,
    at: datetime,
    by: Actor,
    reason: str,
) -> Version:
    await store.new_version(
        session, key=key, team=team, version=version, body=body, at=at, by=by, reason=reason, revision=revision
    )
    changed, since = _difference(before, body)
    if changed:
        await _replan(session, revision, calendar=named(key, team), version=version, since=since, at=at)
    written = await store.last(session, key, team)
    assert written is not None
    return written


def _difference(before: CalendarBody | None, body: CalendarBody | None) -> tuple[bool, datetime | None]:
    """Whether a change bears upon any plan, and from which instant on (None: any)."""
    if before is None or body is None or before.public_holidays != body.public_holidays:
        return True, None
    old, new = _calendar(before), _calendar(body)
    return old != new, first_difference(old, new)


def _calendar(body: CalendarBody) -> Calendar:
    return body.hours().calendar(zone=body.zone, holidays=())


def first_difference(one: Calendar, other: Calendar) -> datetime | None:
    """The first instant at which one of two calendars may be open while the other is not; None: any."""
    if one.zone != other.zone or one.weekly != other.weekly:
        return None
    days = sorted({on for calendar in (one, other) for on in (*calendar.closed, *dict(calendar.extra))})
    differing = next((on for on in days if one.periods_on(on) != other.periods_on(on)), None)
    return one.midnight(differing) if differing is not None else None


async def put_holiday(
    session: Session,
    known: Mapping[date, tuple[str, str]],
    *,
    on: date,
    expected: int,
    closed: bool,
    names: tuple[str, str],
    at: datetime,
    by: Actor,
    reason: str,
) -> Holiday:
    """Makes a date one on which the company is closed, or open.

    Args:
        known: public holidays of the years up to this date of which the table knows nothing yet.
        expected: the version that the caller saw; 0 for a date of which nothing was known.

    Raises:
        PreconditionFailed: somebody changed it since.
    """
    revision = await store.begin_change(session)
    await _fill_years(session, revision, known)
    before = await _holiday(session, on, revision=revision)
    if (before.version if before is not None else 0) != expected:
        raise PreconditionFailed
    public = before.public if before is not None else False
    if before is not None and (before.closed, before.vi, before.en) == (closed, *names):
        return before
    await store.write_change(
        session, revision, calendar=HOLIDAYS, team=COMPANY, version=revision, at=at, by=by, reason=reason
    )
    await store.write_holidays(session, revision, [(on, expected + 1, closed, public, *names)])
    if closed != (before is not None and before.closed):
        midnight = datetime(on.year, on.month, on.day, tzinfo=UTC) - _EARLIEST_ZONE
        await _replan(session, revision, calendar=HOLIDAYS, version=revision, since=midnight, at=at)
    written = await _holiday(session, on, revision=revision)
    assert written is not None
    return written


async def _fill_years(session: Session, revision: int, known: Mapping[date, tuple[str, str]]) -> None:
    """Writes the public holidays of years of which the table has nothing yet, as if they had been in the seed."""
    _, until = await store.closed_dates(session, revision=revision)
    days = [(on, 1, True, True, *names) for on, names in sorted(known.items()) if on.year > until]
    await store.write_holidays(session, SEED, days)


async def _holiday(session: Session, on: date, *, revision: int) -> Holiday | None:
    found = await store.holidays(session, revision=revision, since=on, till=on)
    return found[0] if found else None


async def _replan(
    session: Session, revision: int, *, calendar: str, version: int, since: datetime | None, at: datetime
) -> None:
    await session.execute(_REPLAN, {"revision": revision, "since": since, "at": at})
    await outbox.send(session, start_replan(revision, calendar=calendar, version=version))
    await rescue_waking.all_waiting(session)
