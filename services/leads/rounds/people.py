"""Who there is to choose from: members of pools as they stand at an instant, with what is counted of each.

The counts of a person are of all pools, so a round holds the rows of its people (`quota_use`, in the order of their ids,
behind the pools) until it is committed: two pools with a common member wait for one another, and no quota is passed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from services.leads.distribution import Member, Skills, Standing
from services.leads.driver import Connection
from shared.shifts import Presence, Roster, roster_of_plan

_SELECT: Final = """
SELECT m.pool_id, m.account_id, m.weight, m.credit, coalesce(m.capacity, p.capacity) AS capacity,
    coalesce(m.day_quota, p.day_quota) AS day_quota, coalesce(m.shift_quota, p.shift_quota) AS shift_quota,
    m.paused_until, m.skill_set_id, q.day, q.given, q.shifts::text AS shifts, t.plan_id,
    coalesce(s.version > 0 AND s.active, false) AS active, coalesce(s.on_duty, false) AS on_duty,
    coalesce(s.code, '') AS code, coalesce(s.team, '') AS team
FROM pool_members m JOIN pools p ON p.id = m.pool_id JOIN quota_use q USING (account_id)
    LEFT JOIN staff_members s USING (account_id) LEFT JOIN staff_shifts t USING (account_id)
WHERE m.pool_id = ANY($1::uuid[])
"""
# Sorted, so that the rows are locked in the order of their ids. Locked rows are read anew, so counts are exact.
_LOCK: Final = f"{_SELECT} ORDER BY q.account_id FOR NO KEY UPDATE OF q"
_PLANS: Final = "SELECT id, plan::text AS plan FROM shift_plans WHERE id = ANY($1::bigint[])"
_SKILL_SETS: Final = "SELECT id, products, channels, landing_pages FROM skill_sets WHERE id = ANY($1::bigint[])"
_LOADS: Final = """
SELECT owner_id, count(*) AS load FROM leads WHERE in_care AND owner_id = ANY($1::uuid[]) GROUP BY owner_id
"""


@dataclass(frozen=True, slots=True)
class Use:
    """What is counted of a person, on the day and in the shift of a decision."""

    day: date
    given: int
    shift_id: UUID | None
    on: date | None
    in_shift: int

    def after(self, account_id: UUID, count: int) -> tuple[UUID, date, int, str]:
        """The row that says so after this many leads more."""
        shifts = {} if self.shift_id is None else {str(self.shift_id): (self.on, self.in_shift + count)}
        return account_id, self.day, self.given + count, orjson.dumps(shifts).decode()


@dataclass(slots=True)
class People:
    """Members by pool, with what it takes to tell others of them."""

    at: datetime
    members: dict[UUID, list[Member]] = field(default_factory=lambda: defaultdict(list))
    names: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    """Account → staff code and team."""
    uses: dict[UUID, Use] = field(default_factory=dict)
    rosters: list[Roster] = field(default_factory=list)
    pauses: list[datetime] = field(default_factory=list)
    """Ends that are still to come."""

    def free(self, pool_id: UUID) -> list[Member]:
        """Those who can be given a lead."""
        return [member for member in self.members[pool_id] if member.free]

    def next_change(self, zone: str) -> datetime:
        """When the clock may next make somebody free: a shift begins, a pause ends, or a day does."""
        tomorrow = self.at.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
        starts = [start for roster in self.rosters if (start := roster.next_start(self.at)) is not None]
        return min([datetime.combine(tomorrow, time(), ZoneInfo(zone)), *self.pauses, *starts])


async def people_of(
    connection: Connection, pools: Sequence[UUID], *, at: datetime, zone: str, lock: bool = False
) -> People:
    """The members of pools as they stand at an instant.

    Args:
        zone: the company's, whose midnight begins a day.
        lock: hold what is counted of them until the commit; the pools must be locked before.
    """
    rows = await connection.fetch(_LOCK if lock else _SELECT, pools)
    rosters = await _rosters(connection, {row["plan_id"] for row in rows} - {None})
    skill_sets = await skills_of(connection, {row["skill_set_id"] for row in rows} - {None})
    presences = {plan_id: roster.at(at) for plan_id, roster in rosters.items() if roster is not None}
    today = at.astimezone(ZoneInfo(zone)).date()
    people = People(
        at,
        rosters=[roster for roster in rosters.values() if roster is not None],
        pauses=[row["paused_until"] for row in rows if row["paused_until"] is not None and row["paused_until"] > at],
    )
    for row in rows:
        account_id, presence = row["account_id"], presences.get(row["plan_id"])
        people.names[account_id] = row["code"], row["team"]
        people.uses.setdefault(account_id, _use(row, presence, today=today))
        standing = _standing(row, presence, at=at)
        skills = skill_sets.get(row["skill_set_id"])
        people.members[row["pool_id"]].append(_member(row, people.uses[account_id], standing=standing, skills=skills))
    await _count_loads(connection, people)
    return people


async def _count_loads(connection: Connection, people: People) -> None:
    """Counts the leads in care of those whose capacity is limited. A statement behind the locks, so that it sees what
    those before gave."""
    bounded = {
        member.account_id
        for members in people.members.values()
        for member in members
        if member.capacity is not None and member.standing is Standing.ON_DUTY
    }
    if not bounded:
        return
    loads = {row["owner_id"]: row["load"] for row in await connection.fetch(_LOADS, sorted(bounded))}
    for pool_id, members in people.members.items():
        people.members[pool_id] = [
            replace(member, load=loads[member.account_id]) if member.account_id in loads else member
            for member in members
        ]


def _member(row: asyncpg.Record, use: Use, *, standing: Standing, skills: Skills | None) -> Member:
    return Member(
        row["account_id"],
        weight=row["weight"],
        credit=row["credit"],
        standing=standing,
        capacity=row["capacity"],
        today=use.given,
        day_quota=row["day_quota"],
        in_shift=use.in_shift,
        shift_quota=row["shift_quota"],
        skill_set=row["skill_set_id"],
        skills=skills,
    )


async def skills_of(connection: Connection, ids: Iterable[int]) -> dict[int, Skills]:
    """Skill sets by their numbers."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    return {
        row["id"]: Skills(frozenset(row["products"]), frozenset(row["channels"]), frozenset(row["landing_pages"]))
        for row in await connection.fetch(_SKILL_SETS, wanted)
    }


