"""Asks carriers about shipments whose callback is overdue: what callbacks lost, polling repairs.

How depends on what the carrier can do. Most tell how a parcel stands when they are asked, one parcel a request (none
documents more). A carrier without that (`push_again`) is asked to call back about the parcel once more; its answer comes
as callbacks, which `facts` takes for the answer as long as `asked_at` stands in the row. A carrier with neither is never
asked.

The cost is that of the overdue shipments: each round leases them in batches through one index, asks within the
connection's rate, and writes each batch's answers in one transaction (a lease is a timestamp on the row, so no lock is
held while a carrier thinks). docs/shipping/polling.md has the figures for 100,000 open shipments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import connections, facts, schedule
from services.shipping.carriers.answers import Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.errors import CarrierError, NotLetIn, Refused
from services.shipping.carriers.gate import Turns
from services.shipping.carriers.registry import CARRIERS
from services.shipping.connections import Connection
from services.shipping.context import Context
from services.shipping.facts import CARRIER_SILENT, MISSING_AT_CARRIER, Fact
from services.shipping.schedule import PAUSE_MAX, SILENT_AFTER
from services.shipping.work import Work, work
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
        asked: shipments that the carrier answered about, or promised to call back about.
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
    awaited: list[UUID] = field(default_factory=list)
    """The carrier will call back about them."""
    missing: list[UUID] = field(default_factory=list)
    failed: list[UUID] = field(default_factory=list)
    failures_in_a_row: int = 0
    error: str = ""

    @property
    def away(self) -> bool:
        return self.failures_in_a_row >= GIVE_UP_AFTER

    @property
    def answered(self) -> int:
        return len(self.reports) + len(self.awaited) + len(self.missing)

    def note(self, shipment_id: UUID, journey: Sequence[Report] | None) -> None:
        """The carrier answered.

        Args:
            journey: None: the answer comes by callback.
        """
        self.failures_in_a_row = 0
        if journey is None:
            self.awaited.append(shipment_id)
        elif journey:
            self.reports[shipment_id] = journey
        else:
            self.missing.append(shipment_id)


async def poll_overdue(context: Context, connection_id: UUID, *, beat: Callable[[], None] = lambda: None) -> Round:
    """One round: asks about all shipments of a connection that are overdue now.

    Args:
        beat: called with every answer, so that a caller knows that the round lives.
    """
    connection = await connections.load(context.db, connection_id)
    if connection is None:
        return Round(connection=None)
    can = CARRIERS[connection.carrier].capabilities
    if not can.track and not can.push_again:
        return Round(connection=connection)
    loop = asyncio.get_running_loop()
    ends = loop.time() + ROUND_TIME
    asked, away = 0, False
    while not away and loop.time() < ends:
        leased = await _lease(context, connection)
        if not leased:
            break
        answers = await _ask(context, connection, leased, beat=beat)
        await _write(context, leased, answers)
        asked += answers.answered
        away = answers.away
        await _record_health(context, connection_id, answers)
    await context.gates.forget(connection_id)
    open_count, next_due = await _next_round(context, connection, away=away)
    return Round(connection=connection, asked=asked, open=open_count, next_due=next_due, away=away)


async def _lease(context: Context, connection: Connection) -> list[asyncpg.Record]:
    """Takes a batch. Where the answer comes by callback, it is expected from now on: it may come before the batch ends."""
    now, awaits = context.now(), not CARRIERS[connection.carrier].capabilities.track
    async with work(context.db) as current:
        return await current.connection.fetch(_LEASE, connection.id, now, now + LEASE, BATCH, awaits)


async def _ask(
    context: Context, connection: Connection, leased: list[asyncpg.Record], *, beat: Callable[[], None]
) -> _Answers:
    """Asks about each shipment, within the connection's rate, until the carrier seems to be away."""
    answers = _Answers()
    waiting = list(reversed(leased))

    async def work_through() -> None:
        async with context.carrier(connection, turns=Turns.WAITING) as carrier:
            while waiting and not answers.away:
                shipment = waiting.pop()
                try:
                    answers.note(shipment["id"], await _ask_about(carrier, shipment["waybill"]))
                except NotLetIn:
                    answers.failures_in_a_row = GIVE_UP_AFTER
                    answers.error = "thông tin kết nối bị từ chối / credentials refused"
                    answers.failed.append(shipment["id"])
                except CarrierError as error:
                    answers.failures_in_a_row += 1
                    answers.error = str(error)
                    answers.failed.append(shipment["id"])
                beat()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONCURRENCY, len(leased))):
            group.create_task(work_through())
    return answers


