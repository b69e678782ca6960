"""When to look at a shipment again. Pure: time comes as an argument.

Callbacks are the rule and polling repairs what they lost, so the pauses follow how soon the next report is expected
and how much a late one costs: minutes around a delivery, hours before a pick-up, a day when nothing moves. The cost is
that of the overdue shipments, not of all open ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.events.shipping import ShipmentStatus

PAUSES: Final[Mapping[ShipmentStatus, timedelta]] = {
    "accepted": timedelta(hours=2),
    "picked_up": timedelta(hours=4),
    "out_for_delivery": timedelta(minutes=30),
    "delivery_failed": timedelta(hours=1),  # the rescue of an order depends on the carrier's next decision
    "delivered": timedelta(hours=6),  # until the money is paid out
    "returning": timedelta(hours=6),
}
"""The pause after a change; statuses that are not here are at rest and are not polled."""
PROVISIONAL_PAUSE: Final = timedelta(minutes=15)
"""A courier's report is confirmed within the hour; without that a callback is overdue."""
GROWTH: Final = 1.5
"""Each look that finds nothing new makes the next pause longer."""
PAUSE_MAX: Final = timedelta(hours=24)

PATIENCE: Final[Mapping[ShipmentStatus, timedelta]] = {
    "draft": timedelta(minutes=15),
    "refused": timedelta(hours=2),
    "accepted": timedelta(days=2),
    "picked_up": timedelta(days=4),
    "out_for_delivery": timedelta(days=2),
    "delivery_failed": timedelta(days=2),
    "delivered": timedelta(days=10),  # carriers pay COD out two or three times a week
    "returning": timedelta(days=10),
}
"""How long a status may last before an operator sees the shipment as overdue."""


def next_poll(
    status: ShipmentStatus,
    *,
    settled: bool,
    provisional: bool,
    owes_amount: bool,
    unchanged: int,
    now: datetime,
    pace: float,
) -> datetime | None:
    """When to ask the carrier about a shipment, or None when nothing more is expected of it.

    Args:
        settled: its money is home.
        provisional: a courier's report waits for its confirmation.
        owes_amount: the amount of a partial delivery is not known yet, so it is asked at once.
        unchanged: looks since the last change that found nothing new.
        pace: factor of all pauses.
    """
    if owes_amount:
        return now
    pause = PAUSES.get(status)
    if pause is None or (status == "delivered" and settled):
        return None
    if provisional:
        pause = min(pause, PROVISIONAL_PAUSE)
    # Beyond 20 the pause is at its longest anyway, and the power stays a small number.
    return now + min(pause * GROWTH ** min(unchanged, 20), PAUSE_MAX) * pace


def overdue_at(status: ShipmentStatus, *, since: datetime, settled: bool) -> datetime | None:
    """When a shipment that stays as it is becomes overdue; None for one that may rest."""
    patience = PATIENCE.get(status)
    if patience is None or (status == "delivered" and settled):
        return None
    return since + patience


def has_ended(status: ShipmentStatus, *, settled: bool, cod: int) -> bool:
    """Nothing is left to wait for: the parcel's way is over, and so is that of its money."""
    if status == "delivered":
        return settled or cod == 0
    return status in ("returned", "lost", "cancelled", "pickup_failed")
