"""Business time of waiting numbers."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from services.leads.settings import LeadsSettings
from services.leads.waiting.hours import calendar, waiting_since

HOURS = "mon-sat 08:00-12:00 13:30-20:30; sun 08:30-12:00 13:30-17:30"
VN = "Asia/Ho_Chi_Minh"
MINUTE = timedelta(minutes=1)


def vietnam(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    """An instant of 2026 on the clock in Vietnam."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (vietnam(23, 9, 0), vietnam(23, 8, 45)),
        (vietnam(23, 8, 5), vietnam(22, 17, 20)),  # Monday morning: ten of the minutes were on Sunday afternoon
        (vietnam(24, 13, 40), vietnam(24, 11, 55)),  # over the noon rest
        (vietnam(24, 3, 0), vietnam(23, 20, 15)),  # at night the clock stands still
    ],
)
def test_a_number_has_waited_for_fifteen_minutes_of_business_time(now: datetime, since: datetime) -> None:
    assert waiting_since(calendar(HOURS, zone=VN), now=now, waited=15 * MINUTE) == since


def test_public_holidays_stop_the_clock() -> None:
    closed = [date(2026, 11, 23)]
    now = vietnam(24, 8, 5)
    assert waiting_since(calendar(HOURS, zone=VN, closed=closed), now=now, waited=15 * MINUTE) == vietnam(22, 17, 20)


def test_whatever_came_before_the_instant_has_waited_longer_and_what_came_after_has_not() -> None:
    hours = calendar(HOURS, zone=VN)
    chance = random.Random(3)
    for _ in range(200):
        now = vietnam(1, 0) + timedelta(seconds=chance.randrange(30 * 86_400))
        waited = chance.randrange(1, 3_000) * MINUTE
        since = waiting_since(hours, now=now, waited=waited)
        assert hours.elapsed(since, now) >= waited
        assert hours.elapsed(since + timedelta(microseconds=1), now) < waited


def test_a_company_that_is_closed_for_long_does_not_search_for_ever() -> None:
    hours = calendar("mon 08:00-08:01", zone=VN)
    assert waiting_since(hours, now=vietnam(24, 9), waited=timedelta(hours=5)) == vietnam(24, 9) - timedelta(days=60)


@pytest.mark.parametrize(
    "wrong", ["", "mon", "moon 08:00-12:00", "mon 08:00-12:00; mon-tue 09:00-10:00", "mon 12:00-08:00", "mon 8-12"]
)
def test_hours_that_cannot_be_understood_stop_the_service_at_start(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"hours|day|time|period|named|no business"):
        LeadsSettings(database_url="postgresql://x", business_hours=wrong)
