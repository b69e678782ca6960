"""Changes of a shipment that no carrier reported: refused, cancelled before it was sent, opened again."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from services.shipping.work import Work
from shared.contracts.events.shipping import SHIPMENT_CHANGED, ShipmentChanged, ShipmentStatus

ALLOWED: Final[dict[str, frozenset[str]]] = {
    "draft": frozenset({"refused", "cancelled"}),
    "refused": frozenset({"draft", "cancelled"}),
}
"""From → to. Everything else is moved by the carrier's reports (services/shipping/timeline.py)."""


class ShipmentUnknown(Exception):
    """There is no such shipment."""


class ImpossibleMove(Exception):
    """A change of status that the table does not allow."""


_LOCKED: Final = """
SELECT s.order_id, s.status, s.sequence, s.cod, s.waybill, coalesce(c.carrier, '') AS carrier
FROM shipments s LEFT JOIN carrier_connections c ON c.id = s.connection_id WHERE s.id = $1 FOR UPDATE OF s
"""
_MOVE: Final = """
UPDATE shipments SET status = $2, status_at = $3, reason_code = $4, sequence = sequence + 1, revision = revision + 1,
    updated_at = now()
WHERE id = $1
"""


async def move(
    current: Work, shipment_id: UUID, status: ShipmentStatus, *, reason_code: str = "", now: datetime
) -> bool:
    """Moves a shipment that the carrier does not have, and tells the others. False: it was there already.

    Raises:
        ShipmentUnknown: there is no such shipment.
        ImpossibleMove: the table does not allow it.
    """
    row = await current.connection.fetchrow(_LOCKED, shipment_id)
    if row is None:
        raise ShipmentUnknown(str(shipment_id))
    if row["status"] == status:
        return False
    if row["waybill"] or status not in ALLOWED.get(row["status"], frozenset()):
        raise ImpossibleMove(f"{row['status']} → {status}")
    await current.connection.execute(_MOVE, shipment_id, status, now, reason_code)
    current.tell(
        SHIPMENT_CHANGED,
        ShipmentChanged(
            shipment_id=shipment_id,
            order_id=row["order_id"],
            sequence=row["sequence"] + 1,
            status=status,
            previous=row["status"],
            at=now,
            carrier=row["carrier"],
            reason_code=reason_code,
            cod=row["cod"],
        ),
        subject=shipment_id,
    )
    return True
