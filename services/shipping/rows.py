"""The rows of shipments and of their timelines: each statement is one for a whole batch, and only what changed is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.shipping.carriers.codes import CodeTable
from services.shipping.timeline import Entry, Known, State

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

FOLLOWING: Final[Mapping[str, str]] = {
    "status": "text",
    "status_at": "timestamptz",
    "reason_code": "text",
    "provisional_status": "text",
    "provisional_at": "timestamptz",
    "collected": "bigint",
    "fee": "bigint",
    "partial": "boolean",
    "attention": "text[]",
    "sequence": "integer",
    "revision": "integer",
    "handed_over_at": "timestamptz",
    "delivered_at": "timestamptz",
    "settled_at": "timestamptz",
    "settled_amount": "bigint",
    "next_poll_at": "timestamptz",
    "unchanged_polls": "integer",
    "claimed_until": "timestamptz",
    "promised_at": "timestamptz",
    "asked_at": "timestamptz",
    "unanswered": "integer",
    "ordinary_until": "timestamptz",
}
"""The columns of a shipment that follow from its timeline, and their types."""


MANY: Final = 100
"""Rows from which what all of them get is given once: of fewer rows each set would be a statement of its own to plan."""


def listed(ids: Iterable[UUID]) -> str:
    """Ids as the text of an array, for `$1::text::uuid[]`: of each element of an array the driver asks whether it is an
    array itself, and is five times as long about that as about the id."""
    return "{" + ",".join(map(str, ids)) + "}"


async def locked(connection: Connection, ids: Sequence[UUID], *, wait: bool = True) -> list[asyncpg.Record]:
    """Shipments as they stand, first the columns of `FOLLOWING` in their order. Locked in the order of their ids, so that
    two batches wait for one another instead of blocking each other for ever.

    Args:
        wait: for those that somebody else has locked; otherwise they are left out.
    """
    return await connection.fetch(_LOCK if wait else _LOCK_FREE, listed(ids)) if ids else []


async def locked_by_waybill(
    connection: Connection, connection_ids: Collection[UUID], waybills: Sequence[str]
) -> list[asyncpg.Record]:
    """As `locked`, by the carriers' codes: those of all the connections."""
    return await connection.fetch(_LOCK_BY_WAYBILL, [*connection_ids], waybills)


async def update(connection: Connection, rows: Sequence[asyncpg.Record], values: Sequence[tuple[Any, ...]]) -> None:
    """Writes the columns that have another value in at least one of the rows: a batch changes some of them, hardly ever
    all, and the driver is as long in writing a column as the database.

    Args:
        rows: of `locked`.
        values: of `FOLLOWING` in their order, for each of the rows.
    """
    names: list[str] = []
    alike: list[bool] = []
    columns: list[Any] = []
    held = zip(*(row[: len(FOLLOWING)] for row in rows), strict=True)
    for name, before, after in zip(FOLLOWING, held, zip(*values, strict=True), strict=True):
        if before != after:
            names.append(name)
            alike.append(len(after) >= MANY and after.count(after[0]) == len(after))
            # As the text of an array, because unnest takes nested arrays apart.
            told = ["{" + ",".join(each) + "}" for each in after] if name == "attention" else after
            columns.append(told[0] if alike[-1] else told)
    await connection.execute(_update(tuple(names), tuple(alike)), listed([row["id"] for row in rows]), *columns)


@lru_cache(maxsize=200)
def _update(names: tuple[str, ...], alike: tuple[bool, ...]) -> str:
    """A handful of sets of columns are nearly all that come. What all rows get is given once."""
    sets: list[str] = []
    arrays: list[str] = []
    different: list[str] = []
    for place, (name, once) in enumerate(zip(names, alike, strict=True), 2):
        kind = "text" if name == "attention" else FOLLOWING[name]
        if once:
            sets.append(f"{name} = ${place}::{kind}::{FOLLOWING[name]}")
        else:
            sets.append(f"{name} = r.{name}::{FOLLOWING[name]}")
            arrays.append(f", ${place}::{kind}[]")
            different.append(f", {name}")
    return f"""
    UPDATE shipments s SET {"".join(f"{one}, " for one in sets)}updated_at = now(), followed_at = now()
    FROM unnest($1::text::uuid[]{"".join(arrays)}) AS r(id{"".join(different)})
    WHERE s.id = r.id
    """


def known_of(row: asyncpg.Record) -> Known:
    """What was known of a shipment, from a row of `locked`."""
    return Known(*_KNOWN(row))


def state_of(row: asyncpg.Record) -> State:
    """What the timeline of a shipment says, from a row of `locked` with `ordinary_until`."""
    return State(row["status"], row["status_at"], row["reason_code"], None, row["handed_over_at"], None, row["partial"])


