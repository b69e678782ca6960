"""The entries of a lead's history: read from every table that keeps a part of it, in one statement a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from shared.db import ReadSession

Kind = Literal[
    "arrived", "came_again", "assigned", "released", "level", "changed", "note", "revealed", "viewed", "consent"
]

# Each part is narrow (one lead) and has an index that begins with the lead, so the sort is over tens of rows.
_PAGE: Final = text(
    """
WITH parts AS (
    SELECT r.received_at AS at, 'a' AS key, 'arrived' AS kind, coalesce(s.code, '') AS by, jsonb_build_object(
        'channel', r.channel, 'source', o.name, 'campaign', l.campaign, 'landing_page', l.landing_page, 'verdict', l.verdict,
        'anchor_id', l.anchor_id, 'row', r.row_no, 'import_id', r.import_id, 'consent_page', l.consent_page,
        'asked', l.asked_to_be_called, 'do_not_call', l.do_not_call) AS data
    FROM leads l JOIN raw_items r ON r.id = l.id LEFT JOIN sources o ON o.id = l.source_id
        LEFT JOIN staff_members s ON s.account_id = r.created_by
    WHERE l.id = :id
  UNION ALL
    SELECT received_at, 'b' || id, 'came_again', '', jsonb_build_object(
        'lead_id', id, 'channel', channel, 'product', product, 'note', note, 'landing_page', landing_page)
    FROM leads WHERE anchor_id = :id
  UNION ALL
    SELECT at, 'c' || lpad(assignment::text, 9, '0'), CASE WHEN owner_id IS NULL THEN 'released' ELSE 'assigned' END, by,
        jsonb_build_object('assignment', assignment)
    FROM assignments WHERE lead_id = :id
  UNION ALL
    SELECT at, 'd' || lpad(sequence::text, 9, '0'), 'level', actor, jsonb_build_object(
        'from', from_level, 'to', to_level, 'cause', cause)
    FROM lead_levels WHERE lead_id = :id
  UNION ALL
    SELECT at, 'e' || id, 'changed', by, jsonb_build_object(
        'what', kind, 'before', before, 'after', after, 'reason', reason)
    FROM lead_changes WHERE lead_id = :id
  UNION ALL
    SELECT at, 'f' || id, 'note', by, jsonb_build_object('note_id', id, 'text', text, 'changed_at', changed_at)
    FROM lead_notes WHERE lead_id = :id
  UNION ALL
    SELECT at, 'g' || id, 'revealed', code, jsonb_build_object('basis', basis, 'reason', reason)
    FROM phone_reveals WHERE lead_id = :id
  UNION ALL
    SELECT at, 'h' || id, 'viewed', code, '{}' FROM floating_views WHERE lead_id = :id
  UNION ALL
    SELECT c.at, 'i' || c.id, 'consent', c.by, jsonb_build_object(
        'act', c.act, 'purpose', c.purpose, 'how', c.how, 'reason', c.reason)
    FROM leads l JOIN consents c ON c.phone = ANY(l.other_phones || l.phone) WHERE l.id = :id
)
SELECT at, key, kind, by, data FROM parts
WHERE CAST(:at AS timestamptz) IS NULL OR (at, key) < (:at, :key)
ORDER BY at DESC, key DESC LIMIT :limit
"""
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `by` is a staff code, empty for a rule of the system or the customer."""

    at: datetime
    key: str
    kind: Kind
    by: str
    data: dict[str, Any]


async def page(
    session: ReadSession, lead_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Entry]:
    """What happened to a lead, newest first.

    Args:
        after: time and key of the last entry of the page before.
    """
    at, key = after or (None, "")
    rows = await session.execute(_PAGE, {"id": lead_id, "at": at, "key": key, "limit": limit})
    return [Entry(**row._mapping) for row in rows]
