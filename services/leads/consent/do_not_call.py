"""The do-not-call list: present entries by number and source, every change of them, and what the other services hear.

Whoever lists or frees a number locks its duplicate window first, as intake does, so of a lead and an entry that come at
the same time one always learns of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from shared.contracts.events.leads_everyday import (
    DO_NOT_CALL_CHANGED,
    DoNotCallChanged,
    DoNotCallEntry,
    DoNotCallKind,
    DoNotCallSource,
)
from shared.db import ReadSession
from shared.outbox import Row, event_row

_PRESENT: Final = "(until IS NULL OR until > now())"
_ENTRIES: Final = f"""
SELECT phone, jsonb_agg(jsonb_build_object('source', source, 'kind', kind, 'since', since, 'until', until,
    'refusal', lead_id IS NOT NULL) ORDER BY source)
    ::text AS entries
FROM do_not_call WHERE phone = ANY(string_to_array($1, ' ')) AND {_PRESENT} GROUP BY phone
"""
_COLUMNS: Final = "phone, source, kind, reason, since, until, by, lead_id, import_id"
_OF_PHONE: Final = f"SELECT {_COLUMNS} FROM do_not_call WHERE phone = $1 ORDER BY source"
# The index knows the order within a source and a kind, of which there are few: the newest of each are merged.
_PAGE: Final = f"""
SELECT e.* FROM unnest(CAST(:sources AS text[])) AS s (source) CROSS JOIN unnest(CAST(:kinds AS text[])) AS k (kind)
CROSS JOIN LATERAL (
    SELECT {_COLUMNS}, place FROM do_not_call WHERE source = s.source AND kind = k.kind{{further}}
    ORDER BY since DESC, place DESC LIMIT :limit
) AS e
ORDER BY e.since DESC, e.place DESC LIMIT :limit
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
        by = excluded.by, import_id = NULL, lapsed_at = NULL
    RETURNING phone, source, kind, reason, until
)
INSERT INTO do_not_call_changes (id, phone, source, act, kind, until, at, reason, by_id, by)
SELECT uuidv7(), phone, source, CASE WHEN was.phone IS NULL THEN 'added' ELSE 'changed' END, kind, until, $10, reason, $8, $9
FROM put LEFT JOIN was USING (phone, source)
"""
_REMOVE: Final = """
WITH gone AS (
    DELETE FROM do_not_call d USING unnest($1::text[], $2::text[]) AS g (phone, source)
    WHERE (d.phone, d.source) = (g.phone, g.source) RETURNING d.phone, d.source, d.kind, d.since, d.until, d.lead_id
), kept AS (
    INSERT INTO do_not_call_changes (id, phone, source, act, kind, until, at, reason, by_id, by)
    SELECT uuidv7(), phone, source, 'removed', kind, until, $3, $4, $5::uuid, $6 FROM gone
)
SELECT phone, source, kind, since, until, lead_id IS NOT NULL AS refusal FROM gone
"""
_OF_PHONES: Final = """
SELECT id FROM leads WHERE phone = ANY($1::text[])
UNION SELECT id FROM leads WHERE other_phones <> '{}' AND other_phones && $1::text[]
"""
_LEADS: Final = f"SELECT id FROM leads WHERE id IN ({_OF_PHONES}) ORDER BY id FOR NO KEY UPDATE"
_MARK: Final = f"""
UPDATE leads l SET do_not_call = NOT l.do_not_call
WHERE l.id IN ({_OF_PHONES}) AND l.do_not_call <> EXISTS (
    SELECT 1 FROM do_not_call d WHERE d.phone = ANY(l.other_phones || l.phone) AND d.kind <> 'messages' AND {_PRESENT})
"""
# The other services know the numbers that came as leads; of the rest they hear when they come.
_TELL: Final = f"""
SELECT p.phone, nextval('do_not_call_versions') AS version, coalesce((
    SELECT jsonb_agg(jsonb_build_object('source', source, 'kind', kind, 'since', since, 'until', until,
    'refusal', lead_id IS NOT NULL) ORDER BY source)
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
    rows = await connection.fetch(_ENTRIES, " ".join(phones))
    return {row["phone"]: Listed(row["phone"], _entries(row["entries"])) for row in rows}


async def of_phone(connection: Connection, phone: str) -> list[Any]:
    """The present entries of one number, also those that are over by themselves."""
    return list(await connection.fetch(_OF_PHONE, phone))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list ended, without the number, which the list shows masked."""

    since: datetime
    place: int


def statement(
    *, after: Place | None, limit: int, source: str | None, kind: str | None, phone: str | None
) -> tuple[str, dict[str, Any]]:
    """A page of the list as SQL, and its values; for the parameters see `page`."""
    values: dict[str, Any] = {
        "sources": [source] if source else list(get_args(DoNotCallSource)),
        "kinds": [kind] if kind else list(get_args(DoNotCallKind)),
        "limit": limit,
    }
    further = ""
    if phone is not None:
        further += " AND phone = :phone"
        values["phone"] = phone
    if after is not None:
        further += " AND (since, place) < (:since, :place)"
        values |= {"since": after.since, "place": after.place}
    return _PAGE.format(further=further), values


async def page(
    session: ReadSession,
    *,
    after: Place | None,
    limit: int,
    source: str | None,
    kind: str | None,
    phone: str | None,
) -> Sequence[Any]:
    """The list, newest entry first.

    Args:
        after: where the page before has ended.
        source, kind, phone: only entries with these.
    """
    sql, values = statement(after=after, limit=limit, source=source, kind=kind, phone=phone)
    return (await session.execute(text(sql), values)).all()


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
    removed: dict[str, list[DoNotCallEntry]] = defaultdict(list)
    for row in gone:
        removed[row["phone"]].append(DoNotCallEntry.model_validate(dict(row)))
    return await tell(connection, list(removed), at=at, removed=removed)


async def tell(
    connection: Connection,
    phones: Sequence[str],
    *,
    at: datetime,
    removed: Mapping[str, Sequence[DoNotCallEntry]] | None = None,
) -> list[Row]:
    """Marks the leads of locked numbers, and makes the facts about them for those services that know them.

    Args:
        removed: what this change took back, by number.
    """
    if not phones:
        return []
    changed = sorted(set(phones))
    await leads_of(connection, changed)
    await connection.execute(_MARK, changed)
    return [
        event_row(
            DO_NOT_CALL_CHANGED,
            DoNotCallChanged(
                phone=row["phone"],
                version=row["version"],
                at=at,
                entries=_entries(row["entries"]),
                removed=tuple((removed or {}).get(row["phone"], ())),
            ),
            subject=uuid7(),  # the number itself stays out of the headers of messages
        )
        for row in await connection.fetch(_TELL, changed)
    ]


async def leads_of(connection: Connection, phones: Sequence[str]) -> list[UUID]:
    """The leads of some numbers, locked until the commit."""
    return [row["id"] for row in await connection.fetch(_LEADS, list(phones))]


def _entries(json: str) -> tuple[DoNotCallEntry, ...]:
    return tuple(DoNotCallEntry.model_validate(entry) for entry in orjson.loads(json))
