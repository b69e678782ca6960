"""A shop of the simulated GHN."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from deploy.local.ghn import create_app
from tests.unit.ghn.support import SETTINGS, World, opened


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(settings=SETTINGS)


@pytest.fixture
async def world(app: FastAPI) -> AsyncIterator[World]:
    async with app.router.lifespan_context(app), opened(app) as found:
        await found.simulation.reset()
        yield found
