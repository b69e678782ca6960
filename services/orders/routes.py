"""The routes of orders, in the order in which they are tried."""

from __future__ import annotations

from typing import Final

from services.orders.addresses.api import router as addresses
from services.orders.calendars.api import router as calendars
from services.orders.calendars.holidays_api import router as holidays
from services.orders.closing.api import router as closing
from services.orders.contact.api import router as contact
from services.orders.customers.api import router as customers
from services.orders.customers.one_person import router as one_person
from services.orders.deliveries.api import router as deliveries
from services.orders.fields.api import router as fields
from services.orders.goods.api import router as goods
from services.orders.levels.api import router as levels
from services.orders.levels.history import router as transitions
from services.orders.levels.management import router as level_management
from services.orders.live import streams
from services.orders.notes.api import router as notes
from services.orders.operators.api import router as operators
from services.orders.processes.routes import router as processes
from services.orders.promises.api import router as due_lists
from services.orders.promises.books_api import router as promises
from services.orders.reading.api import router as reading
from services.orders.rescue.api import router as rescue
from services.orders.screens.api import router as screens
from services.orders.telephone import api as telephone_api
from services.orders.telephone import hook as telephone_hook
from services.orders.telephone import working as telephone_working
from services.orders.what_if.api import router as what_if
from services.orders.working import router as working
from shared.streams import streams_router

ROUTERS: Final = (
    reading,
    working,
    closing,
    level_management,
    levels,
    transitions,
    contact,
    goods,
    processes,
    calendars,
    holidays,
    what_if,
    due_lists,
    promises,
    rescue,
    customers,
    one_person,
    fields,
    addresses,
    notes,
    deliveries,
    telephone_api.router,
    telephone_working.router,
    telephone_hook.router,
    operators,
    screens,
    streams_router(streams),
)