async def _ask_about(carrier: Carrier, waybill: str) -> Sequence[Report] | None:
    """A parcel's journey, empty if the carrier has no such parcel; None: it will be told by callback."""
    if carrier.capabilities.track:
        return await carrier.track(waybill)
    try:
        await carrier.ask_to_report(waybill)
    except NotLetIn:
        raise
    except Refused:
        return ()
    return None


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
        await _await(current, context, [row for row in leased if row["id"] in set(answers.awaited)], now=now)
        if answers.missing:
            log.warning("shipments unknown at the carrier", shipments=len(answers.missing))
            await current.connection.execute(
                _MISSING, answers.missing, MISSING_AT_CARRIER, now + PAUSE_MAX * context.pace
            )
        if answers.failed:
            await current.connection.execute(_LATER, answers.failed, now + RETRY * context.pace)
        handled = {*answers.reports, *answers.awaited, *answers.missing, *answers.failed}
        unasked = [row["id"] for row in leased if row["id"] not in handled]
        if unasked:
            await current.connection.execute(_RELEASE, unasked)


async def _await(current: Work, context: Context, asked: Sequence[asyncpg.Record], *, now: datetime) -> None:
    """When to ask again about those whose callbacks have not come by now, and whether a person has to know."""
    if not asked:
        return
    silent = sum(row["unanswered"] == SILENT_AFTER for row in asked)
    if silent:
        log.warning("carrier does not call back", shipments=silent)
    await current.connection.execute(
        _AWAITED,
        [row["id"] for row in asked],
        [schedule.next_request(row["unanswered"], now=now, pace=context.pace) for row in asked],
        [row["unanswered"] >= SILENT_AFTER for row in asked],
        CARRIER_SILENT,
    )


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
UPDATE shipments SET claimed_until = $3, asked_at = CASE WHEN $5 THEN $2 END, unanswered = unanswered + $5::boolean::integer
WHERE id IN (
    SELECT id FROM shipments
    WHERE connection_id = $1 AND next_poll_at <= $2 AND (claimed_until IS NULL OR claimed_until < $2)
    ORDER BY next_poll_at LIMIT $4 FOR UPDATE SKIP LOCKED
)
RETURNING id, waybill, unanswered
"""
_LOCK: Final = "SELECT FROM shipments WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_MISSING: Final = """
UPDATE shipments SET attention = array_append(array_remove(attention, $2), $2), next_poll_at = $3, claimed_until = NULL,
    unchanged_polls = unchanged_polls + 1, updated_at = now()
WHERE id = ANY($1::uuid[])
"""
# Those that were answered meanwhile have their next time already.
_AWAITED: Final = """
UPDATE shipments s SET next_poll_at = r.next_poll_at, claimed_until = NULL, updated_at = now(),
    attention = CASE WHEN r.silent THEN array_append(array_remove(s.attention, $4), $4) ELSE s.attention END
FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[]) AS r(id, next_poll_at, silent)
WHERE s.id = r.id AND s.asked_at IS NOT NULL
"""
_NOT_ASKED: Final = """
claimed_until = NULL, unanswered = greatest(0, unanswered - (asked_at IS NOT NULL)::integer), asked_at = NULL
WHERE id = ANY($1::uuid[])
"""
_LATER: Final = f"UPDATE shipments SET next_poll_at = $2, {_NOT_ASKED}"
_RELEASE: Final = f"UPDATE shipments SET {_NOT_ASKED}"
_OPEN: Final = """
SELECT count(*) AS open, min(next_poll_at) AS earliest FROM shipments
WHERE connection_id = $1 AND next_poll_at IS NOT NULL
"""
