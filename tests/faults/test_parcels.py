"""A carrier that creates and then times out, and hands back cancelled twins, while workers are killed: no parcel twice, none
that nobody knows of."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import Client

from deploy.local.engines import Nats, Temporal
from deploy.local.ghtk import Faults, GhtkSimulator, Status
from services.shipping import creation
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually
from tests.integration.shipping.support import KEY, Shop, open_shop
from tests.integration.shipping.test_creation import living
from workflows import search_attributes
from workflows.worker import make_current

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
"""Seconds for a share of the parcels: a killed worker is missed after some seconds, and another starts meanwhile."""
AT_ONCE = 50
CANCELLED_EACH = 10
"""Of so many orders one is cancelled while its parcel is made."""
ROLES = (("services.shipping", "activities"), ("workflows.worker",))


class Workers:
    """The processes that are killed."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._running: list[tuple[tuple[str, ...], Process]] = []

    async def start(self, command: tuple[str, ...]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=ROOT, env=self._env, stderr=asyncio.subprocess.DEVNULL
        )
        self._running.append((command, process))

    async def kill_one(self, chance: random.Random) -> None:
        """`kill -9`, and another process in its place."""
        command, process = self._running.pop(chance.randrange(len(self._running)))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await self.start(command)

    async def stop(self) -> None:
        for _, process in self._running:
            process.kill()
            await process.wait()


@asynccontextmanager
async def workers(shop: Shop, nats: Nats, temporal: Temporal) -> AsyncIterator[Workers]:
    env = {
        **os.environ,
        "CHOT_DATABASE_URL": shop.running.url,
        "CHOT_NATS_URL": nats.url,
        "CHOT_HTTP_PORT": "0",
        "CHOT_CREDENTIALS_KEY": KEY,
        "CHOT_CARRIER_TIMEOUT": "5",
        "TEMPORAL_ADDRESS": temporal.url,
    }
    found = Workers(env)
    try:
        for command in (*ROLES, ROLES[0]):
            await found.start(command)
        yield found
    finally:
        await found.stop()


@pytest.fixture
async def client(temporal_server: Temporal) -> AsyncIterator[Client]:
    found = await connected(await connect(temporal_server))
    await ensure_search_attributes(found, search_attributes.ALL)
    await make_current(found)
    yield found
    # The queues are the product's own, so a workflow left over would find the next test's database.
    async for execution in found.list_workflows("ExecutionStatus = 'Running'"):
        await found.get_workflow_handle(execution.id).terminate()


@dataclass(frozen=True)
class Lot:
    """Orders that were posted, of which some were cancelled."""

    shop: Shop
    codes: dict[UUID, str]
    given_up: list[UUID]

    @property
    def wanted(self) -> set[str]:
        """Codes of those that were not cancelled."""
        return set(self.codes.values()) - {self.codes[order_id] for order_id in self.given_up}

    async def settled(self, share: float) -> bool:
        """Whether so many of them have a parcel, or need none any more."""
        [row] = await self.shop.running.rows(
            "SELECT count(*) AS settled FROM shipments WHERE status IN ('accepted', 'cancelled')"
        )
        return bool(row.settled >= share * len(self.codes))


async def posted_while_killed(shop: Shop, working: Workers, *, orders: int, kills: int, chance: random.Random) -> Lot:
    """Posts orders, kills workers while their parcels are made, and cancels some of the orders at the same time."""
    codes = [f"DH-{number:08d}" for number in range(orders)]
    ids: list[UUID] = []
    for begin in range(0, orders, AT_ONCE):
        ids += await asyncio.gather(*(post(shop, code) for code in codes[begin : begin + AT_ONCE]))
    lot = Lot(shop, dict(zip(ids, codes, strict=True)), ids[::CANCELLED_EACH])
    for number in range(kills):
        await eventually(partial(lot.settled, number / (kills + 1)), within=PATIENCE, every=0.1)
        await working.kill_one(chance)
        for order_id in lot.given_up[number::kills]:
            await shop.cancel_order(order_id)
    return lot


@pytest.mark.parametrize(
    ("orders", "kills", "twins"), [(40, 2, 0.2), pytest.param(2_000, 20, 0.05, marks=pytest.mark.soak)]
)
async def test_time_outs_twins_and_killed_workers_leave_exactly_one_live_parcel_an_order(
    databases: Databases, nats: Nats, temporal_server: Temporal, client: Client, orders: int, kills: int, twins: float
) -> None:
    chance = random.Random(5)
    faults = Faults(create_timeout=0.3, cancelled_twin=twins, error_after=0.05, create_timeout_seconds=0.5)
    async with (
        GhtkSimulator(faults=faults) as ghtk,
        open_shop(databases, ghtk, nats=nats, temporal=temporal_server) as shop,
        workers(shop, nats, temporal_server) as working,
    ):
        shop.running.start("relay")
        lot = await posted_while_killed(shop, working, orders=orders, kills=kills, chance=chance)

        async def at_rest() -> bool:
            known = await shop.states()
            alive = {each.waybill for each in ghtk.shipments if each.status != Status.CANCELLED}
            open_now = {waybill for waybill, status in known.items() if status != "cancelled"}
            return await lot.settled(1) and open_now == alive

        await eventually(at_rest, within=PATIENCE, every=0.5)
        assert ghtk.stats.timed_out > orders / 20, "nothing timed out, so nothing was adopted"
        assert ghtk.stats.cancelled_twins > 0
        alive = living(ghtk)
        wanted = lot.wanted
        assert {code: alive[code] for code in wanted} == dict.fromkeys(wanted, 1)
        assert {code: count for code, count in alive.items() if code not in wanted} == {}
        print(f"{orders} orders: {len(ghtk.shipments)} parcels made, {ghtk.stats}")


async def post(shop: Shop, code: str) -> UUID:
    """A closed order whose shipment is opened, as its fulfilment does it."""
    order_id = await shop.close_order(code)
    await creation.open_shipment(shop.context, order_id)
    return order_id
