"""A shop that ships with the simulated GHTK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.ghtk import GhtkSimulator
from tests.harness import Databases
from tests.integration.shipping.support import Shop, open_shop


@pytest.fixture(scope="module")
async def simulator() -> AsyncIterator[GhtkSimulator]:
    """One server for a file of tests; `ghtk` is what a test takes."""
    async with GhtkSimulator() as started:
        yield started


@pytest.fixture
async def ghtk(simulator: GhtkSimulator) -> GhtkSimulator:
    """A carrier without shipments and without faults."""
    await simulator.simulation.reset()
    return simulator


@pytest.fixture
async def shop(databases: Databases, ghtk: GhtkSimulator) -> AsyncIterator[Shop]:
    """Connected, with nothing sent yet and no role running."""
    async with open_shop(databases, ghtk) as opened:
        yield opened


@pytest.fixture(scope="module")
async def quiet_shop(databases: Databases, simulator: GhtkSimulator) -> AsyncIterator[Shop]:
    """One for a file of tests that change nothing."""
    await simulator.simulation.reset()
    async with open_shop(databases, simulator) as opened:
        yield opened
