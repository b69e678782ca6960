"""What levels say of consent: at L1.3 a person has refused contact, so consent ends and the numbers must not be called
(rules D13, D38). A refusal that was undone was none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.leads.consent import do_not_call
from services.leads.consent.do_not_call import By, NewEntry
from services.leads.driver import Connection
from shared.contracts import levels
from shared.contracts.events.orders import LevelChanged
from shared.outbox import Row

REASON: Final = "Khách từ chối tiếp xúc (L1.3)"
_UNDO: Final = "undo"

_KEEP: Final = """
INSERT INTO lead_levels (lead_id, sequence, from_level, to_level, at, cause, actor)
SELECT c.* FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
    AS c (lead_id, sequence, from_level, to_level, at, cause, actor) JOIN leads l ON l.id = c.lead_id
ON CONFLICT (lead_id, sequence) DO NOTHING RETURNING lead_id
"""
# Facts come in any order, so the refusals of a lead are judged from all that is known of it.
_REFUSALS: Final = """
SELECT l.id, l.phone, l.other_phones, r.at, r.actor
FROM leads l LEFT JOIN LATERAL (
    SELECT v.at, v.actor FROM lead_levels v WHERE v.lead_id = l.id AND v.to_level = $2 AND NOT EXISTS (
        SELECT 1 FROM lead_levels u WHERE u.lead_id = v.lead_id AND u.sequence = v.sequence + 1 AND u.cause = $3)
    ORDER BY v.sequence DESC LIMIT 1
) r ON true
WHERE l.id = ANY($1::uuid[])
"""
_OTHERS: Final = """
WITH numbers AS (
    SELECT phone FROM leads WHERE id = ANY($1::uuid[])
    UNION SELECT unnest(other_phones) FROM leads WHERE id = ANY($1::uuid[])
)
SELECT l.id FROM numbers n JOIN leads l ON l.phone = n.phone
UNION SELECT l.id FROM numbers n JOIN leads l ON l.other_phones <> '{}' AND l.other_phones @> ARRAY[n.phone]
"""
_WITHDRAW: Final = """
INSERT INTO consents (id, phone, purpose, act, at, how, reason, lead_id, by)
SELECT uuidv7(), phone, purpose, 'withdrawn', at, 'refusal', $5, lead_id, by
FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::text[]) AS r (phone, at, lead_id, by)
    CROSS JOIN unnest(ARRAY['requested_call', 'advertising_call', 'message']) AS p (purpose)
WHERE NOT EXISTS (SELECT 1 FROM consents c WHERE c.phone = r.phone AND c.lead_id = r.lead_id AND c.at = r.at)
"""
_LISTED_BY: Final = "SELECT phone FROM do_not_call WHERE lead_id = ANY($1::uuid[]) AND source = 'customer'"


def concerned(changes: Iterable[LevelChanged]) -> set[UUID]:
    """Leads whose refusal these transitions make or undo."""
    return {change.order_id for change in changes if levels.REFUSES_CONTACT in (change.to_level, change.from_level)}


async def others(connection: Connection, concerned: set[UUID]) -> list[UUID]:
    """All leads of the numbers of the concerned ones: a refusal marks them too, so they are locked with them."""
    rows = await connection.fetch(_OTHERS, list(concerned)) if concerned else []
    return [row["id"] for row in rows]


async def record(connection: Connection, changes: Sequence[LevelChanged], *, concerned: set[UUID]) -> list[Row]:
    """Keeps transitions for the history of their leads, and does what refusals among them ask for.

    The numbers of the concerned leads must be locked, and all leads of these numbers. Returns outbox rows.
    """
    columns = ("order_id", "sequence", "from_level", "to_level", "at", "cause", "actor")
    rows = await connection.fetch(_KEEP, *([getattr(change, name) for change in changes] for name in columns))
    fresh = {row["lead_id"] for row in rows} & concerned
    if not fresh:
        return []
    now = datetime.now(UTC)
    refusals, taken_back = [], []
    for lead in await connection.fetch(_REFUSALS, list(fresh), levels.REFUSES_CONTACT, _UNDO):
        if lead["at"] is None:
            taken_back.append(lead["id"])
        else:
            refusals += [
                (NewEntry(phone, "customer", "all", REASON, lead["at"], lead_id=lead["id"]), lead["actor"])
                for phone in (lead["phone"], *lead["other_phones"])
            ]
    told = await do_not_call.add(connection, [entry for entry, _ in refusals], by=By(), at=now) if refusals else []
    await connection.execute(
        _WITHDRAW,
        [entry.phone for entry, _ in refusals],
        [entry.since for entry, _ in refusals],
        [entry.lead_id for entry, _ in refusals],
        [actor for _, actor in refusals],
        REASON,
    )
    listed = await connection.fetch(_LISTED_BY, taken_back) if taken_back else []
    entries = [(row["phone"], "customer") for row in listed]
    return told + await do_not_call.remove(connection, entries, reason="Hoàn tác L1.3", by=By(), at=now)
