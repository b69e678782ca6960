"""Memory of an idle process of each service with all its roles, against one with the same libraries connected and idle."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AsyncExitStack
from typing import Final

import asyncpg
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from bench.machine import READY_WITHIN, Machine, Measured, free_port, migrate, python
from bench.result import Result
from deploy.local.keys import Keys
from deploy.local.layout import SERVICES
from shared import bus
from shared.service import Service

WITH_ACTIVITIES: Final = ("leads", "orders", "shipping")
_LOCK = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
SETTLED = 10
"""Looks in a row, half a second apart, that find the same number of MiB."""


async def run(machine: Machine, size: int) -> Result:
    """One process after the other; `size` does not matter, because a process has one memory."""
    async with AsyncExitStack() as stack:
        limit = await _settled(await _bare(machine, stack))
    ours: dict[str, float] = {}
    peaks: list[float] = []
    for name in SERVICES:
        async with AsyncExitStack() as stack:
            process = await _ours(machine, stack, name)
            ours[name] = await _settled(process)
            peaks.append(process.peak_memory)
    return Result(
        job="idle memory",
        ours=max(ours.values()),
        limit=limit,
        unit="MiB",
        limit_is="a process with FastAPI + SQLAlchemy + nats-py + temporalio, connected and idle",
        budget=1.5,
        better="lower",
        memory=max(peaks),
        note=f"the largest of {', '.join(f'{name} {size:.0f}' for name, size in ours.items())}, each with all its roles; "
        "the first token brings 9 MiB; what is idle does not grow with the data",
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


def _secrets(machine: Machine) -> dict[str, str]:
    keys = Keys(machine.directory / "keys")
    return {
        "CHOT_CREDENTIALS_KEY": keys.credentials_key(),
        "CHOT_TOKEN_SIGNING_KEY": keys.token_signing_key(),
        "CHOT_BOOTSTRAP_PASSWORD": keys.bootstrap_password(),
    }


async def _bare(machine: Machine, stack: AsyncExitStack) -> Measured:
    url = await machine.database("bench_memory_bare")
    port = free_port()
    arguments = ["-m", "bench.bare", "idle", str(port), url]
    return await stack.enter_async_context(python(arguments, port=port, path="/docs", env=_env(machine)))


async def _ours(machine: Machine, stack: AsyncExitStack, name: str) -> Measured:
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    url = await machine.database(f"bench_memory_{name}")
    port = free_port()
    env = {**_env(machine), **_secrets(machine), "CHOT_DATABASE_URL": url, "CHOT_HTTP_PORT": str(port)}
    await migrate(name, env)
    process = await stack.enter_async_context(python(["-m", f"services.{name}"], port=port, path="/readyz", env=env))
    await _all_roles_at_work(machine, service, url)
    return process


async def _all_roles_at_work(machine: Machine, service: Service, url: str) -> None:
    """Until the relay holds its lock, the consumers are there and the activity worker asks for work."""
    nats = await bus.connect(machine.nats.url, name="bench memory")
    database = await asyncpg.connect(url)
    temporal = await Client.connect(machine.temporal.url)
    stream = nats.jetstream()
    queue = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=service.name),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )

    async def relay() -> bool:
        return bool(await database.fetchval(f"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE {_LOCK})"))

    async def consumers() -> bool:
        durables = [await stream.consumers_info(name) for name in service.all_handlers().streams]
        return all(any(each.name == service.name for each in of_stream) for of_stream in durables)

    async def activities() -> bool:
        return service.name not in WITH_ACTIVITIES or bool(
            (await temporal.workflow_service.describe_task_queue(queue)).pollers
        )

    try:
        async with asyncio.timeout(READY_WITHIN):
            for at_work in (relay, consumers, activities):
                while not await at_work():
                    await asyncio.sleep(0.1)
    finally:
        await database.close()
        await nats.close()
