"""The promises themselves: a list to look one up, and how many of theirs people keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from sqlalchemy import text

from shared.auth import Principal
from shared.db import ReadSession
from shared.errors import Problem

Outcome = Literal["open", "kept", "broken", "cancelled"]
MOST_DAYS: Final = 366


class PeriodInvalid(Problem):
    type = "period-invalid"
    status = 422
    vi = "Khoảng ngày không đúng: từ ngày phải trước đến ngày, và dài nhất {most} ngày."
    en = "The period is wrong: it begins before it ends and has {most} days at most."


class PromiseItem(BaseModel):
    """What was promised, and how it ended."""

    id: UUID
    order_id: UUID
    order_code: str
    kind: str = Field(description="rescue, first_call, retry, callback, follow_up, message, answer")
    owner_id: UUID | None
    owner_code: str = Field(description="whose promise it was")
    made_at: datetime
    due_at: datetime
    deadline_at: datetime = Field(description="after it the promise is broken")
    outcome: str = Field(description="open, kept, broken, cancelled")
    ended_at: datetime | None
    cause: str
    late_seconds: int = Field(description="after it was due: until it was kept, broke, or was made good")
    made_good_at: datetime | None = Field(description="when a broken one was met after all")
    kept_by: str = Field(description="who met it, in time or later")


class PromisePage(BaseModel):
    items: list[PromiseItem]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class Figures(BaseModel):
    """How promises ended that were due in a period."""

    kept: int
    broken: int
    cancelled: int
    open: int
    made_good: int = Field(description="of the broken ones")
    kept_share: float | None = Field(
        description="kept ÷ (kept + broken); null if none of them ended so", examples=[0.95]
    )
    late_seconds: int = Field(description="of those that were met late, on average")


class PersonFigures(Figures):
    owner_id: UUID | None
    owner_code: str
    snoozes: int = Field(description="how often they put tasks off in the period")
    kinds: dict[str, Figures] = Field(description="the same by kind of promise")


class FiguresPage(BaseModel):
    since: date
    until: date = Field(description="the last day")
    people: list[PersonFigures]
    all: Figures


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    outcome: tuple[Outcome, ...] = ()
    owner: UUID | None = None
    kind: tuple[str, ...] = ()
    day: date | None = None
    """Local day on which they were due."""


_VISIBLE: Final = """(:sees_all OR p.owner_id = :viewer
    OR p.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer))"""
_PAGE: Final = """
SELECT p.id, p.order_id, o.code AS order_code, p.kind, p.owner_id, coalesce(m.code, '') AS owner_code, p.made_at, p.due_at,
    p.deadline_at, coalesce(p.outcome, 'open') AS outcome, p.ended_at, p.cause, p.late_seconds, p.made_good_at, p.kept_by
FROM promises p JOIN orders o ON o.id = p.order_id LEFT JOIN staff_members m ON m.account_id = p.owner_id AND m.version > 0
WHERE {conditions} ORDER BY p.due_at DESC, p.id DESC LIMIT :limit
"""
_FIGURES: Final = text(
    f"""
SELECT p.owner_id, coalesce(m.code, '') AS owner_code, p.kind,
    count(*) FILTER (WHERE p.outcome = 'kept') AS kept, count(*) FILTER (WHERE p.outcome = 'broken') AS broken,
    count(*) FILTER (WHERE p.outcome = 'cancelled') AS cancelled, count(*) FILTER (WHERE p.outcome IS NULL) AS open,
    count(p.made_good_at) AS made_good,
    count(*) FILTER (WHERE p.late_seconds > 0 AND (p.outcome = 'kept' OR p.made_good_at IS NOT NULL)) AS late,
    coalesce(sum(p.late_seconds) FILTER (WHERE p.outcome = 'kept' OR p.made_good_at IS NOT NULL), 0) AS seconds
