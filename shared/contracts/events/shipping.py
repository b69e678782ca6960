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
    """The money of a shipment is home, by what was agreed to be the proof of it."""

    shipment_id: UUID
    order_id: UUID
    at: Instant
    amount: Dong
    """Gross COD (rule D30)."""
    fee: Dong = 0
    carrier: str
    evidence: Literal["status", "statement", "bank", "person"]
    compensation: bool = False
    """The carrier's compensation for a lost parcel, which takes the place of its COD (rule D3)."""
    statement_id: UUID | None = None
    """The statement with the line that completed it; None where no statement was needed."""


DifferenceKind = Literal[
    "short",  # delivered, and paid less than was collected
    "over",  # paid more than was collected
    "double",  # paid more, by more than one line
    "missing",  # delivered, and not paid in the days that were agreed
    "returned_yet_paid",
    "paid_not_delivered",
    "wrong_fee",  # another fee than the one quoted
    "compensation_missing",  # lost, and not compensated in the days that were agreed
    "compensation_short",
    "unknown_line",  # a line of a statement about no parcel of ours
    "wrong_net",  # a statement that pays out something else than its own lines come to
    "bank_missing",  # a statement whose money did not reach the bank in the days that were agreed
    "bank_short",
    "bank_over",
    "bank_unknown",  # a carrier's payment on the bank account that no statement explains
]
DifferenceEnd = Literal[
    "mended",  # by a later fact
    "resolved",  # by a person, with a reason
    "written_off",  # given up by a person with permission, with a reason
]


class DifferenceOpened(Contract):
    """What a carrier has paid is not what it should have paid."""

    difference_id: UUID
    kind: DifferenceKind
    at: Instant
    carrier: str
    connection_id: UUID | None
    """None: it is about the carrier, and no single shop."""
    amount: Dong
    """What the carrier owes us; below zero: what we owe it."""
    shipment_id: UUID | None = None
    order_id: UUID | None = None
    statement_id: UUID | None = None
    since: Instant
    """Since when the money is owed."""


class DifferenceClosed(Contract):
    """A difference has come to its end."""

    difference_id: UUID
    kind: DifferenceKind
    at: Instant
    carrier: str
    connection_id: UUID | None
    amount: Dong
    """As it stood last."""
    end: DifferenceEnd
    by: str = ""
    """Staff code; empty where a later fact mended it."""
    cause: str = ""
    """What mended it: the status of the parcel, or 'statement' or 'bank'."""
    shipment_id: UUID | None = None
    order_id: UUID | None = None
    statement_id: UUID | None = None


class CodWrittenOff(Contract):
    """A person with permission gave up money that a carrier owes."""

    shipment_id: UUID
    order_id: UUID
    at: Instant
    amount: Dong
    """What is not going to come."""
    carrier: str
    by: str
    """Staff code."""


SHIPMENT_CHANGED: Final = EventType("shipping.shipment.changed.v1", ShipmentChanged)
COD_SETTLED: Final = EventType("shipping.cod.settled.v1", CodSettled)
COD_WRITTEN_OFF: Final = EventType("shipping.cod.written_off.v1", CodWrittenOff)
DIFFERENCE_OPENED: Final = EventType("shipping.difference.opened.v1", DifferenceOpened)
DIFFERENCE_CLOSED: Final = EventType("shipping.difference.closed.v1", DifferenceClosed)
