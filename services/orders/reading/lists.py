"""Lists of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import sees_numbers
from services.orders.listed import TAGS
from services.orders.reading.narrowing import Filters, candidates, conditions, seen_by
from services.orders.reading.one import TagView
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.db import ReadSession
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national

_PAGE: Final = f"""
WITH page AS MATERIALIZED (
    SELECT o.* FROM (SELECT id FROM unnest(CAST(:ids AS uuid[])) id ORDER BY id DESC OFFSET 0) n
    CROSS JOIN LATERAL (
        SELECT o.*, r.state AS stock, f.phase AS fulfilment FROM orders o
        LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN fulfilments f ON f.order_id = o.id
        WHERE o.id = n.id AND {{conditions}} OFFSET 0
    ) o
    ORDER BY n.id DESC LIMIT :limit
)
SELECT o.id, o.code, o.name, o.recipient, o.phone, o.level, o.level_since, l.kind = 'open' AS is_open, o.owner_id,
    o.owner_code, o.team, o.closer_id, o.closer_code, o.product, o.channel, o.marketer, o.cohort_at, o.marks, o.total,
    {TAGS} AS tags,
    o.cod, o.closed_at, o.waybill, o.shipment_status, c.next_due, c.step, o.stock, o.fulfilment
FROM page o JOIN levels l ON l.code = o.level LEFT JOIN care c ON c.order_id = o.id
ORDER BY o.id DESC
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
    next: UUID | None = Field(
        description="`after` of the next page; null on the last. A page that is shorter than `limit` and has a `next` says "
        "that many were looked through in vain: go on from there, or narrow what is asked for"
    )


async def page(
    session: ReadSession, *, who: Principal, filters: Filters, limit: int, after: UUID | None, now: datetime
) -> OrderPage:
    """Orders that the viewer may see, the newest first."""
    seen = await seen_by(session, who, before=after)
    found = await candidates(session, filters, seen, limit=limit, before=after)
    wanted = conditions(filters, seen)
    asked = {"ids": list(found.ids), "limit": limit}
    for parameters in wanted.values():
        asked |= parameters
    query = _PAGE.format(conditions=" AND ".join(wanted) or "true")
    rows = (await session.execute(text(query), asked)).all()
    items = [_item(dict(row._mapping), who=who, now=now) for row in rows]
    return OrderPage(items=items, next=items[-1].id if len(items) == limit else found.place)


def _item(row: dict[str, Any], *, who: Principal, now: datetime) -> OrderItem:
    whole = sees_numbers(who, row, now=now)
    name = row["recipient"] or row["name"]
    shown = (
        {"name": name, "phone": national(row["phone"])}
        if whole
        else {"name": hidden(name), "phone": masked(row["phone"])}
    )
    return OrderItem.model_validate({**row, **shown})
