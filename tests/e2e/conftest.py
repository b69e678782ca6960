"""One stack with a company in it for all end-to-end tests; each test uses numbers and products of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local.layout import SERVICES, WORKFLOWS
from tests.shop import Shop, open_shop

TALKATIVE = {name: {"CHOT_LOG_LEVEL": "debug"} for name in (*SERVICES, WORKFLOWS)}
"""The most that can be logged, because no log may hold what is personal."""


@pytest.fixture(scope="package")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """Open for business, with a carrier that delivers everything."""
    async with open_shop(tmp_path_factory.mktemp("e2e"), settings=TALKATIVE) as opened:
        await opened.carrier("PATCH", "settings", outcomes={"delivered": 1})
        yield opened
