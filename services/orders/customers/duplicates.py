"""Who may be the same person: hints, never a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, viewer
from services.orders.customers.access import OWN, ensure_sees, shown, shown_text
from shared.auth import Principal
from shared.db import ReadSession

HINTS: Final = 20
"""Customers at most."""
NAMESAKES: Final = 100
"""The newest of a name who are asked for their province; of thousands who share a common name a hint would say nothing."""


class Hint(BaseModel):
    customer_id: UUID
    because: list[str] = Field(
        description="same_phone (a parcel of one went to a number of the other), same_address, same_name (in the same "
        "province), same_tax_code; the strongest first"
    )
    visible: bool = Field(description="whether you may see them; if not, ask your superior to look and to merge")
    name: str = Field(description="empty if you may not see them")
    phones: list[str] = Field(description="masked unless they are yours")
    orders: int


_HINTS: Final = text(
    f"""
WITH self AS (
    SELECT id, name_key, tax_code FROM customers WHERE id = :id
), numbers AS (
    SELECT phone FROM customer_phones WHERE customer_id = :id
), provinces AS MATERIALIZED (
    SELECT DISTINCT plain_words(province) AS province FROM customer_addresses WHERE customer_id = :id
), found (id, because, rank) AS (
    (SELECT o.customer_id, 'same_phone', 1 FROM orders o JOIN numbers n ON n.phone = o.recipient_phone
     WHERE o.recipient_phone <> '' AND o.recipient_phone <> o.phone AND o.customer_id <> :id LIMIT :hints)
    UNION ALL
    (SELECT p.customer_id, 'same_phone', 1 FROM orders o JOIN customer_phones p ON p.phone = o.recipient_phone
     WHERE o.customer_id = :id AND p.customer_id <> :id LIMIT :hints)
    UNION ALL
    (SELECT c.id, 'same_tax_code', 2 FROM self s JOIN customers c ON c.tax_code = s.tax_code
     WHERE s.tax_code <> '' AND c.tax_code <> '' AND c.id <> s.id LIMIT :hints)
    UNION ALL
    (SELECT a.customer_id, 'same_address', 3 FROM customer_addresses b JOIN customer_addresses a
        ON a.address_key = b.address_key AND a.customer_id <> b.customer_id WHERE b.customer_id = :id LIMIT :hints)
    UNION ALL
    (SELECT c.id, 'same_name', 4 FROM self s CROSS JOIN LATERAL (
        SELECT id FROM customers c WHERE c.name_key = s.name_key AND c.name_key <> '' AND c.id <> s.id
        ORDER BY c.name_key DESC, c.id DESC LIMIT {NAMESAKES}) c
     WHERE EXISTS (SELECT 1 FROM customer_addresses a WHERE a.customer_id = c.id
        AND plain_words(a.province) IN (SELECT province FROM provinces)) LIMIT :hints)
), candidates AS (
    SELECT f.id, array_agg(DISTINCT f.because) AS because, min(f.rank) AS rank, count(DISTINCT f.because) AS reasons
    FROM found f JOIN customers c ON c.id = f.id AND c.merged_into IS NULL
    GROUP BY f.id ORDER BY count(DISTINCT f.because) DESC, min(f.rank), f.id LIMIT :hints
)
SELECT k.id AS customer_id, k.because, CASE WHEN c.name <> '' THEN c.name ELSE coalesce(s.first_name, '') END AS name,
    s.orders, coalesce(s.visible, :sees_all) AS visible, coalesce(s.own, false) AS own,
    ARRAY(SELECT phone FROM customer_phones p WHERE p.customer_id = k.id ORDER BY added_at, phone LIMIT 3) AS phones
FROM candidates k JOIN customers c ON c.id = k.id
CROSS JOIN LATERAL (
    SELECT count(*) AS orders, bool_or({VISIBLE}) AS visible, {OWN} AS own,
        (array_agg(o.name ORDER BY o.id) FILTER (WHERE o.name <> ''))[1] AS first_name
    FROM orders o JOIN levels l ON l.code = o.level WHERE o.customer_id = k.id
) s
ORDER BY k.reasons DESC, k.rank, k.id
"""
)
_ORDER: Final = ("same_phone", "same_tax_code", "same_address", "same_name")


async def hints(session: ReadSession, customer_id: UUID, *, who: Principal, now: datetime) -> list[Hint]:
    """Customers who may be this one, the likeliest first.

    Raises:
        CustomerNotFound: there is none, or the viewer sees none of their orders.
        CustomerMerged: they are another one now.
    """
    await ensure_sees(session, customer_id, who)
    rows = await session.execute(_HINTS, {"id": customer_id, "hints": HINTS, "now": now, **viewer(who)})
    return [_hint(dict(row._mapping), who=who) for row in rows]


def _hint(row: dict[str, Any], *, who: Principal) -> Hint:
    visible = row["visible"]
    return Hint(
        customer_id=row["customer_id"],
        because=sorted(row["because"], key=_ORDER.index),
        visible=visible,
        name=shown_text(row["name"], who=who, own=row["own"]) if visible else "",
        phones=[shown(phone, who=who, own=row["own"]) for phone in row["phones"]] if visible else [],
        orders=row["orders"] if visible else 0,
    )
