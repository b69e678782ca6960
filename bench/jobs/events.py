"""Event end to end at 200 a second: commit → outbox → JetStream → inbox row and effect in another service's database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import nats
from nats.js.api import ConsumerConfig, StreamConfig
from sqlalchemy import text
from temporalio.client import Client
from uuid_utils.compat import uuid7

from bench.machine import Machine
from bench.result import Result
from shared import bus
from shared.consumer import Consumer, Event, Handlers
from shared.contracts.events.orders import ORDER_CANCELLED, OrderCancelled
from shared.db import Database, Session
from shared.migrations import MESSAGING
from shared.outbox import emit
from shared.relay import Relay
from shared.temporal import plugin

RATE = 200
"""Events a second: a company with 50 salespeople has a tenth of it at its busiest."""
WARM_UP = 100

BARE = """
CREATE TABLE outbox (id uuid PRIMARY KEY, payload json NOT NULL, sent boolean NOT NULL DEFAULT false);
CREATE INDEX ON outbox (id) WHERE NOT sent;
CREATE TABLE inbox (id uuid PRIMARY KEY)
"""

Emit = Callable[[UUID], Awaitable[None]]


async def run(machine: Machine, size: int) -> Result:
    """`size` events each way, one after the other."""
    bare = await _bare(machine, size)
    ours = await _ours(machine, size)
    return Result(
        job=f"event end to end at {RATE}/s, p99",
        ours=_percentile(ours, 0.99),
        limit=_percentile(bare, 0.99),
        unit="ms",
        limit_is="one outbox row, NOTIFY, publish, pull, inbox row; no retry, no dead letter, no headers",
        budget=2.0,
        better="lower",
        p50=_percentile(ours, 0.5),
        p99=_percentile(ours, 0.99),
        note="latency does not depend on how many events there were before",
    )


def _percentile(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def _pace(emit_one: Emit, arrivals: dict[UUID, float], size: int) -> list[float]:
    """Emits at the rate, whatever the answers; returns seconds from commit to effect for each event."""
    committed: dict[UUID, float] = {}

    async def one() -> None:
        event_id = uuid7()
        await emit_one(event_id)
        committed[event_id] = time.perf_counter()

    loop = asyncio.get_running_loop()
    start = loop.time()
    tasks = []
    for number in range(WARM_UP + size):
        delay = start + number / RATE - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    async with asyncio.timeout(30):
        while len(arrivals) < len(committed):
            await asyncio.sleep(0.05)
    ordered = sorted(committed, key=lambda item: committed[item])[WARM_UP:]
    return [max(0.0, arrivals[item] - committed[item]) for item in ordered]


async def _ours(machine: Machine, size: int) -> list[float]:
    url = await machine.database("bench_events", MESSAGING)
    db = Database(url)
    arrivals: dict[UUID, float] = {}
    handlers = Handlers()

    @handlers.each(ORDER_CANCELLED)
    async def effect(session: Session, event: Event[OrderCancelled]) -> None:
        await session.execute(text("SELECT 1"))
        session.info.setdefault("handled", []).append(event.data.order_id)

    original = db.transaction

    def noting() -> Any:
        return _noting(original(), arrivals)

    db.transaction = noting  # type: ignore[method-assign]  # the moment of commit is what is measured
    client = await Client.connect(machine.temporal.url, lazy=True, plugins=[plugin()])
    connections = [await bus.connect(machine.nats.url, name=f"bench {name}") for name in ("relay", "consumer")]
    tasks = [
        asyncio.create_task(Relay("orders", direct_url=url, nats=connections[0], temporal=client).run()),
        asyncio.create_task(Consumer("orders", db=db, nats=connections[1], handlers=handlers).run()),
    ]

    async def emit_one(event_id: UUID) -> None:
        async with original() as session:
            data = OrderCancelled(order_id=event_id, version=1, at="2026-11-21T00:00:00Z", reason="bench")
            await emit(session, ORDER_CANCELLED, data, subject=event_id)

    try:
        return await _pace(emit_one, arrivals, size)
    finally:
        await _end(tasks)
        for connection in connections:
            await connection.close()
        await db.close()


class _noting:
    """A transaction that notes when the events handled in it were committed."""

    def __init__(self, inner: Any, arrivals: dict[UUID, float]) -> None:
        self._inner = inner
        self._arrivals = arrivals

    async def __aenter__(self) -> Session:
        session: Session = await self._inner.__aenter__()
        self._session = session
        return session

    async def __aexit__(self, *error: Any) -> Any:
        result = await self._inner.__aexit__(*error)
        now = time.perf_counter()
        for item in self._session.info.get("handled", ()):
            self._arrivals.setdefault(item, now)
        return result


async def _bare(machine: Machine, size: int) -> list[float]:
    url = await machine.database("bench_events_bare", BARE)
    pool = await asyncpg.create_pool(url, min_size=10, max_size=10)
    listener = await asyncpg.connect(url)
    wake = asyncio.Event()
    await listener.add_listener("bare", lambda *_: wake.set())
    connection = await nats.connect(machine.nats.url)
    js = connection.jetstream()
    await js.add_stream(StreamConfig(name="BARE", subjects=["bare.>"]))
    await js.add_consumer("BARE", ConsumerConfig(durable_name="bare", ack_policy="explicit"))  # type: ignore[arg-type]  # as the server writes it
    subscription = await js.pull_subscribe_bind(durable="bare", stream="BARE")
    arrivals: dict[UUID, float] = {}

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
            await pool.execute("INSERT INTO inbox SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING", ids)
            now = time.perf_counter()
            for item in ids:
                arrivals.setdefault(item, now)
            for message in messages:
                await message.ack()

    async def emit_one(event_id: UUID) -> None:
        await pool.execute("INSERT INTO outbox (id, payload) VALUES ($1, $2)", event_id, '{"reason": "bench"}')
        await pool.execute("NOTIFY bare")

    tasks = [asyncio.create_task(relay()), asyncio.create_task(consume())]
    try:
        return await _pace(emit_one, arrivals, size)
    finally:
        await _end(tasks)
        await connection.close()
        await listener.close()
        await pool.close()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
