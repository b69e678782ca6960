"""Everything that ever happened between the company and a customer, in one list, the newest first.

Who looks after a customer (sees their last order, as its holder, closer or above these) sees the whole of it. Anybody else
sees the whole of their own orders, and of others' only that there was something.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text

from services.orders.access import VISIBLE, viewer
from services.orders.customers.access import ensure_sees, sees_numbers_of
from services.orders.reading.timeline import ENTRIES, Entry, shown
from shared.auth import Principal
from shared.db import ReadSession

Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}~[a-z_]+~[0-9a-f-]{36}~[0-9a-zA-Z:._-]{1,120}$")]


class CustomerEntry(Entry):
    """One line of a customer's timeline; the kinds are those of orders, and arrived, contents, task, customer."""

    order_id: UUID | None = Field(description="null: about the customer as such, or about an order that is not yours")
    order_code: str = Field(examples=["DH-4F7K2M9Q"])
    hidden: bool = Field(description="of an order that you may not see: only that there was something, and when")
    changes: dict[str, Any] = Field(description="of an edit of the customer: what → [before, after]")


class CustomerTimeline(BaseModel):
    items: list[CustomerEntry]
    next: str | None = Field(description="`after` of the next page; null on the last")


_ORDERS: Final = text(
    f"""
SELECT o.id, o.code, {VISIBLE} AS visible FROM orders o WHERE o.customer_id = :id ORDER BY o.id
"""
)
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
# Each part is read by its index of orders: what a page costs grows with what happened to this customer, not with all.
_PAGE: Final = text(
    f"""
SELECT kind, order_id, key, at, what, before, by, reason, note, seconds, amount, changes FROM (
    SELECT kind, order_id, key, at, what, before, by, reason, note, seconds, amount, CAST('{{}}' AS jsonb) AS changes
    FROM ({ENTRIES}) AS entries
    UNION ALL
    SELECT 'arrived', id, CAST(id AS text), cohort_at, product, '', channel, landing_page, lead_note, 0, 0, '{{}}'
    FROM orders WHERE id = ANY(:ids)
    UNION ALL
    SELECT 'contents', order_id, CAST(version AS text), at, CAST(version AS text), '', by_code, reason, '', 0,
        CAST(contents ->> 'total' AS bigint), '{{}}'
    FROM order_versions WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'task', order_id, CAST(id AS text), opened_at, step, kind, '', cause, '', 0, 0, '{{}}'
    FROM tasks WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'customer', CAST('{_NOBODY}' AS uuid), CAST(id AS text), at, kind, '', by_code, reason, '', 0, 0, changes
    FROM customer_history WHERE customer_id = ANY(:customers)
) AS entries
WHERE CAST(:at AS timestamptz) IS NULL
    OR (at, kind, order_id, key) < (:at, CAST(:kind AS text), CAST(:order AS uuid), CAST(:key AS text))
ORDER BY at DESC, kind DESC, order_id DESC, key DESC LIMIT :limit
"""
)
# The edits of whoever went into this customer are their past as well.
_FAMILY: Final = text(
    """
WITH RECURSIVE family (id) AS (
    SELECT CAST(:id AS uuid) UNION SELECT c.id FROM customers c JOIN family f ON c.merged_into = f.id
)
SELECT id FROM family
"""
)


async def page(
    session: ReadSession, customer_id: UUID, *, who: Principal, limit: int, after: str | None, now: datetime
) -> CustomerTimeline:
    """
    Raises:
        CustomerNotFound: there is none, or the viewer sees none of their orders.
        CustomerMerged: they are another one now.
    """
    await ensure_sees(session, customer_id, who)
    orders = (await session.execute(_ORDERS, {"id": customer_id, **viewer(who)})).all()
    all_of_it = who.sees_all or bool(orders and orders[-1].visible)
    codes = {order.id: order.code for order in orders if all_of_it or order.visible}
    family = list((await session.execute(_FAMILY, {"id": customer_id})).scalars())
    rows = await session.execute(
        _PAGE,
        {"ids": [order.id for order in orders], "customers": family, "limit": limit, **_read_cursor(after)},
    )
    entries = [dict(row._mapping) for row in rows]
    following = _cursor(entries[-1]) if len(entries) == limit else None
    whole = await sees_numbers_of(session, customer_id, who, now=now)
    items = [shown(_entry(entry, codes), who=who, whole=whole) for entry in entries]
    return CustomerTimeline(items=items, next=following)


def _entry(row: dict[str, Any], codes: dict[UUID, str]) -> CustomerEntry:
    order_id: UUID = row["order_id"]
    if row["kind"] == "customer":
        return CustomerEntry(**{**row, "order_id": None}, order_code="", hidden=False)
    if order_id in codes:
        return CustomerEntry(**row, order_code=codes[order_id], hidden=False)
    nothing = {"what": "", "before": "", "by": "", "reason": "", "note": "", "seconds": 0, "amount": 0, "changes": {}}
    return CustomerEntry(**{**row, **nothing, "order_id": None, "key": ""}, order_code="", hidden=True)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _cursor(entry: dict[str, Any]) -> str:
    microseconds = (entry["at"] - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}~{entry['kind']}~{entry['order_id']}~{entry['key']}"


def _read_cursor(after: str | None) -> dict[str, Any]:
    if after is None:
        return {"at": None, "kind": None, "order": None, "key": None}
    microseconds, kind, order, key = after.split("~", 3)
    at = _EPOCH + timedelta(microseconds=int(microseconds))
    return {"at": at, "kind": kind, "order": order, "key": key}
