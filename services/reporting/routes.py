"""The routes of reporting, in the order in which they are tried."""

from __future__ import annotations

from typing import Final

from services.reporting.api import router as reports
from services.reporting.calls import router as calls
from services.reporting.page import page_router
from services.reporting.promises import router as promises
from services.reporting.rescues import router as rescues

ROUTERS: Final = (reports, promises, calls, rescues, page_router)
