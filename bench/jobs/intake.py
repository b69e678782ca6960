"""Lead intake over HTTP: durable, phone read, deduplicated, with outbox row, against one bare INSERT statement."""

from __future__ import annotations

import json
from collections.abc import Callable

from bench.bare import SCHEMA
from bench.load import LoadResult, request, run_load
from bench.machine import Machine, free_port, migrate, python
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
    """`size` leads each way, one after the other."""
    limit = await _bare(machine, size)
    ours, memory = await _ours(machine, size)
    if set(ours.statuses) != {201}:
        raise RuntimeError(f"not every lead was taken in: {ours.statuses}")
    return Result(
        job=f"lead intake over HTTP, {CONNECTIONS} connections",
        ours=ours.rate,
        limit=limit.rate,
        unit="requests/s",
        limit_is="FastAPI + one asyncpg statement: key, lead, outbox row",
        budget=0.5,
        p50=ours.percentile(0.5) * 1000,
        p99=ours.percentile(0.99) * 1000,
        memory=memory,
        note="a lead costs one index look-up in the window, so the same at ten times the leads",
    )


async def _load(port: int, path: str, size: int, headers: dict[str, str]) -> LoadResult:
    host = f"127.0.0.1:{port}"

    def make(offset: int) -> Callable[[int], bytes]:
        return lambda number: request(path, body(offset + number), host=host, headers=headers)

    await run_load("127.0.0.1", port, make(0), count=WARM_UP, connections=CONNECTIONS)
    return await run_load("127.0.0.1", port, make(WARM_UP), count=size, connections=CONNECTIONS)


async def _bare(machine: Machine, size: int) -> LoadResult:
    url = await machine.database("bench_intake_bare", SCHEMA)
    port = free_port()
    async with python(["-m", "bench.bare", "intake", str(port), url], port=port, path="/docs", env={}):
        return await _load(port, "/leads", size, {})


async def _ours(machine: Machine, size: int) -> tuple[LoadResult, float]:
    url = await machine.database("bench_leads")
    port = free_port()
    async with issuer() as tokens:
        env = {
            "CHOT_DATABASE_URL": url,
            "CHOT_NATS_URL": machine.nats.url,
            "CHOT_HTTP_PORT": str(port),
            "CHOT_JWKS_URL": tokens.jwks_url,
            "CHOT_LOG_LEVEL": "warning",
            "TEMPORAL_ADDRESS": machine.temporal.url,
        }
        await migrate("leads", env)
        async with python(["-m", "services.leads", "api"], port=port, path="/readyz", env=env) as process:
            headers = {"Authorization": f"Bearer {tokens.token(LEADS_CREATE)}"}
            result = await _load(port, "/v1/leads", size, headers)
            return result, process.memory
