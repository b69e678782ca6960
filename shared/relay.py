"""The relay: carries the outbox to JetStream and to Temporal. One is active for a service; others stand by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client as NatsClient
from temporalio.client import Client as TemporalClient

from shared import bus, outbox, telemetry
from shared.command_delivery import CommandDelivery, Failure, Sent, split
from shared.contracts.events import STREAM_OF
from shared.db import OUTBOX_CHANNEL, keep_state
from shared.fact_columns import events_of
from shared.lifecycle import together, until_set
from shared.retention import IDEMPOTENCY_KEY_AGE, OUTBOX_AGE
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg.pool

    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = logger(__name__)

BATCH: Final = 500
MANY_AT_ONCE: Final = 2
"""Rows of many events or commands that are read at a time: as many as two batches of rows with one."""
EVENT_WINDOW: Final = 256
"""Publishes in flight; with every message synced to disk more brings nothing (measured: 3,500 msg/s)."""
POLL: Final = 1.0
"""Seconds between looks at the table when no wake-up came: the safety net for a lost NOTIFY."""
STREAM_CHECK: Final = 5.0
"""Seconds between looks at whether the stream still holds what it acknowledged."""
LOOKED_AT: Final = timedelta(seconds=2)
"""Rows acknowledged after the stream was looked at are not lost; this is more than lies between the look and the update."""
BACKOFF_MAX: Final = timedelta(seconds=5)
"""Short, because it is the engine that is away, not the row that is wrong."""
PUBLISH_TIMEOUT: Final = 5.0
"""Seconds. A publish that timed out is unknown, not failed: it is repeated under the same message id."""
PURGE_EVERY: Final = 3600.0
MARKS_MAY_BE_LOST: Final = {"synchronous_commit": "off"}
"""A crash of PostgreSQL may forget that a row was sent. Then it is sent again under the same id, which JetStream, the
inbox and Temporal know already; so the relay waits for no disk before it takes the next rows."""

_DUE: Final = """
SELECT id, destination, type, subject, payload::text AS payload, correlation_id, causation_id, created_at, next_attempt_at
FROM outbox WHERE status = 'pending' AND destination = '{}' AND next_attempt_at <= now() ORDER BY next_attempt_at, id LIMIT {}
"""
_NEXT_ATTEMPT: Final = """
SELECT min(at) FROM unnest($1::text[]) AS d (destination), LATERAL (
    SELECT min(next_attempt_at) AS at FROM outbox WHERE status = 'pending' AND outbox.destination = d.destination
) AS n
"""
_SENT = """
UPDATE outbox SET status = 'sent', sent_at = now(), stream_sequence = r.sequence, last_error = NULL
FROM unnest($1::uuid[], $2::bigint[]) AS r(id, sequence) WHERE outbox.id = r.id
"""
_FAILED = """
UPDATE outbox SET attempts = attempts + 1, last_error = r.error, payload = coalesce(r.left_over::json, payload),
    status = CASE WHEN r.hopeless THEN 'dead' ELSE status END,
    next_attempt_at = now() + least(interval '200 milliseconds' * 2 ^ least(attempts, 20), $4)
