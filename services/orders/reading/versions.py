"""What was agreed with a customer, each time it was: the closing and every edit, the newest first."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, OrderNotFound, sees_numbers, viewer
from services.orders.addresses.checking import DeliveryAddress
from services.orders.hiding import hidden_in
from services.orders.reading.one import LineView
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.db import ReadSession
from shared.phone.masking import masked, national


class AgreedContents(BaseModel):
    recipient: str
    phone: str = Field(description="masked unless the order is yours")
    address: DeliveryAddress
    lines: list[LineView]
    discount: Dong
    shipping_fee: Dong
    deposit: Dong
    total: Dong
    cod: Dong
    deliver_on: date | None
    note: str


class Version(BaseModel):
    version: int
    at: datetime
    by_code: str = Field(examples=["NV012"])
    reason: str
    contents: AgreedContents


class VersionPage(BaseModel):
    items: list[Version]
    next: int | None = Field(description="`after` of the next page; null on the last")


_ORDER: Final = text(
    f"""
SELECT o.owner_id, o.closer_id, o.level_since, l.kind = 'open' AS is_open
FROM orders o JOIN levels l ON l.code = o.level WHERE o.id = :id AND {VISIBLE}
"""
)
_PAGE: Final = text(
    """
SELECT version, at, by_code, reason, contents FROM order_versions
WHERE order_id = :id AND (CAST(:after AS integer) IS NULL OR version < :after) ORDER BY version DESC LIMIT :limit
"""
)


async def page(
    session: ReadSession, order_id: UUID, *, who: Principal, limit: int, after: int | None, now: datetime
) -> VersionPage:
    """
    Raises:
        OrderNotFound: there is no such order, or not for this viewer.
    """
    order = (await session.execute(_ORDER, {"id": order_id, **viewer(who)})).one_or_none()
    if order is None:
        raise OrderNotFound
    whole = sees_numbers(who, order._mapping, now=now)
    items = []
    for row in await session.execute(_PAGE, {"id": order_id, "after": after, "limit": limit}):
        version = Version.model_validate(dict(row._mapping))
        phone = version.contents.phone
        version.contents.phone = national(phone) if whole else masked(phone)
        items.append(version if whole else hidden_in(version))
    return VersionPage(items=items, next=items[-1].version if len(items) == limit else None)
