from collections.abc import AsyncIterator

import pytest

from tests.harness import Databases
from tests.integration.staff.company import Company, founded


@pytest.fixture
async def company(databases: Databases) -> AsyncIterator[Company]:
    """A fresh installation of the staff service with its first account."""
    async with founded(databases) as made:
        yield made


@pytest.fixture(scope="module")
async def lasting(databases: Databases) -> AsyncIterator[Company]:
    """The same for all tests of a module that change nothing."""
    async with founded(databases) as made:
        yield made