async def entries_of(connection: Connection, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The stored entries of the timelines of shipments, for `entry_of`."""
    return await connection.fetch(_ENTRIES, listed(ids))


def entry_of(row: asyncpg.Record, codes: CodeTable) -> Entry:
    """A stored entry."""
    # Taken apart at once: by name it takes three times as long, and there are thousands a second.
    _, _, waybill, seen_by, at, received_at, raw_status, reason_code, reason, *meant, collected, fee, _ = row
    status, provisional, settles, partial = meant
    meaning = codes.statuses.get(raw_status)
    return Entry(
        waybill,
        raw_status,
        at,
        received_at,
        tuple(seen_by),
        status,
        provisional,
        settles,
        meaning is not None and meaning.either_way,
        reason_code,
        reason,
        partial,
        collected,
        fee,
    )


async def add_entries(connection: Connection, added: Sequence[tuple[UUID, UUID, Entry, int | None]]) -> None:
    """Puts entries on timelines.

    Args:
        added: id, shipment, entry, and the version of its code's meaning where no carrier's table has the code.
    """
    await connection.copy_records_to_table(
        "timeline_entries",
        records=[
            (
                entry_id,
                shipment_id,
                entry.waybill,
                entry.seen_by,
                entry.at,
                entry.received_at,
                entry.raw_status,
                entry.reason_code,
                entry.reason,
                entry.status,
                entry.provisional,
                entry.settles,
                entry.partial,
                entry.collected,
                entry.fee,
                version,
            )
            for entry_id, shipment_id, entry, version in added
        ],
        columns=_COLUMNS,
    )


async def change_entries(connection: Connection, changed: Sequence[tuple[UUID, Entry]]) -> None:
    """Writes what another report has told of an entry."""
    rows = [
        # Sources as the text of an array, because unnest takes nested arrays apart.
        (
            entry_id,
            "{" + ",".join(entry.seen_by) + "}",
            entry.reason_code,
            entry.reason,
            entry.partial,
            entry.collected,
            entry.fee,
        )
        for entry_id, entry in changed
    ]
    await connection.execute(_CHANGE, *zip(*rows, strict=True))


_HELD: Final = f"""
SELECT {", ".join(f"s.{name}" for name in FOLLOWING)}, s.id, s.order_id, c.carrier, s.waybill, s.round, s.cod,
    s.accepted_at, s.cancel_requested_at IS NOT NULL AS cancel_requested, s.followed_at = s.updated_at AS followed,
    coalesce(k.proof, 'status') = 'status' AS status_is_proof, s.connection_id"""
_TERMS: Final = """
JOIN carrier_connections c ON c.id = s.connection_id LEFT JOIN cod_contracts k ON k.connection_id = s.connection_id
"""
# One by one by their index, whatever the statistics say: of a table that was filled a moment ago they say nothing, and a
# list of ids was read anew for each of its rows.
_LOCK: Final = f"""
{_HELD}
FROM (SELECT id FROM unnest($1::text::uuid[]) AS t(id) ORDER BY id OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT * FROM shipments l WHERE l.id = r.id FOR UPDATE OF l) AS s {_TERMS}
"""
_LOCK_FREE: Final = _LOCK.replace("FOR UPDATE OF l", "FOR UPDATE OF l SKIP LOCKED")
_LOCK_BY_WAYBILL: Final = f"""
{_HELD} FROM shipments s {_TERMS}
WHERE s.connection_id = ANY($1::uuid[]) AND s.waybill = ANY($2::text[]) AND s.waybill <> ''
ORDER BY s.id FOR UPDATE OF s
"""
_KNOWN: Final = itemgetter(
    *("id", "order_id", "carrier", "waybill", "status", "sequence", "cod", "fee", "accepted_at", "handed_over_at"),
    *("partial", "settled_at", "cancel_requested"),
)
"""The fields of `Known` in their order."""
_COLUMNS: Final = (
    *("id", "shipment_id", "waybill", "seen_by", "carrier_time", "received_at", "raw_status", "reason_code", "reason"),
    *("status", "provisional", "settles", "partial", "collected", "fee", "meaning_version"),
)
_ENTRIES: Final = f"""
SELECT {", ".join(f"e.{name}" for name in _COLUMNS)}
FROM unnest($1::text::uuid[]) AS s(wanted) CROSS JOIN LATERAL (
    SELECT * FROM timeline_entries e WHERE e.shipment_id = s.wanted OFFSET 0  -- by index, whatever the statistics say
) AS e
"""
_CHANGE: Final = """
UPDATE timeline_entries e SET seen_by = r.seen_by::text[], reason_code = r.reason_code, reason = r.reason,
    partial = r.partial, collected = r.collected, fee = r.fee
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[])
    AS r(id, seen_by, reason_code, reason, partial, collected, fee)
WHERE e.id = r.id
"""
