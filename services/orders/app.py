"""The orders service: customers, care, levels, orders, products and stock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.orders.activities import activities
from services.orders.care.processes import PROCESSES, Processes
from services.orders.clock import CLOCK, utc_now
from services.orders.consumers import handlers
from services.orders.goods.api import router as goods
from services.orders.levels.api import router as levels
from services.orders.reading.api import router as reading
from services.orders.reconcile import reconcile
from services.orders.settings import OrdersSettings
from services.orders.working import router as working
from shared.service import Runtime, Service


@asynccontextmanager
async def resources(runtime: Runtime[Any]) -> AsyncIterator[None]:
    """The clock, which a test may replace, and the care processes read so far."""
    runtime.state[CLOCK] = utc_now
    runtime.state[PROCESSES] = Processes()
    yield


SERVICE = Service(
    name="orders",
    title="Chốt · Đơn hàng (orders)",
    settings=OrdersSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=(reading, working, levels, goods),
    handlers=handlers,
    activities=activities,
    reconcile=reconcile,
    resources=resources,
)
