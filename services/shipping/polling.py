"""Asks carriers about shipments whose callback is overdue: what callbacks lost, polling repairs.

The cost is that of the overdue shipments: each round leases them in batches through one index, asks within the
connection's rate, and writes each batch's answers in one transaction. 100,000 open shipments that are asked every six
hours make five requests a second; leasing and writing them takes seconds of database time (a lease is a timestamp on
the row, so no lock is held while a carrier thinks).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import connections, facts
from services.shipping.carriers.answers import Report
from services.shipping.carriers.errors import CarrierError, NotLetIn
from services.shipping.connections import Connection
from services.shipping.context import Context
from services.shipping.facts import MISSING_AT_CARRIER, Fact
from services.shipping.schedule import PAUSE_MAX
from services.shipping.work import work
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

log = logger(__name__)

BATCH: Final = 50
LEASE: Final = timedelta(minutes=2)
"""Longer than a batch takes at the slowest rate; after it, shipments of a dead worker are asked again."""
CONCURRENCY: Final = 8
"""Requests under way at once; the rate is the connection's own."""
GIVE_UP_AFTER: Final = 5
"""Failures in a row after which the carrier counts as away and is left alone for a while."""
RETRY: Final = timedelta(minutes=1)
"""Until a shipment whose answer failed is asked again."""
BREAK: Final = timedelta(minutes=2)
"""Until a carrier that is away is asked again."""
ROUND_MIN: Final = timedelta(seconds=1)
ROUND_MAX: Final = timedelta(minutes=5)
"""Between two rounds at most: shipments that were accepted meanwhile have their own times."""
ROUND_TIME: Final = 480.0
"""Seconds that a round may take: below the time-out of its activity."""


@dataclass(frozen=True)
class Round:
    """What a round of polling did.

    Args:
        connection: None: it is gone, and nothing has to be asked ever again.
        asked: shipments that the carrier answered about.
        open: shipments of this connection that are still on the way.
        next_due: when the next round is due; None: only when somebody says so.
        away: the carrier could not be asked.
    """

    connection: Connection | None
    asked: int = 0
    open: int = 0
    next_due: datetime | None = None
    away: bool = False


@dataclass
class _Answers:
    reports: dict[UUID, Sequence[Report]] = field(default_factory=dict)
    missing: list[UUID] = field(default_factory=list)
    failed: list[UUID] = field(default_factory=list)
    failures_in_a_row: int = 0
    error: str = ""

    @property
    def away(self) -> bool:
        return self.failures_in_a_row >= GIVE_UP_AFTER

    @property
    def answered(self) -> int:
        return len(self.reports) + len(self.missing)


async def poll_overdue(context: Context, connection_id: UUID, *, beat: Callable[[], None] = lambda: None) -> Round:
    """One round: asks about all shipments of a connection that are overdue now.

    Args:
        beat: called with every answer, so that a caller knows that the round lives.
    """
    connection = await connections.load(context.db, connection_id)
    if connection is None:
        return Round(connection=None)
    loop = asyncio.get_running_loop()
    ends = loop.time() + ROUND_TIME
    asked, away = 0, False
    while not away and loop.time() < ends:
        leased = await _lease(context, connection_id)
        if not leased:
            break
        answers = await _ask(context, connection, leased, beat=beat)
        await _write(context, leased, answers)
        asked += answers.answered
        away = answers.away
        await _record_health(context, connection_id, answers)
    open_count, next_due = await _next_round(context, connection, away=away)
    return Round(connection=connection, asked=asked, open=open_count, next_due=next_due, away=away)


async def _lease(context: Context, connection_id: UUID) -> list[asyncpg.Record]:
    now = context.now()
    async with work(context.db) as current:
        return await current.connection.fetch(_LEASE, connection_id, now, now + LEASE, BATCH)


