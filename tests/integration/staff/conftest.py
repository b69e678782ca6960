from collections.abc import AsyncIterator, Iterator

import pytest

from services.staff import passwords
from tests.harness import Databases
from tests.integration.staff.company import Company, founded


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Each sign-in costs 40 ms of a core on purpose, and these tests sign in a thousand times. What it has to cost is
    tested with the rules of staff."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "MEMORY", 8)
        patched.setattr(passwords, "PASSES", 1)
        yield


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
