"""Lists of orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, shown_phone, viewer
from services.orders.listed import TAGS
from services.orders.reading.one import TagView
from services.orders.text import read_code, read_phone, words
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.db import ReadSession

_PAGE: Final = f"""
SELECT o.id, o.code, o.name, o.recipient, o.phone, o.level, o.level_since, l.kind = 'open' AS is_open, o.owner_id,
    o.owner_code, o.team, o.closer_id, o.closer_code, o.product, o.channel, o.marketer, o.cohort_at, o.marks, o.total,
    {TAGS} AS tags,
    o.cod, o.closed_at, o.waybill, o.shipment_status, c.next_due, c.step, r.state AS stock, f.phase AS fulfilment
FROM orders o JOIN levels l ON l.code = o.level LEFT JOIN care c ON c.order_id = o.id
LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN fulfilments f ON f.order_id = o.id
WHERE {{conditions}} ORDER BY o.id DESC LIMIT :limit
"""


class OrderItem(BaseModel):
    """An order in a list."""

    id: UUID
    code: str = Field(examples=["DH-4F7K2M9Q"])
    name: str = Field(description="of the recipient once it is closed, else as the customer left it")
    phone: str = Field(description="masked unless it is yours", examples=["0912***678"])
    level: str = Field(examples=["L1.4"])
    level_since: datetime
    owner_id: UUID | None
    owner_code: str
    team: str
    closer_code: str
    product: str
    channel: str
    marketer: str
    cohort_at: datetime = Field(description="arrival of the number")
    marks: list[str]
    tags: list[TagView] = []
    total: Dong
    cod: Dong
    closed_at: datetime | None
    waybill: str
    shipment_status: str
    stock: str | None = Field(description="waiting, reserved, released, issued; null before closing")
    fulfilment: str | None = Field(description="closed, posted, shipped, cancelled, done; null before closing")
    step: str | None = Field(description="step of the care process")
    next_due: datetime | None = Field(description="when the care process looks again")


class OrderPage(BaseModel):
    items: list[OrderItem]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; empty = everything that the viewer may see."""

    level: tuple[str, ...] = ()
    """Codes; a main level stands for itself alone."""
    owner: UUID | None = None
    unassigned: bool = False
    phone: str = ""
    """Whole, as typed."""
    text: str = ""
    """An order code, or beginnings of words of the name, with or without accents."""
    to_post: bool = False
    """Closed, in full stock, waiting for the COD desk."""


def _conditions(filters: Filters) -> dict[str, dict[str, Any]]:
    """Condition → its parameters."""
    found: dict[str, dict[str, Any]] = {}
    if filters.level:
        found["o.level = ANY(:levels)"] = {"levels": list(filters.level)}
    if filters.owner is not None:
        found["o.owner_id = :owner"] = {"owner": filters.owner}
    if filters.unassigned:
        found["o.owner_id IS NULL"] = {}
    if filters.phone:
        phone = read_phone(filters.phone) or filters.phone
        found["o.customer_id IN (SELECT customer_id FROM customer_phones WHERE phone = :phone)"] = {"phone": phone}
    if filters.to_post:
        found["f.phase = 'closed' AND r.state = 'reserved' AND o.level = 'L5'"] = {}
    code, sought = read_code(filters.text), words(filters.text)
    if code is not None:
        found["o.code = :code"] = {"code": code}
    elif sought:
        found["o.search @@ to_tsquery('simple', :words)"] = {"words": " & ".join(f"{word}:*" for word in sought)}
    return found


async def page(
    session: ReadSession, *, who: Principal, filters: Filters, limit: int, after: UUID | None, now: datetime
) -> OrderPage:
    """Orders that the viewer may see, the newest first."""
    conditions = {VISIBLE: viewer(who), **_conditions(filters)}
    if after is not None:
        conditions["o.id < :after"] = {"after": after}
    parameters = {name: value for each in conditions.values() for name, value in each.items()}
    query = text(_PAGE.format(conditions=" AND ".join(conditions)))
    rows = (await session.execute(query, {**parameters, "limit": limit})).all()
    items = [_item(dict(row._mapping), who=who, now=now) for row in rows]
    return OrderPage(items=items, next=items[-1].id if len(items) == limit else None)


def _item(row: dict[str, Any], *, who: Principal, now: datetime) -> OrderItem:
    phone = shown_phone(
        row["phone"],
        who=who,
        owner_id=row["owner_id"],
        closer_id=row["closer_id"],
        is_open=row["is_open"],
        level_since=row["level_since"],
        now=now,
    )
    return OrderItem.model_validate({**row, "name": row["recipient"] or row["name"], "phone": phone})
