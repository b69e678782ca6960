"""A simulated carrier as an ASGI application; `app.state.simulation` is its inside."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from fastapi import FastAPI

from deploy.local.carriers.clock import wall_clock
from deploy.local.carriers.control import router as control_router
from deploy.local.carriers.dialect import Dialect
from deploy.local.carriers.faults import Faults
from deploy.local.carriers.model import CarrierSettings
from deploy.local.carriers.simulation import Simulation


def create_carrier_app(
    dialect: Dialect,
    *,
    settings: CarrierSettings | None = None,
    faults: Faults | None = None,
    wall: Callable[[], datetime] = wall_clock,
    callback_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The carrier of a dialect, without parcels.

    Under `httpx.ASGITransport` enter `app.router.lifespan_context(app)` yourself; callbacks need it. A cut connection
    is then `httpx.RemoteProtocolError`, as over the network.

    Parameters: `wall` is the real time that simulated time starts from; `callback_transport` carries the callbacks
    instead of the network.
    """
    simulation = Simulation(dialect, settings=settings, faults=faults, wall=wall, callback_transport=callback_transport)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with simulation.running():
            yield

    app = FastAPI(title=f"{dialect.title} simulator", lifespan=lifespan)
    app.state.simulation = simulation
    app.include_router(control_router)
    app.include_router(dialect.router)
    return app
