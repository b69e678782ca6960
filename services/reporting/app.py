"""The reporting service, put together."""

from __future__ import annotations

from pathlib import Path

from services.reporting.api import router
from services.reporting.calls import CallProjector
from services.reporting.calls import router as calls
from services.reporting.consumers import Projector
from services.reporting.page import page_router
from services.reporting.projection import COMPANY_ZONE
from services.reporting.promises import PromiseProjector
from services.reporting.promises import router as promises
from services.reporting.settings import ReportingSettings
from shared.consumer import Handlers
from shared.service import Service


def _handlers() -> Handlers:
    handlers = Projector(COMPANY_ZONE).handlers()
    handlers.include(PromiseProjector(COMPANY_ZONE).handlers())
    handlers.include(CallProjector(COMPANY_ZONE).handlers())
    return handlers


SERVICE = Service(
    name="reporting",
    title="Chốt – Báo cáo (reporting)",
    settings=ReportingSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=(router, promises, calls, page_router),
    handlers=_handlers(),
)
