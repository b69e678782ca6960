"""Duplicates that were none by the clock: they came after their anchor was sent or had ended, but before that was known
here (rule D9). They become leads by themselves, however late the fact came.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from services.leads.changes import held, release
from services.leads.changes.errors import BeingUndone, IsSpam, NotDuplicate
from services.leads.changes.held import By
from services.leads.changes.later import Later
from services.leads.driver import Connection
from services.leads.intake import numbers
from services.leads.intake.windows import anchor_of
from services.leads.stages import ends_window
from shared.contracts.events.orders import LevelChanged

OVERTAKEN: Final = "overtaken_duplicates"
"""Wakes the part of this process that releases them."""
REASON: Final = "Khi khách để lại số, đơn gốc đã gửi hoặc đã kết thúc."

# A duplicate that had an owner once was made one by a person, who saw both leads.
_NOTE: Final = """
INSERT INTO overtaken_duplicates (lead_id)
SELECT d.id FROM unnest($1::uuid[], $2::timestamptz[]) AS e (anchor_id, at) JOIN leads d USING (anchor_id)
WHERE d.verdict = 'duplicate' AND d.received_at >= e.at AND d.assignment = 0 AND d.spam = ''
ON CONFLICT DO NOTHING RETURNING lead_id
"""


async def note(connection: Connection, changes: Iterable[LevelChanged]) -> bool:
    """Notes the duplicates that came after the levels which ended their windows; True if there are any.

    Only notes them: whoever applies facts holds leads, before which numbers and pools would have to be locked.
    """
    ended = [change for change in changes if ends_window(change.to_level)]
    if not ended:
        return False
    rows = await connection.fetch(_NOTE, [change.order_id for change in ended], [change.at for change in ended])
    return bool(rows)


class OvertakenReleaser(Later):
    """Releases what was noted."""

    name = OVERTAKEN
    earliest = "SELECT lead_id FROM overtaken_duplicates ORDER BY lead_id LIMIT 1"
    done = "DELETE FROM overtaken_duplicates WHERE lead_id = $1"

    async def decide(self, connection: Connection, noted: Any) -> None:
        """Judges a duplicate again, now that its anchor's window has ended: a later lead may have opened one since."""
        lead_id: UUID = noted["lead_id"]
        lead = (await held.read(connection, [lead_id])).get(lead_id)
        if lead is None or not lead.is_duplicate or lead.spam:
            return
        known = await numbers.lock(connection, lead.phones, default=self.window)
        of_lead = known.of(lead.phones)
        if anchor_of(of_lead, at=lead.received_at, product=lead.product, policy=known.policy) is None:
            # Somebody may have marked it as spam, or released it, since it was read: then that holds. A duplicate that is
            # taken back with its import does not stay.
            with suppress(BeingUndone, IsSpam, NotDuplicate):
                await release.release(connection, lead_id, by=By(datetime.now(UTC), REASON), window=self.window)
