"""When to look at a shipment again. Pure: time comes as an argument.

Callbacks are the rule and polling repairs what they lost, so the pauses follow how soon the next report is expected
and how much a late one costs: an hour or a few around a delivery, half a day before that, a day when nothing moves. A
parcel that the carrier promises for Friday has nothing to tell on Wednesday, and a parcel that is late by that promise
is looked at more often. The cost is that of the overdue shipments, not of all open ones.

A carrier whose parcels cannot be asked about (ViettelPost) is asked to call back once more. It answers by callbacks, or
not at all; then it is asked again after longer and longer pauses, a person is told, and in the end it is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.events.shipping import ShipmentStatus

PAUSES: Final[Mapping[ShipmentStatus, timedelta]] = {
    "accepted": timedelta(hours=8),
    "picked_up": timedelta(hours=12),
    "out_for_delivery": timedelta(hours=3),
    "delivery_failed": timedelta(hours=2),  # the rescue of an order depends on the carrier's next decision
    "delivered": timedelta(hours=24),  # until the money is paid out
    "returning": timedelta(hours=24),
}
"""The pause after a change: about as long as the status usually lasts, so that what is asked about is overdue. Statuses
that are not here are at rest and are not polled."""
PROVISIONAL_PAUSE: Final = timedelta(hours=1)
"""A courier's report is confirmed within the hour; without that a callback is overdue."""
GROWTH: Final = 1.5
"""Each look that finds nothing new makes the next pause longer."""
PAUSE_MAX: Final = timedelta(hours=24)
PROMISE_NEAR: Final = timedelta(days=1)
"""Before the promised time: until then a parcel on its way has nothing to tell."""
LATE: Final = frozenset({"picked_up", "out_for_delivery", "delivery_failed"})
LATE_PAUSE_MAX: Final = timedelta(hours=4)
LATE_FOR: Final = timedelta(days=7)
"""A parcel that is late by its promise is looked at that often, for so long; after that it is one that nothing moves."""

ANSWER_WITHIN: Final = timedelta(minutes=30)
"""Until a carrier that was asked to call back is asked again; doubles each time."""
SILENT_AFTER: Final = 3
"""Requests without a callback after which a person is told: the carrier's callbacks do not reach us."""
REQUESTS_MAX: Final = 10
"""Requests without a callback after which the parcel is left alone: about four days. Any callback begins anew."""

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
    promised_at: datetime | None = None,
    now: datetime,
    pace: float,
) -> datetime | None:
    """When to ask the carrier about a shipment, or None when nothing more is expected of it.

    Args:
        settled: its money is home, or the carrier has no word for that.
        provisional: a courier's report waits for its confirmation.
        owes_amount: the amount of a partial delivery is not known yet, so it is asked at once.
        unchanged: looks since the last change that found nothing new.
        promised_at: when the carrier means to deliver it.
        pace: factor of all pauses.
    """
    if owes_amount:
        return now
    pause = PAUSES.get(status)
    if pause is None or (status == "delivered" and settled):
        return None
    if provisional:
        pause = min(pause, PROVISIONAL_PAUSE)
    if unchanged:
        # Beyond 20 the pause is at its longest anyway, and the power stays a small number.
        pause = min(pause * GROWTH ** min(unchanged, 20), PAUSE_MAX)
    if promised_at is not None and not provisional:
        if status == "picked_up" and now < promised_at - PROMISE_NEAR:
            pause = max(pause, min(promised_at - PROMISE_NEAR - now, PAUSE_MAX))
        elif status in LATE and promised_at < now < promised_at + LATE_FOR:
            pause = min(pause, LATE_PAUSE_MAX)
    return now + pause * pace


def next_request(unanswered: int, *, now: datetime, pace: float) -> datetime | None:
    """When to ask once more for callbacks that did not come, or None when enough was asked.

    Args:
        unanswered: requests since the carrier last told anything, the one just made included.
    """
    if unanswered >= REQUESTS_MAX:
        return None
    return now + min(ANSWER_WITHIN * 2.0 ** (unanswered - 1), PAUSE_MAX) * pace


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
