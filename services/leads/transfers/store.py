"""Transfers as people look at them, and their change from preview to running to done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.driver import Connection, Pool
from services.leads.errors import PreviewExpired
from services.leads.transfers.plan import Kind
from shared.errors import NotFound

_ONE: Final = """
SELECT t.id, t.kind, t.strategy, t.from_id, f.code AS from_code, t.by_id, t.by, t.reason, t.people::text AS people, t.made_at,
    t.good_until, t.state, t.row_count, t.rows_done, t.finished_at
FROM transfers t LEFT JOIN staff_members f ON f.account_id = t.from_id
"""
_GET: Final = f"{_ONE} WHERE t.id = $1 AND t.kind = $2"
_PAGE: Final = (
    f"{_ONE} WHERE t.kind = $1 AND t.state <> 'preview' AND ($2::uuid IS NULL OR t.id < $2) ORDER BY t.id DESC LIMIT $3"
)
_RESULTS: Final = """
SELECT coalesce(result, 'given') AS result, count(*) AS leads FROM transfer_rows
WHERE transfer_id = $1 AND position < $2 GROUP BY 1
"""
_COUNTS: Final = """
SELECT coalesce(owner_id, to_id) AS account_id, count(*) AS leads FROM transfer_rows
WHERE transfer_id = $1 AND (result IS NULL OR result IN ('given', 'kept')) GROUP BY 1
"""
# A row that is done and says no result was given as planned (`work`).
_ROWS: Final = """
SELECT r.position, r.lead_id, r.to_id, t.code AS to_code, r.result, r.owner_id, o.code AS owner_code
FROM (
    SELECT p.position, p.lead_id, p.to_id, CASE WHEN p.position < f.rows_done THEN coalesce(p.result, 'given') END AS result,
        CASE WHEN p.position < f.rows_done AND p.result IS NULL THEN p.to_id ELSE p.owner_id END AS owner_id
    FROM transfer_rows p JOIN transfers f ON f.id = p.transfer_id WHERE p.transfer_id = $1 AND p.position > $2
        AND ($3::text IS NULL OR (p.position < f.rows_done AND coalesce(p.result, 'given') = $3))
    ORDER BY p.position LIMIT $4
) r LEFT JOIN staff_members t ON t.account_id = r.to_id
    LEFT JOIN staff_members o ON o.account_id = r.owner_id
ORDER BY r.position
"""
_STATE: Final = "SELECT state, good_until, by_id FROM transfers WHERE id = $1 AND kind = $2 FOR NO KEY UPDATE"
_CONFIRM: Final = """
UPDATE transfers SET state = CASE WHEN row_count = 0 THEN 'done' ELSE 'running' END, reason = $2,
    finished_at = CASE WHEN row_count = 0 THEN $3::timestamptz END
WHERE id = $1
"""
_CANCEL: Final = """
UPDATE transfers SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state IN ('preview', 'running')
"""
# The leads of one colleague after the other, as far as the page reaches.
_NEEDED: Final = """
SELECT m.account_id, m.code, m.name, m.team, held.*,
    (SELECT t.id FROM transfers t WHERE t.from_id = m.account_id AND t.state = 'running' LIMIT 1) AS running_id
FROM staff_members m CROSS JOIN LATERAL (
    SELECT count(*) AS open_leads, count(*) FILTER (WHERE in_care) AS in_care, min(received_at) AS oldest
    FROM leads WHERE owner_id = m.account_id AND ended_at IS NULL
) AS held
WHERE m.version > 0 AND NOT m.active AND held.open_leads > 0
    AND ($1::uuid IS NULL OR m.account_id > $1)
    AND ($2::boolean OR m.account_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $3))
ORDER BY m.account_id LIMIT $4
"""
_BELOW: Final = """
SELECT 1 FROM staff_members WHERE account_id = $1 AND version > 0
    AND ($2::boolean OR account_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $3))
"""
_FORGET: Final = """
DELETE FROM transfers WHERE id IN (
    SELECT id FROM transfers WHERE state = 'preview' AND good_until < $1 ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED)
"""


async def get(connection: Connection | Pool, kind: Kind, transfer_id: UUID) -> asyncpg.Record:
    """
    Raises:
        NotFound: there is no such transfer.
    """
    row = await connection.fetchrow(_GET, transfer_id, kind)
    if row is None:
        raise NotFound(what=kind)
    return row


async def page(pool: Pool, kind: Kind, *, after: UUID | None, limit: int) -> Sequence[asyncpg.Record]:
    """Confirmed transfers, the newest first."""
    return await pool.fetch(_PAGE, kind, after, limit)


async def results(connection: Connection | Pool, transfer: asyncpg.Record) -> dict[str, int]:
    """How many rows ended how, so far."""
    rows = await connection.fetch(_RESULTS, transfer["id"], transfer["rows_done"])
    return {row["result"]: row["leads"] for row in rows}


async def counts(connection: Connection | Pool, transfer_id: UUID) -> dict[UUID | None, int]:
    """Leads by receiver: planned where nothing happened yet, else got."""
    return {row["account_id"]: row["leads"] for row in await connection.fetch(_COUNTS, transfer_id)}


async def rows(
    pool: Pool, transfer_id: UUID, *, after: int, result: str | None, limit: int
) -> Sequence[asyncpg.Record]:
    """The rows of a transfer in their order.

    Args:
        after: position of the last row of the page before; -1 = from the beginning.
    """
    return await pool.fetch(_ROWS, transfer_id, after, result, limit)


async def confirm(
    connection: Connection, kind: Kind, transfer_id: UUID, *, by: UUID, reason: str, now: datetime
) -> None:
    """What was shown is to happen. Confirmed again, nothing changes.

    Raises:
        NotFound: there is no such preview of this person.
        PreviewExpired: it is too old, or was cancelled.
    """
    row = await connection.fetchrow(_STATE, transfer_id, kind)
    if row is None or row["by_id"] != by:
        raise NotFound(what="preview")
    if row["state"] == "cancelled" or (row["state"] == "preview" and row["good_until"] <= now):
        raise PreviewExpired
    if row["state"] == "preview":
        await connection.execute(_CONFIRM, transfer_id, reason, now)


async def cancel(connection: Connection, kind: Kind, transfer_id: UUID, *, now: datetime) -> None:
    """Stops after the batch that is being done; what was given stays given.

    Raises:
        NotFound: there is no such transfer.
    """
    if await connection.fetchrow(_STATE, transfer_id, kind) is None:
        raise NotFound(what=kind)
    await connection.execute(_CANCEL, transfer_id, now)


async def needed(
    pool: Pool, *, everybody: bool, viewer: UUID, after: UUID | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Locked accounts that still hold open leads.

    Args:
        everybody: of the whole company, not only below the viewer.
    """
    return await pool.fetch(_NEEDED, after, everybody, viewer, limit)


async def may_hand_over(connection: Connection, holder: UUID, *, everybody: bool, viewer: UUID) -> bool:
    """Whether the viewer may hand over what this colleague holds: they are below, or the viewer sees everybody."""
    return await connection.fetchval(_BELOW, holder, everybody, viewer) is not None


async def forget_previews(connection: Connection | Pool, *, before: datetime) -> None:
    """Removes previews that nobody confirmed in time."""
    await connection.execute(_FORGET, before)


def described(people: Any) -> list[tuple[UUID, str, int | None]]:
    """The people of a plan as (account, code, count or None), in the order given."""
    return [(UUID(account), code, count) for account, code, count in orjson.loads(people)]
