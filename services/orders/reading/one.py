"""One order with everything that its screen shows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import READABLE, OrderNotFound, sees_numbers, viewer
from services.orders.care.processes import Processes
from services.orders.care.reading import read_care
from services.orders.care.views import CareView, care_view
from services.orders.hiding import hidden_in
from services.orders.levels.catalogue import CustomField
from services.orders.levels.moves import allowed_for_staff
from services.orders.listed import SINCE, TAGS
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.db import ReadSession
from shared.phone.masking import masked, national


class LevelView(BaseModel):
    code: str
    vi: str
    en: str
    colour: str
    kind: str = Field(description="open or final")
    since: datetime


class TagView(BaseModel):
    id: UUID
    name: str
    colour: str = Field(description="#rrggbb")


class CustomerView(BaseModel):
    id: UUID
    name: str
    phones: list[str] = Field(description="masked unless they are yours")
    confirmed_at: datetime | None = Field(description="first conversation; null: nobody ever spoke with them")
    confirmed_by: str = Field(description="staff code of whoever spoke with them first")
    do_not_call_at: datetime | None
    orders: int = Field(description="how many orders this customer has, this one included")
    delivered: int
    returned: int = Field(description="parcels that came back or are on their way back")
    blocked_at: datetime | None = Field(default=None, description="'bom hàng' (rule D46); null: not blocked")
    blocked_reason: str = ""
    deposit_percent: int = Field(default=0, description="of the total, that a closing must bring as a deposit")


class LeadView(BaseModel):
    """What the customer left."""

    name: str
    address: str
    note: str
    product: str
    channel: str
    campaign: str
    landing_page: str
    marketer: str
    arrived_at: datetime
    asked_to_be_called: bool


class LineView(BaseModel):
    sku: str
    name: str
    quantity: int
    unit_price: Dong
    weight_grams: int
    gift: bool


class ContentsView(BaseModel):
    """A closed order."""

    version: int
    closed_at: datetime
    closer_id: UUID
    closer_code: str
    recipient: str
    phone: str
    province: str
    district: str
    ward: str
    province_code: str = Field(default="", description="of the statistics office; empty where it was typed as text")
    district_code: str = ""
    ward_code: str = ""
    address: str
    lines: list[LineView]
    discount: Dong
    shipping_fee: Dong
    deposit: Dong
    total: Dong
    cod: Dong
    deliver_on: date | None
    note: str
    stock: str | None = Field(description="waiting, reserved, released, issued")
    fulfilment: str | None = Field(description="closed, posted, shipped, cancelled, done")
    posted_by: str
    cancel_reason: str


class ShipmentView(BaseModel):
    """What shipping told."""

    status: str
    carrier: str
    waybill: str
    handed_over_at: datetime | None
    settled_at: datetime | None
    settled_amount: Dong
    settled_fee: Dong


class MoveView(BaseModel):
    """A level to which a person may move the order by hand."""

    code: str
    vi: str
    en: str
    colour: str
    requires: list[str]
    permission: str
    groups: list[str] = Field(description="staff groups that may do it; none: all with the permission")
    fields: list[CustomField] = Field(description="what else has to be filled in, as `fields` of the move")


class TaskView(BaseModel):
    id: UUID
    kind: str
    step: str
    name_vi: str
    name_en: str
    owner_id: UUID | None
    to_team: bool
    to_desk: bool
    claimed_by_id: UUID | None
    due_at: datetime
    deadline_at: datetime
    reminded_at: datetime | None


class OrderView(BaseModel):
    """Everything that the screen of an order shows, but its timeline."""

    id: UUID
    code: str
    level: LevelView
    owner_id: UUID | None
    owner_code: str
    team: str
    assigned_at: datetime | None
    marks: list[str]
    tags: list[TagView] = Field(default=[], description="those of the lead; leads keeps them")
    lead: LeadView
    customer: CustomerView
    contents: ContentsView | None
    shipment: ShipmentView | None
    care: CareView | None
    tasks: list[TaskView] = Field(description="open ones, the one due first on top")
    moves: list[MoveView]


_ORDER: Final = text(
    f"""
SELECT o.*, l.vi AS level_vi, l.en AS level_en, l.colour AS level_colour, l.kind AS level_kind, l.kind = 'open' AS is_open,
    r.state AS stock, f.phase AS fulfilment,
    coalesce(f.posted_by, '') AS posted_by, {TAGS} AS tags
FROM orders o JOIN levels l ON l.code = o.level
LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN fulfilments f ON f.order_id = o.id
WHERE o.id = :id AND {READABLE}
"""
)
_CUSTOMER: Final = text(
    f"""
