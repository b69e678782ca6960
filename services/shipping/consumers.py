"""What shipping learns from orders: what is to be sent to whom, and what is not to be sent after all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import text

from shared.consumer import Event, Handlers
from shared.contracts.events.orders import (
    ORDER_CANCELLED,
    ORDER_CLOSED,
    OWNER_CHANGED,
    OrderCancelled,
    OrderClosed,
    OwnerChanged,
)
from shared.contracts.workflows import nudge_shipment
from shared.db import Session
from shared.outbox import command_row, write

handlers = Handlers()

# Prices that were asked for an earlier version were another parcel's.
_CLOSED = text(
    """
WITH closed AS (
INSERT INTO shippable_orders (order_id, version, code, closer_id, closer_code, recipient, phone, province, district, ward,
    detail, province_code, district_code, ward_code, lines, goods_value, cod, shipping_fee, note, closed_at)
SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(order_id uuid, version integer, code text, closer_id uuid,
    closer_code text, recipient text, phone text, province text, district text, ward text, detail text,
    province_code text, district_code text, ward_code text, lines jsonb, goods_value bigint, cod bigint,
    shipping_fee bigint, note text, closed_at timestamptz)
ON CONFLICT (order_id) DO UPDATE SET version = excluded.version, code = excluded.code, closer_id = excluded.closer_id,
    closer_code = excluded.closer_code, recipient = excluded.recipient, phone = excluded.phone,
    province = excluded.province, district = excluded.district, ward = excluded.ward, detail = excluded.detail,
    province_code = excluded.province_code, district_code = excluded.district_code, ward_code = excluded.ward_code,
    shipping_fee = excluded.shipping_fee, lines = excluded.lines, goods_value = excluded.goods_value,
    cod = excluded.cod, note = excluded.note, closed_at = excluded.closed_at
WHERE shippable_orders.version < excluded.version
RETURNING order_id
)
DELETE FROM quotes q USING closed c WHERE q.order_id = c.order_id
"""
)
_CANCELLED = text(
    """
INSERT INTO shippable_orders (order_id, cancelled_version, cancelled_at) VALUES (:order_id, :version, :at)
ON CONFLICT (order_id) DO UPDATE SET cancelled_version = excluded.cancelled_version, cancelled_at = excluded.cancelled_at
WHERE coalesce(shippable_orders.cancelled_version, 0) < excluded.cancelled_version
RETURNING version
"""
)
_CANCEL_SHIPMENT = text(
    """
UPDATE shipments SET cancel_requested_at = now(), cancel_requested_by = :by, cancel_reason = :reason,
    revision = revision + 1, updated_at = now()
WHERE order_id = :order_id AND superseded_at IS NULL AND cancel_requested_at IS NULL
    AND status IN ('draft', 'refused', 'accepted')
RETURNING id, round
"""
)
_OWNED = text(
    """
UPDATE shippable_orders o SET owner_id = r.owner_id, assignment = r.assignment
FROM (
    SELECT DISTINCT ON (order_id) * FROM unnest(CAST(:orders AS uuid[]), CAST(:owners AS uuid[]),
        CAST(:assignments AS integer[])) AS t (order_id, owner_id, assignment)
    ORDER BY order_id, assignment DESC
) AS r
WHERE o.order_id = r.order_id AND o.assignment < r.assignment
"""
)


@handlers.batch(ORDER_CLOSED)
async def on_orders_closed(session: Session, events: Sequence[Event[OrderClosed]]) -> None:
    newest: dict[Any, OrderClosed] = {}
    for event in events:
        held = newest.get(event.data.order_id)
        if held is None or held.version < event.data.version:
            newest[event.data.order_id] = event.data
    rows = [_row(order) for order in newest.values()]
    await session.execute(_CLOSED, {"rows": orjson.dumps(rows).decode()})


@handlers.batch(OWNER_CHANGED)
async def on_owners_changed(session: Session, events: Sequence[Event[OwnerChanged]]) -> None:
    """Whoever holds a closed order now sees its parcel's failed deliveries and may ask the carrier."""
    facts = [event.data for event in events]
    values = {
        "orders": [fact.order_id for fact in facts],
        "owners": [fact.to_owner_id for fact in facts],
        "assignments": [fact.assignment for fact in facts],
    }
    await session.execute(_OWNED, values)


@handlers.each(ORDER_CANCELLED)
async def on_order_cancelled(session: Session, event: Event[OrderCancelled]) -> None:
    order = event.data
    known = (await session.execute(_CANCELLED, order.model_dump(include={"order_id", "version", "at"}))).scalar()
    if known is None or known > order.version:
        return  # an older word, or the order was closed again since
    cancelled = await session.execute(
        _CANCEL_SHIPMENT, {"order_id": order.order_id, "by": order.by, "reason": order.reason}
    )
    await write(session, [command_row(nudge_shipment(row.id, round=row.round)) for row in cancelled])


def _row(order: OrderClosed) -> dict[str, Any]:
    goods = sum(line.quantity * line.unit_price for line in order.lines) - order.discount
    return {
        **order.model_dump(mode="json", include={"order_id", "version", "code", "closer_id", "closer_code"}),
        **order.model_dump(mode="json", include={"recipient", "phone", "cod", "shipping_fee", "note", "closed_at"}),
        **order.address.model_dump(mode="json"),
        "lines": [
            {
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "weight_grams": line.weight_grams,
            }
            for line in order.lines
        ],
        "goods_value": max(0, goods),
    }