FROM promises p LEFT JOIN staff_members m ON m.account_id = p.owner_id AND m.version > 0
WHERE p.due_at >= :begins AND p.due_at < :ends AND p.voided_at IS NULL AND {_VISIBLE}
    AND (CAST(:owner AS uuid) IS NULL OR p.owner_id = :owner)
GROUP BY p.owner_id, m.code, p.kind ORDER BY 2, 1, 3
"""
)
_SNOOZES: Final = text(
    "SELECT by_id, count(*) AS snoozes FROM task_snoozes WHERE at >= :begins AND at < :ends GROUP BY by_id"
)


async def page(
    session: ReadSession, *, who: Principal, filters: Filters, zone: ZoneInfo, limit: int, after: UUID | None
) -> PromisePage:
    """Promises of the viewer and of those below them, the last due first."""
    conditions = ["p.voided_at IS NULL", _VISIBLE]
    values: dict[str, Any] = {"viewer": who.account_id, "sees_all": who.sees_all, "limit": limit}
    if filters.outcome:
        conditions.append("coalesce(p.outcome, 'open') = ANY(:outcomes)")
        values["outcomes"] = list(filters.outcome)
    if filters.owner is not None:
        conditions.append("p.owner_id = :owner")
        values["owner"] = filters.owner
    if filters.kind:
        conditions.append("p.kind = ANY(:kinds)")
        values["kinds"] = list(filters.kind)
    if filters.day is not None:
        conditions.append("p.due_at >= :begins AND p.due_at < :ends")
        values |= _instants(filters.day, filters.day, zone)
    if after is not None:
        conditions.append("(p.due_at, p.id) < (SELECT due_at, id FROM promises WHERE id = :after)")
        values["after"] = after
    rows = await session.execute(text(_PAGE.format(conditions=" AND ".join(conditions))), values)
    items = [PromiseItem.model_validate(dict(row._mapping)) for row in rows]
    return PromisePage(items=items, next=items[-1].id if len(items) == limit else None)


async def figures(
    session: ReadSession, *, who: Principal, owner: UUID | None, since: date, until: date, zone: ZoneInfo
) -> FiguresPage:
    """How the promises of the viewer and of those below them ended that were due in a period.

    Raises:
        PeriodInvalid: it is empty, or too long.
    """
    if not timedelta() <= until - since < timedelta(days=MOST_DAYS):
        raise PeriodInvalid(most=MOST_DAYS)
    period = _instants(since, until, zone)
    values = {"viewer": who.account_id, "sees_all": who.sees_all, "owner": owner, **period}
    rows = (await session.execute(_FIGURES, values)).all()
    snoozes = {row.by_id: row.snoozes for row in await session.execute(_SNOOZES, period)}
    people = [
        PersonFigures(
            **_sum(of_them),
            owner_id=owner_id,
            owner_code=of_them[0].owner_code,
            snoozes=snoozes.get(owner_id, 0),
            kinds={row.kind: Figures(**_sum([row])) for row in of_them},
        )
        for owner_id in dict.fromkeys(row.owner_id for row in rows)
        for of_them in [[row for row in rows if row.owner_id == owner_id]]
    ]
    return FiguresPage(since=since, until=until, people=people, all=Figures(**_sum(rows)))


def _instants(since: date, until: date, zone: ZoneInfo) -> dict[str, datetime]:
    """When a run of local days begins and ends."""
    return {
        "begins": datetime.combine(since, time(), zone),
        "ends": datetime.combine(until + timedelta(days=1), time(), zone),
    }


def _sum(rows: Iterable[Any]) -> dict[str, Any]:
    """Figures over groups."""
    found = list(rows)
    names = ("kept", "broken", "cancelled", "open", "made_good", "late", "seconds")
    total = {name: sum(int(getattr(row, name)) for row in found) for name in names}
    late, seconds = total.pop("late"), total.pop("seconds")
    ended = total["kept"] + total["broken"]
    return {
        **total,
        "kept_share": round(total["kept"] / ended, 4) if ended else None,
        "late_seconds": seconds // late if late else 0,
    }
