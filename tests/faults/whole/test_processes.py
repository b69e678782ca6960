"""Processes are killed while leads flow in: nothing is lost, nothing happens twice."""

from __future__ import annotations

import random

import pytest

from tests.faults.whole.ledger import Ledger

VICTIMS = (
    "leads-api",
    "leads-relay",
    "leads-consumer",
    "orders-consumer",
    "orders-relay",
    "orders-activities",
    "workflows",
    "orders-api",
    "reporting",
)
TWENTY = tuple(random.Random(2026).choices((*VICTIMS, "nats", "postgres", "temporal"), k=20))


@pytest.mark.parametrize(
    ("leads", "victims"),
    [
        # 25 leads come between two kills, which is half a second: a victim dies before the one before it works again.
        pytest.param(250, VICTIMS, id="each"),
        pytest.param(5_000, TWENTY, id="twenty", marks=pytest.mark.soak),
    ],
)
async def test_killed_processes_lose_and_double_nothing(ledger: Ledger, leads: int, victims: tuple[str, ...]) -> None:
    stack = ledger.shop.stack
    killed = {}
    async with ledger.flow(leads) as flow:
        for number, name in enumerate(victims, start=1):
            await flow.reach(number / (len(victims) + 1))
            killed[name] = stack.child(name).pid
            await stack.child(name).kill()
    assert flow.answered == leads
    for name, pid in killed.items():
        await stack.child(name).start()
        assert stack.child(name).pid != pid
    await ledger.balance()
