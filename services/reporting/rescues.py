"""Rescue ("cứu đơn"): failed deliveries, the calls about them, and the orders that were saved.

Basis: the day on which the delivery failed, by the carrier's time; figures of a past day change until its parcels have
ended. A parcel that fails twice is two failed deliveries and, in the end, one that was saved or returned. A rescue belongs
to whoever decided it (rule D22), one that nobody decided to whoever owed the call, else to whoever holds the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.reporting.api import PeriodDep, Reader, RuntimeDep, scope_of
from services.reporting.projection import NOBODY, day_of
from services.reporting.reports import Scope
from services.reporting.schemas import Period
from shared.consumer import Event, Handlers
from shared.contracts.events.orders_rescue import RESCUE_HANDED_OVER, RescueHandedOver
from shared.contracts.events.shipping_rescue import RESCUE_CHANGED, RescueChanged
from shared.db import ReadSession, Session
from shared.errors import Language, language_of

RescueGroup = Literal["total", "owner", "side", "day", "carrier", "reason"]

# Sorted, so that two consumers lock the rows of the same failed deliveries in one order.
_KEEP: Final = text(
    """
INSERT INTO rescue_facts
SELECT * FROM json_populate_recordset(CAST(NULL AS rescue_facts), CAST(:rows AS json)) AS f ORDER BY f.rescue_id
ON CONFLICT (rescue_id) DO UPDATE SET sequence = excluded.sequence, day = excluded.day, reason_code = excluded.reason_code,
    reason_vi = excluded.reason_vi, reason_en = excluded.reason_en, staff_id = excluded.staff_id,
    called_for = excluded.called_for, asked = excluded.asked, is_open = excluded.is_open, outcome = excluded.outcome,
    saved = excluded.saved, by_desk = excluded.by_desk
WHERE rescue_facts.sequence < excluded.sequence
"""
)


_HAND_OVER: Final = text(
    """
INSERT INTO rescue_hand_overs
SELECT DISTINCT ON (h.rescue_id) h.*
FROM json_populate_recordset(CAST(NULL AS rescue_hand_overs), CAST(:rows AS json)) AS h ORDER BY h.rescue_id, h.at
ON CONFLICT (rescue_id) DO UPDATE SET at = excluded.at, why = excluded.why WHERE excluded.at < rescue_hand_overs.at
"""
)


@dataclass(frozen=True)
class RescueProjector:
    """Keeps the facts, with days in the company's zone."""

    zone: ZoneInfo

    def handlers(self) -> Handlers:
        """The handlers to register."""
        handlers = Handlers()
        handlers.batch(RESCUE_CHANGED)(self.changed)
        handlers.batch(RESCUE_HANDED_OVER)(_handed_over)
        return handlers

    async def changed(self, session: Session, events: Sequence[Event[RescueChanged]]) -> None:
        latest: dict[UUID, RescueChanged] = {}
        for event in events:
            known = latest.get(event.data.rescue_id)
            if known is None or known.sequence < event.data.sequence:
                latest[event.data.rescue_id] = event.data
        rows = [self._row(rescue) for rescue in latest.values()]
        # The driver has a UUID class of its own.
        await session.execute(_KEEP, {"rows": orjson.dumps(rows, default=str).decode()})

    def _row(self, rescue: RescueChanged) -> dict[str, Any]:
        return {
            "rescue_id": rescue.rescue_id,
            "sequence": rescue.sequence,
            "order_id": rescue.order_id,
            "shipment_id": rescue.shipment_id,
            "day": day_of(rescue.failed_at, self.zone),
            "carrier": rescue.carrier,
            "reason_code": rescue.reason_code,
            "reason_vi": rescue.reason_vi,
            "reason_en": rescue.reason_en,
            "staff_id": rescue.by_id,
            "called_for": rescue.turn > 0,
            "asked": rescue.asked_at is not None,
            "is_open": rescue.state != "closed",
            "outcome": rescue.outcome,
            "saved": rescue.saved,
            "by_desk": rescue.by_desk,
        }


async def _handed_over(session: Session, events: Sequence[Event[RescueHandedOver]]) -> None:
    values = [{"rescue_id": event.data.rescue_id, "at": event.data.at, "why": event.data.why} for event in events]
    await session.execute(_HAND_OVER, {"rows": orjson.dumps(values, default=str).decode()})


