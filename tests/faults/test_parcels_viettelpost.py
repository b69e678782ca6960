"""ViettelPost creates and then times out while workers are killed. It cannot be asked: the creation is repeated, refused
because the first one lies under our code (`CHECK_UNIQUE`), and that one's callback tells its waybill."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from temporalio.client import Client

from deploy.local.engines import Nats, Temporal
from deploy.local.viettelpost import SimulatorFaults, Status, ViettelPostSimulator
from tests.faults.test_parcels import PATIENCE, client, posted_while_killed, workers
from tests.harness import Databases, eventually
from tests.integration.shipping.support import PICK_UP, open_shop

__all__ = ["client"]  # a fixture


@pytest.mark.soak
@pytest.mark.parametrize(("orders", "kills"), [(300, 6)])
async def test_repeated_creations_and_killed_workers_leave_exactly_one_live_parcel_an_order(
    databases: Databases, nats: Nats, temporal_server: Temporal, client: Client, orders: int, kills: int
) -> None:
    """In `make test`: tests/integration/shipping/test_viettelpost.py, with fewer orders and nobody killed."""
    chance = random.Random(5)
    faults = SimulatorFaults(create_timeout=0.3, error_after=0.05, create_timeout_seconds=0.5)
    async with ViettelPostSimulator(faults=faults) as viettelpost:
        body = {
            "carrier": "viettelpost",
            "shop_name": "Shop Hà Nội",
            "base_url": viettelpost.base_url,
            "credentials": viettelpost.account,
            "pick_up": PICK_UP,
            "requests_per_second": 100,
        }
        async with (
            open_shop(databases, viettelpost, connect=body, nats=nats, temporal=temporal_server) as shop,
            workers(shop, nats, temporal_server) as working,
        ):
            await shop.listen()
            shop.running.start("relay")
            lot = await posted_while_killed(shop, working, orders=orders, kills=kills, chance=chance)

            async def at_rest() -> bool:
                """Also cancellations, which ViettelPost confirms by callback only."""
                known = Counter((await shop.states()).values())
                return await lot.settled(1) and known["accepted"] == len(lot.wanted)

            await eventually(at_rest, within=PATIENCE, every=0.5)
            assert viettelpost.stats.timed_out > orders / 20, "nothing timed out, so nothing was adopted"
            living = [each for each in viettelpost.shipments if each.status != Status.CANCELLED]
            assert Counter(each.reference.rpartition("-")[0] for each in living) == Counter(lot.wanted)
            assert {each.waybill for each in living} == {
                waybill for waybill, status in (await shop.states()).items() if status == "accepted"
            }
            print(f"{orders} orders: {len(viettelpost.shipments)} parcels made, {viettelpost.stats}")
