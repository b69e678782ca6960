"""Shifts, who is in which, and special days. Writers hold `lock`, because what is told of a person is their whole state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from shared.contracts.events.staff import ShiftTimes, SpecialDay
from shared.db import ReadSession, Session

DayKind = Literal["holiday", "workday"]


@dataclass(frozen=True)
class Shift:
    """A shift as it stands."""

    times: ShiftTimes
    active: bool
    version: int
    members: int

    @property
    def id(self) -> UUID:
        return self.times.shift_id


@dataclass(frozen=True)
class Day:
    """A day on which the company differs from the public holidays."""

    on: date
    kind: DayKind
    label: str


@dataclass(frozen=True)
class InShift:
    """Somebody who is in a shift."""

    account_id: UUID
    code: str
    name: str


_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('chot:staff_shifts'))")
_SELECT = """
SELECT s.id, s.name, s.zone, s.weekdays, s.periods, s.works_on_holidays, s.special_days, s.active, s.version,
    (SELECT count(*) FROM shift_members m WHERE m.shift_id = s.id) AS members
FROM shifts s
"""
_ONE = text(_SELECT + " WHERE s.id = :id")
_PAGE = text(_SELECT + " WHERE CAST(:after AS uuid) IS NULL OR s.id > CAST(:after AS uuid) ORDER BY s.id LIMIT :limit")
_OF = text(
    """
SELECT m.account_id, s.id, s.name, s.zone, s.weekdays, s.periods, s.works_on_holidays, s.special_days, s.active, s.version,
    0 AS members
FROM shift_members m JOIN shifts s ON s.id = m.shift_id
WHERE m.account_id = ANY(:accounts) AND s.active ORDER BY m.account_id, s.id
"""
)
_NAME_TAKEN = text("SELECT 1 FROM shifts WHERE name = :name AND id <> :id")
_PUT = text(
    """
INSERT INTO shifts (id, name, zone, weekdays, periods, works_on_holidays, special_days, active, created_at, updated_at)
VALUES (:id, :name, :zone, CAST(:weekdays AS smallint[]), :periods, :works_on_holidays, CAST(:special_days AS jsonb),
    :active, :at, :at)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, zone = excluded.zone, weekdays = excluded.weekdays,
    periods = excluded.periods, works_on_holidays = excluded.works_on_holidays, special_days = excluded.special_days,
    active = excluded.active, updated_at = excluded.updated_at, version = shifts.version + 1
"""
)
_MEMBERS = text(
    """
SELECT a.id AS account_id, a.code, a.name FROM shift_members m JOIN accounts a ON a.id = m.account_id
WHERE m.shift_id = :id ORDER BY a.code
"""
)
_ADD = text(
    """
INSERT INTO shift_members (shift_id, account_id) SELECT :id, unnest(CAST(:accounts AS uuid[]))
ON CONFLICT DO NOTHING RETURNING account_id
"""
)
_REMOVE = text("DELETE FROM shift_members WHERE shift_id = :id AND account_id = ANY(:accounts) RETURNING account_id")
_EVERYBODY = text("SELECT DISTINCT account_id FROM shift_members")
_NEXT_STATE = text(
    """
INSERT INTO shift_states (account_id, version, holidays_till) SELECT unnest(CAST(:accounts AS uuid[])), 1, :till
ON CONFLICT (account_id) DO UPDATE SET version = shift_states.version + 1, holidays_till = excluded.holidays_till
RETURNING account_id, version
"""
)
_RUNNING_OUT = text(
    """
SELECT account_id FROM shift_states t WHERE holidays_till < :before
    AND EXISTS (SELECT 1 FROM shift_members m WHERE m.account_id = t.account_id)
"""
)
_DAYS = text("SELECT on_date, kind, label FROM special_days WHERE on_date BETWEEN :since AND :till ORDER BY on_date")
_PUT_DAY = text(
    """
