"""Undoing an import, batch by batch from its last row up: what nobody has worked on goes, and what was there before it
comes back. Duplicates come after the lead that they belong to, so they go first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import asyncpg

from services.leads import events
from services.leads.driver import Connection, write_outbox
from services.leads.imports import leaving, store
from services.leads.intake.numbers import HELD_BY
from services.leads.stages import ends_window
from shared.contracts.activities import UndoBatch, UndoPlace
from shared.contracts.levels import CLEAN
from shared.db import Database

BATCH: Final = 1_000
"""Rows of a step: their ids, forty kilobytes, stand in the workflow's history."""

KeptBecause = Literal["worked_on", "came_again", "changed"]

_BEGIN: Final = """
UPDATE imports SET state = 'undoing', undo_round = undo_round + 1, undo_by_id = $2, undo_by = $3, undo_reason = $4
WHERE id = $1 AND mode = 'import' AND state IN ('done', 'cancelled', 'failed') RETURNING undo_round
"""
_RUNS: Final = "SELECT 1 FROM imports WHERE id = $1 AND state = 'undoing' FOR NO KEY UPDATE"
# Given to somebody by hand, claimed, handed over: a person has decided something, unless it was the import's own column
# of owners. That the care process moved a lead on because nobody called is nobody's work.
_ROWS: Final = f"""
SELECT r.row_no, l.id, l.verdict,
    l.verdict = 'lead' AND (l.level <> '{CLEAN}' OR l.level_sequence > 1) AS worked_on,
    EXISTS (SELECT 1 FROM lead_changes c WHERE c.lead_id = l.id)
    OR EXISTS (SELECT 1 FROM lead_notes n WHERE n.lead_id = l.id)
    OR EXISTS (SELECT 1 FROM lead_tags t WHERE t.lead_id = l.id AND cardinality(t.tags) > 0)
    OR EXISTS (SELECT 1 FROM assignments a WHERE a.lead_id = l.id AND a.cause IN ('manual', 'claim', 'hand_over')
               AND NOT (a.assignment = 1 AND a.by = i.uploader
                        AND jsonb_path_exists(i.columns, '$[*] ? (@[1] == "owner")'))) AS changed,
    EXISTS (SELECT 1 FROM facebook_conversations c WHERE c.order_id = l.id) AS talked
FROM imports i JOIN raw_items r ON r.import_id = i.id JOIN leads l ON l.id = r.id
WHERE r.import_id = $1 AND r.row_no < $2 ORDER BY r.row_no DESC LIMIT {BATCH}
"""
_DUPLICATES: Final = "SELECT id, anchor_id FROM leads WHERE anchor_id = ANY($1::uuid[])"
# The numbers' own rows, which everybody who looks at or changes a number locks first.
_LOCK_NUMBERS: Final = """
SELECT phone FROM duplicate_windows WHERE product_group = '' AND phone = ANY($1::text[]) ORDER BY phone FOR UPDATE
"""
_PHONES: Final = """
SELECT phone FROM leads WHERE id = ANY($1::uuid[])
UNION SELECT unnest(other_phones) FROM leads WHERE id = ANY($1::uuid[])
"""
# From here on, whoever leaves one of these numbers again is a new lead, not the duplicate of one that goes away.
_END_WINDOWS: Final = f"UPDATE duplicate_windows d SET ended = true {HELD_BY}"
_LEVELS: Final = "SELECT id, level FROM leads WHERE id = ANY($1::uuid[])"
_REOPEN_WINDOWS: Final = f"UPDATE duplicate_windows d SET ended = false {HELD_BY}"
_RESTORE_WINDOWS: Final = """
UPDATE duplicate_windows w SET anchor_id = p.anchor_id, opened_at = p.opened_at, closes_at = p.closes_at, ended = p.ended,
    product = p.product
FROM leads l JOIN import_replaced_windows p ON p.import_id = $1 AND p.phone = ANY(l.phone || l.other_phones)
    JOIN leads a ON a.id = p.anchor_id
WHERE l.id = ANY($2::uuid[]) AND (w.phone, w.product_group) = (p.phone, p.product_group) AND w.anchor_id = l.id
"""
_EMPTY_WINDOWS: Final = f"""
UPDATE duplicate_windows d SET anchor_id = NULL, opened_at = NULL, closes_at = NULL, ended = false, product = ''
{HELD_BY}
"""
# A number of which nothing is known has no rows; its own row goes last.
_DROP_GROUPS: Final = """
DELETE FROM duplicate_windows WHERE phone = ANY($1::text[]) AND product_group <> '' AND anchor_id IS NULL
"""
_DROP_NUMBERS: Final = """
DELETE FROM duplicate_windows w
WHERE w.phone = ANY($1::text[]) AND w.product_group = '' AND w.anchor_id IS NULL AND NOT w.handed_over AND w.flag = ''
    AND NOT EXISTS (SELECT 1 FROM duplicate_windows o WHERE o.phone = w.phone AND o.product_group <> '')
"""
_HOLD_LEADS: Final = "SELECT 1 FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LOCK_LEADS: Final = "SELECT id FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_CLEAR: Final = (
    "DELETE FROM backlog WHERE lead_id = ANY($1::uuid[])",
    "DELETE FROM reassignment_requests WHERE lead_id = ANY($1::uuid[])",
    "DELETE FROM lead_levels WHERE lead_id = ANY($1::uuid[])",
    "DELETE FROM lead_tags WHERE lead_id = ANY($1::uuid[])",
    "DELETE FROM lead_changes WHERE lead_id = ANY($1::uuid[])",
    "DELETE FROM leads WHERE id = ANY($1::uuid[])",
)
_UNDONE: Final = """
UPDATE raw_items SET verdict = 'undone', reason = '', reason_vi = '', reason_en = '', fields = NULL, origin = NULL,
    digits = ''
WHERE id = ANY($2::uuid[]) OR (import_id = $1 AND row_no >= $3 AND verdict = 'rejected')
"""
_COUNT: Final = "UPDATE imports SET undone = undone + $2 WHERE id = $1"
_KEEP: Final = """
INSERT INTO import_kept (import_id, lead_id, reason) SELECT $1, * FROM unnest($2::uuid[], $3::text[]) ON CONFLICT DO NOTHING
"""
_END: Final = (
    "DELETE FROM import_pages WHERE import_id = $1",
    "DELETE FROM import_verdicts WHERE import_id = $1",
    "DELETE FROM import_trial_windows WHERE import_id = $1",
    "DELETE FROM import_replaced_windows WHERE import_id = $1",
    "UPDATE imports SET state = 'undone', undone_at = now() WHERE id = $1",
)


