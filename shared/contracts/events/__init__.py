"""The registry: every event type, its model and its subject. Subjects are `<service>.<entity>.<fact>.v<N>`."""

from __future__ import annotations

from shared.contracts.events import (
    customers,
    leads,
    leads_everyday,
    orders,
    orders_calls,
    orders_rescue,
    shipping,
    shipping_rescue,
    staff,
)
from shared.contracts.events.base import EventType

REGISTRY: dict[str, EventType] = {
    event_type.name: event_type
    for module in (
        customers,
        leads,
        leads_everyday,
        orders,
        orders_calls,
        orders_rescue,
        shipping,
        shipping_rescue,
        staff,
    )
    for event_type in vars(module).values()
    if isinstance(event_type, EventType)
}
"""Event type name → event type. The name is the NATS subject as well."""

STREAM_OF: dict[str, str] = {service: service.upper() for service in ("leads", "orders", "shipping", "staff")}
"""Service → its JetStream stream."""

__all__ = [
    "REGISTRY",
    "STREAM_OF",
    "EventType",
    "customers",
    "leads",
    "leads_everyday",
    "orders",
    "orders_calls",
    "orders_rescue",
    "shipping",
    "shipping_rescue",
    "staff",
]
