"""Workers are killed at random while a workbook is imported, and while the import is undone."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.engines import Nats, Temporal
from services.leads.app import SERVICE as LEADS
from services.orders.app import SERVICE as ORDERS
from tests.harness import TOLD, Databases, Running, eventually, running
from tests.integration.leads.imports_support import give_words, numbers, tables, upload

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
"""Seconds until an import has moved on: a killed worker is missed after some seconds, and another starts meanwhile."""


class Workers:
    """The processes that do the work: activities of leads, and workflows."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._running: dict[str, Process] = {}
        self.kills = 0

    async def start(self, module: str, *arguments: str) -> None:
        self._running[module] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, cwd=ROOT, env=self._env, stderr=asyncio.subprocess.DEVNULL
        )

    async def kill(self, module: str, *arguments: str) -> None:
        """`kill -9`, and another process in its place."""
        process = self._running.pop(module)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.kills += 1
        await self.start(module, *arguments)

    async def kill_one_of(self, chance: random.Random) -> None:
        if chance.random() < 0.75:
            await self.kill("services.leads", "activities")
        else:
            await self.kill("workflows.worker")

    async def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            await process.wait()


@asynccontextmanager
async def workers(leads: Running, nats: Nats, temporal: Temporal) -> AsyncIterator[Workers]:
    env = {
        **os.environ,
        "CHOT_DATABASE_URL": leads.url,
        "CHOT_NATS_URL": nats.url,
        "CHOT_HTTP_PORT": "0",
        "TEMPORAL_ADDRESS": temporal.url,
    }
    found = Workers(env)
    try:
        await found.start("services.leads", "activities")
        await found.start("workflows.worker")
        yield found
    finally:
        await found.stop()


async def read(client: httpx.AsyncClient, import_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/imports/{import_id}")).json())


async def when(client: httpx.AsyncClient, import_id: str, field: str, least: int) -> None:
    """Waits until an import is so far."""

    async def reached() -> bool:
        found = await read(client, import_id)
        return found[field] >= least or found["state"] in ("done", "undone")

    await eventually(reached, within=PATIENCE, every=0.01, what=f"{least} {field}")


async def ends(client: httpx.AsyncClient, import_id: str, state: str) -> dict[str, Any]:
    async def ended() -> bool:
        return bool((await read(client, import_id))["state"] == state)

    await eventually(ended, within=PATIENCE, every=0.1, what=f"the import is {state}")
    return await read(client, import_id)


@pytest.mark.parametrize(
    ("rows", "kills"),
    [pytest.param(9_000, 3, id="some"), pytest.param(100_000, 20, id="many", marks=pytest.mark.soak)],
)
async def test_every_row_has_one_verdict_however_often_workers_are_killed_and_undo_leaves_nothing(
    databases: Databases, nats: Nats, temporal_server: Temporal, rows: int, kills: int
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    content = await asyncio.to_thread(numbers, rows)
    async with (
        running(LEADS, databases, nats=nats, temporal=temporal_server) as leads,
        running(ORDERS, databases, nats=nats, temporal=temporal_server) as orders,
        workers(leads, nats, temporal_server) as working,
    ):
        leads.start("relay")
        orders.start("activities")
        client = await leads.client(expires_in=7_200)
        before = await tables(leads)
        made = (await upload(client, content)).json()
        for place in sorted(chance.randrange(rows) for _ in range(kills)):
            await when(client, made["id"], "rows_done", place)
            await working.kill_one_of(chance)
        done = await ends(client, made["id"], "done")
        assert working.kills == kills
        assert (done["rows_done"], done["leads"], done["duplicates"], done["rejected"]) == (rows, rows, 0, 0)
        (found,) = await leads.rows("SELECT count(*) AS rows, count(DISTINCT row_no) AS places FROM raw_items")
        assert (found.rows, found.places) == (rows, rows)
        (events,) = await leads.rows(
            "SELECT count(*) AS events, count(DISTINCT subject) AS leads, count(DISTINCT id) AS ids "
            f"FROM ({TOLD}) AS told WHERE type = 'leads.lead.accepted.v1'"
        )
        assert (events.events, events.leads, events.ids) == (rows, rows, rows)

        await client.post(f"/v1/imports/{made['id']}/undo", json={"reason": "nhầm tệp"})
        for place in sorted(chance.randrange(rows) for _ in range(kills // 4)):
            await when(client, made["id"], "undone", place)
            await working.kill_one_of(chance)
        undone = await ends(client, made["id"], "undone")
        assert (undone["undone"], undone["kept"]) == (rows, 0)
        await give_words(leads)  # as the service does by itself, to those that are left
        assert await tables(leads) == before
        (told,) = await leads.rows(
            "SELECT count(*) AS events, count(DISTINCT subject) AS leads FROM outbox WHERE type = 'leads.lead.withdrawn.v1'"
        )
        assert (told.events, told.leads) == (rows, rows)
