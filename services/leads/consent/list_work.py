"""Puts uploaded lists on the do-not-call list: a chunk a transaction, with the place behind it, so that whoever goes on
after a crash begins exactly there. Then the numbers that came as leads are marked and told, again chunk by chunk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.consent import do_not_call
from services.leads.consent.lists import Read, read_rows
from services.leads.driver import Connection, write_outbox
from services.leads.jobs import JobWorker
from shared.db import is_unavailable
from shared.errors import Problem
from shared.telemetry import logger

log = logger(__name__)

TOLD: Final = 2_000
"""Numbers that one transaction looks at to tell of those that are leads."""

_LOAD: Final = """
SELECT id, source, kind, mode, reason, by_id, by, state, row_count, rows_done, told_until, created_at
FROM do_not_call_imports WHERE id = $1 AND state IN ('running', 'telling') FOR NO KEY UPDATE
"""
_CHUNK: Final = "SELECT number, rows FROM do_not_call_files WHERE import_id = $1 ORDER BY number LIMIT 1"
_DROP: Final = "DELETE FROM do_not_call_files WHERE import_id = $1 AND number = $2"
# An entry that a colleague made for the same source becomes one of the list; what other sources say is not touched.
_PUT: Final = """
WITH given AS (
    SELECT phone FROM unnest($2::text[]) AS g (phone)
), was AS (
    SELECT d.phone, d.import_id IS NOT DISTINCT FROM $1 AS repeated, d.kind FROM do_not_call d JOIN given USING (phone)
    WHERE d.source = $3
), put AS (
    INSERT INTO do_not_call (phone, source, kind, reason, since, by_id, by, import_id)
    SELECT phone, $3, $4, $5, $6, $7, $8, $1 FROM given ORDER BY phone
    ON CONFLICT (phone, source) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, until = NULL,
        by_id = excluded.by_id, by = excluded.by, import_id = excluded.import_id, lead_id = NULL
    RETURNING phone
), kept AS (
    INSERT INTO do_not_call_changes (id, phone, source, act, kind, at, reason, by_id, by, import_id)
    SELECT uuidv7(), put.phone, $3, CASE WHEN was.phone IS NULL THEN 'added' ELSE 'changed' END, $4, $9, $5, $7, $8, $1
    FROM put LEFT JOIN was USING (phone) WHERE was.kind IS DISTINCT FROM $4
)
SELECT count(*) FILTER (WHERE was.phone IS NULL) AS added, count(*) FILTER (WHERE NOT was.repeated) AS known,
    count(*) FILTER (WHERE was.repeated) AS repeated
FROM given LEFT JOIN was USING (phone)
"""
_REJECT: Final = """
INSERT INTO do_not_call_rejected (import_id, row_no, typed, vi, en)
SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[])
"""
_ADVANCE: Final = """
UPDATE do_not_call_imports SET rows_done = rows_done + $2 + $3 + $4 + $5, added = added + $2, known = known + $3,
    repeated = repeated + $4, rejected = rejected + $5 WHERE id = $1
"""
_REPLACE: Final = """
WITH gone AS (
    DELETE FROM do_not_call WHERE source = $2 AND import_id IS NOT NULL AND import_id <> $1 RETURNING phone, kind
), kept AS (
    INSERT INTO do_not_call_changes (id, phone, source, act, kind, at, reason, by_id, by, import_id)
    SELECT uuidv7(), phone, $2, 'removed', kind, $3, $4, $5, $6, $1 FROM gone
)
SELECT count(*) FROM gone
"""
_PUT_ALL: Final = """
UPDATE do_not_call_imports SET state = 'telling', removed = $2, told_from = pg_current_xact_id()::text::bigint WHERE id = $1
"""
# Everybody who may have looked at the list before its last change was committed has ended: their leads can be seen now.
_SEEN_BY_ALL: Final = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > told_from FROM do_not_call_imports WHERE id = $1
"""
_CHANGED: Final = """
SELECT DISTINCT phone FROM do_not_call_changes WHERE import_id = $1 AND phone > $2 ORDER BY phone LIMIT $3
"""
_ARE_LEADS: Final = """
SELECT p.phone FROM unnest($1::text[]) AS p (phone)
WHERE EXISTS (SELECT 1 FROM leads l WHERE l.phone = p.phone)
    OR EXISTS (SELECT 1 FROM leads l WHERE l.other_phones <> '{}' AND l.other_phones @> ARRAY[p.phone])
"""
_TOLD: Final = "UPDATE do_not_call_imports SET told_until = $2 WHERE id = $1"
_DONE: Final = "UPDATE do_not_call_imports SET state = 'done', finished_at = now() WHERE id = $1"
_FAIL: Final = """
UPDATE do_not_call_imports SET state = 'failed', problem_vi = $2, problem_en = $3, finished_at = now() WHERE id = $1
"""


