"""Plans open care again after a change of business time: many orders at a time, those that the change touches, by the same
functions as their workflows would.

Care would notice by itself at its next look; until then people would see, and be told of, times that are not true any
more. A workflow is woken only where its next look comes earlier: if it comes later, it wakes once in vain. See
docs/decisions/0029.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.calendars.change import named
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_open_cares
from services.orders.clock import Clock
from shared import outbox
from shared.contracts.activities import Advance, OperatorView
from shared.contracts.workflows import nudge_care
from shared.db import Database, Session, is_contended, is_unavailable
from shared.telemetry import logger

log = logger(__name__)

BATCH: Final = 50
"""Orders of one transaction: some hundredths of a second for which whoever logs a call about one of them waits."""
TURN: Final = 1000
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
WITH concerned AS MATERIALIZED (
    SELECT key, version FROM process_versions p
    WHERE CAST(:calendar AS text) = 'holidays' OR EXISTS (
        SELECT 1 FROM json_each_text(CAST(p.body AS json) -> 'windows') w WHERE w.value = :calendar)
)
SELECT {what} FROM care c JOIN orders o ON o.id = c.order_id
JOIN concerned p ON p.key = c.process AND p.version = c.process_version
WHERE c.is_open AND c.state IS NOT NULL AND c.order_id > :place AND (CAST(:team AS text) = '' OR o.team = :team)
    AND (CAST(:since AS timestamptz) IS NULL OR c.next_due >= :since OR EXISTS (
        SELECT 1 FROM tasks t WHERE t.order_id = c.order_id AND t.closed_at IS NULL AND t.deadline_at >= :since))
"""
_COUNT: Final = text(
    f"UPDATE replans SET touched = ({_TOUCHED.format(what='count(*)')}) WHERE revision = :revision AND touched IS NULL"
)
_NEXT: Final = text(f"{_TOUCHED.format(what='c.order_id')} ORDER BY c.order_id LIMIT :limit")
_PROGRESS: Final = text(
    """
UPDATE replans r SET looked = looked + :looked, failed = failed + :failed, place = :next,
    moved = moved + (
        SELECT count(DISTINCT e.order_id) FROM care_effects e
        WHERE e.order_id = ANY(CAST(:ids AS uuid[])) AND e.effect = 'MoveTask' AND e.cause = 'calendar'
            AND e.decided_at >= r.started_at)
WHERE revision = :revision AND place = :place AND state = 'running'
"""
)
_DONE: Final = text(
    """
UPDATE replans SET state = 'done', finished_at = :now WHERE revision = :revision AND place = :place AND state = 'running'
"""
)


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
        """Goes on with a replan for one turn. Each batch is kept together with how far the replan is, so that whoever goes
        on after a kill, or beside another, plans nothing twice."""
        row = await self._load(revision)
        if row.state == "running":
            place = row.place
            ids = await self._next(row)
            for start in range(0, len(ids), BATCH):
                place = await self._plan_again(row, ids[start : start + BATCH], place=place)
            if len(ids) < TURN:
                await self._finish(row, place=place)
            row = await self._load(revision)
        return Advance(done=row.state != "running", outcome=row.state, view=_view(row))

    async def _load(self, revision: int) -> Any:
        async with self._db.read() as session:
            return (await session.execute(_REPLAN, {"revision": revision})).one()

    async def _next(self, row: Any) -> Sequence[UUID]:
        values = {"calendar": row.calendar, "team": row.team, "since": row.since, "place": row.place}
        async with self._db.transaction() as session:
            if row.touched is None:
                await session.execute(_COUNT, {**values, "revision": row.revision})
            return (await session.execute(_NEXT, {**values, "limit": TURN})).scalars().all()

    async def _finish(self, row: Any, *, place: UUID) -> None:
        async with self._db.transaction() as session:
            await session.execute(_DONE, {"revision": row.revision, "place": place, "now": self._now()})

    async def _plan_again(self, row: Any, ids: Sequence[UUID], *, place: UUID) -> UUID:
        """Plans orders and goes on to the last of them, which is returned; one that cannot be planned holds no other up.

        Args:
            place: where the replan stands.
        """
        try:
            await self._plan_together(row, ids, place=place)
        except Exception as error:
            if is_unavailable(error) or is_contended(error):
                raise
            if len(ids) > 1:  # one of them fails all: each by itself
                for order_id in ids:
                    place = await self._plan_again(row, [order_id], place=place)
                return place
            # Its own workflow says the same, again and again, where an operator sees it.
            log.error("care cannot be planned again", order_id=str(ids[0]), error=type(error).__name__)
            await self._leave(row, ids[0], place=place)
        return ids[-1]

    async def _plan_together(self, row: Any, ids: Sequence[UUID], *, place: UUID) -> None:
        now = self._now()
        async with self._db.transaction() as session:
            orders = await record.lock_many(session, list(ids))
            cares = await lock_open_cares(session, list(orders))
            after = await care_service.advance_many(session, self._processes, orders, cares, now=now)
            earlier = {id for id, care in cares.items() if _is_earlier(after[id].next_due, care.next_due)}
            # What its workflow is not told of is not left for reconcile to tell: it wakes before anything is due.
            seen_from = {id: care.version for id, care in cares.items() if id not in earlier}
            changed = {id: care for id, care in after.items() if care != cares[id]}
            if changed:
                await care_service.save_many(session, changed, now=now, seen_from=seen_from)
            nudges = [nudge_care(id, code=orders[id].code, round=cares[id].round) for id in cares if id in earlier]
            await outbox.send_paced(session, nudges, a_second=WOKEN_A_SECOND)
            await self._go_on(session, row, ids, place=place)

    async def _leave(self, row: Any, order_id: UUID, *, place: UUID) -> None:
        async with self._db.transaction() as session:
            await self._go_on(session, row, [order_id], place=place, failed=1)

    @staticmethod
    async def _go_on(session: Session, row: Any, ids: Sequence[UUID], *, place: UUID, failed: int = 0) -> None:
        values = {"revision": row.revision, "place": place, "next": ids[-1], "ids": list(ids), "looked": len(ids)}
        await session.execute(_PROGRESS, {**values, "failed": failed})


def _is_earlier(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one < other)


def _view(row: Any) -> OperatorView:
    what = named(row.calendar, row.team)
    of = "?" if row.touched is None else row.touched
    return OperatorView(
        sentence_vi=f"Lịch {what} phiên bản {row.version}: đã xem lại {row.looked}/{of} đơn, dời {row.moved} đơn.",
        sentence_en=f"Calendar {what}, version {row.version}: looked at {row.looked} of {of} orders, moved {row.moved}.",
    )