async def _ask(
    context: Context, connection: Connection, leased: list[asyncpg.Record], *, beat: Callable[[], None]
) -> _Answers:
    """Asks about each shipment, within the connection's rate, until the carrier seems to be away."""
    answers = _Answers()
    waiting = list(reversed(leased))
    pacer = _Pacer(per_second=connection.requests_per_second)

    async def work_through() -> None:
        async with context.carrier(connection) as carrier:
            while waiting and not answers.away:
                shipment = waiting.pop()
                await pacer.turn()
                try:
                    journey = await carrier.track(shipment["waybill"])
                except NotLetIn:
                    answers.failures_in_a_row = GIVE_UP_AFTER
                    answers.error = "thông tin kết nối bị từ chối / credentials refused"
                    answers.failed.append(shipment["id"])
                except CarrierError as error:
                    answers.failures_in_a_row += 1
                    answers.error = str(error)
                    answers.failed.append(shipment["id"])
                else:
                    answers.failures_in_a_row = 0
                    if journey:
                        answers.reports[shipment["id"]] = journey
                    else:
                        answers.missing.append(shipment["id"])
                beat()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONCURRENCY, len(leased))):
            group.create_task(work_through())
    return answers


class _Pacer:
    """Lets so many pass in a second, evenly."""

    def __init__(self, *, per_second: int) -> None:
        self._interval = 1 / per_second
        self._next = 0.0

    async def turn(self) -> None:
        loop = asyncio.get_running_loop()
        at = max(self._next, loop.time())
        self._next = at + self._interval
        await asyncio.sleep(at - loop.time())


async def _write(context: Context, leased: list[asyncpg.Record], answers: _Answers) -> None:
    """The batch's answers, and the end of its leases, in one transaction."""
    now = context.now()
    async with work(context.db) as current:
        # All at once and in one order, like everybody who writes several: a second helping out of order would deadlock.
        await current.connection.execute(_LOCK, [row["id"] for row in leased])
        told = [
            Fact(shipment_id, "poll", now, report)
            for shipment_id, journey in answers.reports.items()
            for report in journey
        ]
        await facts.apply(current, told, now=now, pace=context.pace)
        if answers.missing:
            log.warning("shipments unknown at the carrier", shipments=len(answers.missing))
            await current.connection.execute(
                _MISSING, answers.missing, MISSING_AT_CARRIER, now + PAUSE_MAX * context.pace
            )
        if answers.failed:
            await current.connection.execute(_LATER, answers.failed, now + RETRY * context.pace)
        handled = {*answers.reports, *answers.missing, *answers.failed}
        unasked = [row["id"] for row in leased if row["id"] not in handled]
        if unasked:
            await current.connection.execute(_RELEASE, unasked)


async def _record_health(context: Context, connection_id: UUID, answers: _Answers) -> None:
    if answers.away:
        log.warning("carrier away", connection=str(connection_id), error=answers.error)
        await connections.mark_failing(context.db, connection_id, error=answers.error)
    elif answers.answered:
        await connections.mark_healthy(context.db, connection_id)


async def _next_round(context: Context, connection: Connection, *, away: bool) -> tuple[int, datetime | None]:
    """How many shipments are open, and when the next round is due."""
    now = context.now()
    pool = await context.db.driver()
    row = await pool.fetchrow(_OPEN, connection.id)
    assert row is not None
    if away:
        return row["open"], now + BREAK * context.pace
    if not row["open"] and not connection.enabled:
        return 0, None
    longest = max(ROUND_MIN, ROUND_MAX * context.pace)
    wanted = row["earliest"] - now if row["earliest"] is not None else longest
    return row["open"], now + min(max(wanted, ROUND_MIN), longest)


_LEASE: Final = """
UPDATE shipments SET claimed_until = $3 WHERE id IN (
    SELECT id FROM shipments
    WHERE connection_id = $1 AND next_poll_at <= $2 AND (claimed_until IS NULL OR claimed_until < $2)
    ORDER BY next_poll_at LIMIT $4 FOR UPDATE SKIP LOCKED
)
RETURNING id, waybill
"""
_LOCK: Final = "SELECT FROM shipments WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_MISSING: Final = """
UPDATE shipments SET attention = array_append(array_remove(attention, $2), $2), next_poll_at = $3, claimed_until = NULL,
    unchanged_polls = unchanged_polls + 1, updated_at = now()
WHERE id = ANY($1::uuid[])
"""
_LATER: Final = "UPDATE shipments SET next_poll_at = $2, claimed_until = NULL WHERE id = ANY($1::uuid[])"
_RELEASE: Final = "UPDATE shipments SET claimed_until = NULL WHERE id = ANY($1::uuid[])"
_OPEN: Final = """
SELECT count(*) AS open, min(next_poll_at) AS earliest FROM shipments
WHERE connection_id = $1 AND next_poll_at IS NOT NULL
"""
