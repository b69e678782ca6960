"""Whose turn it is to call a customer whose delivery failed (rule D25)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from services.orders.rescue.turn import Presence, Setting, desk_turn
from services.orders.rescue.words import call_sentence, why_desk
from shared.calendar import Calendar
from tests.unit.test_rescue_calls import CALL_HOURS, at

INSTALLED = Setting()


def turn(
    opened: str,
    deadline: str,
    *,
    now: str | None = None,
    setting: Setting = INSTALLED,
    calendar: Calendar | None = CALL_HOURS,
    presence: Presence = "here",
) -> tuple[datetime, str]:
    found = desk_turn(
        setting,
        calendar,
        opened_at=at(opened),
        deadline_at=at(deadline),
        presence=presence,
        now=at(now or opened),
    )
    return found.at, found.why


@pytest.mark.parametrize(
    ("opened", "deadline", "desk"),
    [
        ("23 09:00", "23 20:30", "23 11:00"),  # two hours
        ("23 11:00", "23 20:30", "23 14:30"),  # the noon rest does not count
        ("23 19:30", "24 20:00", "24 09:00"),  # nor does the night
        ("23 12:30", "23 20:30", "23 15:30"),  # it failed in the rest: from when the hours open
        ("22 16:30", "23 16:00", "23 09:00"),  # Sunday closes at 17:30
    ],
)
def test_the_desk_gets_the_call_after_two_call_hours(opened: str, deadline: str, desk: str) -> None:
    assert turn(opened, deadline) == (at(desk), "call_hours")


def test_a_holiday_has_no_call_hours() -> None:
    closed = replace(CALL_HOURS, closed=frozenset({date(2026, 11, 24)}))
    assert turn("23 19:30", "25 12:00", calendar=closed) == (at("25 09:00"), "call_hours")


@pytest.mark.parametrize(
    ("opened", "deadline", "desk"),
    [
        ("23 09:00", "23 10:40", "23 10:10"),  # half an hour is left to the desk
        ("23 11:00", "23 13:45", "23 11:45"),  # of the calling hours: 15 minutes before the rest and 15 after it
        ("23 09:00", "23 09:30", "23 09:00"),  # no more than that was left when it became known: at once
        ("23 21:00", "24 06:00", "23 21:00"),  # no calling hour before the cut-off: everybody tries
    ],
)
def test_the_desk_gets_the_call_sooner_where_the_carriers_cut_off_comes_first(
    opened: str, deadline: str, desk: str
) -> None:
    assert turn(opened, deadline) == (at(desk), "cut_off")


@pytest.mark.parametrize(("presence", "why"), [("nobody", "no_owner"), ("left", "left"), ("off_duty", "off_duty")])
def test_the_desk_gets_the_call_at_once_where_nobody_else_is_there(presence: Presence, why: str) -> None:
    assert turn("23 09:00", "23 20:30", now="23 09:20", presence=presence) == (at("23 09:20"), why)


def test_the_desk_calls_first_where_the_company_wants_that() -> None:
    assert turn("23 09:00", "23 20:30", setting=Setting("desk")) == (at("23 09:00"), "desk_first")


def test_a_changed_setting_counts_from_when_the_call_became_known() -> None:
    longer, shorter = Setting(call_time=timedelta(hours=4)), Setting(call_time=timedelta(minutes=30))
    assert turn("23 09:00", "23 20:30", now="23 10:00", setting=longer) == (at("23 14:30"), "call_hours")
    assert turn("23 09:00", "23 20:30", now="23 10:00", setting=shorter) == (at("23 10:00"), "call_hours")


def test_workers_that_were_away_hand_over_when_they_come_back() -> None:
    assert turn("23 09:00", "23 20:30", now="23 16:00") == (at("23 16:00"), "call_hours")


def test_a_deadline_that_is_over_is_no_reason_to_wait() -> None:
    assert turn("23 09:00", "23 08:30", now="23 09:05") == (at("23 09:05"), "cut_off")


def test_without_calling_hours_the_clock_counts() -> None:
    assert turn("23 21:00", "24 06:00", calendar=None) == (at("23 23:00"), "call_hours")
    assert turn("23 21:00", "23 22:00", calendar=None) == (at("23 21:30"), "cut_off")


def test_a_calendar_that_never_opens_hands_over_at_once() -> None:
    never = Calendar.of(weekly=[[]] * 7)
    assert turn("23 09:00", "23 20:30", calendar=never) == (at("23 09:00"), "cut_off")


def test_the_reason_is_told_with_the_companys_hours() -> None:
    assert why_desk("call_hours", call_minutes=120).vi == "quá 2 giờ gọi"
    assert why_desk("call_hours", call_minutes=90).vi == "quá 1,5 giờ gọi"
    assert why_desk("call_hours", call_minutes=90).en == "1.5 h of calling time are over"


@pytest.mark.parametrize(
    ("how", "vi"),
    [
        ({}, "DH-1: báo hãng trước 20:30 23/11. NV01 gọi khách; 11:00 23/11 chuyển bộ phận COD: quá 2 giờ gọi"),
        (
            {"handed_over": True},
            "DH-1: báo hãng trước 20:30 23/11. Đã chuyển bộ phận COD lúc 11:00 23/11: quá 2 giờ gọi",
        ),
        (
            {"called_at": at("23 10:05"), "called_by": "NV01"},
            "DH-1: báo hãng trước 20:30 23/11. NV01 đã nói chuyện với khách lúc 10:05 23/11, chờ quyết định",
        ),
        ({"over": True}, "DH-1: cuộc gọi cứu đơn đã xong"),
    ],
)
def test_an_operator_reads_where_a_call_stands(how: dict[str, object], vi: str) -> None:
    standing: dict[str, object] = {
        "code": "DH-1",
        "owner": "NV01",
        "over": False,
        "handed_over": False,
        "why": "call_hours",
        "desk_at": at("23 11:00"),
        "call_minutes": 120,
        "called_at": None,
        "called_by": "",
        "deadline_at": at("23 20:30"),
    }
    assert call_sentence(**{**standing, **how}).vi == vi  # type: ignore[arg-type]  # fields of one call, by name
