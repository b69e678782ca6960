"""The leads service on a fresh database, with colleagues that staff has told it of."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.leads.app import SERVICE
from tests.harness import Databases, Running, running


@pytest.fixture
async def leads(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance
