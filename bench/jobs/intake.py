"""Lead intake over HTTP: durable, phone read, deduplicated, with outbox row, against one bare INSERT statement."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

from bench.bare import SCHEMA
from bench.load import Load, load, request
from bench.machine import Machine, Measured, free_port, migrate, python
from bench.pairs import ROUNDS, in_turns, median
from bench.result import Result
from bench.tokens import issuer
from shared.contracts.permissions import LEADS_CREATE

CONNECTIONS = 64
WARM_UP = 500


def body(number: int) -> bytes:
    """A lead with a phone of its own in one of the ways people write it."""
    digits = f"{90_0000000 + number:09d}"
    phone = (f"0{digits}", f"+84{digits}", f"0{digits[:2]}.{digits[2:5]}.{digits[5:]}")[number % 3]
    return json.dumps({"phone": phone, "name": f"Khách {number}", "product": "KEM-01"}).encode()


async def run(machine: Machine, size: int) -> Result:
    """`size` leads each way, in turns."""
    async with AsyncExitStack() as stack:
        limit = await _bare(machine, stack)
        process, ours = await _ours(machine, stack)
        await limit(WARM_UP)
        await ours(WARM_UP)
        each = size // ROUNDS
        pairs = await in_turns(ours=lambda: ours(each), limit=lambda: limit(each))
        shown = median(pairs, lambda result: result.rate)
        if any(set(pair.ours.statuses) != {201} for pair in pairs):
            raise RuntimeError(f"not every lead was taken in: {[pair.ours.statuses for pair in pairs]}")
        return Result(
            job="lead intake",
            ours=shown.ours.rate,
            limit=shown.limit.rate,
            unit="req/s",
            limit_is="FastAPI + one asyncpg statement: key, lead, outbox row",
            budget=0.5,
            p50=shown.ours.percentile(0.5) * 1000,
            p99=shown.ours.percentile(0.99) * 1000,
            memory=process.peak_memory,
            note=f"{CONNECTIONS} connections; a lead costs one index look-up in the window, so the same at ten times the leads",
        )


async def _bare(machine: Machine, stack: AsyncExitStack) -> Load:
    url = await machine.database("bench_intake_bare", SCHEMA)
    port = free_port()
    await stack.enter_async_context(
        python(["-m", "bench.bare", "intake", str(port), url], port=port, path="/docs", env={})
    )
    return load(port, lambda number, host: request("/leads", body(number), host=host), connections=CONNECTIONS)


async def _ours(machine: Machine, stack: AsyncExitStack) -> tuple[Measured, Load]:
    url = await machine.database("bench_leads")
    port = free_port()
    tokens = await stack.enter_async_context(issuer())
    env = {
        "CHOT_DATABASE_URL": url,
        "CHOT_NATS_URL": machine.nats.url,
        "CHOT_HTTP_PORT": str(port),
        "CHOT_JWKS_URL": tokens.jwks_url,
        "CHOT_LOG_LEVEL": "warning",
        "TEMPORAL_ADDRESS": machine.temporal.url,
    }
    await migrate("leads", env)
    process = await stack.enter_async_context(
        python(["-m", "services.leads", "api"], port=port, path="/readyz", env=env)
    )
    headers = {"Authorization": f"Bearer {tokens.token(LEADS_CREATE)}"}

    def make(number: int, host: str) -> bytes:
        return request("/v1/leads", body(number), host=host, headers=headers)

    return process, load(port, make, connections=CONNECTIONS)
