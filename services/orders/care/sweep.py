"""Looks at what falls due by itself, many orders at a time, so that a reminder of 08:00 is not the five-thousandth in a
queue of workflows.

The workflow of each care waits for the same moment and looks as well, within the minute over which wake-ups are spread: it
finds done what was done here, does what was not, and shows where the care stands. So nothing depends on this: whatever is
locked, cannot be decided, or falls due while nobody sweeps is the workflow's. See docs/decisions/0029.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_due_cares
from services.orders.clock import Clock
from shared.db import Database, is_unavailable
from shared.telemetry import logger

log = logger(__name__)

BATCH: Final = 25
"""Orders of one transaction: about a tenth of a second for which whoever logs a call about one of them waits."""
PAUSE: Final = 1.0
"""Seconds between looks."""
AGAIN: Final = timedelta(seconds=5)
"""How long something that is due is looked at again and again: somebody held the order, or the decision from which its
time follows was not committed yet when the next second was looked at."""
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_NONE: Final = UUID(int=0)

_DUE: Final = text(
    """
SELECT next_due, order_id FROM care WHERE is_open AND next_due <= :now AND (next_due, order_id) > (:since, :after)
ORDER BY next_due, order_id LIMIT :limit
"""
)


class Sweep:
    """Sweeps until cancelled. Several at once share the work.

    Args:
        now: the clock.
    """

    def __init__(self, db: Database, processes: Processes, *, now: Clock, pause: float = PAUSE) -> None:
        self._db = db
        self._processes = processes
        self._now = now
        self._pause = pause
        self._since = _BEGINNING

    async def run(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(self._pause)

    async def step(self) -> int:
        """Looks at all that has fallen due since a little before the last time; returns at how many orders.

        The first time it is everything that is due: what fell due while this was away.
        """
        until = self._now()
        since, after = self._since, _NONE
        looked = 0
        while True:
            async with self._db.read() as session:
                values = {"now": until, "since": since, "after": after, "limit": BATCH}
                due = (await session.execute(_DUE, values)).all()
            if due:
                looked += await self._look([row.order_id for row in due])
                since, after = due[-1].next_due, due[-1].order_id
            if len(due) < BATCH:
                break
        self._since = until - AGAIN
        return looked

    async def _look(self, ids: Sequence[UUID]) -> int:
        try:
            return await self._look_at(ids)
        except Exception as error:
            if is_unavailable(error):
                raise
            if len(ids) > 1:  # one of them fails all: each by itself
                return sum([await self._look([order_id]) for order_id in ids])
            # Its workflow says the same, again and again, where an operator sees it.
            log.warning("care that is due cannot be looked at", order_id=str(ids[0]), error=type(error).__name__)
            return 0

    async def _look_at(self, ids: Sequence[UUID]) -> int:
        """Lets those of the orders that nobody works on just now take their next step, in one transaction."""
        now = self._now()
        async with self._db.transaction() as session:
            orders = await record.lock_free(session, list(ids))
            cares = await lock_due_cares(session, list(orders), now=now)
            if not cares:
                return 0
            decided = await care_service.advance_many(session, self._processes, orders, cares, now=now)
            after = {id: care for id, care in decided.items() if care != cares[id]}
            # Their workflows are not told: they wake by themselves, and until then reconcile has nothing to tell them.
            seen_from = {id: care.version for id, care in cares.items()}
            if after:
                await care_service.save_many(session, after, now=now, seen_from=seen_from)
        return len(cares)
