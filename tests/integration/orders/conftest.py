"""An orders service with a clock of the test's own, and the people who work with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.orders.app import SERVICE
from services.orders.clock import CLOCK
from tests.harness import Databases, running
from tests.integration.orders.support import Clock, Shop


@pytest.fixture
async def shop(databases: Databases) -> AsyncIterator[Shop]:
    """The service without NATS and Temporal: nothing in these tests needs them."""
    async with running(SERVICE, databases) as service:
        clock = Clock()
        service.runtime.state[CLOCK] = clock
        yield await Shop.open(service, clock)
