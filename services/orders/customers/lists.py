"""Lists of customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.candidates import Candidates, narrowest
from services.orders.customers import candidates
from services.orders.customers.access import OWN, shown, shown_text
from services.orders.customers.candidates import ENOUGH, Range
from services.orders.customers.filters import Filters, conditions, filled, first_id, ranges_of, seen_by, sought_by
from services.orders.customers.sought import Sought
from services.orders.reading.one import TagView
from shared.auth import Principal
from shared.db import ReadSession
from shared.phone import read_phone

NUMBERS_SHOWN: Final = 3
"""Of one customer in a list."""

_PAGE: Final = f"""
WITH page AS MATERIALIZED (
    SELECT c.* FROM (SELECT id FROM unnest(CAST(:ids AS uuid[])) id ORDER BY id DESC OFFSET 0) n
    CROSS JOIN LATERAL (SELECT c.id, c.kind, c.name, c.tags, c.blocked_at, c.confirmed_at, c.created_at FROM customers c
        WHERE c.id = n.id AND {{conditions}} OFFSET 0) c
    ORDER BY n.id DESC LIMIT :limit
)
SELECT c.id, c.kind, CASE WHEN c.name <> '' THEN c.name ELSE coalesce(s.first_name, '') END AS name, c.blocked_at,
    c.confirmed_at, c.created_at, coalesce(s.orders, 0) AS orders, coalesce(s.delivered, 0) AS delivered,
    coalesce(s.returned, 0) AS returned, coalesce(s.own, false) AS own, n.phones, t.tags, last.last_order_id,
    last.last_order_code, last.last_order_level, last.last_order_at, last.owner_id, last.owner_code
FROM page c
LEFT JOIN LATERAL (
    SELECT count(*) AS orders, count(*) FILTER (WHERE o.level = 'L8') AS delivered,
        count(*) FILTER (WHERE o.level IN ('L7.3', 'L7.5')) AS returned, {OWN} AS own,
        (array_agg(o.name ORDER BY o.id) FILTER (WHERE o.name <> ''))[1] AS first_name
    FROM orders o JOIN levels l ON l.code = o.level WHERE o.customer_id = c.id
) s ON true
LEFT JOIN LATERAL (
    SELECT o.id AS last_order_id, o.code AS last_order_code, o.level AS last_order_level, o.cohort_at AS last_order_at,
        o.owner_id, coalesce(o.owner_code, '') AS owner_code
    FROM orders o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
    SELECT ARRAY(SELECT phone FROM customer_phones p WHERE p.customer_id = c.id ORDER BY added_at, phone
        LIMIT {NUMBERS_SHOWN}) AS phones
) n
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'colour', colour)
        ORDER BY group_name, position, name), '[]') AS tags
    FROM (SELECT DISTINCT m.* FROM tags k JOIN tags m ON m.id = coalesce(k.merged_into, k.id) WHERE k.id = ANY(c.tags)) g
) t
ORDER BY c.id DESC
"""
_NAMED: Final = """EXISTS (SELECT FROM customer_search s WHERE s.customer_id = c.id
    AND s.tokens @@ CAST(CAST(:wanted AS text) AS tsquery) AND (CAST(:one_name AS text) IS NULL OR EXISTS (
        SELECT FROM unnest(s.names) name WHERE name @@ CAST(CAST(:one_name AS text) AS tsquery))))"""


class CustomerItem(BaseModel):
    """A customer in a list."""

    id: UUID
    kind: str = Field(description="person or organisation")
    name: str
    phones: list[str] = Field(description="the first three, masked unless they are yours", examples=[["0912***678"]])
    tags: list[TagView]
    blocked: bool = Field(description="'bom hàng' (rule D46)")
    confirmed: bool = Field(description="somebody has spoken with them")
    orders: int
    delivered: int
    returned: int
    last_order_id: UUID | None
    last_order_code: str | None
    last_order_level: str | None
    last_order_at: datetime | None = Field(description="when the number came in last")
    owner_id: UUID | None = Field(description="of the last order")
    owner_code: str | None
    created_at: datetime


class CustomerPage(BaseModel):
    items: list[CustomerItem]
    next: UUID | None = Field(
        description="`after` of the next page; null on the last. A page that is shorter than `limit` and has a `next` says "
        "that many were looked through in vain: go on from there, or narrow what is asked for"
    )


async def page(
    session: ReadSession, *, who: Principal, filters: Filters, limit: int, after: UUID | None, now: datetime
) -> CustomerPage:
    """Customers of whom the viewer sees an order, the newest first.

    Raises:
        InvalidFields: a field does not exist, or cannot have such a value.
    """
    fields = await filled(session, "customer", filters.fields) if filters.fields else {}
    ranges = await ranges_of(session, filters)
    seen = await seen_by(session, who)
    wanted = await sought_by(session, filters, fields=fields, ranges=ranges, seen=seen)
    lent = () if seen is None else seen.lent
    found = await _candidates(session, filters, wanted, ranges, lent=lent, limit=limit, after=after)
    wanted_of = conditions(filters, fields=fields, ranges=ranges, seen=seen)
    if wanted.but_people:
        wanted_of[_NAMED] = {"wanted": wanted.but_people, "one_name": wanted.one_name}
    asked = {"viewer": who.account_id, "now": now, "limit": limit, "ids": list(found.ids)}
    for parameters in wanted_of.values():
        asked |= parameters
    rows = await session.execute(text(_PAGE.format(conditions=" AND ".join(wanted_of))), asked)
    items = [_item(dict(row._mapping), who=who) for row in rows]
    return CustomerPage(items=items, next=items[-1].id if len(items) == limit else found.place)


async def _candidates(
    session: ReadSession,
    filters: Filters,
    wanted: Sought,
    ranges: Sequence[Range],
    *,
    lent: Sequence[UUID],
    limit: int,
    after: UUID | None,
) -> Candidates:
    """Who may be on the page, by everything that an index knows."""
    before = after
    if filters.last_order_to is not None:
        # Whoever came since then has a number that did.
        until = first_id(filters.last_order_to)
        before = until if after is None else min(after, until)
    lists = []
    if filters.phone:
        lists.append(await candidates.of_phone(session, read_phone(filters.phone) or filters.phone, before=before))
    if filters.last_order_from is not None:
        lately = await candidates.lately(session, first_id(filters.last_order_from), before=before)
        lists += [] if lately is None else [lately]
    # As many as the page shows, unless others will leave some of them out.
    alone = len(ranges) + len(lists) + (wanted.of_all != "") <= 1 and not filters.loose
    enough = limit if alone else ENOUGH
    for each in ranges:
        lists.append(await candidates.in_range(session, each, before=before, enough=enough))
    if wanted.of_all and all(each.place is not None for each in lists):
        lists.append(await candidates.with_tokens(session, wanted, lent=lent, before=before, enough=enough))
    if not lists:
        lists.append(await candidates.newest(session, before=before, enough=enough))
    return narrowest(lists)


def _item(row: dict[str, Any], *, who: Principal) -> CustomerItem:
    return CustomerItem.model_validate(
        {
            **row,
            "name": shown_text(row["name"], who=who, own=row["own"]),
            "phones": [shown(phone, who=who, own=row["own"]) for phone in row["phones"]],
            "blocked": row["blocked_at"] is not None,
            "confirmed": row["confirmed_at"] is not None,
        }
    )
