"""A write transaction on the driver, for the paths where many rows change in few statements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from shared import outbox
from shared.contracts.base import Contract
from shared.contracts.commands import WorkflowCommand
from shared.contracts.events.base import EventType
from shared.db import Database

if TYPE_CHECKING:
    import asyncpg
    import asyncpg.pool

    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]


@dataclass
class Work:
    """One transaction: its connection, and what it tells the others when it commits."""

    connection: Connection
    rows: list[outbox.Row] = field(default_factory=list)

    def tell(self, event_type: EventType, data: Contract, *, subject: UUID, event_id: UUID | None = None) -> None:
        self.rows.append(outbox.event_row(event_type, data, subject=subject, event_id=event_id))

    def send(self, command: WorkflowCommand) -> None:
        self.rows.append(outbox.command_row(command))


@asynccontextmanager
async def work(db: Database) -> AsyncIterator[Work]:
    """Committed with its outbox rows when the block ends, rolled back when it raises; wakes the relay after commit."""
    pool = await db.driver()
    async with pool.acquire() as connection, connection.transaction():
        current = Work(connection)
        yield current
        if current.rows:
            await connection.execute(outbox.INSERT, *outbox.columns(current.rows))
    if current.rows:
        db.wake_relay()
