"""Callbacks that are lost, repeated and shuffled, to a receiver that is killed: the parcels end as the carrier has them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local.engines import Nats
from deploy.local.ghtk import Faults, GhtkSimulator, OutcomeRates, SimulatorSettings
from deploy.local.ports import free_port
from deploy.local.process import Process
from tests.harness import Databases, eventually
from tests.integration.shipping.support import KEY, Shop, open_shop
from tests.integration.shipping.test_callbacks import CHANGED, SETTLED, assert_nothing_moved_backwards

READY_WITHIN = 60.0
OUTCOMES = OutcomeRates(delivered=0.5, redelivered=0.15, returned=0.2, pick_up_failed=0.1, lost=0.05)
FAULTS = Faults(
    drop_callback=0.3,
    duplicate_callback=0.3,
    shuffle_callback=1.0,
    shuffle_hold_seconds=0.5,
    delay_callback=0.3,
    delay_callback_seconds=0.3,
)
AT_ONCE = 50
"""Parcels that are posted side by side."""


@dataclass
class Role:
    """A process of the shipping service that can be killed."""

    process: Process
    port: int

    async def start(self) -> None:
        await self.process.start()
        async with httpx.AsyncClient() as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await self.process.wait_ready(ready, timeout=READY_WITHIN)


@asynccontextmanager
async def role(name: str, shop: Shop, nats: Nats, directory: Path) -> AsyncIterator[Role]:
    port = free_port()
    env = os.environ | {
        "CHOT_DATABASE_URL": shop.running.url,
        "CHOT_NATS_URL": nats.url,
        "CHOT_HTTP_PORT": str(port),
        "CHOT_CREDENTIALS_KEY": KEY,
    }
    command = [sys.executable, "-m", "services.shipping", name]
    process = Process(name=name, command=command, log_path=directory / f"{name}.log", env=env)
    started = Role(process, port)
    await started.start()
    try:
        yield started
    finally:
        await process.kill()


@pytest.mark.parametrize("parcels", [60, pytest.param(20_000, marks=pytest.mark.soak)])
async def test_lost_doubled_and_shuffled_callbacks_and_a_killed_receiver_are_repaired_by_one_poll(
    databases: Databases, nats: Nats, tmp_path: Path, parcels: int
) -> None:
    settings = SimulatorSettings(outcomes=OUTCOMES, resend_after_seconds=0.05)
    async with (
        GhtkSimulator(settings=settings, faults=FAULTS) as ghtk,
        open_shop(databases, ghtk, nats=nats) as shop,
        role("api", shop, nats, tmp_path) as receiver,
        role("consumer", shop, nats, tmp_path) as applier,
    ):
        for start in range(0, parcels, AT_ONCE):
            codes = [f"DH-{number:08d}" for number in range(start, min(start + AT_ONCE, parcels))]
            await asyncio.gather(*(shop.ship(code) for code in codes))
        ghtk.send_callbacks_to(f"http://127.0.0.1:{receiver.port}{httpx.URL(shop.callback_url).path}")
        await ghtk.advance(steps=3)
        await ghtk.drain()
        await applier.process.kill()
        await ghtk.advance(steps=3)

        async def half_way() -> bool:
            return ghtk.simulation.sender.pending <= parcels

        await eventually(half_way, within=READY_WITHIN * parcels)
        await receiver.process.kill()
        await ghtk.drain()
        assert ghtk.stats.callbacks_given_up > 0, "nothing came while the receiver was away"
        await receiver.start()
        await applier.start()
        await ghtk.advance(steps=3)
        await shop.settle_callbacks()
        at_carrier = shop.carrier_states()
        missed = sum(at_carrier[waybill] != state for waybill, state in (await shop.states()).items())
        assert missed > 0, "nothing was lost, so polling has nothing to prove"
        await one_poll_interval(shop)
        assert await shop.states() == shop.carrier_states()
        # And to the end of every life, money included.
        await ghtk.advance(steps=40)
        await shop.settle_callbacks()
        await one_poll_interval(shop)
        assert await shop.states() == shop.carrier_states()
        assert len(await shop.states()) == parcels
        assert_nothing_moved_backwards(await shop.events(CHANGED))
        settled = await shop.events(SETTLED)
        assert len(settled) == len({event["shipment_id"] for event in settled})
        assert sum(event["amount"] for event in settled) == sum(each.settled_cod for each in ghtk.shipments) > 0
        desk = await shop.running.client()  # the token of the shop's own is over by then
        summary = (await desk.get("/v1/cod/summary")).json()["total"]
        assert summary["settled"] == summary["delivered"] == sum(each.settled_cod for each in ghtk.shipments)
        assert summary["difference"] == 0


async def one_poll_interval(shop: Shop) -> None:
    """Everything that is not at rest is overdue, and is asked about once."""
    await shop.poll_everything()
    while (await shop.poll()).asked:
        pass
