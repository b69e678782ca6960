"""The reporting service, put together."""

from __future__ import annotations

from pathlib import Path

from services.reporting.api import router
from services.reporting.consumers import Projector
from services.reporting.page import page_router
from services.reporting.projection import COMPANY_ZONE
from services.reporting.settings import ReportingSettings
from shared.service import Service

SERVICE = Service(
    name="reporting",
    title="Chốt – Báo cáo (reporting)",
    settings=ReportingSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=(router, page_router),
    handlers=Projector(COMPANY_ZONE).handlers(),
)
