"""“Who is this?”: what is known of a number while somebody types it in (S1-27)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text

from shared.db import ReadSession

_KNOWN: Final = text(
    """
SELECT p.phone, l.id, l.name, l.level, v.vi AS level_vi, v.en AS level_en, l.product, l.received_at,
    l.changed_at, l.owner_id, l.created_by, l.marketer, l.verdict, l.ended_at, o.code AS owner_code, w.anchor_id, w.closes_at,
    coalesce(n.handed_over, false) AS handed_over, coalesce(n.flag, '') AS flag, coalesce(d.kinds, '{}') AS do_not_call,
    coalesce(c.leads, 0) AS leads
FROM unnest(CAST(:phones AS text[])) WITH ORDINALITY AS p (phone, place)
    LEFT JOIN duplicate_windows n ON n.phone = p.phone AND n.product_group = ''
    LEFT JOIN LATERAL (
        SELECT anchor_id, closes_at FROM duplicate_windows
        WHERE phone = p.phone AND anchor_id IS NOT NULL AND NOT ended AND closes_at > now()
        ORDER BY closes_at DESC LIMIT 1
    ) w ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS leads, (array_agg(m.id ORDER BY m.verdict = 'lead' DESC, m.received_at DESC, m.id DESC))[1] AS latest
        FROM leads m WHERE m.phone = p.phone OR (m.other_phones <> '{}' AND m.other_phones && ARRAY[p.phone])
    ) c ON true
    LEFT JOIN leads l ON l.id = coalesce(w.anchor_id, c.latest)
    LEFT JOIN level_catalogue v ON v.code = l.level
    LEFT JOIN staff_members o ON o.account_id = l.owner_id
    LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT kind) AS kinds FROM do_not_call
        WHERE phone = p.phone AND (until IS NULL OR until > now())
    ) d ON true
ORDER BY p.place
"""
)


async def known(session: ReadSession, phones: Sequence[str]) -> Sequence[Any]:
    """A row for each number: the lead that a new arrival would repeat, or the last one, and what the lists say.

    Whoever shows it must ask whether the viewer may see the lead.
    """
    return (await session.execute(_KNOWN, {"phones": list(phones)})).all()
