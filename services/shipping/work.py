"""A write transaction on the driver, for the paths where many rows change in few statements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from uuid import UUID

from sqlalchemy import text

from services.shipping.timeline import Change
from shared import fact_columns, outbox
from shared.contracts import ids
from shared.contracts.base import Contract
from shared.contracts.commands import WorkflowCommand
from shared.contracts.events.base import EventType
from shared.contracts.events.shipping import SHIPMENT_CHANGED
from shared.contracts.workflows import SHIPMENT, nudge_shipment
from shared.db import OUTBOX_WRITTEN, Database, Session
from shared.fact_columns import FactColumns

if TYPE_CHECKING:
    import asyncpg
    import asyncpg.pool

    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]


_NOBODY: Final = UUID(int=0)
_NUDGE: Final = (
    nudge_shipment(_NOBODY)
    .model_dump_json()
    .replace(ids.shipment_id(_NOBODY), "\n")
    .replace(str(_NOBODY), "\n")
    .split("\n")
)
"""A nudge as JSON, taken apart at the ids of its workflow and its shipment, which alone differ."""
_CHANGE: Final = [each.name for each in fields(Change)]
_THERE: Final = "SELECT id FROM outbox WHERE id = ANY($1::uuid[])"
COPY_FROM: Final = 50
"""Rows from which COPY is cheaper than INSERT in spite of its two round trips."""


@dataclass
class Work:
    """One transaction: its connection, and what it tells the others when it commits."""

    connection: Connection
    rows: list[outbox.Row] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    nudges: list[tuple[UUID, int]] = field(default_factory=list)
    """Shipment and round of its workflow."""
    _once: list[outbox.Row] = field(default_factory=list)
    """Rows with a fixed id, which may be there already."""

    def tell(self, event_type: EventType, data: Contract, *, subject: UUID, event_id: UUID | None = None) -> None:
        row = outbox.event_row(event_type, data, subject=subject, event_id=event_id)
        (self.rows if event_id is None else self._once).append(row)

    def tell_change(self, change: Change) -> None:
        """As `tell(SHIPMENT_CHANGED, …)`, for many."""
        self.changes.append(change)

    def send(self, command: WorkflowCommand) -> None:
        self.rows.append(outbox.command_row(command))

    def nudge_shipment(self, shipment_id: UUID, *, round: int) -> None:
        """As `send(nudge_shipment(…))`, for many."""
        self.nudges.append((shipment_id, round))

    def told(self) -> list[outbox.Row]:
        """What is told as rows of the outbox, without what has a fixed id. Changes and nudges of many parcels share rows."""
        rows: list[outbox.Row] = []
        if self.changes:
            columns = {name: [getattr(change, name) for change in self.changes] for name in _CHANGE}
            rows += fact_columns.rows(FactColumns(SHIPMENT_CHANGED.name, columns))
        rows += self.rows
        return rows + outbox.command_rows(SHIPMENT.name, [_nudge(*each) for each in dict.fromkeys(self.nudges)])

    async def write_outbox(self) -> bool:
        """Writes what was told; False: nothing was."""
        rows = self.told()
        many, many_once = len(rows) >= COPY_FROM, len(self._once) >= COPY_FROM
        copied = (rows if many else []) + (await self._not_there() if many_once else [])
        inserted = ([] if many else rows) + ([] if many_once else self._once)
        if copied:
            await self.connection.copy_records_to_table("outbox", records=copied, columns=outbox.COLUMNS)
        if inserted:
            await self.connection.execute(outbox.INSERT, *outbox.columns(inserted))
        return bool(rows or self._once)

    async def _not_there(self) -> list[outbox.Row]:
        """Of the rows with a fixed id those that are new. Whoever writes the same at the same moment holds the same
        parcel's row, so that one of both has committed before the other looks."""
        by_id = {row[0]: row for row in self._once}
        for row in await self.connection.fetch(_THERE, list(by_id)):
            del by_id[row["id"]]
        return list(by_id.values())


def _nudge(shipment_id: UUID, round: int) -> tuple[str, str]:
    """The id of a parcel's workflow, and its nudge as JSON."""
    workflow_id = ids.shipment_id(shipment_id, round=round)
    before, between, after = _NUDGE
    return workflow_id, f"{before}{workflow_id}{between}{shipment_id}{after}"


@asynccontextmanager
async def work_in(session: Session) -> AsyncIterator[Work]:
    """As `work`, within the transaction of a session."""
    # The dialect begins the transaction with the first statement that goes through it.
    await session.execute(text("SELECT 1"))
    raw = await (await session.connection()).get_raw_connection()
    current = Work(cast("Connection", raw.driver_connection))
    yield current
    if await current.write_outbox():
        session.info[OUTBOX_WRITTEN] = True


@asynccontextmanager
async def work(db: Database) -> AsyncIterator[Work]:
    """Committed with its outbox rows when the block ends, rolled back when it raises; wakes the relay after commit."""
    pool = await db.driver()
    async with pool.acquire() as connection, connection.transaction():
        current = Work(connection)
        yield current
        told = await current.write_outbox()
    if told:
        db.wake_relay()