async def _rosters(connection: Connection, ids: Iterable[int]) -> Mapping[int, Roster | None]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    return {row["id"]: roster_of_plan(row["plan"]) for row in await connection.fetch(_PLANS, wanted)}


def _standing(row: asyncpg.Record, presence: Presence | None, *, at: datetime) -> Standing:
    if not row["active"]:
        return Standing.INACTIVE
    if not row["on_duty"]:
        return Standing.OFF_DUTY
    if row["paused_until"] is not None and at < row["paused_until"]:
        return Standing.PAUSED
    if presence is None or presence.state == "present":
        return Standing.ON_DUTY
    return Standing(presence.state)


def _use(row: asyncpg.Record, presence: Presence | None, *, today: date) -> Use:
    """What counts at the instant. A count of a later day (another machine's clock is ahead) is not begun anew."""
    day = max(today, row["day"])
    given = row["given"] if row["day"] == day else 0
    if presence is None or presence.shift_id is None or presence.on is None:
        # Whose day has no shifts, the day is their shift.
        return Use(day, given, None, None, given)
    last, count = orjson.loads(row["shifts"]).get(str(presence.shift_id), ("", 0))
    on = max(presence.on, date.fromisoformat(last)) if last else presence.on
    return Use(day, given, presence.shift_id, on, count if last == on.isoformat() else 0)
