"""Facts of customers, which the orders service keeps."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant, personal
from shared.contracts.events.base import EventType


class CustomerChanged(Contract):
    """How a customer is after an edit. Customers who never were edited are known by their orders alone."""

    customer_id: UUID
    version: int
    """Grows with each edit; a reader keeps the highest."""
    at: Instant
    by: str = ""
    """Staff code; empty for the system."""
    kind: Literal["person", "organisation"] = "person"
    name: str = personal("")
    phones: tuple[str, ...] = personal(())
    """E.164, the oldest first."""
    tags: tuple[UUID, ...] = ()
    blocked: bool = False
    """'Bom hàng' (rule D46): shown, never refused silently."""


class CustomersMerged(Contract):
    """Two customers are one person."""

    merge_id: UUID
    kept_id: UUID
    gone_id: UUID
    at: Instant
    by: str = ""
    orders: tuple[UUID, ...] = ()
    """The orders that now belong to the one that stays."""


class CustomersUnmerged(Contract):
    """A merge was taken back within a day."""

    merge_id: UUID
    kept_id: UUID
    restored_id: UUID
    at: Instant
    by: str = ""
    orders: tuple[UUID, ...] = ()
    """The orders that belong to the restored one, those since the merge included."""


CUSTOMER_CHANGED: Final = EventType("orders.customer.changed.v1", CustomerChanged)
CUSTOMERS_MERGED: Final = EventType("orders.customer.merged.v1", CustomersMerged)
CUSTOMERS_UNMERGED: Final = EventType("orders.customer.unmerged.v1", CustomersUnmerged)
