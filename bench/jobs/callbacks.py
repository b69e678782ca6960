"""Carrier callbacks accepted: durable as they came before the 200, against a bare check, parse and insert.

Ours is the `api` role of shipping with one carrier connection: the secret of the path is compared with the hashes held,
headers and body are kept as they came, many callbacks in one statement, and whoever applies them is told. GHTK's two
forms take turns. The limit gets the same callbacks as JSON only, because it parses them; ours leaves that for later.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import asyncpg
from uuid_utils.compat import uuid7

from bench.bare import SCHEMA
from bench.load import Load, LoadResult, load, request
from bench.machine import Machine, Measured, free_port, migrate, python
from bench.pairs import ROUNDS, in_turns, median
from bench.result import Result

CONNECTIONS = 64
WARM_UP = 500
FORM = "application/x-www-form-urlencoded"
SECRET = "the-secret-part-of-a-callback-address-4711"
KEY = "q0TtyUo1Gn7xv2kS9cLr5wZb8eHj4pMd3fAiXgQyVNE="
"""Of this throw-away database."""

_CONNECTION = """
INSERT INTO carrier_connections
    (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up, requests_per_second)
VALUES ($1, 'ghtk', 'bench', 'http://127.0.0.1:9', '', $2, '{}', 1)
"""


def callback(number: int) -> dict[str, str | int | float]:
    """The fields that GHTK documents for a change of status."""
    return {
        "label_id": f"S1.A1.17373471.{number:08d}",
        "partner_id": f"DH{number:08d}-1",
        "status_id": (2, 3, 4, 5)[number % 4],
        "action_time": "2026-11-21T12:18:39+07:00",
        "reason_code": "",
        "reason": "",
        "weight": 0.4,
        "fee": 22_000,
        "pick_money": 350_000,
        "return_part_package": 0,
    }


async def run(machine: Machine, size: int) -> Result:
    """`size` callbacks each way, in turns."""
    async with AsyncExitStack() as stack:
        limit = await _bare(machine, stack)
        process, url, ours = await _ours(machine, stack)
        await limit(WARM_UP)
        await ours(WARM_UP)
        each = size // ROUNDS
        pairs = await in_turns(ours=lambda: ours(each), limit=lambda: limit(each))
        await _check(url, [pair.ours for pair in pairs])
        shown = median(pairs, lambda result: result.rate)
        return Result(
            job="callbacks accepted",
            ours=shown.ours.rate,
            limit=shown.limit.rate,
            unit="req/s",
            limit_is="FastAPI + HMAC + JSON + one asyncpg insert into a raw inbox",
            budget=0.7,
            p50=shown.ours.percentile(0.5) * 1000,
            p99=shown.ours.percentile(0.99) * 1000,
            memory=process.peak_memory,
            note=f"{CONNECTIONS} connections; an append to one table, so the same at ten times the callbacks",
        )


async def _bare(machine: Machine, stack: AsyncExitStack) -> Load:
    url = await machine.database("bench_callbacks_bare", SCHEMA)
    port = free_port()
    await stack.enter_async_context(
        python(["-m", "bench.bare", "callbacks", str(port), url], port=port, path="/docs", env={})
    )
    return load(
        port,
        lambda number, host: request("/callbacks", json.dumps(callback(number)).encode(), host=host),
        connections=CONNECTIONS,
    )


async def _ours(machine: Machine, stack: AsyncExitStack) -> tuple[Measured, str, Load]:
    url = await machine.database("bench_shipping")
    port = free_port()
    env = {
        "CHOT_DATABASE_URL": url,
        "CHOT_NATS_URL": machine.nats.url,
        "CHOT_HTTP_PORT": str(port),
        "CHOT_LOG_LEVEL": "warning",
        "CHOT_CREDENTIALS_KEY": KEY,
        "TEMPORAL_ADDRESS": machine.temporal.url,
    }
    await migrate("shipping", env)
    connection = await asyncpg.connect(url)
    await connection.execute(_CONNECTION, uuid7(), hashlib.sha256(SECRET.encode()).digest())
    await connection.close()
    process = await stack.enter_async_context(
        python(["-m", "services.shipping", "api"], port=port, path="/readyz", env=env)
    )

    def make(number: int, host: str) -> bytes:
        path, fields = f"/v1/hooks/carriers/{SECRET}", callback(number)
        if number % 2:
            return request(path, json.dumps(fields).encode(), host=host)
        return request(path, urlencode(fields).encode(), host=host, content_type=FORM)

    return process, url, load(port, make, connections=CONNECTIONS)


async def _check(url: str, results: list[LoadResult]) -> None:
    """Every callback was answered 200 and is in the database."""
    statuses = {status for result in results for status in result.statuses}
    answered = WARM_UP + sum(result.requests for result in results)
    connection = await asyncpg.connect(url)
    kept = await connection.fetchval("SELECT count(*) FROM callbacks_raw")
    await connection.close()
    if statuses != {200} or kept != answered:
        raise RuntimeError(f"{answered} callbacks were answered {statuses}, {kept} were kept")