class ListWorker(JobWorker):
    """Works on uploaded do-not-call lists."""

    table = "do_not_call_imports"
    open = "state IN ('running', 'telling')"

    async def work(self, job_id: UUID) -> bool:
        try:
            while (more := await self._advance(job_id)) is None:
                pass
            return more
        except Exception as error:
            if is_unavailable(error):
                raise
            log.exception("do-not-call list failed", import_id=str(job_id))
            ours = Problem()
            pool = await self.db.driver()
            await pool.execute(_FAIL, job_id, ours.detail("vi"), ours.detail("en"))
            return True

    async def _advance(self, job_id: UUID) -> bool | None:
        """One transaction's work; None when there is more of it to do at once."""
        pool = await self.db.driver()
        async with pool.acquire() as connection, connection.transaction():
            job = await connection.fetchrow(_LOAD, job_id)
            if job is None:
                return True
            if job["state"] == "running":
                await _put_chunk(connection, job)
                return None
            if not await connection.fetchval(_SEEN_BY_ALL, job_id):
                return False
            done = await _tell_chunk(connection, job)
        self.db.wake_relay()
        return True if done else None


async def _put_chunk(connection: Connection, job: asyncpg.Record) -> None:
    chunk = await connection.fetchrow(_CHUNK, job["id"])
    if chunk is None:
        await _finish(connection, job)
        return
    read: Read = await asyncio.to_thread(read_rows, chunk["rows"])
    now = datetime.now(UTC)
    counts = await connection.fetchrow(
        _PUT,
        job["id"],
        read.phones,
        job["source"],
        job["kind"],
        job["reason"],
        job["created_at"],
        job["by_id"],
        job["by"],
        now,
    )
    assert counts is not None, "counts are one row"
    if read.rejected:
        await connection.execute(_REJECT, job["id"], *([*column] for column in zip(*read.rejected, strict=True)))
    rows = chunk["rows"].count("\n") + 1
    # Two numbers in a row count once, as what the row brought that was new.
    rest = rows - read.repeated - len(read.rejected)
    known = min(counts["known"], rest)
    repeated = min(counts["repeated"], rest - known)
    await connection.execute(
        _ADVANCE, job["id"], rest - known - repeated, known, read.repeated + repeated, len(read.rejected)
    )
    await connection.execute(_DROP, job["id"], chunk["number"])


async def _finish(connection: Connection, job: asyncpg.Record) -> None:
    removed = 0
    if job["mode"] == "replace":
        now = datetime.now(UTC)
        values = (job["id"], job["source"], now, job["reason"], job["by_id"], job["by"])
        removed = await connection.fetchval(_REPLACE, *values)
    await connection.execute(_PUT_ALL, job["id"], removed)


async def _tell_chunk(connection: Connection, job: asyncpg.Record) -> bool:
    """Marks and tells the next numbers that the list changed; True when these were the last."""
    changed = [row["phone"] for row in await connection.fetch(_CHANGED, job["id"], job["told_until"], TOLD)]
    if not changed:
        await connection.execute(_DONE, job["id"])
        return True
    leads = [row["phone"] for row in await connection.fetch(_ARE_LEADS, changed)]
    if leads:
        await do_not_call.lock(connection, leads)
        await write_outbox(connection, await do_not_call.tell(connection, leads, at=datetime.now(UTC)))
    await connection.execute(_TOLD, job["id"], changed[-1])
    return False
