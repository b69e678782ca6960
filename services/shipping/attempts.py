"""A shipment's attempts at its carrier as rows: locked together, refused, and how an attempt can come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.carriers.checking import Breach
from services.shipping.statuses import ShipmentUnknown, move
from services.shipping.work import Work

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True)
class Outcome:
    """What came of it: `state` as in the contract (accepted, refused, next_reference, cancelled)."""

    state: str
    reference: str
    reason: str = ""


async def locked(current: Work, shipment_id: UUID) -> asyncpg.Record:
    row = await current.connection.fetchrow(_LOCKED, shipment_id)
    if row is None:
        raise ShipmentUnknown(str(shipment_id))
    return row


async def refuse(
    current: Work, row: asyncpg.Record, breaches: Sequence[Breach], *, now: datetime, may_exist: bool = False
) -> Outcome:
    """The shipment waits for a person who corrects what is wrong.

    Args:
        now: UTC.
        may_exist: an earlier call may have had its effect, so the reference is not given up.
    """
    words = " ".join(breach.vi for breach in breaches)
    english = " ".join(breach.en for breach in breaches)
    await current.connection.execute(_REFUSED, row["id"], f"{words}\n{english}" if english else words)
    if not may_exist:
        await current.connection.execute(
            "UPDATE creation_attempts SET state = 'refused' WHERE reference = $1 AND calls > 0", row["reference"]
        )
    code = breaches[0].code
    await move(current, row["id"], "refused", reason_code=code, now=now)
    return Outcome("refused", row["reference"], code)


_LOCKED: Final = """
SELECT s.id, s.order_id, s.connection_id, s.pick_up_id, s.reference, s.waybill, s.status, s.reason_code, s.cod,
    s.order_version, s.cancel_requested_at, o.code, o.province, o.lines::text AS lines, a.state AS attempt, a.calls
FROM shipments s JOIN shippable_orders o ON o.order_id = s.order_id JOIN creation_attempts a ON a.reference = s.reference
WHERE s.id = $1 FOR UPDATE OF s, a
"""
_REFUSED: Final = "UPDATE shipments SET refusal = $2 WHERE id = $1"
