"""How long a request to be called covers calls to a number that lay in the floating pool (rule D38, decision 0020)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from services.leads.consent.acts import ENDS_AFTER
from services.leads.driver import Connection

# The customer asked when the number came, when it came again, or in words that were recorded. Care for that request ended
# with the first release into the pool since; claims do not make it begin anew.
_UNTIL: Final = """
SELECT l.id, CASE WHEN w.at > asked.at THEN w.at ELSE r.at + $2::interval END AS until
FROM leads l
CROSS JOIN LATERAL (
    SELECT max(at) AS at FROM (
        SELECT l.received_at AS at
        UNION ALL
        SELECT d.received_at FROM leads d WHERE d.anchor_id = l.id AND d.asked_to_be_called AND d.flag = ''
        UNION ALL
        SELECT c.at FROM consents c
        WHERE c.phone = ANY(l.other_phones || l.phone) AND c.purpose = 'requested_call' AND c.act = 'given'
    ) a
) asked
CROSS JOIN LATERAL (
    SELECT min(a.at) AS at FROM assignments a
    WHERE a.lead_id = l.id AND a.owner_id IS NULL AND a.cause = 'floating_pool' AND a.at >= asked.at
) r
CROSS JOIN LATERAL (
    SELECT max(c.at) AS at FROM consents c
    WHERE c.phone = ANY(l.other_phones || l.phone) AND c.purpose = 'requested_call' AND c.act = 'withdrawn'
) w
WHERE l.id = ANY($1::uuid[]) AND (r.at IS NOT NULL OR w.at > asked.at)
"""


async def covered_until(connection: Connection, leads: Collection[UUID]) -> dict[UUID, datetime]:
    """Of those leads that were released into the floating pool since their customer last asked, or whose customer took the
    request back: until when it covers calls. An instant that is past says that it does not any more."""
    if not leads:
        return {}
    return {row["id"]: row["until"] for row in await connection.fetch(_UNTIL, list(leads), ENDS_AFTER)}