FROM unnest($1::uuid[], $2::text[], $3::boolean[], $5::text[]) AS r(id, error, hopeless, left_over) WHERE outbox.id = r.id
"""


_LOST: Final = """
UPDATE outbox SET status = 'pending', stream_sequence = NULL, next_attempt_at = now()
WHERE status = 'sent' AND stream_sequence > $1 AND sent_at <= now() - $2::interval
"""
_ACKNOWLEDGED: Final = "SELECT coalesce(max(stream_sequence), 0) FROM outbox WHERE status = 'sent'"
_NO_TIME: Final = timedelta()


_DESTINATIONS: Final = {"event": ("event", outbox.FACTS), "command": ("command", outbox.COMMANDS)}
"""Where the rows of each of the two deliveries say that they go."""
_PENDING: Final = {
    delivery: f"({_DUE.format(one, BATCH)}) UNION ALL ({_DUE.format(many, MANY_AT_ONCE)}) ORDER BY next_attempt_at, id"
    for delivery, (one, many) in _DESTINATIONS.items()
}


class Relay:
    """Delivers one service's outbox, at least once, until stopped.

    Args:
        service: whose outbox.
        direct_url: its database, past any pooler, because the advisory lock and LISTEN belong to a session.
        nats: connected client, or None while NATS is away (events wait).
        temporal: client that may still be unconnected (`lazy`).
        replicas: of the streams, when they have to be made.
    """

    def __init__(
        self, service: str, *, direct_url: str, nats: NatsClient, temporal: TemporalClient, replicas: int = 1
    ) -> None:
        self._service = service
        self._url = direct_url
        self._js = nats.jetstream(timeout=PUBLISH_TIMEOUT, publish_async_max_pending=EVENT_WINDOW * 2)
        self._commands = CommandDelivery(temporal)
        self._replicas = replicas
        self._acknowledged = 0
        """The highest sequence that the stream gave an event of ours."""

    async def run(self) -> None:
        """Waits for the lock, then relays until cancelled or until the database connection breaks (then it raises)."""
        connection = await asyncpg.connect(self._url)
        try:
            # A try in turns, not a waiting lock: a statement that waits for hours would hold back vacuum.
            while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('chot:relay'))"):
                await asyncio.sleep(POLL)
            log.info("relay active")
            await bus.ensure_streams(self._js, replicas=self._replicas)
            wake = {destination: asyncio.Event() for destination in ("event", "command")}

            def on_notify(*_: Any) -> None:
                for event in wake.values():
                    event.set()

            await connection.add_listener(OUTBOX_CHANNEL, on_notify)
            pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=3, reset=keep_state, server_settings=MARKS_MAY_BE_LOST
            )
            self._acknowledged = await pool.fetchval(_ACKNOWLEDGED)
            try:
                await together(
                    self._deliver(pool, "event", wake["event"]),
                    self._deliver(pool, "command", wake["command"]),
                    self._guard_stream(pool, wake["event"]),
                    self._purge(pool),
                    self._hold(connection),
                )
            finally:
                await pool.close()
        finally:
            await connection.close()

    async def _hold(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Raises when the session that holds the lock is gone: then another relay may be active."""
        while True:
            await connection.fetchval("SELECT 1")
            await asyncio.sleep(POLL)

    async def _deliver(self, pool: asyncpg.Pool[asyncpg.Record], destination: str, wake: asyncio.Event) -> None:
        send = self._send_events if destination == "event" else self._commands.send
        failing = False
        async with pool.acquire() as connection:  # kept: taking one for every statement costs as much as the statement
            while True:
                wake.clear()
                rows, more = _in_order(await connection.fetch(_PENDING[destination]))
                if rows:
                    sent, failed = await send(rows)
                    await self._resend_what_was_replaced(connection, sent)
                    await self._record(connection, destination, sent, failed)
                    failing = failing or bool(failed)
                if more:
                    continue
                timeout = POLL
                if failing:
                    due = await connection.fetchval(_NEXT_ATTEMPT, _DESTINATIONS[destination])
                    failing = due is not None
                    if due is not None:
                        timeout = min(POLL, max(0.0, (due - datetime.now(UTC)).total_seconds()))
                await until_set(wake, at_most=timeout)

    async def _resend_what_was_replaced(self, connection: Connection, sent: list[Sent]) -> None:
        """A stream that gives out a sequence for the second time has lost what had it, and all that followed.

        `_guard_stream` sees that as well, but only while the stream is still shorter than it was.
        """
        new = [sequence for row in sent for sequence in row.new]
        if not new:
            return
        if min(new) <= self._acknowledged:
            lost = _count(await connection.execute(_LOST, min(new) - 1, _NO_TIME))
            log.warning("the stream went back; what it lost is sent again", service=self._service, events=lost)
        self._acknowledged = max(new)

    async def _record(self, connection: Connection, destination: str, sent: list[Sent], failed: list[Failure]) -> None:
        if sent:
            await connection.execute(_SENT, [row.id for row in sent], [row.sequence for row in sent])
            telemetry.OUTBOX_SENT.labels(self._service, destination).inc(len(sent))
        if failed:
            await connection.execute(
                _FAILED,
                [failure.id for failure in failed],
                [failure.error for failure in failed],
                [failure.hopeless for failure in failed],
                BACKOFF_MAX,
                [failure.left_over for failure in failed],
            )
            telemetry.OUTBOX_FAILED.labels(self._service, destination).inc(len(failed))
            for failure in failed:
                if failure.hopeless:
                    telemetry.DEAD_LETTERS.labels(self._service, "outbox").inc()
            log.warning("outbox rows not delivered", destination=destination, rows=len(failed), error=failed[0].error)

    async def _send_events(self, rows: list[asyncpg.Record]) -> tuple[list[Sent], list[Failure]]:
        window = asyncio.Semaphore(EVENT_WINDOW)

        async def publish(row: asyncpg.Record, event_id: str, subject: str, data: bytes) -> Sent | Failure:
            async with window:
                try:
                    headers = self._headers(row, event_id, subject)
                    ack = await self._js.publish(row["type"], data, headers=headers, timeout=PUBLISH_TIMEOUT)
                except nats.errors.MaxPayloadError as error:
                    return Failure(row["id"], repr(error), hopeless=True)
                except nats.js.errors.NoStreamResponseError as error:
                    await self._restore_streams()
                    return Failure(row["id"], repr(error), hopeless=False)
                except (nats.errors.Error, OSError, TimeoutError) as error:
                    return Failure(row["id"], repr(error), hopeless=False)
            return Sent(row["id"], ack.seq, () if ack.duplicate else (ack.seq,))

        async def tell(row: asyncpg.Record) -> Sent | Failure:
            if not bus.is_subject(row["type"]):
                return Failure(row["id"], f"'{row['type']}' is not an event type", hopeless=True)
            if row["destination"] == "event":
                return await publish(row, str(row["id"]), row["subject"], row["payload"].encode())
            told = events_of(row["id"], row["payload"])
            return _together(await asyncio.gather(*(publish(row, one.id, one.subject, one.data) for one in told)))

        return split(await asyncio.gather(*(tell(row) for row in rows)))

    def _headers(self, row: asyncpg.Record, event_id: str, subject: str) -> dict[str, str]:
        """CloudEvents 1.0, binary mode."""
        return {
            "Nats-Msg-Id": event_id,
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-type": row["type"],
            "ce-source": f"/chot/{self._service}",
            "ce-subject": subject,
            "ce-time": row["created_at"].isoformat(),
            "ce-correlationid": row["correlation_id"],
            "ce-causationid": row["causation_id"],
        }

    async def _restore_streams(self) -> None:
        try:
            await bus.ensure_streams(self._js, replicas=self._replicas)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("streams could not be ensured", error=repr(error))

    async def _guard_stream(self, pool: asyncpg.Pool[asyncpg.Record], wake: asyncio.Event) -> None:
        """Sends again what JetStream acknowledged and then lost (power failure, thrown-away store)."""
        stream = STREAM_OF.get(self._service)
        while stream is not None:
            try:
                info = await self._js.stream_info(stream)
            except nats.js.errors.NotFoundError:
                await self._restore_streams()
                continue
            except (nats.errors.Error, OSError, TimeoutError):
                await asyncio.sleep(POLL)
                continue
            assert info.created is not None
            lost = await self._mark_lost(pool, stream, info.created, info.state.last_seq)
            if lost:
                log.warning("the stream lost acknowledged events; they are sent again", stream=stream, events=lost)
                wake.set()
            await asyncio.sleep(STREAM_CHECK)

    async def _mark_lost(
        self, pool: asyncpg.Pool[asyncpg.Record], stream: str, created: datetime, last_sequence: int
    ) -> int:
        async with pool.acquire() as connection, connection.transaction():
            known = await connection.fetchval("SELECT created_at FROM relay_streams WHERE stream = $1", stream)
            recreated = known is not None and known != created
            await connection.execute(
                "INSERT INTO relay_streams VALUES ($1, $2) ON CONFLICT (stream) DO UPDATE SET created_at = $2",
                stream,
                created,
            )
            # A new stream has nothing of what the old one acknowledged, however lately. What it has been given itself
            # is sent twice and stored once.
            return _count(
                await connection.execute(_LOST, *((0, _NO_TIME) if recreated else (last_sequence, LOOKED_AT)))
            )

    async def _purge(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        while True:
            await pool.execute(
                "DELETE FROM outbox WHERE status = 'sent' AND created_at < now() - $1::interval", OUTBOX_AGE
            )
            await pool.execute(
                "DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval", IDEMPOTENCY_KEY_AGE
            )
            for destination in (each for both in _DESTINATIONS.values() for each in both):
                pending = await pool.fetchval(
                    "SELECT count(*) FROM outbox WHERE status = 'pending' AND destination = $1", destination
                )
                telemetry.OUTBOX_PENDING.labels(self._service, destination).set(pending)
            await asyncio.sleep(PURGE_EVERY)


def _count(command_tag: str) -> int:
    """Rows of an UPDATE, from what PostgreSQL says about it."""
    return int(command_tag.split()[-1])


def _in_order(rows: list[asyncpg.Record]) -> tuple[list[asyncpg.Record], bool]:
    """The rows that are told now, and whether more may be due. Where there may be further rows of many, what was
    written behind the last of those that were read waits for them."""
    many = [place for place, row in enumerate(rows, 1) if row["destination"] in (outbox.FACTS, outbox.COMMANDS)]
    if len(many) == MANY_AT_ONCE:
        return rows[: many[-1]], True
    return rows, len(rows) - len(many) == BATCH


def _together(outcomes: Sequence[Sent | Failure]) -> Sent | Failure:
    """What became of a row of many events: one that was not told has the row told again, under the same ids."""
    sent, failed = split(outcomes)
    if failed:
        return next((failure for failure in failed if failure.hopeless), failed[0])
    return Sent(
        sent[0].id,
        max(one.sequence for one in sent if one.sequence is not None),
        [sequence for one in sent for sequence in one.new],
    )
