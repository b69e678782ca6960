"""Versions of calendars and holidays. Nothing is ever overwritten: a change is another version with a revision of its own,
and the highest revision up to a moment says what applied then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.calendars.body import CalendarBody
from services.orders.care.process import Hours
from shared.db import ReadSession, Session

HOLIDAYS: Final = "holidays"
"""What a change of holidays is called where a change of a calendar has its key."""
COMPANY: Final = ""
"""The team of the company's own calendars."""

_NEXT: Final = text("UPDATE business_time SET revision = revision + 1 RETURNING revision")
_REVISION: Final = text("SELECT revision FROM business_time")
_CHANGE: Final = text(
    """
INSERT INTO business_time_changes (revision, calendar, team, version, at, by_id, by_code, reason)
VALUES (:revision, :calendar, :team, :version, :at, :by_id, :by_code, :reason)
"""
)
_VERSION: Final = text(
    """
INSERT INTO calendar_versions (key, team, version, revision, body)
VALUES (:key, :team, :version, :revision, CAST(:body AS jsonb))
"""
)
_SELECT: Final = """
SELECT v.key, v.team, v.version, v.revision, v.body, c.at, c.by_code, c.reason
FROM calendar_versions v JOIN business_time_changes c USING (revision)
"""
_LAST: Final = text(_SELECT + "WHERE v.key = :key AND v.team = :team ORDER BY v.version DESC LIMIT 1")
_CURRENT: Final = text(
    "SELECT * FROM (SELECT DISTINCT ON (key, team) * FROM ("
    + _SELECT
    + ") AS v WHERE revision <= :revision ORDER BY key, team, version DESC) AS v WHERE body IS NOT NULL "
    "AND (key, team) > (:after_key, :after_team) ORDER BY key, team LIMIT :limit"
)
_VERSIONS: Final = text(
    """
SELECT * FROM (
    SELECT v.version, v.revision, v.body, c.at, c.by_code, c.reason, lead(c.at) OVER (ORDER BY v.version) AS until
    FROM calendar_versions v JOIN business_time_changes c USING (revision) WHERE v.key = :key AND v.team = :team
) AS v
WHERE version < :before AND (CAST(:at AS timestamptz) IS NULL OR (at <= :at AND (until IS NULL OR :at < until)))
ORDER BY version DESC LIMIT :limit
"""
)
_HOLIDAYS: Final = text(
    """
SELECT h."on", h.version, h.closed, h.public, h.vi, h.en, c.at, c.by_code, c.reason FROM (
    SELECT DISTINCT ON ("on") * FROM holiday_versions
    WHERE revision <= :revision AND "on" BETWEEN :since AND :till ORDER BY "on", version DESC
) AS h JOIN business_time_changes c USING (revision) ORDER BY h."on"
"""
)
_CLOSED: Final = text(
    """
SELECT "on", closed FROM (
    SELECT DISTINCT ON ("on") "on", closed FROM holiday_versions WHERE revision <= :revision ORDER BY "on", version DESC
) AS h
"""
)
_HOLIDAY: Final = text(
    """
INSERT INTO holiday_versions ("on", version, revision, closed, public, vi, en)
VALUES (:on, :version, :revision, :closed, :public, :vi, :en)
"""
)
_CHANGES: Final = text(
    "SELECT revision, at FROM business_time_changes WHERE at > :since AND at <= :till ORDER BY revision"
)
_REVISION_AT: Final = text("SELECT max(revision) FROM business_time_changes WHERE at <= :at")


@dataclass(frozen=True)
class Version:
    """One version of a calendar; without a body the team keeps the company's again."""

    key: str
    team: str
    version: int
    revision: int
    body: CalendarBody | None
    at: datetime
    by_code: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True)
class Holiday:
    """A date on which the company is closed, or a public holiday on which it is not."""

    on: date
    version: int
    closed: bool
    public: bool
    vi: str
    en: str
    at: datetime
    by_code: str
    reason: str


async def revision(session: ReadSession) -> int:
    """The number of the last change: what was resolved under it stays true while it stays."""
    return int((await session.execute(_REVISION)).scalar_one())


async def revision_at(session: ReadSession, at: datetime) -> int:
    """The last change up to a moment."""
    return int((await session.execute(_REVISION_AT, {"at": at})).scalar_one())


async def changes(session: ReadSession, *, since: datetime, till: datetime) -> Sequence[tuple[int, datetime]]:
    """Revisions in a stretch of time, with when they were made."""
    rows = await session.execute(_CHANGES, {"since": since, "till": till})
    return [(row.revision, row.at) for row in rows]


async def begin_change(session: Session) -> int:
    """The number of a new change; others wait for its transaction."""
    return int((await session.execute(_NEXT)).scalar_one())


