"""The simulator as an ASGI application; `app.state.world` is its inside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from deploy.local.facebook.control import router as control_router
from deploy.local.facebook.faults import Faults
from deploy.local.facebook.graph import router as graph_router
from deploy.local.facebook.model import SimulatorSettings
from deploy.local.facebook.world import World


def create_app(*, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> FastAPI:
    """Facebook, with nobody on it yet."""
    world = World(settings, faults)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with world.running():
            yield

    app = FastAPI(title="Facebook simulator", lifespan=lifespan)
    app.state.world = world
    app.include_router(control_router)  # before the Graph API, whose paths take any word for a version
    app.include_router(graph_router)
    return app
