"""What the care screen shows of one order, read in one transaction: only what its layout has a place for."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, viewer
from services.orders.care.processes import Processes
from services.orders.contact import answer
from services.orders.contact.api import MayContact, contact_view
from services.orders.customers import duplicates
from services.orders.customers import one as customers
from services.orders.customers.duplicates import Hint
from services.orders.customers.one import CustomerView
from services.orders.notes import reading as notes
from services.orders.notes.reading import NotePage
from services.orders.reading import one, timeline
from services.orders.reading.one import OrderView
from services.orders.reading.timeline import Timeline
from services.orders.screens.layouts import NAMES, Layout, Section, layout_for
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.db import ReadSession

TIMELINE_SHOWN: Final = 30
NOTES_SHOWN: Final = 20
PROMISES_SHOWN: Final = 50
ORDERS_SHOWN: Final = 20


class SectionView(BaseModel):
    """A section at its place, from top to bottom."""

    section: str = Field(
        description="care, tasks, moves, lead, order and shipment are parts of `order`; the others are fields of their own"
    )
    vi: str
    en: str
    collapsed: bool


class PromiseView(BaseModel):
    id: UUID
    kind: str
    owner_code: str
    made_at: datetime
    due_at: datetime
    outcome: str = Field(description="open, kept, broken, cancelled")
    ended_at: datetime | None
    cause: str
    late_seconds: int


class OtherOrder(BaseModel):
    """Another order of the customer; whose it is is told, what is in it only to who may open it."""

    id: UUID
    code: str
    level: str
    level_vi: str
    level_en: str
    owner_code: str
    product: str | None = Field(description="null: you may not open it")
    arrived_at: datetime
    total: Dong | None = Field(description="null: you may not open it")


class Screen(BaseModel):
    """The care screen of an order for one viewer. What has no place in the layout is null."""

    sections: list[SectionView]
    layout_level: str = Field(description="whose layout this is: the level's, the main level's, or all")
    layout_group: str
    at: datetime = Field(description="the server's clock, for countdowns")
    order: OrderView
    customer: CustomerView | None = None
    promises: list[PromiseView] | None = Field(default=None, description="the last due first, 50 at most")
    contact: MayContact | None = Field(
        default=None,
        description="whether the customer may be called now; before dialling ask GET …/may-contact, which is kept",
    )
    notes: NotePage | None = Field(default=None, description="first page; the next by GET /v1/orders/{id}/notes")
    timeline: Timeline | None = Field(
        default=None, description="first page; the next by GET /v1/orders/{id}/timeline with its `next`"
    )
    other_orders: list[OtherOrder] | None = Field(default=None, description="the newest first, 20 at most")
    duplicates: list[Hint] | None = Field(default=None, description="customers who may be the same person")


_PROMISES: Final = text(
    """
SELECT p.id, p.kind, coalesce(m.code, '') AS owner_code, p.made_at, p.due_at, coalesce(p.outcome, 'open') AS outcome,
    p.ended_at, p.cause, p.late_seconds
FROM promises p LEFT JOIN staff_members m ON m.account_id = p.owner_id AND m.version > 0
WHERE p.order_id = :id AND p.voided_at IS NULL ORDER BY p.due_at DESC, p.id DESC LIMIT :limit
"""
)
_OTHERS: Final = text(
    f"""
SELECT o.id, o.code, o.level, l.vi AS level_vi, l.en AS level_en, o.owner_code, o.cohort_at AS arrived_at,
    CASE WHEN {VISIBLE} THEN o.product END AS product, CASE WHEN {VISIBLE} THEN o.total END AS total
FROM orders o JOIN levels l ON l.code = o.level
WHERE o.customer_id = :customer AND o.id <> :id ORDER BY o.id DESC LIMIT :limit
"""
)


async def read_screen(
    session: ReadSession, processes: Processes, order_id: UUID, *, who: Principal, now: datetime
) -> Screen:
    """
    Raises:
        OrderNotFound: there is no such order, or not for this viewer.
    """
    order = await one.read_order(session, processes, order_id, who=who, now=now)
    layout = await layout_for(session, level=order.level.code, viewer=who.account_id)
    screen = Screen(
        sections=_sections(layout), layout_level=layout.level, layout_group=layout.group, at=now, order=order
    )
    placed: set[Section] = {placed.section for placed in layout.sections}
    customer_id = order.customer.id
    if "customer" in placed:
        screen.customer = await customers.read(session, customer_id, who=who, now=now)
    if "promises" in placed:
        rows = await session.execute(_PROMISES, {"id": order_id, "limit": PROMISES_SHOWN})
        screen.promises = [PromiseView.model_validate(dict(row._mapping)) for row in rows]
    if "contact" in placed:
        found = await answer.of_order(session, processes, order_id, by="call", purpose="request", now=now)
        screen.contact = contact_view(found)
    if "notes" in placed:
        screen.notes = await notes.of_order(session, order_id, who=who, limit=NOTES_SHOWN, after=None, now=now)
    if "timeline" in placed:
        screen.timeline = await timeline.page(session, order_id, who=who, limit=TIMELINE_SHOWN, after=None, now=now)
    if "other_orders" in placed:
        rows = await session.execute(
            _OTHERS, {"customer": customer_id, "id": order_id, "limit": ORDERS_SHOWN, **viewer(who)}
        )
        screen.other_orders = [OtherOrder.model_validate(dict(row._mapping)) for row in rows]
    if "duplicates" in placed:
        screen.duplicates = await duplicates.hints(session, customer_id, who=who, now=now)
    return screen


def _sections(layout: Layout) -> list[SectionView]:
    views = []
    for placed in layout.sections:
        vi, en = NAMES[placed.section]
        views.append(SectionView(section=placed.section, vi=vi, en=en, collapsed=placed.collapsed))
    return views
