"""Which event caused what, when a batch of events is applied in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from shared.consumer import Event
from shared.telemetry import correlated


class Causes:
    """The cause of each order's change in a batch; without events, the cause is that of the running request."""

    def __init__(self, events: Sequence[tuple[UUID, Event[Any]]] = ()) -> None:
        self._events = dict(events)

    def of(self, order_id: UUID) -> AbstractContextManager[None]:
        """What is written inside carries the correlation and causation of this order's event."""
        event = self._events.get(order_id)
        return correlated(event.correlation_id, causation=str(event.id)) if event is not None else nullcontext()


REQUEST = Causes()