INSERT INTO special_days (on_date, kind, label) VALUES (:on, :kind, :label)
ON CONFLICT (on_date) DO UPDATE SET kind = excluded.kind, label = excluded.label
"""
)
_DROP_DAY = text("DELETE FROM special_days WHERE on_date = :on RETURNING 1")


def _shift(row: Row[Any]) -> Shift:
    times = ShiftTimes(
        shift_id=row.id,
        name=row.name,
        zone=row.zone,
        weekdays=tuple(row.weekdays),
        periods=tuple(row.periods),
        works_on_holidays=row.works_on_holidays,
        special_days=tuple(SpecialDay.model_validate(day) for day in row.special_days),
    )
    return Shift(times, row.active, row.version, row.members)


async def lock(session: Session) -> None:
    """One writer of shifts at a time: they are few, and whoever is in several is told of whole."""
    await session.execute(_LOCK)


async def one(session: ReadSession, shift_id: UUID) -> Shift | None:
    row = (await session.execute(_ONE, {"id": shift_id})).one_or_none()
    return _shift(row) if row else None


async def page(session: ReadSession, *, limit: int, after: UUID | None) -> list[Shift]:
    """Shifts in the order in which they were made."""
    return [_shift(row) for row in await session.execute(_PAGE, {"limit": limit, "after": after})]


async def of_accounts(session: ReadSession, accounts: Collection[UUID]) -> dict[UUID, list[ShiftTimes]]:
    """The shifts in use of each account."""
    found: dict[UUID, list[ShiftTimes]] = {account_id: [] for account_id in accounts}
    for row in await session.execute(_OF, {"accounts": list(accounts)}):
        found[row.account_id].append(_shift(row).times)
    return found


async def name_taken(session: Session, name: str, *, by_other_than: UUID) -> bool:
    return (await session.execute(_NAME_TAKEN, {"name": name, "id": by_other_than})).first() is not None


async def put(session: Session, times: ShiftTimes, *, active: bool, at: datetime) -> None:
    """Writes a shift, new or changed."""
    days = [day.model_dump(mode="json") for day in times.special_days]
    values = {
        "id": times.shift_id,
        "weekdays": list(times.weekdays),
        "periods": list(times.periods),
        "special_days": orjson.dumps(days).decode(),
        "active": active,
        "at": at,
    }
    await session.execute(_PUT, times.model_dump(include={"name", "zone", "works_on_holidays"}) | values)


async def members(session: ReadSession, shift_id: UUID) -> list[InShift]:
    return [InShift(**row._mapping) for row in await session.execute(_MEMBERS, {"id": shift_id})]


async def add(session: Session, shift_id: UUID, accounts: Sequence[UUID]) -> set[UUID]:
    """Puts people into a shift; returns who was not in it."""
    return set((await session.execute(_ADD, {"id": shift_id, "accounts": list(accounts)})).scalars())


async def remove(session: Session, shift_id: UUID, accounts: Sequence[UUID]) -> set[UUID]:
    """Takes people out of a shift; returns who was in it."""
    return set((await session.execute(_REMOVE, {"id": shift_id, "accounts": list(accounts)})).scalars())


async def everybody(session: ReadSession) -> list[UUID]:
    """Everybody who is in any shift."""
    return list((await session.execute(_EVERYBODY)).scalars())


async def next_states(session: Session, accounts: Collection[UUID], *, till: date) -> dict[UUID, int]:
    """The version of what is told of each account now."""
    rows = await session.execute(_NEXT_STATE, {"accounts": sorted(accounts), "till": till})
    return {row.account_id: row.version for row in rows}


async def running_out(session: ReadSession, *, before: date) -> list[UUID]:
    """People in shifts whose holidays were told up to a date before this one only."""
    return list((await session.execute(_RUNNING_OUT, {"before": before})).scalars())


async def days(session: ReadSession, *, since: date, till: date) -> list[Day]:
    """Special days from a date to another."""
    rows = await session.execute(_DAYS, {"since": since, "till": till})
    return [Day(row.on_date, row.kind, row.label) for row in rows]


async def put_day(session: Session, day: Day) -> None:
    await session.execute(_PUT_DAY, {"on": day.on, "kind": day.kind, "label": day.label})


async def drop_day(session: Session, on: date) -> bool:
    """Forgets a special day; False if there was none."""
    return (await session.execute(_DROP_DAY, {"on": on})).first() is not None
