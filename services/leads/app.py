"""The leads service, put together."""

from __future__ import annotations

from pathlib import Path

from services.leads.api import create
from services.leads.settings import LeadsSettings
from services.leads.state import resources
from shared.service import Service

SERVICE = Service(
    name="leads",
    title="Chốt – Nguồn số và chia số (leads)",
    settings=LeadsSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=(create.router,),
    resources=resources,
)
