"""A lead that becomes a duplicate of another after it was taken in."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from services.leads import history
from services.leads.changes import consent, facts, held
from services.leads.changes.held import By, Lead
from services.leads.driver import Connection
from services.leads.history import Change
from shared.contracts import levels
from shared.outbox import Row

# Its own duplicates go with it, so that every duplicate is linked to a clean lead.
_LINK: Final = f"""
WITH linked AS (UPDATE leads SET anchor_id = $2 WHERE anchor_id = $1)
UPDATE leads SET verdict = 'duplicate', anchor_id = $2, level = '{levels.DUPLICATE}', in_care = false, owner_id = NULL,
    assignment = assignment + 1, version = version + 1, released_at = NULL, floating_since = NULL, archived_at = NULL
WHERE id = $1 RETURNING assignment
"""
_DISOWN: Final = """
INSERT INTO assignments (lead_id, assignment, previous_owner_id, cause, at, by, reason)
VALUES ($1, $2, $3, 'duplicate', $4, $5, $6)
"""


async def link(
    connection: Connection, lead: Lead, anchor_id: UUID, *, cause: Literal["corrected", "merged"], by: By
) -> Row:
    """Makes a locked lead a duplicate: nobody holds it or waits for it. Returns what is to be told."""
    await held.unqueue(connection, [lead.id])
    assignment = await connection.fetchval(_LINK, lead.id, anchor_id)
    await connection.execute(_DISOWN, lead.id, assignment, lead.owner_id, by.at, by.code, by.reason)
    change = Change(
        lead.id,
        by.at,
        "duplicate_found" if cause == "corrected" else "merged",
        by_id=by.account_id,
        by=by.code,
        before={"level": lead.level, "owner_id": lead.owner_id and str(lead.owner_id)},
        after={"level": levels.DUPLICATE, "anchor_id": str(anchor_id)},
        reason=by.reason,
    )
    await history.keep(connection, [change])
    agreed = await consent.of_lead(connection, lead.id)
    asked = agreed.asked and not lead.flag
    return facts.found(lead, anchor_id=anchor_id, assignment=assignment, cause=cause, asked=asked, by=by)
