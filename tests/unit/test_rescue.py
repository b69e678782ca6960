"""Failed deliveries out of a timeline, in whatever order its reports came."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.shipping.carriers.registry import CARRIERS
from services.shipping.rescue.failures import Failure, Journey, journey
from services.shipping.rescue.terms import cut_off, terms_of
from services.shipping.timeline import Entry

MONDAY = datetime(2026, 11, 23, 2, tzinfo=UTC)
"""09:00 in Vietnam."""
HOUR = timedelta(hours=1)


def told(carrier: str, *reports: tuple[str, float] | tuple[str, float, str]) -> list[Entry]:
    """Reports as (status, hours after Monday 09:00, reason)."""
    found = []
    for code, hours, *reason in reports:
        meaning = CARRIERS[carrier].codes.statuses[code]
        at = MONDAY + timedelta(hours=hours)
        found.append(
            Entry(
                waybill="W1",
                raw_status=code,
                at=at,
                received_at=at,
                seen_by=("callback",),
                status=meaning.status,
                provisional=meaning.provisional,
                either_way=meaning.either_way,
                reason_code=reason[0] if reason else "",
            )
        )
    return found


def read(carrier: str, entries: Sequence[Entry]) -> Journey:
    return journey(entries, waybill="W1", codes=CARRIERS[carrier].codes, held=terms_of(carrier).held)


def test_each_run_of_failed_reports_is_one_failed_delivery_in_any_order_and_however_often_told() -> None:
    reports = told(
        "ghn",
        ("delivering", 0),
        ("delivery_fail", 1, "GHN-DFC1A4"),
        ("delivering", 24),
        ("delivery_fail", 25, "GHN-DFC1A2"),
        ("waiting_to_return", 26),
    )
    expected = read("ghn", reports)
    assert [(each.attempt, each.at, each.reason_code) for each in expected.failures] == [
        (1, MONDAY + HOUR, "GHN-DFC1A4"),
        (2, MONDAY + 25 * HOUR, "GHN-DFC1A2"),
    ]
    assert expected.failures[0].ended_at == MONDAY + 24 * HOUR
    assert expected.failures[1].held_since == MONDAY + 26 * HOUR
    assert expected.status == "delivery_failed"
    for order in itertools.permutations(reports):
        assert read("ghn", [*order]) == expected


def test_the_same_news_on_another_day_is_another_attempt_and_on_the_same_day_none() -> None:
    """GHTK does not always tell that the courier set out again."""
    one_day = read("ghtk", told("ghtk", ("4", 0), ("10", 1, "122"), ("10", 5, "121")))
    assert [each.attempt for each in one_day.failures] == [1]
    two_days = read("ghtk", told("ghtk", ("4", 0), ("10", 1, "122"), ("10", 25, "122")))
    assert [each.attempt for each in two_days.failures] == [1, 2]
    given_up = read("ghtk", told("ghtk", ("4", 0), ("10", 1, "122"), ("9", 25, "130")))
    assert [(each.attempt, each.reason_code) for each in given_up.failures] == [(1, "130")]


def test_a_couriers_own_report_and_a_parcel_on_its_way_back_make_no_failed_delivery() -> None:
    assert read("ghtk", told("ghtk", ("4", 0), ("49", 1))).failures == ()
    back = read("ghn", told("ghn", ("delivering", 0), ("delivery_fail", 1), ("return", 2), ("exception", 3)))
    assert len(back.failures) == 1
    assert back.status == "returning"


@pytest.mark.parametrize(
    ("carrier", "reports", "hours"),
    [
        ("ghn", (("delivery_fail", 0),), 24),
        ("ghn", (("delivery_fail", 0), ("waiting_to_return", 5)), 29),
        ("ghtk", (("10", 0),), 24),
        ("ghtk", (("10", 0), ("9", 3)), 75),
        ("viettelpost", (("506", 0),), 24),
        ("viettelpost", (("506", 0), ("505", 20)), 44),
        ("jnt", (("118", 0),), 24),
    ],
)
def test_the_cut_off_is_the_carriers_and_one_decides_an_hour_before_it_or_within_a_day(
    carrier: str, reports: tuple[tuple[str, float], ...], hours: float
) -> None:
    failure: Failure = read(carrier, told(carrier, *reports)).failures[-1]
    limits = cut_off(terms_of(carrier), failed_at=failure.at, held_since=failure.held_since)
    assert limits.at == MONDAY + timedelta(hours=hours)
    since = failure.held_since or failure.at
    assert limits.decide_by == min(limits.at - HOUR, since + timedelta(hours=24))
