"""Leads whose closed orders were merged (rule D20): what comes of either number is the older one's from then on.

The younger lead stays what it was, at L5.3. Its numbers and its windows go over to the older, as when leads are merged; if
the older has become a duplicate, to the lead that it is a duplicate of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from services.leads.changes import held, merge
from services.leads.changes.held import By
from services.leads.changes.later import Later
from services.leads.driver import Connection
from services.leads.intake import numbers
from shared.contracts.events.orders import OrderMerged

MERGED_ORDERS: Final = "merged_orders"
"""Wakes the part of this process that brings their leads together."""

_NOTE: Final = """
INSERT INTO merged_orders (lead_id, into_id, at, by, reason)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING
"""


async def note(connection: Connection, merged: Iterable[OrderMerged]) -> None:
    """Notes what orders tells of, for later: numbers and pools have to be locked before leads, which whoever applies
    facts holds already."""
    rows = [(one.order_id, one.into_id, one.at, one.by, one.reason) for one in merged]
    await connection.execute(_NOTE, *([*column] for column in zip(*rows, strict=True)))


class Absorber(Later):
    """Brings the leads of merged orders together."""

    name = MERGED_ORDERS
    earliest = """
SELECT lead_id, into_id, at, by, reason FROM merged_orders WHERE done_at IS NULL ORDER BY lead_id LIMIT 1
"""
    done = "UPDATE merged_orders SET done_at = now() WHERE lead_id = $1"

    async def decide(self, connection: Connection, noted: Any) -> None:
        younger_id: UUID = noted["lead_id"]
        seen = await held.read(connection, [noted["into_id"], younger_id])
        if len(seen) < 2:
            return  # an import was undone; and orders that begin with orders have no lead
        survivor = seen[noted["into_id"]]
        if survivor.anchor_id is not None:
            # Somebody made it a duplicate meanwhile: what comes of its numbers is the other lead's.
            seen |= await held.read(connection, [survivor.anchor_id])
            survivor = seen[survivor.anchor_id]
        if survivor.id == younger_id:
            return  # the older is the younger's duplicate, so everything is the younger's already
        by = By(noted["at"], noted["reason"], code=noted["by"])
        phones = {phone for lead in seen.values() for phone in lead.phones}
        known = await numbers.lock(connection, phones, default=self.window)
        leads = await held.lock(connection, seen)
        await merge.absorb(connection, leads[survivor.id], leads[younger_id], known, by=by)
