"""Event end to end at 200 a second: commit → outbox → JetStream → inbox row in another service's database.

Ours is the product's own outbox (through the driver, as intake writes it), relay and consumer; the limit is the same path
written with the bare libraries. The inbox row is the whole effect on both sides: what a handler adds is the handler's.
Both run on this process's event loop, in turns of two seconds, each with its own p99.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import nats
from nats.js.api import ConsumerConfig, StreamConfig
from temporalio.client import Client
from uuid_utils.compat import uuid7

from bench.machine import Machine
from bench.pairs import in_turns, median
from bench.result import Result
from shared import bus
from shared.consumer import Consumer, Event, Handlers
from shared.contracts.events.orders import ORDER_CANCELLED, OrderCancelled
from shared.db import Database, Session
from shared.migrations import MESSAGING
from shared.outbox import INSERT, columns, event_row
from shared.relay import Relay
from shared.temporal import plugin

RATE = 200
"""Events a second: a company with 50 salespeople has a tenth of it at its busiest."""
WARM_UP = 200
TURNS = 9
"""Of two seconds each. A p99 of 400 events is its four slowest, so one flush of somebody else's pages makes a turn's p99;
the median of nine turns is not decided by four of those."""
HANDLED = "bench_handled"

OUTBOX = """
CREATE TABLE outbox (id uuid PRIMARY KEY, payload json NOT NULL, sent boolean NOT NULL DEFAULT false);
CREATE INDEX ON outbox (id) WHERE NOT sent
"""
INBOX = "CREATE TABLE inbox (id uuid PRIMARY KEY)"


@dataclass
class Path:
    """One way from a commit to its effect.

    Args:
        emit: commits one event and returns when that was.
        arrivals: event → when its effect was committed.
    """

    emit: Callable[[UUID], Awaitable[float]]
    arrivals: dict[UUID, float] = field(default_factory=dict)

    async def send(self, size: int) -> list[float]:
        """Emits at the rate, whatever the answers; returns sorted seconds from commit to effect."""
        committed: dict[UUID, float] = {}

        async def one() -> None:
            event_id = uuid7()
            committed[event_id] = await self.emit(event_id)

        loop = asyncio.get_running_loop()
        start = loop.time()
        tasks = []
        for number in range(size):
            delay = start + number / RATE - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            tasks.append(asyncio.create_task(one()))
        await asyncio.gather(*tasks)
        async with asyncio.timeout(30):
            while not committed.keys() <= self.arrivals.keys():
                await asyncio.sleep(0.05)
        return sorted(max(0.0, self.arrivals[item] - at) for item, at in committed.items())


async def run(machine: Machine, size: int) -> Result:
    """`size` events each way, in turns."""
    async with _bare(machine) as bare, _ours(machine) as ours:
        await bare.send(WARM_UP)
        await ours.send(WARM_UP)
        each = size // TURNS
        pairs = await in_turns(ours=lambda: ours.send(each), limit=lambda: bare.send(each), rounds=TURNS)
    shown = median(pairs, lambda latencies: _percentile(latencies, 0.99))
    return Result(
        job="event end to end, p99",
        ours=_percentile(shown.ours, 0.99),
        limit=_percentile(shown.limit, 0.99),
        unit="ms",
        limit_is="one outbox row, NOTIFY, publish, pull, inbox row; no retry, no dead letter, no headers",
        budget=2.0,
        better="lower",
        p50=_percentile(shown.ours, 0.5),
        p99=_percentile(shown.ours, 0.99),
        note=f"at {RATE} a second; latency does not depend on how many events there were before",
    )


def _percentile(latencies: list[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000


@asynccontextmanager
async def _ours(machine: Machine) -> AsyncIterator[Path]:
    url = await machine.database("bench_events_from", MESSAGING)
    source = Database(url)
    target = _Noting(await machine.database("bench_events_to", MESSAGING))
    handlers = Handlers()

    @handlers.batch(ORDER_CANCELLED)
    async def note(session: Session, events: Sequence[Event[OrderCancelled]]) -> None:
        session.info[HANDLED] = [event.data.order_id for event in events]

    async def emit_one(event_id: UUID) -> float:
        data = OrderCancelled(order_id=event_id, version=1, at="2026-11-21T00:00:00Z", reason="bench")
        row = event_row(ORDER_CANCELLED, data, subject=event_id)
        await (await source.driver()).execute(INSERT, *columns([row]))
        committed = time.perf_counter()
        source.wake_relay()
        return committed

    path = Path(emit_one)
    target.arrivals = path.arrivals
    client = await Client.connect(machine.temporal.url, lazy=True, plugins=[plugin()])
    connections = [await bus.connect(machine.nats.url, name=f"bench {name}") for name in ("relay", "consumer")]
    tasks = [
        asyncio.create_task(Relay("orders", direct_url=url, nats=connections[0], temporal=client).run()),
        asyncio.create_task(Consumer("reporting", db=target, nats=connections[1], handlers=handlers).run()),
    ]
    try:
        yield path
    finally:
        await _end(tasks)
        for connection in connections:
            await connection.close()
        await source.close()
        await target.close()


class _Noting(Database):
    """A database that notes when the events handled in a transaction were committed."""

    arrivals: dict[UUID, float]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with super().transaction() as session:
            yield session
        now = time.perf_counter()
        for item in session.info.get(HANDLED, ()):
            self.arrivals.setdefault(item, now)


@asynccontextmanager
async def _bare(machine: Machine) -> AsyncIterator[Path]:
    url = await machine.database("bench_events_bare_from", OUTBOX)
    pool = await asyncpg.create_pool(url, min_size=10, max_size=10)
    target = await asyncpg.create_pool(await machine.database("bench_events_bare_to", INBOX), min_size=1, max_size=10)
    listener = await asyncpg.connect(url)
    wake = asyncio.Event()
    await listener.add_listener("bare", lambda *_: wake.set())
    connection = await nats.connect(machine.nats.url)
    js = connection.jetstream()
    await js.add_stream(StreamConfig(name="BARE", subjects=["bare.>"]))
    await js.add_consumer("BARE", ConsumerConfig(durable_name="bare", ack_policy="explicit"))  # type: ignore[arg-type]  # as the server writes it
    subscription = await js.pull_subscribe_bind(durable="bare", stream="BARE")

    async def relay() -> None:
        while True:
            wake.clear()
            rows = await pool.fetch("SELECT id, payload FROM outbox WHERE NOT sent ORDER BY id LIMIT 500")
            if rows:
                await asyncio.gather(
                    *(js.publish("bare.event", row["payload"].encode(), headers={"id": str(row["id"])}) for row in rows)
                )
                await pool.execute(
                    "UPDATE outbox SET sent = true WHERE id = ANY($1::uuid[])", [row["id"] for row in rows]
                )
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), 1)

    async def consume() -> None:
        while True:
            try:
                messages = await subscription.fetch(200, timeout=5)
            except TimeoutError:
                continue
            ids = [UUID((message.headers or {})["id"]) for message in messages]
            await target.execute("INSERT INTO inbox SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING", ids)
            now = time.perf_counter()
            for item in ids:
                path.arrivals.setdefault(item, now)
            for message in messages:
                await message.ack()

    async def emit_one(event_id: UUID) -> float:
        await pool.execute("INSERT INTO outbox (id, payload) VALUES ($1, $2)", event_id, '{"reason": "bench"}')
        committed = time.perf_counter()
        await pool.execute("NOTIFY bare")
        return committed

    path = Path(emit_one)
    tasks = [asyncio.create_task(relay()), asyncio.create_task(consume())]
    try:
        yield path
    finally:
        await _end(tasks)
        await connection.close()
        await listener.close()
        await pool.close()
        await target.close()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
