"""Facts of the orders service about calls to customers whose delivery failed."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant
from shared.contracts.events.base import EventType


class RescueHandedOver(Contract):
    """The COD desk has the call too; whoever had it first keeps sight of it, and may still call."""

    rescue_id: UUID
    """The failed delivery (`shipping.rescue.changed`)."""
    turn: int
    """How many-th time somebody has to decide about it."""
    order_id: UUID
    at: Instant
    why: Literal["call_hours", "cut_off", "desk_first", "no_owner", "left", "off_duty"]
    call_minutes: int
    """Of the calling hours that the company gives whoever holds the order."""
    deadline_at: Instant
    """By which somebody has to decide."""
    from_id: UUID | None = None
    from_code: str = ""
    """Staff code of whose turn it was; nobody's if the desk calls first, or nobody holds the order."""


RESCUE_HANDED_OVER: Final = EventType("orders.rescue.handed_over.v1", RescueHandedOver)