async def write_change(
    session: Session, revision: int, *, calendar: str, team: str, version: int, at: datetime, by: Actor, reason: str
) -> None:
    await session.execute(
        _CHANGE,
        {
            "revision": revision,
            "calendar": calendar,
            "team": team,
            "version": version,
            "at": at,
            "by_id": by.account_id,
            "by_code": by.code,
            "reason": reason,
        },
    )


async def write_version(
    session: Session, revision: int, *, key: str, team: str, version: int, body: CalendarBody | None
) -> None:
    written = body.model_dump(mode="json") if body is not None else None
    await session.execute(
        _VERSION,
        {
            "key": key,
            "team": team,
            "version": version,
            "revision": revision,
            "body": orjson.dumps(written).decode() if written is not None else None,
        },
    )


async def last(session: ReadSession, key: str, team: str) -> Version | None:
    """The last version, which may be one without a body."""
    row = (await session.execute(_LAST, {"key": key, "team": team})).one_or_none()
    return _version(row) if row is not None else None


async def current(
    session: ReadSession, *, revision: int, after: tuple[str, str] = ("", ""), limit: int = 10_000
) -> Sequence[Version]:
    """The calendars as they were when a revision was the last, by key and team."""
    rows = await session.execute(
        _CURRENT, {"revision": revision, "after_key": after[0], "after_team": after[1], "limit": limit}
    )
    return [_version(row) for row in rows]


async def versions(
    session: ReadSession, key: str, team: str, *, at: datetime | None, before: int, limit: int
) -> Sequence[Version]:
    """Versions of one calendar, the last on top, each with when it applied.

    Args:
        at: only the one that applied then.
        before: only versions below this one.
    """
    values = {"key": key, "team": team, "at": at, "before": before, "limit": limit}
    return [_version(row, key=key, team=team) for row in await session.execute(_VERSIONS, values)]


def _version(row: Any, *, key: str = "", team: str = "") -> Version:
    fields: Mapping[str, Any] = row._mapping
    return Version(
        key=fields.get("key", key),
        team=fields.get("team", team),
        version=row.version,
        revision=row.revision,
        body=CalendarBody.model_validate(row.body) if row.body is not None else None,
        at=row.at,
        by_code=row.by_code,
        reason=row.reason,
        until=fields.get("until"),
    )


async def holidays(session: ReadSession, *, revision: int, since: date, till: date) -> Sequence[Holiday]:
    """Every date of which something is known, open ones included."""
    rows = await session.execute(_HOLIDAYS, {"revision": revision, "since": since, "till": till})
    return [Holiday(**row._mapping) for row in rows]


async def closed_dates(session: ReadSession, *, revision: int) -> tuple[frozenset[date], int]:
    """The dates that are closed, and the last year that the table knows of."""
    rows = (await session.execute(_CLOSED, {"revision": revision})).all()
    return frozenset(row.on for row in rows if row.closed), max(row.on.year for row in rows)


async def write_holidays(
    session: Session,
    revision: int,
    days: Iterable[tuple[date, int, bool, bool, str, str]],
) -> None:
    """
    Args:
        days: date, version, closed, public, names.
    """
    names = ("on", "version", "closed", "public", "vi", "en")
    rows = [{"revision": revision, **dict(zip(names, day, strict=True))} for day in days]
    if rows:
        await session.execute(_HOLIDAY, rows)


@dataclass(frozen=True)
class BusinessTime:
    """The company's calendars and holidays under one revision."""

    revision: int
    calendars: Mapping[tuple[str, str], Hours]
    closed: frozenset[date]
    known_until: int
    """The last year whose holidays the table has."""

    def of_team(self, team: str) -> Mapping[str, Hours]:
        """The calendars that count for orders of a team: its own, and the company's for the rest."""
        company = {key: hours for (key, whose), hours in self.calendars.items() if whose == COMPANY}
        return company | {key: hours for (key, whose), hours in self.calendars.items() if whose == team}

    def has_own(self, team: str) -> bool:
        return any(whose == team for _, whose in self.calendars)


async def business_time(session: ReadSession, *, revision: int) -> BusinessTime:
    """Everything under one revision."""
    found = await current(session, revision=revision)
    closed, known_until = await closed_dates(session, revision=revision)
    hours = {(each.key, each.team): each.body.hours() for each in found if each.body is not None}
    return BusinessTime(revision, hours, closed, known_until)


async def new_version(
    session: Session,
    *,
    key: str,
    team: str,
    version: int,
    body: CalendarBody | None,
    at: datetime,
    by: Actor,
    reason: str,
    revision: int,
) -> None:
    """Writes a version of a calendar with its change; `begin_change` gave the revision."""
    await write_change(session, revision, calendar=key, team=team, version=version, at=at, by=by, reason=reason)
    await write_version(session, revision, key=key, team=team, version=version, body=body)
