"""Workers are killed at random while running care goes over to another version of its process, and people go on calling."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats, Temporal
from services.orders.app import SERVICE
from shared.consumer import apply_once, read_event
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import LEAD_ACCEPTED, LEAD_ASSIGNED, LeadAssigned
from tests.harness import Databases, Running, eventually, running
from tests.integration.orders.process_support import KEY, ask_again, published
from tests.integration.orders.support import Clock, Shop, accepted, staffed

ROOT = Path(__file__).parents[2]
URL = f"/v1/care-processes/{KEY}/moves"
PATIENCE = 900.0
"""Seconds for a phase: a killed worker is missed after some seconds, and another starts meanwhile."""
BATCH = 200
"""Events in one transaction, as the consumer takes them."""


WITHOUT_TASK = """
SELECT count(*) FROM care c WHERE NOT EXISTS (
    SELECT FROM tasks t WHERE t.order_id = c.order_id AND t.closed_at IS NULL AND t.key = c.state ->> 'task')
"""
LOST = """
SELECT count(*) FROM promises p WHERE ended_at IS NULL AND NOT EXISTS (
    SELECT FROM tasks t WHERE t.order_id = p.order_id AND t.key = p.task_key AND t.closed_at IS NULL)
"""


class Now(Clock):
    """The clock of the wall, which the processes beside this one have as well."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Workers:
    """The processes that are killed: activities of orders, and workflows."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._running: dict[tuple[str, ...], Process] = {}
        self.kills = 0

    async def start(self, *command: str) -> None:
        self._running[command] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=ROOT, env=self._env, stderr=asyncio.subprocess.DEVNULL
        )

    async def kill_one(self, chance: random.Random) -> None:
        """`kill -9`, and another process in its place."""
        command = ("services.orders", "activities") if chance.random() < 0.8 else ("workflows.worker",)
        process = self._running.pop(command)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.kills += 1
        await self.start(*command)

    async def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            await process.wait()


@asynccontextmanager
async def workers(orders: Running, nats: Nats, temporal: Temporal) -> AsyncIterator[Workers]:
    env = {
        **os.environ,
        "CHOT_DATABASE_URL": orders.url,
        "CHOT_NATS_URL": nats.url,
        "CHOT_HTTP_PORT": "0",
        "TEMPORAL_ADDRESS": temporal.url,
    }
    found = Workers(env)
    try:
        await found.start("services.orders", "activities")
        await found.start("workflows.worker")
        yield found
    finally:
        await found.stop()


async def numbers(shop: Shop, count: int) -> list[UUID]:
    """Numbers that NV01 holds; their care begins as their workflows look."""
    leads = [accepted(at=datetime.now(UTC)) for _ in range(count)]
    for begin in range(0, count, BATCH):
        chunk = leads[begin : begin + BATCH]
        held = [
            LeadAssigned(
                lead_id=lead.lead_id,
                assignment=1,
                owner_id=shop.sale.id,
                owner_code=shop.sale.code,
                team="S1",
                assigned_at=datetime.now(UTC),
                cause="distribution",
            )
            for lead in chunk
        ]
        await tell(shop.service, LEAD_ACCEPTED, [(lead.lead_id, lead) for lead in chunk])
        await tell(shop.service, LEAD_ASSIGNED, [(one.lead_id, one) for one in held])
    return [lead.lead_id for lead in leads]


async def tell(service: Running, kind: EventType, facts: list[tuple[UUID, Contract]]) -> None:
    events = [
        read_event(
            {
                "ce-id": str(uuid7()),
                "ce-type": kind.name,
                "ce-subject": str(subject),
                "ce-time": "2026-11-21T00:00:00+00:00",
                "ce-correlationid": "test",
            },
            fact.model_dump_json().encode(),
        )
        for subject, fact in facts
    ]
    async with service.db.transaction() as session:
        await apply_once(session, SERVICE.name, SERVICE.all_handlers(), events)


async def read(shop: Shop, move_id: str) -> dict[str, Any]:
    return dict((await shop.admin.client.get(f"{URL}/{move_id}")).json())


async def one(shop: Shop, sql: str) -> int:
    (row,) = await shop.service.rows(sql)
    return int(row[0])


async def call(shop: Shop, order_id: UUID, chance: random.Random) -> None:
    """Somebody logs a call; what was promised is promised for a time days ahead."""
    result = chance.choice(["no_answer", "thinking", "call_later", "busy"])
    promised = (datetime.now(UTC) + timedelta(days=3, minutes=chance.randrange(600))).isoformat()
    answer = await shop.call(order_id, result, **({"promised_at": promised} if result == "call_later" else {}))
    assert answer.status_code == 201, answer.text


async def by_hand(shop: Shop, order_id: UUID, chance: random.Random) -> None:
    """Somebody sets the level, and the care goes to the step of that."""
    to = chance.choice(["L1.2", "L1.4", "L1.6"])
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/level", json={"to": to, "reason": "thử"})
    assert answer.status_code == 200, answer.text


async def together(doings: Iterable[Coroutine[Any, Any, None]]) -> None:
    """As eight people work."""
    people = asyncio.Semaphore(8)

    async def do(doing: Coroutine[Any, Any, None]) -> None:
        async with people:
            await doing

    await asyncio.gather(*map(do, doings))


async def moved(shop: Shop, move_id: str, least: int) -> bool:
    found = await read(shop, move_id)
    return found["state"] == "done" or found["counts"]["state"].get("moved", 0) >= least


@pytest.mark.parametrize(
    ("count", "kills", "calls"),
    [pytest.param(30, 1, 0, id="some"), pytest.param(2_000, 12, 300, id="many", marks=pytest.mark.soak)],
)
async def test_running_care_goes_over_once_each_however_often_workers_are_killed(
    databases: Databases, nats: Nats, temporal_server: Temporal, count: int, kills: int, calls: int
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with (
        running(SERVICE, databases, nats=nats, temporal=temporal_server, filled=staffed) as service,
        workers(service, nats, temporal_server) as working,
    ):
        service.start("relay")
        shop = await Shop.open(service, Now())
        for person in (shop.admin, shop.sale):
            person.client = await service.client(account_id=person.id, code=person.code, team="S1", expires_in=7_200)
        orders = await numbers(shop, count)
        unbegun = "SELECT count(*) FROM care WHERE state IS NULL"
        await eventually(lambda: none(shop, unbegun), within=PATIENCE, every=0.2, what="every care has begun")
        await together(by_hand(shop, order_id, chance) for order_id in chance.sample(orders, count * 2 // 3))
        await together(call(shop, order_id, chance) for order_id in chance.sample(orders, calls))
        promised = await agreed(shop)

        to = await published(service, ask_again)
        began = datetime.now(UTC)
        made = (
            await shop.admin.client.post(URL, json={"to_version": to, "reason": "thử", "per_minute": 60_000})
        ).json()
        await eventually(lambda: in_state(shop, made["id"], "previewed"), within=PATIENCE, every=0.1, what="previewed")
        previewed = await read(shop, made["id"])
        assert previewed["total"] == sum(previewed["counts"]["change"].values()) == count
        print(f"previewed {count} in {datetime.now(UTC) - began}: {previewed['counts']}")

        began = datetime.now(UTC)
        await shop.admin.client.post(f"{URL}/{made['id']}/start")
        places = sorted(chance.randrange(count) for _ in range(kills))
        touched = set()
        for place in places:
            await eventually(lambda place=place: moved(shop, made["id"], place), within=PATIENCE, every=0.02)  # type: ignore[misc]  # bound now
            await working.kill_one(chance)
            for busy in chance.sample(orders, min(calls, 1)):  # who was called is left for a minute
                touched.add(busy)
                await call(shop, busy, chance)
        await eventually(lambda: in_state(shop, made["id"], "done"), within=PATIENCE, every=0.2, what="moved")
        done = await read(shop, made["id"])
        print(f"moved in {datetime.now(UTC) - began} with {working.kills} kills: {done['counts']}")

        assert working.kills == kills
        assert done["counts"]["state"] == {"moved": count}
        assert await one(shop, f"SELECT count(*) FROM care WHERE process_version <> {to} OR NOT is_open") == 0
        assert await one(shop, "SELECT count(*) FROM care WHERE (state ->> 'moves')::int <> 1") == 0
        # Nothing dropped: every care has its task, every promise that is open its task, and those agreed their times.
        assert await one(shop, WITHOUT_TASK) == 0
        assert await one(shop, LOST) == 0
        after = await agreed(shop)
        assert {order: due for order, due in promised.items() if order not in touched} == {
            order: due for order, due in after.items() if order in promised and order not in touched
        }
        # Nothing repeated: one call is owed for each order, and the move cancelled none.
        assert await one(shop, "SELECT count(*) FROM tasks WHERE closed_at IS NULL AND kind = 'call'") == count
        assert await one(shop, "SELECT count(*) FROM promises WHERE cause = 'process_moved'") == 0


async def none(shop: Shop, sql: str) -> bool:
    return await one(shop, sql) == 0


async def in_state(shop: Shop, move_id: str, state: str) -> bool:
    return bool((await read(shop, move_id))["state"] == state)


async def agreed(shop: Shop) -> dict[UUID, datetime]:
    """Orders whose customer was promised a time, and which."""
    rows = await shop.service.rows(
        "SELECT order_id, due_at FROM tasks WHERE closed_at IS NULL AND step = 'callback' AND kind = 'call'"
    )
    return {row.order_id: row.due_at for row in rows}
