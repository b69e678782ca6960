"""The do-not-call list: present entries by number and source, every change of them, and what the other services hear.

Whoever lists or frees a number locks its duplicate window first, as intake does, so of a lead and an entry that come at
the same time one always learns of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from shared.contracts.events.leads_everyday import (
    DO_NOT_CALL_CHANGED,
    DoNotCallChanged,
    DoNotCallEntry,
    DoNotCallKind,
    DoNotCallSource,
)
from shared.outbox import Row, event_row

_PRESENT: Final = "(until IS NULL OR until > now())"
_ENTRIES: Final = f"""
SELECT phone, jsonb_agg(jsonb_build_object('source', source, 'kind', kind, 'since', since, 'until', until) ORDER BY source)
    ::text AS entries
FROM do_not_call WHERE phone = ANY($1::text[]) AND {_PRESENT} GROUP BY phone
"""
_LOCK: Final = """
INSERT INTO duplicate_windows (phone) SELECT phone FROM unnest($1::text[]) AS p (phone) ORDER BY phone
ON CONFLICT (phone, product_group) DO UPDATE SET phone = excluded.phone
"""
_ADD: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[])
        AS g (phone, source, kind, reason, since, until, lead_id)
), was AS (
    SELECT phone, source FROM do_not_call JOIN given USING (phone, source)
), put AS (
    INSERT INTO do_not_call (phone, source, kind, reason, since, until, lead_id, by_id, by)
    SELECT phone, source, kind, reason, since, until, lead_id, $8::uuid, $9 FROM given ORDER BY phone, source
    ON CONFLICT (phone, source) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, until = excluded.until,
        since = greatest(do_not_call.since, excluded.since), lead_id = excluded.lead_id, by_id = excluded.by_id,
        by = excluded.by, import_id = NULL
    RETURNING phone, source, kind, reason, until
)
INSERT INTO do_not_call_changes (id, phone, source, act, kind, until, at, reason, by_id, by)
SELECT uuidv7(), phone, source, CASE WHEN was.phone IS NULL THEN 'added' ELSE 'changed' END, kind, until, $10, reason, $8, $9
FROM put LEFT JOIN was USING (phone, source)
"""
_REMOVE: Final = """
WITH gone AS (
    DELETE FROM do_not_call d USING unnest($1::text[], $2::text[]) AS g (phone, source)
    WHERE (d.phone, d.source) = (g.phone, g.source) RETURNING d.phone, d.source, d.kind, d.until
), kept AS (
    INSERT INTO do_not_call_changes (id, phone, source, act, kind, until, at, reason, by_id, by)
    SELECT uuidv7(), phone, source, 'removed', kind, until, $3, $4, $5::uuid, $6 FROM gone
)
SELECT phone FROM gone
"""
# The other services know the numbers that came as leads; of the rest they hear when they come.
_TELL: Final = f"""
SELECT p.phone, nextval('do_not_call_versions') AS version, coalesce((
    SELECT jsonb_agg(jsonb_build_object('source', source, 'kind', kind, 'since', since, 'until', until) ORDER BY source)
    FROM do_not_call d WHERE d.phone = p.phone AND {_PRESENT}), '[]')::text AS entries
FROM unnest($1::text[]) AS p (phone)
WHERE EXISTS (SELECT 1 FROM leads l WHERE l.phone = p.phone)
    OR EXISTS (SELECT 1 FROM leads l WHERE l.other_phones <> '{{}}' AND l.other_phones @> ARRAY[p.phone])
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says of a number now."""

    phone: str
    entries: tuple[DoNotCallEntry, ...]

    @property
    def forbids_calls(self) -> bool:
        return any(entry.kind != "messages" for entry in self.entries)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A number that is to be listed; `lead_id` is the lead whose refusal (L1.3) it was."""

    phone: str
    source: DoNotCallSource
    kind: DoNotCallKind
    reason: str
    since: datetime
    until: datetime | None = None
    lead_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class By:
    """Who changes the list; nobody when a rule of the system does."""

    id: UUID | None = None
    code: str = ""


async def entries_of(connection: Connection, phones: Collection[str]) -> dict[str, Listed]:
    """What the list says of numbers; those that are not on it are left out."""
    if not phones:
        return {}
    rows = await connection.fetch(_ENTRIES, list(phones))
    return {row["phone"]: Listed(row["phone"], _entries(row["entries"])) for row in rows}


async def lock(connection: Connection, phones: Iterable[str]) -> None:
    """Takes the numbers for this transaction, before anything else of leads is locked."""
    await connection.execute(_LOCK, sorted(set(phones)))


async def add(connection: Connection, entries: Sequence[NewEntry], *, by: By, at: datetime) -> list[Row]:
    """Lists numbers, which must be locked. An entry of the same source is replaced, its `since` never goes back.

    Returns:
        Outbox rows for the numbers that the other services know.
    """
    latest = {(entry.phone, entry.source): entry for entry in entries}.values()
    columns: list[list[Any]] = [
        [getattr(entry, field) for entry in latest]
        for field in ("phone", "source", "kind", "reason", "since", "until", "lead_id")
    ]
    await connection.execute(_ADD, *columns, by.id, by.code, at)
    return await tell(connection, columns[0], at=at)


async def remove(
    connection: Connection, entries: Sequence[tuple[str, str]], *, reason: str, by: By, at: datetime
) -> list[Row]:
    """Frees numbers, which must be locked, of entries given as (number, source). Returns outbox rows."""
    phones, sources = [entry[0] for entry in entries], [entry[1] for entry in entries]
    gone = await connection.fetch(_REMOVE, phones, sources, at, reason, by.id, by.code)
    return await tell(connection, [row["phone"] for row in gone], at=at)


async def tell(connection: Connection, phones: Sequence[str], *, at: datetime) -> list[Row]:
    """Facts about locked numbers, as they are now, for those services that know them."""
    rows = await connection.fetch(_TELL, list(set(phones))) if phones else []
    return [
        event_row(
            DO_NOT_CALL_CHANGED,
            DoNotCallChanged(phone=row["phone"], version=row["version"], at=at, entries=_entries(row["entries"])),
            # The number itself stays out of the headers of messages.
            subject=uuid7(),
        )
        for row in rows
    ]


def _entries(json: str) -> tuple[DoNotCallEntry, ...]:
    return tuple(DoNotCallEntry.model_validate(entry) for entry in orjson.loads(json))
