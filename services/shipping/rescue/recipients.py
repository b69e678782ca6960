"""Another phone, name or address of a parcel on its way: on our slips and in the order from then on, the old one kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.shipping.carriers.parcel import Address, RecipientChange
from services.shipping.work import Work
from shared.contracts.events import orders
from shared.contracts.events.shipping_rescue import RECIPIENT_CHANGED, RecipientChanged

_REQUEST: Final = """
SELECT q.change::text AS change, q.by_id, q.by_code, q.shipment_id, s.order_id
FROM rescue_requests q JOIN shipments s ON s.id = q.shipment_id WHERE q.id = $1 AND q.changed_at IS NULL
"""
_KEEP: Final = """
UPDATE rescue_requests q SET changed_at = $2, before = jsonb_build_object('recipient', o.recipient, 'phone', o.phone,
    'address', jsonb_build_object('province', o.province, 'district', o.district, 'ward', o.ward, 'detail', o.detail,
    'province_code', o.province_code, 'district_code', o.district_code, 'ward_code', o.ward_code))
FROM shippable_orders o WHERE q.id = $1 AND o.order_id = $3
"""
# The order's next version says the same; that the carrier has it is what `order_version` says.
_APPLY: Final = """
WITH told AS (
    UPDATE shipments s SET order_version = o.version + 1 FROM shippable_orders o
    WHERE s.order_id = $1 AND s.superseded_at IS NULL AND o.order_id = $1
)
UPDATE shippable_orders SET recipient = coalesce($2, recipient), phone = coalesce($3, phone),
    province = CASE WHEN $4 THEN $5 ELSE province END, district = CASE WHEN $4 THEN $6 ELSE district END,
    ward = CASE WHEN $4 THEN $7 ELSE ward END, detail = CASE WHEN $4 THEN $8 ELSE detail END,
    province_code = CASE WHEN $4 THEN $9 ELSE province_code END,
    district_code = CASE WHEN $4 THEN $10 ELSE district_code END, ward_code = CASE WHEN $4 THEN $11 ELSE ward_code END
WHERE order_id = $1
"""
_ADDRESS: Final = ("province", "district", "ward", "detail", "province_code", "district_code", "ward_code")


def change_of(kept: str) -> RecipientChange:
    """What a request wants to be different."""
    fields: dict[str, Any] = orjson.loads(kept)
    address = fields.get("address")
    return RecipientChange(
        recipient=fields.get("recipient"), phone=fields.get("phone"), to=Address(**address) if address else None
    )


async def changed(current: Work, request_id: UUID, *, now: datetime) -> None:
    """The carrier has taken what a request wants to be different; done before, it does nothing."""
    row = await current.connection.fetchrow(_REQUEST, request_id)
    if row is None:
        return
    change = change_of(row["change"])
    await current.connection.execute(_KEEP, request_id, now, row["order_id"])
    to = [getattr(change.to, name) if change.to is not None else None for name in _ADDRESS]
    await current.connection.execute(
        _APPLY, row["order_id"], change.recipient, change.phone, change.to is not None, *to
    )
    event = RecipientChanged(
        request_id=request_id,
        order_id=row["order_id"],
        shipment_id=row["shipment_id"],
        at=now,
        by_id=row["by_id"],
        by=row["by_code"],
        recipient=change.recipient,
        phone=change.phone,
        address=orders.Address(**{name: getattr(change.to, name) for name in _ADDRESS}) if change.to else None,
    )
    current.tell(RECIPIENT_CHANGED, event, subject=row["shipment_id"], event_id=request_id)
