"""The reporting service, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from services.reporting.calls import CallProjector
from services.reporting.consumers import Projector
from services.reporting.projection import COMPANY_ZONE
from services.reporting.promises import PromiseProjector
from services.reporting.rescues import RescueProjector
from services.reporting.settings import ReportingSettings
from shared.consumer import Handlers
from shared.service import Service


def _handlers() -> Handlers:
    handlers = Projector(COMPANY_ZONE).handlers()
    handlers.include(PromiseProjector(COMPANY_ZONE).handlers())
    handlers.include(CallProjector(COMPANY_ZONE).handlers())
    handlers.include(RescueProjector(COMPANY_ZONE).handlers())
    return handlers


def _routers() -> Sequence[APIRouter]:
    from services.reporting.routes import ROUTERS  # here: a process that answers no requests does not need them

    return ROUTERS


SERVICE = Service(
    name="reporting",
    title="Chốt – Báo cáo (reporting)",
    settings=ReportingSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=_routers,
    handlers=_handlers(),
)
