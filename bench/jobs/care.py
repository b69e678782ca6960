"""Care begun: from somebody holding a number to the first task that is open for them, against a bare workflow.

Ours: orders in one process with all its roles, and the workflow worker in another. The numbers have become orders
before the clock starts. Then `leads.lead.assigned` of a burst of them is published; for each, the consumer writes the
owner, the care row and a workflow command, the relay starts the workflow, the workflow asks the activity, and the
activity reads the facts, decides and writes the task. The clock stops when all tasks stand in PostgreSQL.

The limit: as many workflows with one activity that does nothing, started with as many calls in flight as the relay has;
its clock stops when all activities have run. No database, no NATS, no timer, no details for an operator.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import asyncpg
from nats.js import JetStreamContext
from temporalio.client import Client
from temporalio.worker import Worker
from uuid_utils.compat import uuid7

from bench.bare_workflow import QUEUE, BareWorkflow, Counter
from bench.machine import Machine, Measured, free_port, migrate, python
from bench.pairs import in_turns, median
from bench.result import Result
from shared import bus
from shared.command_delivery import COMMAND_WINDOW
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import LEAD_ACCEPTED, LEAD_ASSIGNED, LeadAccepted, LeadAssigned, Source

ROUNDS = 3
"""Fewer and longer than elsewhere: a burst has to fill the pipeline."""
WARM_UP = 50
PATIENCE = 120.0
"""Seconds for one burst."""

Round = Callable[[int], Awaitable[float]]
"""Takes care of so many; returns how many a second that was."""


async def run(machine: Machine, size: int) -> Result:
    """`size` orders and as many bare workflows, in turns."""
    async with AsyncExitStack() as stack:
        limit = await bare_workflows(machine, stack)
        orders, ours, latency = await _ours(machine, stack)
        await limit(WARM_UP)
        await ours(WARM_UP)
        each = size // ROUNDS
        pairs = await in_turns(ours=lambda: ours(each), limit=lambda: limit(each), rounds=ROUNDS)
        shown = median(pairs, lambda rate: rate)
        p50, p99 = await latency()
        return Result(
            job="care begun",
            ours=shown.ours,
            limit=shown.limit,
            unit="orders/s",
            limit_is="a workflow with one activity that does nothing, on the same Temporal server",
            budget=0.5,
            p50=p50,
            p99=p99,
            memory=orders.peak_memory,
            note=f"bursts of {each}, p50 and p99 from the assignment; an order costs the same however many others are in care",
        )


async def bare_workflows(machine: Machine, stack: AsyncExitStack) -> Round:
    """Bursts of bare workflows with a worker in this process."""
    client = await Client.connect(machine.temporal.url)
    counter = Counter()
    numbers = count(1)
    worker = Worker(client, task_queue=QUEUE, workflows=[BareWorkflow], activities=[counter.nothing])
    await stack.enter_async_context(worker)

    async def burst(size: int) -> float:
        window = asyncio.Semaphore(COMMAND_WINDOW)
        ids = [next(numbers) for _ in range(size)]

        async def start(number: int) -> None:
            async with window:
                await client.start_workflow(BareWorkflow.run, id=f"bare/{number}", task_queue=QUEUE)

        started = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(start(number) for number in ids))
            await counter.wait(ids[-1])
        return size / (time.perf_counter() - started)

    return burst


@dataclass(frozen=True)
class _Leads:
    """The leads service, as orders sees it."""

    stream: JetStreamContext
    phones: count[int]

    async def accept(self, size: int) -> list[UUID]:
        """So many clean numbers, held by nobody yet."""
        facts = [
            LeadAccepted(
                lead_id=uuid7(),
                received_at=datetime.now(UTC),
                phone=f"+84{next(self.phones)}",
                name="Khách",
                product="KEM-01",
                source=Source(channel="landing_page"),
            )
            for _ in range(size)
        ]
        await self._publish(LEAD_ACCEPTED, {fact.lead_id: fact for fact in facts})
        return [fact.lead_id for fact in facts]

    async def assign(self, ids: list[UUID]) -> None:
        """Somebody holds these numbers now."""
        owner = uuid7()
        await self._publish(
            LEAD_ASSIGNED,
            {
                id: LeadAssigned(
                    lead_id=id,
                    assignment=1,
                    owner_id=owner,
                    owner_code="NV001",
                    team="Sale 1",
                    assigned_at=datetime.now(UTC),
                    cause="distribution",
                )
                for id in ids
            },
        )

    async def _publish(self, event_type: EventType, facts: dict[UUID, Contract]) -> None:
        def headers(subject: UUID) -> dict[str, str]:
            return {
                "ce-id": str(uuid7()),
                "ce-type": event_type.name,
                "ce-subject": str(subject),
                "ce-time": datetime.now(UTC).isoformat(),
                "ce-correlationid": str(subject),
            }

        await asyncio.gather(
            *(
                self.stream.publish(event_type.name, fact.model_dump_json().encode(), headers=headers(id), timeout=30)
                for id, fact in facts.items()
            )
        )


async def _ours(
    machine: Machine, stack: AsyncExitStack
) -> tuple[Measured, Round, Callable[[], Awaitable[tuple[float, float]]]]:
    url = await machine.database("bench_orders")
    env = {"CHOT_NATS_URL": machine.nats.url, "CHOT_LOG_LEVEL": "error", "TEMPORAL_ADDRESS": machine.temporal.url}
    port = free_port()
    await stack.enter_async_context(
        python(["-m", "workflows.worker"], port=port, path="/readyz", env={**env, "CHOT_HTTP_PORT": str(port)})
    )
    port = free_port()
    env |= {"CHOT_DATABASE_URL": url, "CHOT_HTTP_PORT": str(port)}
    await migrate("orders", env)
    orders = await stack.enter_async_context(python(["-m", "services.orders"], port=port, path="/readyz", env=env))
    database = await asyncpg.connect(url)
    stack.push_async_callback(database.close)
    nats = await bus.connect(machine.nats.url, name="bench care")
    stack.push_async_callback(nats.close)
    stream = nats.jetstream(timeout=30)
    await bus.ensure_streams(stream)
    leads = _Leads(stream, count(912_000_000))
    made = 0

    async def until(query: str) -> None:
        """Until as many rows as there are numbers."""
        async with asyncio.timeout(PATIENCE):
            while await database.fetchval(query) < made:
                await asyncio.sleep(0.02)

    async def burst(size: int) -> float:
        nonlocal made
        ids = await leads.accept(size)
        made += size
        await until("SELECT count(*) FROM orders")
        started = time.perf_counter()
        await leads.assign(ids)
        await until("SELECT count(*) FROM tasks WHERE closed_at IS NULL")
        return size / (time.perf_counter() - started)

    async def latency() -> tuple[float, float]:
        """p50 and p99 in milliseconds from the assignment to the decision that opened the task, past the warm-up."""
        p50, p99 = await database.fetchval(
            """
            SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM waited) * 1000)
            FROM (SELECT t.opened_at - o.assigned_at AS waited FROM tasks t JOIN orders o ON o.id = t.order_id
                ORDER BY t.order_id OFFSET $1) AS tasks
            """,
            WARM_UP,
        )
        return p50, p99

    return orders, burst, latency
