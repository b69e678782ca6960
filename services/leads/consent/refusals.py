"""What levels say of consent: at L1.3 a person has refused contact, so consent ends and the numbers must not be called
(rules D13, D38). Once the order leaves L1.3 again, by whatever cause, the refusal is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.leads.consent import do_not_call
from services.leads.consent.do_not_call import By, NewEntry
from services.leads.driver import Connection
from shared.contracts import levels
from shared.contracts.events.orders import LevelChanged
from shared.outbox import Row

REASON: Final = "Khách từ chối tiếp xúc (L1.3)"
OVER: Final = "Không còn ở mức từ chối tiếp xúc (L1.3)"

_BY_LIST: Final = "care"
"""Cause of a transition to L1.3 that care makes because the number is listed: nobody has refused anything then."""

_KEEP: Final = """
INSERT INTO lead_levels (lead_id, sequence, from_level, to_level, at, cause, actor)
SELECT c.* FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
    AS c (lead_id, sequence, from_level, to_level, at, cause, actor) JOIN leads l ON l.id = c.lead_id
ON CONFLICT (lead_id, sequence) DO NOTHING RETURNING lead_id
"""
# Facts come in any order, so the last word of a lead is taken from all that is known of it: it refused, or has left the
# refusal again, because it was undone, somebody took responsibility for calling, or the customer came again.
_REFUSALS: Final = """
SELECT l.id, l.phone, l.other_phones, r.to_level = $2 AS refuses, r.at, r.actor, r.cause
FROM leads l CROSS JOIN LATERAL (
    SELECT * FROM lead_levels v WHERE v.lead_id = l.id AND (v.from_level = $2 OR (v.to_level = $2 AND v.cause <> $3))
    ORDER BY v.sequence DESC LIMIT 1
) r
WHERE l.id = ANY($1::uuid[])
"""
_GIVE_BACK: Final = """
INSERT INTO consents (id, phone, purpose, act, at, how, reason, lead_id, by)
SELECT uuidv7(), phone, 'requested_call', 'given', at, 'refusal_over', cause, lead_id, by
FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[]) AS r (phone, at, lead_id, by, cause)
WHERE EXISTS (SELECT 1 FROM consents c WHERE c.phone = r.phone AND c.lead_id = r.lead_id AND c.act = 'withdrawn')
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
    rows = await connection.fetch(_REFUSALS, list(fresh), levels.REFUSES_CONTACT, _BY_LIST)
    refused = [(phone, row) for row in rows if row["refuses"] for phone in (row["phone"], *row["other_phones"])]
    over = [(phone, row) for row in rows if not row["refuses"] for phone in (row["phone"], *row["other_phones"])]
    return await _list(connection, refused) + await _free(connection, over)


Said = Sequence[tuple[str, asyncpg.Record]]
"""Numbers, and the last that is known of their leads' refusals."""


async def _list(connection: Connection, refused: Said) -> list[Row]:
    if not refused:
        return []
    entries = [NewEntry(phone, "customer", "all", REASON, row["at"], lead_id=row["id"]) for phone, row in refused]
    await connection.execute(_WITHDRAW, *_columns(refused, "at", "id", "actor"), REASON)
    return await do_not_call.add(connection, entries, by=By(), at=datetime.now(UTC))


async def _free(connection: Connection, over: Said) -> list[Row]:
    if not over:
        return []
    await connection.execute(_GIVE_BACK, *_columns(over, "at", "id", "actor", "cause"))
    listed = await connection.fetch(_LISTED_BY, list({row["id"] for _, row in over}))
    entries = [(row["phone"], "customer") for row in listed]
    return await do_not_call.remove(connection, entries, reason=OVER, by=By(), at=datetime.now(UTC))


def _columns(said: Said, *names: str) -> list[list[Any]]:
    return [[phone for phone, _ in said], *([row[name] for _, row in said] for name in names)]
