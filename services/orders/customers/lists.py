"""Lists of customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import viewer
from services.orders.customers import sought
from services.orders.customers.access import OWN, shown
from services.orders.customers.sought import Sought
from services.orders.fields import definitions, values
from services.orders.fields.values import Subject, no_such_field
from services.orders.reading.one import TagView
from services.orders.text import read_phone
from shared.auth import Principal
from shared.db import ReadSession

NUMBERS_SHOWN: Final = 3
"""Of one customer in a list."""

MINE: Final = """
SELECT customer_id FROM orders WHERE owner_id IN (SELECT account_id FROM people)
UNION SELECT customer_id FROM orders WHERE closer_id IN (SELECT account_id FROM people)
UNION SELECT o.customer_id FROM tasks t JOIN orders o ON o.id = t.order_id
    WHERE t.closed_at IS NULL AND t.to_team AND t.team = :viewer_team AND t.team <> ''
"""
"""Customers of whom the viewer sees an order, found from the orders: what it costs grows with these, not with all."""
_PEOPLE: Final = (
    """
people AS MATERIALIZED (
    SELECT account_id FROM staff_closure WHERE superior_id = :viewer UNION SELECT CAST(:viewer AS uuid)
), mine AS MATERIALIZED ("""
    + f"{MINE})"
)

_LIVING: Final = "c.merged_into IS NULL"
_ROWS: Final = "SELECT c.id, c.kind, c.name, c.tags, c.blocked_at, c.confirmed_at, c.created_at FROM customers c"
_PAGE: Final = f"""
WITH {{mine}} page AS MATERIALIZED ({{rows}} LIMIT :limit)
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
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; empty = every customer that the viewer may see."""

    text: str = ""
    """Words of the name, a contact's or a recipient's, with or without accents; the last may be a beginning."""
    phone: str = ""
    tags: tuple[UUID, ...] = ()
    """All of them."""
    fields: tuple[tuple[str, str], ...] = ()
    """Key and value of fields of the trade; all of them."""
    fields_from: tuple[tuple[str, str], ...] = ()
    fields_to: tuple[tuple[str, str], ...] = ()
    """Key and end of a range of a number or a day, both ends included; all of them."""
    owner: UUID | None = None
    """Holds one of their orders."""
    kind: str = ""
    blocked: bool | None = None
    last_order_from: datetime | None = None
    last_order_to: datetime | None = None
    """The last order came in within [from, to)."""


async def conditions(session: ReadSession, filters: Filters) -> dict[str, dict[str, Any]]:
    """Condition on customers `c` → its parameters.

    Raises:
        InvalidFields: a field does not exist, or cannot have such a value.
    """
    found: dict[str, dict[str, Any]] = {}
    if filters.phone:
        phone = read_phone(filters.phone) or filters.phone
        found["c.id IN (SELECT customer_id FROM customer_phones WHERE phone = :phone)"] = {"phone": phone}
    if filters.tags:
        found["c.tags @> CAST(:tags AS uuid[]) AND c.tags <> '{}'"] = {"tags": list(filters.tags)}
    if filters.fields:
        asked = orjson.dumps(await _filled(session, "customer", filters.fields)).decode()
        found["c.fields @> CAST(:fields AS jsonb) AND c.fields <> '{}'"] = {"fields": asked}
    if filters.owner is not None:
        found["c.id IN (SELECT customer_id FROM orders WHERE owner_id = :owner)"] = {"owner": filters.owner}
    if filters.kind:
        found["c.kind = :kind"] = {"kind": filters.kind}
    if filters.blocked is not None:
        found["c.blocked_at IS NOT NULL" if filters.blocked else "c.blocked_at IS NULL"] = {}
    if filters.last_order_from is not None:
        found[_SINCE] = {"since": first_id(filters.last_order_from)}
    if filters.last_order_to is not None:
        found[_NOT_SINCE] = {"until": first_id(filters.last_order_to)}
    return found


# Ids begin with the instant at which the number came in, so the primary key of orders knows what came since.
_SINCE: Final = "c.id IN (SELECT customer_id FROM orders WHERE id >= :since)"
# Who has come since then is younger, or has an order that is; the first of these is known from the customer's own id.
_NOT_SINCE: Final = """c.id < :until AND NOT EXISTS (
    SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.id >= :until)"""


def first_id(at: datetime) -> UUID:
    """The least id that can have been made at an instant (UUIDv7: 48 bits of milliseconds in front)."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76)


async def _filled(session: ReadSession, subject: Subject, asked: Sequence[tuple[str, str]]) -> dict[str, Any]:
    known = {definition.key: definition for definition in await definitions.of(session, subject)}
    found: dict[str, Any] = {}
    for key, typed in asked:
        if key not in known:
            raise no_such_field(key)
        value = values.sought(known[key], typed)
        if isinstance(value[key], list):
            value[key] = [*found.get(key, []), *value[key]]
        found |= value
    return found


async def _ranges(session: ReadSession, filters: Filters) -> list[tuple[Sought, dict[str, Any]]]:
    """Ranges of fields with their parameters, one for each field.

    Raises:
        InvalidFields: a field does not exist, has no ranges, or the range is none.
    """
    if not filters.fields_from and not filters.fields_to:
        return []
    known = {definition.key: definition for definition in await definitions.of(session, "customer")}
    ends: dict[str, tuple[list[Any], list[Any]]] = {}
    for side, asked in enumerate((filters.fields_from, filters.fields_to)):
        for key, typed in asked:
            if key not in known:
                raise no_such_field(key)
            ends.setdefault(key, ([], []))[side].append(values.bound(known[key], typed))
    found = []
    for number, (key, (least, most)) in enumerate(ends.items()):
        if least and most and max(least) > min(most):
            raise values.wrong_range(key)
        held, bounds = sought.within(number, least=max(least, default=None), most=min(most, default=None))
        found.append((held, {f"key_{number}": key, **bounds}))
    return found


async def statements(
    session: ReadSession, *, who: Principal, filters: Filters, limit: int, after: UUID | None, now: datetime
) -> list[tuple[str, dict[str, Any]]]:
    """Queries of a page with their parameters: each says the same, and the first that fills the page is enough.

    Raises:
        InvalidFields: a field does not exist, or cannot have such a value.
    """
    wanted = {_LIVING: {}, **await conditions(session, filters)}
    asked = {
        "viewer": who.account_id,
        "now": now,
        "limit": limit,
        "after": after,
        "viewer_team": viewer(who)["viewer_team"],
    }
    asked["words"] = sought.named(filters.text)
    of_tables = await _ranges(session, filters)
    if asked["words"] is not None:
        of_tables.insert(0, (sought.NAMES, {}))
    wanted |= {each.of_customer(): {} for each, _ in of_tables[1:]}
    for parameters in (*wanted.values(), *(parameters for _, parameters in of_tables)):
        asked |= parameters
    further = after is not None
    if of_tables:
        of_mine = not who.sees_all
        ways: tuple[str, ...] = sought.ways(of_tables[0][0], _ROWS, list(wanted), of_mine=of_mine, further=further)
    else:
        mine = [] if who.sees_all else ["c.id IN (SELECT customer_id FROM mine)"]
        before = ["c.id < :after"] if further else []
        ways = (f"{_ROWS} WHERE {' AND '.join([*wanted, *mine, *before])} ORDER BY c.id DESC",)
    queries = [_PAGE.format(mine="" if who.sees_all else f"{_PEOPLE},", rows=rows) for rows in ways]
    return [(query, {name: value for name, value in asked.items() if f":{name}" in query}) for query in queries]


async def page(
    session: ReadSession, *, who: Principal, filters: Filters, limit: int, after: UUID | None, now: datetime
) -> CustomerPage:
    """Customers of whom the viewer sees an order, the newest first.

    Raises:
        InvalidFields: a field does not exist, or cannot have such a value.
    """
    items: list[CustomerItem] = []
    for query, asked in await statements(session, who=who, filters=filters, limit=limit, after=after, now=now):
        rows = await session.execute(text(query), asked)
        items = [_item(dict(row._mapping), who=who) for row in rows]
        if len(items) == limit:
            break
    return CustomerPage(items=items, next=items[-1].id if len(items) == limit else None)


def _item(row: dict[str, Any], *, who: Principal) -> CustomerItem:
    return CustomerItem.model_validate(
        {
            **row,
            "phones": [shown(phone, who=who, own=row["own"]) for phone in row["phones"]],
            "blocked": row["blocked_at"] is not None,
            "confirmed": row["confirmed_at"] is not None,
        }
    )