SELECT c.id, c.confirmed_at, c.confirmed_by, c.blocked_at, c.blocked_reason,
    CASE WHEN c.name <> '' THEN c.name ELSE coalesce((
        SELECT o.name FROM orders o WHERE o.customer_id = c.id AND o.name <> '' ORDER BY o.id LIMIT 1), '') END AS name,
    (SELECT greatest(c.do_not_call_at, {SINCE}) FROM orders o WHERE o.id = :order_id) AS do_not_call_at,
    (SELECT array_agg(phone ORDER BY added_at, phone) FROM customer_phones p WHERE p.customer_id = c.id) AS phones,
    (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS orders,
    (SELECT count(*) FROM orders o WHERE o.customer_id = c.id AND o.level = 'L8') AS delivered,
    (SELECT count(*) FROM orders o WHERE o.customer_id = c.id AND o.level IN ('L7.3', 'L7.5')) AS returned
FROM customers c WHERE c.id = :id
"""
)
_LINES: Final = text(
    "SELECT sku, name, quantity, unit_price, weight_grams, gift FROM order_lines WHERE order_id = :id ORDER BY position"
)
_TASKS: Final = text(
    """
SELECT id, kind, step, name_vi, name_en, owner_id, to_team, to_desk, claimed_by_id, due_at, deadline_at, reminded_at
FROM tasks WHERE order_id = :id AND closed_at IS NULL ORDER BY due_at, id
"""
)


async def read_order(
    session: ReadSession,
    processes: Processes,
    order_id: UUID,
    *,
    who: Principal,
    now: datetime,
    blocked_deposit_percent: int = 0,
) -> OrderView:
    """
    Args:
        blocked_deposit_percent: what the company demands of a blocked customer at closing.

    Raises:
        OrderNotFound: there is no such order, or not for this viewer.
    """
    order = (await session.execute(_ORDER, {"id": order_id, **viewer(who)})).one_or_none()
    if order is None:
        raise OrderNotFound
    customer = (await session.execute(_CUSTOMER, {"id": order.customer_id, "order_id": order_id, "now": now})).one()
    tasks = await open_tasks(session, order_id)
    calls = any(
        who.account_id in (task.owner_id, task.claimed_by_id) or (task.to_team and who.team and who.team == order.team)
        for task in tasks
        if task.kind != "answer"
    )
    whole = sees_numbers(who, order._mapping, calls=calls, now=now)
    show = national if whole else masked
    view = OrderView(
        id=order.id,
        code=order.code,
        level=LevelView(
            code=order.level,
            vi=order.level_vi,
            en=order.level_en,
            colour=order.level_colour,
            kind=order.level_kind,
            since=order.level_since,
        ),
        owner_id=order.owner_id,
        owner_code=order.owner_code,
        team=order.team,
        assigned_at=order.assigned_at,
        marks=order.marks,
        tags=[TagView.model_validate(tag) for tag in order.tags],
        lead=LeadView(
            name=order.name,
            address=order.lead_address,
            note=order.lead_note,
            product=order.product,
            channel=order.channel,
            campaign=order.campaign,
            landing_page=order.landing_page,
            marketer=order.marketer,
            arrived_at=order.cohort_at,
            asked_to_be_called=order.asked_to_be_called,
        ),
        customer=CustomerView(
            id=customer.id,
            name=customer.name,
            phones=[show(phone) for phone in customer.phones],
            confirmed_at=customer.confirmed_at,
            confirmed_by=customer.confirmed_by,
            do_not_call_at=customer.do_not_call_at,
            orders=customer.orders,
            delivered=customer.delivered,
            returned=customer.returned,
            blocked_at=customer.blocked_at,
            blocked_reason=customer.blocked_reason,
            deposit_percent=blocked_deposit_percent if customer.blocked_at else 0,
        ),
        contents=await _contents(session, order, phone=show(order.recipient_phone)) if order.closed_at else None,
        shipment=_shipment(order) if order.shipment_id else None,
        care=await care_of(session, processes, order_id, now=now),
        tasks=tasks,
        moves=[MoveView.model_validate(move) for move in await allowed_for_staff(session, order.level)],
    )
    if not whole:
        view.lead, view.customer = hidden_in(view.lead), hidden_in(view.customer)
        view.contents = hidden_in(view.contents) if view.contents is not None else None
    return view


async def open_tasks(session: ReadSession, order_id: UUID) -> list[TaskView]:
    """What an order's care has open, the task due first on top."""
    rows = await session.execute(_TASKS, {"id": order_id})
    return [TaskView.model_validate(dict(row._mapping)) for row in rows]


async def care_of(session: ReadSession, processes: Processes, order_id: UUID, *, now: datetime) -> CareView | None:
    """The care of an order as operators see it; None if nobody was ever assigned."""
    care = await read_care(session, order_id)
    if care is None:
        return None
    return care_view(order_id, care, await processes.get(session, care.process, care.process_version, now=now))


async def _contents(session: ReadSession, order: Any, *, phone: str) -> ContentsView:
    lines = (await session.execute(_LINES, {"id": order.id})).all()
    fields = {name: getattr(order, name) for name in ContentsView.model_fields if name not in ("lines", "phone")}
    return ContentsView(**fields, phone=phone, lines=[LineView.model_validate(dict(line._mapping)) for line in lines])


def _shipment(order: Any) -> ShipmentView:
    return ShipmentView(
        status=order.shipment_status,
        carrier=order.carrier,
        waybill=order.waybill,
        handed_over_at=order.handed_over_at,
        settled_at=order.settled_at,
        settled_amount=order.settled_amount,
        settled_fee=order.settled_fee,
    )
