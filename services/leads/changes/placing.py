"""An owner for a lead that came in long ago, as for a new one."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.leads import rounds
from services.leads.changes.held import Lead
from services.leads.driver import Connection
from services.leads.returning import Known, ask_first
from services.leads.rounds import Decided, Fresh

_OWNER: Final = "SELECT owner_id FROM leads WHERE id = $1"


async def place(connection: Connection, lead: Lead, *, previous_id: UUID | None, returning: bool) -> Decided:
    """Decides who gets a lead; locks its pool. To be recorded when the lead is locked.

    Args:
        previous_id: the lead whose owner held the number last, and is asked first.
        returning: something was once handed over to one of its numbers.
    """
    topic = (lead.channel, lead.product, lead.landing_page)
    (pool_id,) = await rounds.pools_of(connection, [topic])
    fresh = Fresh(lead.id, pool_id, lead.received_at, topic=topic)
    owner_id = await connection.fetchval(_OWNER, previous_id) if previous_id is not None else None
    known = {lead.id: Known(lead.phones, owner_id, returning)} if owner_id or returning else {}
    return await rounds.decide(connection, (), await ask_first(connection, [fresh], known))
