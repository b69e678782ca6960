"""One stack for all faults, so that each finds what the ones before it left; the books are those of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest

from tests.faults.whole.ledger import Ledger
from tests.shop import open_shop


def lifetime(fixture_name: str, config: pytest.Config) -> Literal["function", "package"]:
    """Each soak test has a stack of its own: together they would take so long that the care process takes numbers that
    nobody calls away from their owners."""
    return "function" if config.getoption("markexpr") == "soak" else "package"


@pytest.fixture(scope=lifetime)
async def ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ledger]:
    """Open for business, with a process for each role of the services that leads pass through."""
    async with open_shop(tmp_path_factory.mktemp("faults"), roles_split=("leads", "orders")) as shop:
        yield Ledger(shop)
