"""An orders service with a clock of the test's own, the people who work with it, and their telephone system."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.harness import Databases
from tests.integration.orders.support import Shop, opened
from tests.integration.orders.telephone_support import KEY, Exchange


@pytest.fixture
async def shop(databases: Databases) -> AsyncIterator[Shop]:
    async with opened(databases, credentials_key=KEY) as shop:
        yield shop


@pytest.fixture
async def exchange(shop: Shop) -> Exchange:
    return await Exchange.connect(shop)
