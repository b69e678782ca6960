"""The leads service on a fresh database, with colleagues that staff has told it of."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.facebook import FacebookSimulator
from services.leads.app import SERVICE
from tests.harness import Databases, Running, running
from tests.integration.leads.facebook_support import Shop, open_shop


@pytest.fixture
async def leads(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


@pytest.fixture
async def facebook() -> AsyncIterator[FacebookSimulator]:
    async with FacebookSimulator() as simulator:
        yield simulator


@pytest.fixture
async def page(databases: Databases, facebook: FacebookSimulator) -> AsyncIterator[Shop]:
    """A shop with one connected page of the simulated Facebook."""
    async with open_shop(databases, facebook) as shop:
        yield shop
