"""When a customer whose delivery failed is called, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.orders.rescue.hours import times
from shared.calendar import Calendar

CALL_HOURS = Calendar.of(weekly=[["08:00-12:00", "13:30-20:30"]] * 6 + [["08:30-12:00", "13:30-17:30"]])


def at(text: str) -> datetime:
    """Day of November 2026 and local time, e.g. '23 09:00' (a Monday)."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC) - timedelta(hours=7)


@pytest.mark.parametrize(
    ("now", "decide_by", "cut_off", "due", "deadline"),
    [
        ("23 09:00", "24 08:40", "24 09:40", "23 09:00", "24 08:40"),  # inside the hours
        ("23 12:30", "24 06:00", "24 07:00", "23 13:30", "23 20:30"),  # the last open moment before it
        ("23 21:00", "24 20:00", "24 21:00", "24 08:00", "24 20:00"),  # tomorrow morning
        (
            "23 21:00",
            "24 06:00",
            "24 07:00",
            "23 21:00",
            "24 06:00",
        ),  # no open moment: somebody should try all the same
        ("23 09:00", "23 09:10", "23 10:10", "23 09:00", "23 09:30"),  # told late
        ("23 09:00", "23 08:10", "23 09:10", "23 09:00", "23 09:10"),  # later still: not after the cut-off
        ("23 09:00", "22 08:10", "22 09:10", "23 09:00", "23 09:30"),  # after the cut-off: half an hour
    ],
)
def test_a_call_is_due_in_calling_hours_and_its_promise_ends_in_them_before_the_cut_off(
    now: str, decide_by: str, cut_off: str, due: str, deadline: str
) -> None:
    found = times(CALL_HOURS, decide_by=at(decide_by), cut_off_at=at(cut_off), now=at(now))
    assert (found.due_at, found.deadline_at) == (at(due), at(deadline))


def test_without_a_calendar_one_calls_at_any_time() -> None:
    found = times(None, decide_by=at("24 06:00"), cut_off_at=at("24 07:00"), now=at("23 21:00"))
    assert (found.due_at, found.deadline_at) == (at("23 21:00"), at("24 06:00"))
