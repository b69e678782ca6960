"""Promises kept, and the first call in time: facts as orders tells them, and the reports that read them.

Basis: activity. A promise counts on the day on which it was due, a first call on the day of its assignment; promises that
were cancelled count neither as kept nor as broken. What was undone, and orders of an import that was undone, count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.reporting.api import PeriodDep, Reader, RuntimeDep, scope_of
from services.reporting.projection import NOBODY, day_of
from services.reporting.reports import Scope
from services.reporting.schemas import Period
from shared.consumer import Event, Handlers
from shared.contracts.events.orders import (
    FIRST_CALL_MADE,
    INTERACTION_UNDONE,
    PROMISE_ENDED,
    FirstCallMade,
    InteractionUndone,
    PromiseEnded,
)
from shared.db import ReadSession, Session

Group = Literal["total", "owner", "day", "kind"]

_ADD_PROMISES: Final = text(
    """
INSERT INTO promise_facts SELECT * FROM json_populate_recordset(CAST(NULL AS promise_facts), CAST(:rows AS json))
ON CONFLICT (promise_id) DO NOTHING
"""
)
_ADD_CALLS: Final = text(
    """
INSERT INTO first_call_facts SELECT * FROM json_populate_recordset(CAST(NULL AS first_call_facts), CAST(:rows AS json))
ON CONFLICT (interaction_id) DO NOTHING
"""
)
_TAKE_BACK: Final = text("INSERT INTO taken_back SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
_STANDS: Final = """NOT EXISTS (SELECT 1 FROM taken_back b WHERE b.id = f.{id})
    AND NOT EXISTS (SELECT 1 FROM order_facts o WHERE o.order_id = f.order_id AND o.withdrawn)"""
_KEYS: Final[dict[Group, str]] = {
    "total": "''",
    "owner": "coalesce((SELECT code FROM staff_members m WHERE m.account_id = f.owner_id), '')",
    "day": "CAST(f.day AS text)",
    "kind": "f.kind",
}


@dataclass(frozen=True)
class PromiseProjector:
    """Keeps the facts, with days in the company's zone."""

    zone: ZoneInfo

    def handlers(self) -> Handlers:
        """The handlers to register."""
        handlers = Handlers()
        handlers.batch(PROMISE_ENDED)(self.ended)
        handlers.batch(FIRST_CALL_MADE)(self.called)
        handlers.batch(INTERACTION_UNDONE)(self.undone)
        return handlers

    async def ended(self, session: Session, events: Sequence[Event[PromiseEnded]]) -> None:
        rows = [
            {
                "promise_id": event.data.promise_id,
                "order_id": event.data.order_id,
                "kind": event.data.kind,
                "owner_id": event.data.owner_id or NOBODY,
                "day": day_of(event.data.due_at, self.zone),
                "outcome": event.data.outcome,
                "late_seconds": event.data.late_seconds,
            }
            for event in events
        ]
        await session.execute(_ADD_PROMISES, {"rows": _json(rows)})

    async def called(self, session: Session, events: Sequence[Event[FirstCallMade]]) -> None:
        rows = [
            {
                "interaction_id": event.data.interaction_id,
                "order_id": event.data.order_id,
                "owner_id": event.data.owner_id or NOBODY,
                "day": day_of(event.data.assigned_at, self.zone),
                "wait_seconds": event.data.wait_seconds,
            }
            for event in events
        ]
        await session.execute(_ADD_CALLS, {"rows": _json(rows)})

    async def undone(self, session: Session, events: Sequence[Event[InteractionUndone]]) -> None:
        ids = {id for event in events for id in (event.data.interaction_id, *event.data.promises)}
        await session.execute(_TAKE_BACK, {"ids": sorted(ids)})


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows, default=str).decode()  # the driver has a UUID class of its own


class PromiseRow(BaseModel):
    """How promises of a group ended."""

    key: str = Field(description="staff code, day or kind; empty for the total")
    kept: int
    broken: int
    cancelled: int
    kept_share: float | None = Field(description="Tỷ lệ đúng hẹn: kept ÷ (kept + broken)")


