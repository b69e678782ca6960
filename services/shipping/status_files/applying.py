"""The rows of a previewed file become facts, batch by batch, each with its result; and back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from services.shipping import facts, timeline
from services.shipping.carriers.answers import Report
from services.shipping.context import Context
from services.shipping.facts import Fact
from services.shipping.status_files import parcels, store
from services.shipping.status_files.judging import APPLIED, Judged, Whole, judge
from services.shipping.status_files.parcels import Known
from services.shipping.status_files.preview import BATCH
from services.shipping.status_files.problems import StatusFileAppliedBefore, StatusFileNotApplied, StatusFileUndone
from services.shipping.work import Work, work
from shared.errors import NotFound

if TYPE_CHECKING:
    from services.shipping.work import Connection

_BEGIN: Final = """
UPDATE status_files SET state = 'applying', applied_by = $2, applied_at = $3 WHERE id = $1 AND state = 'previewed'
"""
_END: Final = "UPDATE status_files SET state = $2 WHERE id = $1"
_OPEN: Final = """
SELECT DISTINCT shipment_id FROM status_file_rows WHERE file_id = $1 AND shipment_id IS NOT NULL AND result = ''
ORDER BY shipment_id LIMIT $2
"""
# Rows about no parcel have nothing to wait for.
_REST: Final = "UPDATE status_file_rows SET result = verdict WHERE file_id = $1 AND shipment_id IS NULL"
_LINK: Final = """
UPDATE status_file_rows r SET entry_id = f.entry_id
FROM (
    SELECT t.number, e.id AS entry_id
    FROM unnest($2::integer[], $3::uuid[], $4::text[], $5::timestamptz[]) AS t(number, shipment_id, code, at)
    CROSS JOIN LATERAL (
        SELECT e.id FROM timeline_entries e WHERE e.shipment_id = t.shipment_id AND e.raw_status = t.code
            AND e.carrier_time = t.at AND 'file' = ANY(e.seen_by) ORDER BY e.reason_code LIMIT 1
    ) AS e
) AS f
WHERE r.file_id = $1 AND r.number = f.number
"""
_BEGIN_UNDO: Final = """
UPDATE status_files SET state = 'undoing', undone_by = $2, undone_at = $3 WHERE id = $1 AND state IN ('applying', 'applied')
"""
_TOLD: Final = """
SELECT DISTINCT shipment_id FROM status_file_rows
WHERE file_id = $1 AND entry_id IS NOT NULL AND result NOT LIKE 'taken_back%' AND result NOT LIKE 'kept%'
ORDER BY shipment_id LIMIT $2
"""
_OURS: Final = "SELECT shipment_id, entry_id FROM status_file_rows WHERE file_id = $1 AND shipment_id = ANY($2::uuid[])"
# Told by another file as well that was not taken back.
_SHARED: Final = """
SELECT DISTINCT r.entry_id FROM status_file_rows r JOIN status_files f ON f.id = r.file_id
WHERE r.entry_id = ANY($2::uuid[]) AND r.file_id <> $1 AND f.state IN ('applying', 'applied')
"""
_DELETE: Final = "DELETE FROM timeline_entries WHERE id = ANY($1::uuid[]) AND seen_by = '{file}'"
_FORGET: Final = "UPDATE timeline_entries SET seen_by = array_remove(seen_by, 'file') WHERE id = ANY($1::uuid[])"
_RESULT: Final = """
UPDATE status_file_rows r SET result = t.result FROM unnest($2::uuid[], $3::text[]) AS t(shipment_id, result)
WHERE r.file_id = $1 AND r.shipment_id = t.shipment_id AND r.entry_id IS NOT NULL
"""


async def apply(context: Context, file_id: UUID, *, by: str) -> None:
    """Applies a previewed file. Every row is judged once more, because parcels went on meanwhile; what a process that
    died has left is done by applying again, and a file that is applied stays as it is.

    Args:
        by: staff code.

    Raises:
        StatusFileUndone, StatusFileAppliedBefore
    """
    async with work(context.db) as current:
        file = await _locked(current.connection, file_id)
        if file["state"] in ("undoing", "undone"):
            raise StatusFileUndone
        if file["state"] == "applied":
            return
        try:
            async with current.connection.transaction():
                await current.connection.execute(_BEGIN, file_id, by, context.now())
        except asyncpg.UniqueViolationError:
            twin = await current.connection.fetchval(
                "SELECT id FROM status_files WHERE content_hash = $1 AND state IN ('applying', 'applied')",
                file["content_hash"],
            )
            raise StatusFileAppliedBefore(file_id=str(twin)) from None
        await current.connection.execute(_REST, file_id)
    while await _apply_batch(context, file_id):
        pass


async def _apply_batch(context: Context, file_id: UUID) -> bool:
    """Applies the rows of some parcels; False: there are none left."""
    now = context.now()
    async with work(context.db) as current:
        file = await _locked(current.connection, file_id)
        if file["state"] != "applying":
            return False
        ids = [row["shipment_id"] for row in await current.connection.fetch(_OPEN, file_id, BATCH)]
        if not ids:
            await current.connection.execute(_END, file_id, "applied")
            return False
        rows = await store.rows_of(current.connection, file_id, ids)
        found = await parcels.known(current.connection, ids, rows, locked=True)
        whole = Whole(file["status"], file["at"])
        judged = {
            shipment_id: judge(known.parcel, rows[shipment_id], known.words, whole, now=now)
            for shipment_id, known in found.items()
        }
        told = [
            _fact(shipment_id, found[shipment_id], each, now=now)
            for shipment_id, of_parcel in judged.items()
            for each in of_parcel
            if each.verdict in APPLIED
        ]
        await facts.apply(current, told, now=now, pace=context.pace)
        everything = [each for of_parcel in judged.values() for each in of_parcel]
        await store.keep(current.connection, file_id, everything, column="result")
        linked = [
            (each.row.number, shipment_id, each.code, each.at)
            for shipment_id, of_parcel in judged.items()
            for each in of_parcel
            if each.verdict in APPLIED or each.verdict == "known"
        ]
        if linked:
            await current.connection.execute(_LINK, file_id, *map(list, zip(*linked, strict=True)))
    return True


def _fact(shipment_id: UUID, known: Known, judged: Judged, *, now: datetime) -> Fact:
    report = Report(
        waybill=known.parcel.waybill,
        reference=known.reference,
        raw_status=judged.code,
        at=judged.at,
        reason=judged.row.reason,
    )
    return Fact(shipment_id, "file", now, report)


async def undo(context: Context, file_id: UUID, *, by: str) -> None:
    """Takes a file back: what only it has told leaves the timelines, and the states are made of what remains. What a
    carrier told as well stays, and so does what money or a further parcel stands on by now.

    Raises:
        StatusFileNotApplied
    """
    async with work(context.db) as current:
        file = await _locked(current.connection, file_id)
        if file["state"] == "previewed":
            raise StatusFileNotApplied
        await current.connection.execute(_BEGIN_UNDO, file_id, by, context.now())
    while await _undo_batch(context, file_id):
        pass


async def _undo_batch(context: Context, file_id: UUID) -> bool:
    async with work(context.db) as current:
        connection = current.connection
        file = await _locked(connection, file_id)
        if file["state"] != "undoing":
            return False
        ids = [row["shipment_id"] for row in await connection.fetch(_TOLD, file_id, BATCH)]
        if not ids:
            await connection.execute(_END, file_id, "undone")
            return False
        found = await parcels.known(connection, ids, {}, locked=True)
        told = await connection.fetch(_OURS, file_id, ids)
        ours = {row["entry_id"] for row in told if row["entry_id"] is not None}
        shared = {row["entry_id"] for row in await connection.fetch(_SHARED, file_id, list(ours))}
        results = {shipment_id: _may_go(known, ours - shared) for shipment_id, known in found.items()}
        going = [shipment_id for shipment_id, result in results.items() if result == "taken_back"]
        await _take_back(
            current, [entry for shipment_id in going for entry in found[shipment_id].entry_ids], ours - shared
        )
        await facts.apply(current, [], again=going, now=context.now(), pace=context.pace)
        await connection.execute(_RESULT, file_id, list(results), list(results.values()))
    return True


async def _take_back(current: Work, entries: Sequence[UUID], ours: Collection[UUID]) -> None:
    gone = [entry for entry in entries if entry in ours]
    await current.connection.execute(_DELETE, gone)
    await current.connection.execute(_FORGET, gone)


def _may_go(known: Known, ours: Collection[UUID]) -> str:
    """Whether what a file told of a parcel can be taken back."""
    parcel = known.parcel
    if parcel.superseded:
        return "kept_superseded"
    remaining = [
        entry
        for entry_id, entry in zip(known.entry_ids, parcel.entries, strict=True)
        if entry_id not in ours or entry.seen_by != ("file",)
    ]
    state = timeline.fold(remaining, waybill=parcel.waybill, cod=parcel.cod)
    if parcel.settled and state.status != parcel.status:
        return "kept_settled"
    return "taken_back"


async def _locked(connection: Connection, file_id: UUID) -> asyncpg.Record:
    file = await store.lock(connection, file_id)
    if file is None:
        raise NotFound(what="tệp trạng thái / status file")
    return file
