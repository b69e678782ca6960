"""Statements and their lines as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.cod import unexplained
from services.shipping.work import Work
from shared.contracts.workflows import nudge_settlement

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

LINE_COLUMNS: Final = (
    "statement_id",
    "number",
    "sheet",
    "row",
    "waybill",
    "code",
    "shipment_id",
    "matched_by",
    "status",
    "cod",
    "compensation",
    "delivery_fee",
    "fee",
    "fees",
    "net",
    "unreadable",
    "cells",
)


@dataclass(frozen=True, slots=True)
class NewStatement:
    """A file that somebody has sent."""

    id: UUID
    connection_id: UUID
    number: str
    number_key: str
    paid_on: date
    file_name: str
    file_hash: bytes
    uploaded_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """A statement that came before."""

    id: UUID
    state: str
    created_at: datetime
    number: str


async def add(connection: Connection, statement: NewStatement) -> bool:
    """Keeps a statement without its lines; False when the same file is there. Waits for one who is just keeping it.

    Raises:
        asyncpg.UniqueViolationError: the same session of the same shop is there.
    """
    added = await connection.fetchval(
        _ADD,
        statement.id,
        statement.connection_id,
        statement.number,
        statement.number_key,
        statement.paid_on,
        statement.file_name,
        statement.file_hash,
        statement.uploaded_by,
        statement.created_at,
    )
    return added is not None


async def same_file(connection: Connection | asyncpg.Pool[asyncpg.Record], file_hash: bytes) -> Known | None:
    return _known(await connection.fetchrow(_SAME_FILE, file_hash))


async def same_session(
    connection: Connection | asyncpg.Pool[asyncpg.Record], connection_id: UUID, number_key: str
) -> Known | None:
    return _known(await connection.fetchrow(_SAME_SESSION, connection_id, number_key)) if number_key else None


def _known(row: asyncpg.Record | None) -> Known | None:
    return Known(row["id"], row["state"], row["created_at"], row["number"]) if row is not None else None


_ADD: Final = """
INSERT INTO cod_statements (id, connection_id, number, number_key, paid_on, file_name, file_hash, uploaded_by, created_at,
    state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'unmapped')
ON CONFLICT (file_hash) WHERE withdrawn_at IS NULL DO NOTHING RETURNING id
"""
_SAME_FILE: Final = """
SELECT id, state, created_at, number FROM cod_statements WHERE file_hash = $1 AND withdrawn_at IS NULL
"""
_SAME_SESSION: Final = """
SELECT id, state, created_at, number FROM cod_statements
WHERE connection_id = $1 AND number_key = $2 AND withdrawn_at IS NULL
"""


async def withdraw(work: Work, statement_id: UUID, *, by: str, reason: str, now: datetime) -> str | None:
    """Takes a statement out of what counts; its workflow compares its parcels once more. Returns the new state, None
    where it was withdrawn before or there is none.

    Args:
        by: staff code.
    """
    row = await work.connection.fetchrow(_WITHDRAW, statement_id, by, reason, now)
    if row is None:
        return None
    freed = await work.connection.fetch(_UNLINK, statement_id)
    await unexplained.tell(work, [credit["id"] for credit in freed], now=now)
    if row["state"] == "withdrawing":
        work.send(nudge_settlement(statement_id, round=row["round"]))
    return str(row["state"])


# The workflow of one that was compared has ended, so that a further one is needed.
_WITHDRAW: Final = """
UPDATE cod_statements SET withdrawn_by = $2, withdraw_reason = $3, withdrawn_at = $4, compared_to = 0,
    round = round + (state = 'matched')::integer, credited_at = NULL,
    state = CASE WHEN state IN ('unmapped', 'doubtful') THEN 'withdrawn' ELSE 'withdrawing' END
WHERE id = $1 AND withdrawn_at IS NULL RETURNING state, round
"""
_UNLINK: Final = "UPDATE bank_credits SET statement_id = NULL, linked_by = '' WHERE statement_id = $1 RETURNING id"