class PromiseReport(BaseModel):
    period: Period
    rows: list[PromiseRow]


class FirstCallRow(BaseModel):
    """First calls of a group."""

    key: str = Field(description="staff code or day; empty for the total")
    owed: int = Field(description="first calls that were due: made in time, or not")
    in_time: int
    in_time_share: float | None = Field(description="Gọi lần đầu đúng hạn: in time ÷ owed")
    calls: int = Field(description="first calls that were made, in time or later")
    median_wait_seconds: int | None = Field(
        description="Thời gian chờ gọi lần đầu: from the arrival of the number, in calling hours"
    )


class FirstCallReport(BaseModel):
    period: Period
    rows: list[FirstCallRow]


_PROMISES: Final = """
SELECT {key} AS key, count(*) FILTER (WHERE outcome = 'kept') AS kept, count(*) FILTER (WHERE outcome = 'broken') AS broken,
    count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled
FROM promise_facts f WHERE day BETWEEN :first AND :last AND {scope} AND {stands} AND (:kind = '' OR kind = :kind)
GROUP BY 1 ORDER BY 1
"""
_WAITS: Final = """
SELECT {key} AS key, count(*) AS calls, percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_seconds) AS median
FROM first_call_facts f WHERE day BETWEEN :first AND :last AND {scope} AND {stands} GROUP BY 1
"""


async def promises(
    session: ReadSession, scope: Scope, *, first: date, last: date, group: Group, kind: str = ""
) -> list[PromiseRow]:
    """How promises ended that were due in the period.

    Args:
        kind: only of this kind.
    """
    query = _PROMISES.format(
        key=_KEYS[group], scope=scope.condition("f.owner_id"), stands=_STANDS.format(id="promise_id")
    )
    rows = await session.execute(text(query), {"first": first, "last": last, "kind": kind, **scope.parameters})
    return [PromiseRow(**row._mapping, kept_share=_share(row.kept, row.kept + row.broken)) for row in rows]


async def first_calls(
    session: ReadSession, scope: Scope, *, first: date, last: date, group: Literal["total", "owner", "day"]
) -> list[FirstCallRow]:
    """First calls that were due in the period, and how long the customers of numbers assigned in it waited."""
    owed = {
        row.key: row for row in await promises(session, scope, first=first, last=last, group=group, kind="first_call")
    }
    query = _WAITS.format(
        key=_KEYS[group], scope=scope.condition("f.owner_id"), stands=_STANDS.format(id="interaction_id")
    )
    found = await session.execute(text(query), {"first": first, "last": last, **scope.parameters})
    waits = {row.key: row for row in found}
    rows = []
    for key in sorted(owed.keys() | waits.keys()):
        kept, broken = (owed[key].kept, owed[key].broken) if key in owed else (0, 0)
        rows.append(
            FirstCallRow(
                key=key,
                owed=kept + broken,
                in_time=kept,
                in_time_share=_share(kept, kept + broken),
                calls=waits[key].calls if key in waits else 0,
                median_wait_seconds=round(waits[key].median) if key in waits else None,
            )
        )
    return rows


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/promises")
async def promise_report(
    runtime: RuntimeDep,
    who: Reader,
    days: PeriodDep,
    group_by: Group = "owner",
    kind: Annotated[str, Query(max_length=40, examples=["callback"])] = "",
) -> PromiseReport:
    """Tỷ lệ đúng hẹn: of the promises that were due in the period, how many were kept."""
    async with runtime.db.read() as session:
        rows = await promises(session, scope_of(who), first=days.first, last=days.last, group=group_by, kind=kind)
    return PromiseReport(period=days, rows=rows)


@router.get("/first-calls")
async def first_call_report(
    runtime: RuntimeDep, who: Reader, days: PeriodDep, group_by: Literal["total", "owner", "day"] = "owner"
) -> FirstCallReport:
    """Gọi lần đầu đúng hạn và thời gian chờ gọi lần đầu."""
    async with runtime.db.read() as session:
        rows = await first_calls(session, scope_of(who), first=days.first, last=days.last, group=group_by)
    return FirstCallReport(period=days, rows=rows)
