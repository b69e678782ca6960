"""Plans open care again after a change of business time: order by order, the one that the change touches, each in a
transaction of its own as its workflow would do it.

Care would notice by itself at its next look; until then people would see, and be told of, times that are not true any
more. A workflow is woken only where its next look comes earlier: if it comes later, it wakes once in vain.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.calendars.change import named
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.care.transition import UnknownResult
from services.orders.clock import Clock
from shared import outbox
from shared.calendar import NeverOpen
from shared.contracts.activities import Advance, OperatorView
from shared.contracts.workflows import nudge_care
from shared.db import Database
from shared.telemetry import logger

log = logger(__name__)

BATCH: Final = 200
"""Orders of a turn: a second or two, so that the operator sees it go on."""
WOKEN_A_SECOND: Final = 40
"""Workflows that Temporal's smallest server works off in a second beside its other work (75-100 steps)."""

_REPLAN: Final = text(
    """
SELECT r.*, c.calendar, c.team, c.version FROM replans r JOIN business_time_changes c USING (revision)
WHERE r.revision = :revision
"""
)
_TOUCHED: Final = """
FROM care c JOIN orders o ON o.id = c.order_id
WHERE c.is_open AND c.state IS NOT NULL AND c.order_id > :place AND (CAST(:team AS text) = '' OR o.team = :team)
    AND (CAST(:calendar AS text) = 'holidays' OR EXISTS (
        SELECT 1 FROM process_versions p, json_each_text(CAST(p.body AS json) -> 'windows') w
        WHERE p.key = c.process AND p.version = c.process_version AND w.value = :calendar))
    AND (CAST(:since AS timestamptz) IS NULL OR c.next_due >= :since OR EXISTS (
        SELECT 1 FROM tasks t WHERE t.order_id = c.order_id AND t.closed_at IS NULL AND t.deadline_at >= :since))
"""
_COUNT: Final = text(
    f"UPDATE replans SET touched = (SELECT count(*) {_TOUCHED}) WHERE revision = :revision AND touched IS NULL"
)
_NEXT: Final = text(f"SELECT c.order_id {_TOUCHED} ORDER BY c.order_id LIMIT :limit")
_PROGRESS: Final = text(
    """
UPDATE replans r SET looked = looked + :looked, failed = failed + :failed, place = :next,
    moved = moved + (
        SELECT count(DISTINCT e.order_id) FROM care_effects e
        WHERE e.order_id = ANY(CAST(:ids AS uuid[])) AND e.effect = 'MoveTask' AND e.cause = 'calendar'
            AND e.decided_at >= r.started_at),
    state = CASE WHEN :done THEN 'done' ELSE state END, finished_at = CASE WHEN :done THEN CAST(:now AS timestamptz) END
WHERE revision = :revision AND place = :place AND state = 'running'
"""
)
# What its workflow is not told of is not left for reconcile to tell: it wakes by itself before anything is due.
_SEEN: Final = text("UPDATE care SET seen_version = :version WHERE order_id = :id AND seen_version = :before")


class Replans:
    """Works on replans.

    Args:
        now: the clock of the service.
    """

    def __init__(self, db: Database, processes: Processes, *, now: Clock) -> None:
        self._db = db
        self._processes = processes
        self._now = now

    async def turn(self, revision: int) -> Advance:
        """Goes on with a replan for one turn; an order that was planned again already is found as it should be."""
        row, ids = await self._next(revision)
        if row.state != "running":
            return Advance(done=True, outcome=row.state, view=_view(row))
        woken = failed = 0
        for order_id in ids:
            try:
                woken += await self._plan_again(order_id)
            except (UnknownResult, NeverOpen) as error:
                # Its own workflow says the same, again and again, where an operator sees it; the others go on.
                log.error("care cannot be planned again", order_id=str(order_id), error=str(error))
                failed += 1
        done = len(ids) < BATCH
        now = self._now()
        async with self._db.transaction() as session:
            await session.execute(
                _PROGRESS,
                {
                    "revision": revision,
                    "place": row.place,
                    "next": ids[-1] if ids else row.place,
                    "ids": ids,
                    "looked": len(ids),
                    "failed": failed,
                    "done": done,
                    "now": now,
                },
            )
            row = (await session.execute(_REPLAN, {"revision": revision})).one()
        rest = timedelta(seconds=woken / WOKEN_A_SECOND)
        return Advance(
            done=row.state != "running",
            outcome=row.state,
            next_due=now + rest if woken else None,
            view=_view(row),
        )

    async def _next(self, revision: int) -> tuple[Any, list[UUID]]:
        async with self._db.transaction() as session:
            row = (await session.execute(_REPLAN, {"revision": revision})).one()
            values = {
                "calendar": row.calendar,
                "team": row.team,
                "since": row.since,
                "place": row.place,
            }
            if row.touched is None:
                await session.execute(_COUNT, {**values, "revision": revision})
            found = await session.execute(_NEXT, {**values, "limit": BATCH})
            return row, list(found.scalars())

    async def _plan_again(self, order_id: UUID) -> bool:
        """Whether its workflow was woken, because it has to look earlier than it would."""
        now = self._now()
        async with self._db.transaction() as session:
            order = await record.lock(session, order_id)
            care = await lock_care(session, order_id)
            if order is None or care is None or not care.is_open or care.state is None:
                return False
            after = (await care_service.advance(session, self._processes, order, care, now=now)).care
            if not _is_earlier(after.next_due, care.next_due):
                await session.execute(_SEEN, {"id": order_id, "before": care.version, "version": after.version})
                return False
            await outbox.send(session, nudge_care(order.id, code=order.code, round=care.round))
            return True


def _is_earlier(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one < other)


def _view(row: Any) -> OperatorView:
    what = named(row.calendar, row.team)
    of = "?" if row.touched is None else row.touched
    return OperatorView(
        sentence_vi=f"Lịch {what} phiên bản {row.version}: đã xem lại {row.looked}/{of} đơn, dời {row.moved} đơn.",
        sentence_en=f"Calendar {what}, version {row.version}: looked at {row.looked} of {of} orders, moved {row.moved}.",
    )
