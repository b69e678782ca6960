"""Facts of the shipping service: what the carrier did with a parcel and with the money."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Dong, Instant
from shared.contracts.events.base import EventType

ShipmentStatus = Literal[
    "draft",  # a row and a reference, the carrier has not accepted it yet
    "refused",  # the carrier will not take it as it is; a person must correct it
    "accepted",  # waybill exists, waiting for pick-up (L7)
    "picked_up",
    "out_for_delivery",  # L7.1
    "delivery_failed",  # L7.2
    "delivered",  # L8, money pending
    "returning",  # L7.5
    "returned",  # L7.3
    "lost",  # L7.6
    "pickup_failed",  # back to L5 (rule D6)
    "cancelled",  # L7.4
]


class ShipmentChanged(Contract):
    """The confirmed state of a shipment moved. Provisional courier reports stay on the timeline."""

    shipment_id: UUID
    order_id: UUID
    sequence: int
    """Grows by one with each change of this shipment; a reader keeps the highest."""
    status: ShipmentStatus
    previous: ShipmentStatus
    """The same as `status` where only the hand-over time or the partial mark became known."""
    at: Instant
    """The carrier's time."""
    carrier: str
    waybill: str = ""
    reason_code: str = ""
    handed_over_at: Instant | None = None
    """Pick-up: base of every return rate (rule D4)."""
    correction: bool = False
    partial: bool = False
    cod: Dong = 0


class CodSettled(Contract):
    """The carrier says the money of a delivered shipment was paid out."""

    shipment_id: UUID
    order_id: UUID
    at: Instant
    amount: Dong
    """Gross COD (rule D30)."""
    fee: Dong = 0
    carrier: str
    evidence: Literal["status", "statement", "bank", "person"]


SHIPMENT_CHANGED: Final = EventType("shipping.shipment.changed.v1", ShipmentChanged)
COD_SETTLED: Final = EventType("shipping.cod.settled.v1", CodSettled)