class RescueRow(BaseModel):
    """Failed deliveries of a group."""

    key: str = Field(
        description="staff code, side (closer, desk), day, carrier or reason; empty for the total, and for nobody"
    )
    failed: int = Field(description="Giao thất bại")
    parcels: int = Field(description="that they were deliveries of")
    calls: int = Field(description="tasks made: it was known while something could be done")
    in_time: int = Field(description="Gọi kịp hạn: decided before the deadline of the call")
    missed: int = Field(description="Bỏ lỡ: nobody had decided at the deadline")
    handed_over: int = Field(description="Chuyển COD: calls that the COD desk got too, or first")
    asked: int = Field(description="Đã yêu cầu hãng: the carrier was asked, and did not refuse")
    saved: int = Field(description="Đơn được cứu: delivered after a rescue had asked for it")
    saved_by_desk: int = Field(description="COD cứu: of those, what the COD desk had asked for")
    saved_value: int = Field(description="đồng: what those orders were closed at")
    delivered: int = Field(description="parcels delivered in the end, saved or by themselves")
    returned: int = Field(description="Vẫn hoàn: parcels that go or went back all the same")
    open: int = Field(description="failed deliveries that still wait")
    rescue_rate: float | None = Field(
        description="Tỷ lệ cứu đơn: delivered ÷ parcels; null until the way of one of them is decided"
    )


class RescueReport(BaseModel):
    period: Period
    rows: list[RescueRow]
    next: str | None = Field(description="`after` of the next page; null on the last")


_WHO: Final = f"coalesce(f.staff_id, nullif(p.owner_id, '{NOBODY}'), o.owner_id)"
_KEYS: Final[dict[RescueGroup, str]] = {
    "total": "''",
    "owner": f"coalesce((SELECT code FROM staff_members m WHERE m.account_id = {_WHO} AND m.version > 0), '')",
    "side": "CASE WHEN f.staff_id IS NULL THEN '' WHEN f.by_desk THEN 'desk' ELSE 'closer' END",
    "day": "CAST(f.day AS text)",
    "carrier": "f.carrier",
    "reason": "f.reason_{language}",
}
_REPORT: Final = """
SELECT key, count(*) AS failed, count(DISTINCT shipment_id) AS parcels, count(*) FILTER (WHERE called_for) AS calls,
    count(*) FILTER (WHERE promise = 'kept') AS in_time, count(*) FILTER (WHERE promise = 'broken') AS missed,
    count(*) FILTER (WHERE handed_over) AS handed_over, count(*) FILTER (WHERE asked) AS asked,
    count(*) FILTER (WHERE saved) AS saved, count(*) FILTER (WHERE saved AND by_desk) AS saved_by_desk,
    coalesce(sum(closed_value) FILTER (WHERE saved), 0)::bigint AS saved_value,
    count(*) FILTER (WHERE outcome = 'delivered') AS delivered,
    count(*) FILTER (WHERE outcome IN ('returning', 'returned')) AS returned, count(*) FILTER (WHERE is_open) AS open,
    bool_or(outcome IN ('delivered', 'returning', 'returned', 'lost', 'cancelled')) AS decided
FROM (
    SELECT {key} AS key, f.*, p.outcome AS promise, o.closed_value, h.at IS NOT NULL AS handed_over
    FROM rescue_facts f LEFT JOIN promise_facts p ON p.promise_id = f.rescue_id
    LEFT JOIN order_facts o ON o.order_id = f.order_id LEFT JOIN rescue_hand_overs h ON h.rescue_id = f.rescue_id
    WHERE f.day BETWEEN :first AND :last AND f.outcome <> 'withdrawn' AND o.withdrawn IS NOT TRUE AND {scope}
) AS r
WHERE ('=' || key) COLLATE "C" > :after
GROUP BY key ORDER BY key COLLATE "C" LIMIT :limit
"""


async def rescues(
    session: ReadSession,
    scope: Scope,
    *,
    first: date,
    last: date,
    group: RescueGroup,
    limit: int,
    language: Language,
    after: str = "",
) -> tuple[list[RescueRow], str | None]:
    """Deliveries that failed in the period; and the place behind which the next page begins."""
    query = _REPORT.format(key=_KEYS[group].format(language=language), scope=scope.condition(_WHO))
    values = {"first": first, "last": last, "limit": limit, "after": after, **scope.parameters}
    rows = (await session.execute(text(query), values)).all()
    items = [_row(row) for row in rows]
    return items, f"={rows[-1].key}" if len(rows) == limit else None


def _row(row: Any) -> RescueRow:
    figures = dict(row._mapping)
    decided = figures.pop("decided")
    return RescueRow(**figures, rescue_rate=round(row.delivered / row.parcels, 4) if decided else None)


router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/rescues")
async def rescue_report(
    runtime: RuntimeDep,
    who: Reader,
    days: PeriodDep,
    language: Annotated[Language, Depends(language_of)],
    group_by: RescueGroup = "owner",
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
) -> RescueReport:
    """Cứu đơn: deliveries that failed, calls about them in time, what the carrier was asked, and the orders saved."""
    async with runtime.db.read() as session:
        rows, place = await rescues(
            session,
            scope_of(who),
            first=days.first,
            last=days.last,
            group=group_by,
            limit=limit,
            language=language,
            after=after,
        )
    return RescueReport(period=days, rows=rows, next=place)
