"""Who is asked first for a number that was here before: its last owner, or for a returning customer whoever closed their
last order, or the pool that cares for them (rule D24).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.distribution import CLOSER, RETURNING
from services.leads.driver import Connection
from services.leads.rounds import Fresh
from shared.contracts.events.orders import OrderClosed

_SETTINGS: Final = "SELECT id, sticky, returning_to, returning_pool_id FROM pools WHERE id = ANY($1::uuid[])"
_CLOSERS: Final = "SELECT phone, closer_id FROM closers WHERE phone = ANY($1::text[])"
_KEEP: Final = """
INSERT INTO closers (phone, closer_id, closed_at)
SELECT DISTINCT ON (phone) phone, closer_id, closed_at
FROM (
    SELECT phone, closer_id, closed_at
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) AS c (order_id, phone, closer_id, closed_at)
    UNION ALL
    SELECT unnest(l.phone || l.other_phones), c.closer_id, c.closed_at
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) AS c (order_id, phone, closer_id, closed_at)
        JOIN leads l ON l.id = c.order_id
) k
ORDER BY phone, closed_at DESC
ON CONFLICT (phone) DO UPDATE SET closer_id = excluded.closer_id, closed_at = excluded.closed_at
WHERE closers.closed_at < excluded.closed_at
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a lead's numbers: who held the last lead, and whether they are a returning customer's."""

    phones: tuple[str, ...]
    owner_id: UUID | None
    returning: bool


async def ask_first(connection: Connection, leads: Sequence[Fresh], known: Mapping[UUID, Known]) -> list[Fresh]:
    """The leads with whoever is to be asked first, by the settings of their pools.

    Args:
        leads: new leads with their pools.
        known: of those whose numbers were here before.
    """
    before = {lead.lead_id: known[lead.lead_id] for lead in leads if lead.lead_id in known and lead.pool_id}
    if not before:
        return list(leads)
    pools = {lead.pool_id for lead in leads if lead.lead_id in before and lead.pool_id}
    settings = {row["id"]: row for row in await connection.fetch(_SETTINGS, sorted(pools))}
    phones = sorted({phone for one in before.values() if one.returning for phone in one.phones})
    rows = await connection.fetch(_CLOSERS, phones) if phones else []
    closers = {row["phone"]: row["closer_id"] for row in rows}
    return [
        _asked(lead, before[lead.lead_id], settings[lead.pool_id], closers)
        if lead.lead_id in before and lead.pool_id in settings
        else lead
        for lead in leads
    ]


def _asked(lead: Fresh, known: Known, pool: asyncpg.Record, closers: Mapping[str, UUID]) -> Fresh:
    if not known.returning:
        return replace(lead, sticky_id=known.owner_id if pool["sticky"] else None)
    care_pool_id = pool["returning_pool_id"]
    if pool["returning_to"] == "pool":
        return replace(lead, pool_id=care_pool_id, reason=RETURNING)
    closer = next((closers[phone] for phone in known.phones if phone in closers), None)
    return replace(
        lead,
        sticky_id=closer or known.owner_id,
        fallback_id=care_pool_id,
        reason=CLOSER if closer else "",
    )


async def keep_closers(connection: Connection, closings: Iterable[OrderClosed]) -> None:
    """Notes who closed the orders of numbers; of two closings of a number the later one counts."""
    said = list(closings)
    await connection.execute(
        _KEEP,
        [closing.order_id for closing in said],
        [closing.phone for closing in said],
        [closing.closer_id for closing in said],
        [closing.closed_at for closing in said],
    )
