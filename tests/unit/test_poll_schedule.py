"""When carriers are asked again: by state, by promise, and how long for callbacks that do not come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.shipping import schedule
from shared.contracts.events.shipping import ShipmentStatus

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def pause(
    status: ShipmentStatus,
    *,
    settled: bool = False,
    provisional: bool = False,
    unchanged: int = 0,
    promised: timedelta | None = None,
) -> timedelta | None:
    at = schedule.next_poll(
        status,
        settled=settled,
        provisional=provisional,
        owes_amount=False,
        unchanged=unchanged,
        promised_at=NOW + promised if promised is not None else None,
        now=NOW,
        pace=1.0,
    )
    return at - NOW if at is not None else None


def test_pauses_grow_while_nothing_is_new_up_to_a_day() -> None:
    pauses = [pause("out_for_delivery", unchanged=unchanged) for unchanged in (0, 1, 2, 30)]
    assert pauses == [timedelta(hours=3), timedelta(hours=4.5), timedelta(hours=6.75), timedelta(days=1)]


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        (timedelta(days=1, hours=20), timedelta(hours=20)),
        (timedelta(days=5), timedelta(days=1)),
        (timedelta(days=1, hours=2), timedelta(hours=12)),
        (timedelta(hours=5), timedelta(hours=12)),
        (-timedelta(hours=5), timedelta(hours=4)),
    ],
)
def test_a_parcel_on_its_way_is_left_alone_until_its_promised_day_is_near(
    promised: timedelta, expected: timedelta
) -> None:
    assert pause("picked_up", promised=promised) == expected


@pytest.mark.parametrize("status", ["picked_up", "out_for_delivery", "delivery_failed"])
def test_a_late_parcel_is_looked_at_every_few_hours_for_a_week(status: ShipmentStatus) -> None:
    assert pause(status, unchanged=30, promised=-timedelta(days=6)) == schedule.LATE_PAUSE_MAX
    assert pause(status, unchanged=30, promised=-timedelta(days=8)) == schedule.PAUSE_MAX


def test_a_promise_changes_nothing_before_the_pick_up_and_for_a_courier_s_report() -> None:
    assert pause("accepted", promised=timedelta(days=9)) == schedule.PAUSES["accepted"]
    assert pause("picked_up", provisional=True, promised=timedelta(days=9)) == schedule.PROVISIONAL_PAUSE


def test_what_is_at_rest_is_not_asked_about() -> None:
    assert [pause(status) for status in ("returned", "lost", "cancelled", "pickup_failed", "draft")] == [None] * 5
    assert pause("delivered", settled=True) is None


def test_a_carrier_that_does_not_call_back_is_asked_after_longer_and_longer_pauses_and_then_left_alone() -> None:
    asked = []
    for unanswered in range(1, schedule.REQUESTS_MAX + 1):
        at = schedule.next_request(unanswered, now=NOW, pace=1.0)
        asked.append((at - NOW) / timedelta(hours=1) if at is not None else None)
    assert asked == [0.5, 1, 2, 4, 8, 16, 24, 24, 24, None]
