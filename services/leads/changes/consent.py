"""What somebody agreed to when the number came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.leads.driver import Connection

_CONSENT: Final = """
SELECT l.asked_to_be_called AS asked, coalesce(t.text, '') AS text, l.consent_page AS page
FROM leads l LEFT JOIN consent_texts t ON t.hash = l.consent_hash WHERE l.id = $1
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """`asked`: the person left the number to be called (rule D38)."""

    asked: bool
    text: str
    page: str


async def of_lead(connection: Connection, lead_id: UUID) -> Consent:
    """The consent with which a lead came in."""
    row = await connection.fetchrow(_CONSENT, lead_id)
    assert row is not None, "leads are not deleted under a lock"
    return Consent(**row)
