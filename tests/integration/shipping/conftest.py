"""A shop that ships with the simulated GHTK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.ghtk import GhtkSimulator
from tests.harness import Databases
from tests.integration.shipping.support import Shop, open_shop


@pytest.fixture
async def ghtk() -> AsyncIterator[GhtkSimulator]:
    async with GhtkSimulator() as simulator:
        yield simulator


@pytest.fixture
async def shop(databases: Databases, ghtk: GhtkSimulator) -> AsyncIterator[Shop]:
    """Connected, with nothing sent yet and no role running."""
    async with open_shop(databases, ghtk) as opened:
        yield opened
