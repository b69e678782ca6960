"""Memory of an idle service: orders with all its roles, against a process with the same libraries connected and idle."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import asyncpg
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from bench.machine import READY_WITHIN, Machine, Measured, free_port, migrate, python
from bench.result import Result
from services.orders.app import SERVICE
from shared import bus

_LOCK = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
SETTLED = 10
"""Looks in a row, half a second apart, that find the same number of MiB."""


async def run(machine: Machine, size: int) -> Result:
    """One process each; `size` does not matter, because a process has one memory."""
    async with AsyncExitStack() as stack:
        limit = await _bare(machine, stack)
        ours = await _ours(machine, stack)
        return Result(
            job="idle memory",
            ours=await _settled(ours),
            limit=await _settled(limit),
            unit="MiB",
            limit_is="a process with FastAPI + SQLAlchemy + nats-py + temporalio, connected and idle",
            budget=1.5,
            better="lower",
            memory=ours.peak_memory,
            note="orders with all its roles; what is idle does not grow with the data",
        )


async def _settled(process: Measured) -> float:
    """Resident MiB once they stay the same."""
    same = 0
    last = process.memory
    while same < SETTLED:
        await asyncio.sleep(0.5)
        now = process.memory
        same = same + 1 if round(now) == round(last) else 0
        last = now
    return last


def _env(machine: Machine) -> dict[str, str]:
    return {"CHOT_NATS_URL": machine.nats.url, "TEMPORAL_ADDRESS": machine.temporal.url, "CHOT_LOG_LEVEL": "error"}


async def _bare(machine: Machine, stack: AsyncExitStack) -> Measured:
    url = await machine.database("bench_memory_bare")
    port = free_port()
    arguments = ["-m", "bench.bare", "idle", str(port), url]
    return await stack.enter_async_context(python(arguments, port=port, path="/docs", env=_env(machine)))


async def _ours(machine: Machine, stack: AsyncExitStack) -> Measured:
    url = await machine.database("bench_memory")
    port = free_port()
    env = {**_env(machine), "CHOT_DATABASE_URL": url, "CHOT_HTTP_PORT": str(port)}
    await migrate("orders", env)
    process = await stack.enter_async_context(python(["-m", "services.orders"], port=port, path="/readyz", env=env))
    await _all_roles_at_work(machine, url)
    return process


async def _all_roles_at_work(machine: Machine, url: str) -> None:
    """Until the relay holds its lock, the consumers are there and the activity worker asks for work."""
    nats = await bus.connect(machine.nats.url, name="bench memory")
    database = await asyncpg.connect(url)
    temporal = await Client.connect(machine.temporal.url)
    stream = nats.jetstream()
    queue = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name="orders"),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )

    async def relay() -> bool:
        return bool(await database.fetchval(f"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE {_LOCK})"))

    async def consumers() -> bool:
        return all([await stream.consumers_info(name) for name in SERVICE.all_handlers().streams])

    async def activities() -> bool:
        return bool((await temporal.workflow_service.describe_task_queue(queue)).pollers)

    try:
        async with asyncio.timeout(READY_WITHIN):
            for at_work in (relay, consumers, activities):
                while not await at_work():
                    await asyncio.sleep(0.1)
    finally:
        await database.close()
        await nats.close()
