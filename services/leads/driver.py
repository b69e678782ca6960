"""The database driver, for the set-based statements of this service: they run on it directly, whoever opened the
transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import text

from services.leads.writing import Table
from shared import outbox
from shared.db import OUTBOX_WRITTEN, ReadSession, Session

_OUTBOX: Final = Table(
    "outbox",
    {
        "id": "uuid",
        "destination": "text",
        "type": "text",
        "subject": "text",
        "payload": "json",
        "correlation_id": "text",
        "causation_id": "text",
    },
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def connection_of(session: ReadSession) -> Connection:
    """The driver's connection under a session, inside the session's transaction."""
    # The dialect begins the transaction with the first statement that goes through it.
    await session.execute(text("SELECT 1"))
    raw = await (await session.connection()).get_raw_connection()
    return cast(Connection, raw.driver_connection)


async def write_outbox(connection: Connection, rows: Iterable[outbox.Row]) -> bool:
    """Writes outbox rows in the connection's transaction; True if there were any, so that the relay is to be woken."""
    written = list(rows)
    if written:
        await connection.execute(outbox.INSERT, *outbox.columns(written))
    return bool(written)


async def write_new(connection: Connection, rows: Sequence[outbox.Row]) -> bool:
    """The same for rows of which none can be there already, because none of their ids is made of what is told: many are
    written faster."""
    await _OUTBOX.insert(connection, rows)
    return bool(rows)


def mark_outbox_written(session: Session) -> None:
    """For a session whose outbox rows were written past it: its commit wakes the relay."""
    session.info[OUTBOX_WRITTEN] = True
