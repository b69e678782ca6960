"""Facts of the orders service about calls that a telephone system measured."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant
from shared.contracts.events.base import EventType


class CallEnded(Contract):
    """A call about an order is over, as its telephone system measured it; told again when more is known."""

    call_id: UUID
    revision: int
    """Grows with each telling; a reader keeps the highest."""
    order_id: UUID
    direction: Literal["out", "in"]
    started_at: Instant
    answered_at: Instant | None = None
    ended_at: Instant
    talk_seconds: int = 0
    """From answer to end; 0 if nobody answered."""
    staff_id: UUID | None = None
    staff_code: str = ""
    interaction_id: UUID | None = None
    """As which it is logged; None while its result is waited for."""


CALL_ENDED: Final = EventType("orders.call.ended.v1", CallEnded)
