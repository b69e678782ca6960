"""The routes of shipping."""

from __future__ import annotations

from typing import Final

from services.shipping.api.callbacks import router as callbacks
from services.shipping.api.carriers import router as carriers
from services.shipping.api.cod import routers as cod
from services.shipping.api.codes import router as codes
from services.shipping.api.connections import router as connections
from services.shipping.api.places import router as places
from services.shipping.api.prints import router as prints
from services.shipping.api.quotes import router as quotes
from services.shipping.api.reports import router as reports
from services.shipping.api.rescues import router as rescues
from services.shipping.api.rules import router as rules
from services.shipping.api.shipments import router as shipments
from services.shipping.api.status_files import router as status_files
from services.shipping.callbacks.hook import router as hook

routers: Final = (
    hook,
    connections,
    carriers,
    places,
    rules,
    quotes,
    shipments,
    rescues,
    reports,
    *cod,
    callbacks,
    codes,
    prints,
    status_files,
)
"""The hook first: routes are tried in order, and it is the one that gets the load."""
