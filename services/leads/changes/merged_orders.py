"""Leads whose closed orders were merged (rule D20): what comes of either number is the older one's from then on.

The younger lead stays what it was, at L5.3. Its numbers and its windows go over to the older, as when leads are merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from services.leads.changes import held, merge
from services.leads.changes.held import By
from services.leads.driver import Connection
from services.leads.intake import numbers
from shared.contracts.events.orders import OrderMerged
from shared.db import Database
from shared.errors import Conflict
from shared.lifecycle import until_set
from shared.telemetry import logger

log = logger(__name__)

MERGED_ORDERS: Final = "merged_orders"
"""Wakes the part of this process that brings their leads together."""
PAUSE: Final = 5.0
"""Seconds between looks when nothing woke it: for what another process noted or a dying one left."""

_NOTE: Final = """
INSERT INTO merged_orders (lead_id, into_id, at, by, reason)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING
"""
_NEXT: Final = (
    "SELECT lead_id, into_id, at, by, reason FROM merged_orders WHERE done_at IS NULL ORDER BY lead_id LIMIT 1"
)
_DONE: Final = "UPDATE merged_orders SET done_at = now() WHERE lead_id = $1"


async def note(connection: Connection, merged: Iterable[OrderMerged]) -> None:
    """Notes what orders tells of, for later: numbers and pools have to be locked before leads, which whoever applies
    facts holds already."""
    rows = [(one.order_id, one.into_id, one.at, one.by, one.reason) for one in merged]
    await connection.execute(_NOTE, *([*column] for column in zip(*rows, strict=True)))


class Absorber:
    """Brings the leads of merged orders together until cancelled. Several at once share the work.

    Args:
        db: the service's database.
        window: length of the duplicate window as long as the company has not set one.
    """

    def __init__(self, db: Database, *, window: timedelta) -> None:
        self._db = db
        self._window = window

    async def run(self) -> None:
        woken = self._db.waker(MERGED_ORDERS)
        while True:
            woken.clear()
            while await self.step():
                pass
            await until_set(woken, at_most=PAUSE)

    async def step(self) -> bool:
        """Decides on the earliest; False when there is none."""
        pool = await self._db.driver()
        noted = await pool.fetchrow(_NEXT)
        if noted is None:
            return False
        try:
            async with pool.acquire() as connection, connection.transaction():
                seen = await held.read(connection, [noted["into_id"], noted["lead_id"]])
                if len(seen) == 2:  # else an import was undone; orders that begin with orders have no lead
                    by = By(noted["at"], noted["reason"], code=noted["by"])
                    known = await numbers.lock(
                        connection, {phone for lead in seen.values() for phone in lead.phones}, default=self._window
                    )
                    leads = await held.lock(connection, seen)
                    await merge.absorb(connection, leads[noted["into_id"]], leads[noted["lead_id"]], known, by=by)
                await connection.execute(_DONE, noted["lead_id"])
        except Conflict:
            log.info("a lead was changed meanwhile, it is looked at again", lead_id=str(noted["lead_id"]))
            return True
        self._db.wake_relay()
        return True
