"""An order leaves care: results of its calls that nobody has logged are not owed any more."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from shared.db import Session

LEFT_CARE: Final = "left_care"
"""Why such a call stands on the timeline without a result."""

# In the order in which the hook locks calls, so that neither waits for the other in a circle.
_LOOK_AGAIN: Final = text(
    """
UPDATE telephone_calls SET changed = true, changed_at = :now
WHERE id IN (
    SELECT id FROM telephone_calls WHERE order_id = :order_id AND state = 'waiting' ORDER BY system_id, call_id FOR UPDATE)
"""
)


async def left_care(session: Session, order_id: UUID, *, now: datetime) -> None:
    """Lets the calls that wait for a result be settled once more, as calls of an order that is out of care; its row is
    locked."""
    await session.execute(_LOOK_AGAIN, {"order_id": order_id, "now": now})
