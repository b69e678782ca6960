"""Calls and talk time of people, as telephone systems measured them: facts as orders tells them, and the report.

Basis: activity. A call counts on the day on which it began, for whoever called or took it; one that no telephone system told of
is not in it. What was logged of a call and undone again changes nothing: the conversation took place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID
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
from shared.contracts.events.orders_calls import CALL_ENDED, CallEnded
from shared.db import ReadSession, Session

CallGroup = Literal["total", "owner", "day", "owner_day"]

# Sorted, so that two consumers lock the rows of the same calls in one order.
_KEEP: Final = text(
    """
INSERT INTO call_facts
SELECT * FROM json_populate_recordset(CAST(NULL AS call_facts), CAST(:rows AS json)) AS f ORDER BY f.call_id
ON CONFLICT (call_id) DO UPDATE SET revision = excluded.revision, order_id = excluded.order_id,
    staff_id = excluded.staff_id, day = excluded.day, direction = excluded.direction, answered = excluded.answered,
    talk_seconds = excluded.talk_seconds
WHERE call_facts.revision < excluded.revision
"""
)


@dataclass(frozen=True)
class CallProjector:
    """Keeps the facts, with days in the company's zone."""

    zone: ZoneInfo

    def handlers(self) -> Handlers:
        """The handlers to register."""
        handlers = Handlers()
        handlers.batch(CALL_ENDED)(self.ended)
        return handlers

    async def ended(self, session: Session, events: Sequence[Event[CallEnded]]) -> None:
        latest: dict[UUID, CallEnded] = {}
        for event in events:
            known = latest.get(event.data.call_id)
            if known is None or known.revision < event.data.revision:
                latest[event.data.call_id] = event.data
        rows = [self._row(call) for call in latest.values()]
        # The driver has a UUID class of its own.
        await session.execute(_KEEP, {"rows": orjson.dumps(rows, default=str).decode()})

    def _row(self, call: CallEnded) -> dict[str, Any]:
        return {
            "call_id": call.call_id,
            "revision": call.revision,
            "order_id": call.order_id,
            "staff_id": call.staff_id or NOBODY,
            "day": day_of(call.started_at, self.zone),
            "direction": call.direction,
            "answered": call.answered_at is not None,
            "talk_seconds": call.talk_seconds,
        }


class CallRow(BaseModel):
    """Calls of a group."""

    key: str = Field(description="staff code or day; empty for the total, and for calls of nobody we know")
    day: date | None = Field(description="with group_by=owner_day: the day")
    days: int = Field(description="days with a call")
    outgoing: int = Field(description="calls to customers")
    outgoing_answered: int = Field(description="of which somebody answered")
    incoming: int = Field(description="calls of customers")
    incoming_answered: int = Field(description="of which we answered")
    talk_seconds: int = Field(description="Thời lượng đàm thoại: from answer to end, both directions")


class CallReport(BaseModel):
    period: Period
    rows: list[CallRow]
    next: str | None = Field(description="`after` of the next page; null on the last")


_CODE: Final = "coalesce((SELECT code FROM staff_members m WHERE m.account_id = g.staff_id), '')"
_GROUPS: Final[dict[CallGroup, tuple[str, str, str]]] = {  # columns grouped by, the key, and the day beside it
    "total": ("NULL::uuid AS staff_id, NULL::date AS on_day", "''", "NULL::date"),
    "owner": ("staff_id, NULL::date AS on_day", _CODE, "NULL::date"),
    "day": ("NULL::uuid AS staff_id, day AS on_day", "CAST(g.on_day AS text)", "NULL::date"),
    "owner_day": ("staff_id, day AS on_day", _CODE, "g.on_day"),
}
_REPORT: Final = """
SELECT * FROM (
    SELECT {key} AS key, {day} AS day, g.days, g.outgoing, g.outgoing_answered, g.incoming, g.incoming_answered, g.talk_seconds,
        {key} || '~' || coalesce(CAST({day} AS text), '') || '~' || coalesce(CAST(g.staff_id AS text), '') AS place
    FROM (
        SELECT {columns}, count(DISTINCT day) AS days,
            count(*) FILTER (WHERE direction = 'out') AS outgoing,
            count(*) FILTER (WHERE direction = 'out' AND answered) AS outgoing_answered,
            count(*) FILTER (WHERE direction = 'in') AS incoming,
            count(*) FILTER (WHERE direction = 'in' AND answered) AS incoming_answered,
            sum(talk_seconds)::bigint AS talk_seconds
        FROM call_facts f WHERE day BETWEEN :first AND :last AND {scope} GROUP BY 1, 2
    ) AS g
) AS r WHERE place COLLATE "C" > :after ORDER BY place COLLATE "C" LIMIT :limit
"""


async def calls(
    session: ReadSession, scope: Scope, *, first: date, last: date, group: CallGroup, limit: int, after: str = ""
) -> tuple[list[CallRow], str | None]:
    """Calls that began in the period, by staff code or day; and the place behind which the next page begins."""
    columns, key, day = _GROUPS[group]
    query = _REPORT.format(columns=columns, key=key, day=day, scope=scope.condition("f.staff_id"))
    values = {"first": first, "last": last, "limit": limit, "after": after, **scope.parameters}
    rows = (await session.execute(text(query), values)).all()
    items = [CallRow.model_validate(dict(row._mapping)) for row in rows]
    return items, rows[-1].place if len(rows) == limit else None


router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/calls")
async def call_report(
    runtime: RuntimeDep,
    who: Reader,
    days: PeriodDep,
    group_by: CallGroup = "owner",
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
) -> CallReport:
    """Cuộc gọi và thời lượng đàm thoại theo tổng đài: how many calls people made and took, and how long they talked."""
    async with runtime.db.read() as session:
        rows, place = await calls(
            session, scope_of(who), first=days.first, last=days.last, group=group_by, limit=limit, after=after
        )
    return CallReport(period=days, rows=rows, next=place)