@dataclass(frozen=True, slots=True)
class _Choice:
    leads: list[UUID]
    duplicates: list[UUID]
    kept: dict[UUID, KeptBecause]


async def begin(connection: Connection, import_id: UUID, *, by_id: UUID, by: str, reason: str) -> int | None:
    """Lets an import that has ended be undone. Returns the round of the workflow; None when it cannot be."""
    round: int | None = await connection.fetchval(_BEGIN, import_id, by_id, by, reason)
    return round


class Undo:
    """The steps of leads in the undoing of imports, each a transaction and fit to be repeated."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def choose(self, place: UndoPlace) -> UndoBatch:
        """The next rows that nobody has touched, and no later duplicates for them. From now on nobody changes them."""
        pool = await self._db.driver()
        async with pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_RUNS, place.import_id):
                return UndoBatch(import_id=place.import_id)
            behind = place.import_id, place.before_row or 2**31 - 1
            rows = await connection.fetch(_ROWS, *behind)
            await _lock_numbers(connection, [row["id"] for row in rows if row["verdict"] == "lead"])
            await connection.fetch(_HOLD_LEADS, [row["id"] for row in rows])
            # Again under the locks: until now somebody could still work on them, or leave one of the numbers once more.
            rows = await connection.fetch(_ROWS, *behind)
            choice = await _choose(connection, rows)
            await connection.execute(_END_WINDOWS, choice.leads)
            await leaving.leave(connection, [*choice.leads, *choice.duplicates])
            # Chosen before a crash, and a call was told of since.
            await _reopen(connection, await leaving.stay(connection, choice.kept))
            await connection.execute(_KEEP, place.import_id, list(choice.kept), list(choice.kept.values()))
        return UndoBatch(
            import_id=place.import_id,
            lead_ids=tuple(choice.leads),
            duplicate_ids=tuple(choice.duplicates),
            first_row=rows[-1]["row_no"] if rows else 0,
        )

    async def remove(self, batch: UndoBatch) -> asyncpg.Record:
        """Removes a batch whose orders are gone; the batch without a first row ends the undoing.

        Returns:
            The import as it is afterwards.
        """
        pool = await self._db.driver()
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_RUNS, batch.import_id):
                await _remove(connection, batch)
                if not batch.first_row:
                    for statement in _END:
                        await connection.execute(statement, batch.import_id)
            row = await store.load(connection, batch.import_id)
        self._db.wake_relay()
        return row


async def _choose(connection: Connection, rows: Sequence[asyncpg.Record]) -> _Choice:
    kept: dict[UUID, KeptBecause] = {}
    for row in rows:
        if row["worked_on"] or row["changed"]:
            kept[row["id"]] = "worked_on" if row["worked_on"] else "changed"
        elif row["talked"]:
            kept[row["id"]] = "came_again"
    duplicates = [row["id"] for row in rows if row["verdict"] == "duplicate" and row["id"] not in kept]
    leads = [row["id"] for row in rows if row["verdict"] == "lead" and row["id"] not in kept]
    going = set(duplicates)
    for row in await connection.fetch(_DUPLICATES, leads):
        if row["id"] not in going:
            kept[row["anchor_id"]] = "came_again"
    return _Choice([lead for lead in leads if lead not in kept], duplicates, kept)


async def _lock_numbers(connection: Connection, leads: Collection[UUID]) -> None:
    phones = [row["phone"] for row in await connection.fetch(_PHONES, list(leads))]
    await connection.fetch(_LOCK_NUMBERS, phones)


async def _remove(connection: Connection, batch: UndoBatch) -> None:
    stay = set(batch.kept)
    leads = [lead for lead in batch.lead_ids if lead not in stay]
    everything = [*leads, *batch.duplicate_ids]
    await _lock_numbers(connection, batch.lead_ids)
    await leaving.stay(connection, batch.kept)
    await _reopen(connection, batch.kept)
    phones = [row["phone"] for row in await connection.fetch(_PHONES, leads)]
    await connection.execute(_RESTORE_WINDOWS, batch.import_id, leads)
    await connection.execute(_EMPTY_WINDOWS, leads)
    await connection.execute(_DROP_GROUPS, phones)
    await connection.execute(_DROP_NUMBERS, phones)
    gone = [row["id"] for row in await connection.fetch(_LOCK_LEADS, everything)]
    for statement in _CLEAR:
        await connection.execute(statement, gone)
    await connection.execute(_UNDONE, batch.import_id, gone, batch.first_row)
    await connection.execute(_COUNT, batch.import_id, len(gone))
    await connection.execute(_KEEP, batch.import_id, list(stay), ["worked_on"] * len(stay))
    await _tell(connection, gone, batch.lead_ids)


async def _reopen(connection: Connection, kept: Sequence[UUID]) -> None:
    """Windows of leads that stay hold again, unless their order has ended them meanwhile."""
    if kept:
        levels = await connection.fetch(_LEVELS, list(kept))
        await connection.execute(_REOPEN_WINDOWS, [row["id"] for row in levels if not ends_window(row["level"])])


async def _tell(connection: Connection, gone: Iterable[UUID], leads: Collection[UUID]) -> None:
    """Others forget them as well."""
    known = set(leads)
    await write_outbox(
        connection, [events.withdrawn(lead_id, was="lead" if lead_id in known else "duplicate") for lead_id in gone]
    )
