"""The legal gate (rule D38): by which ground a number may be contacted, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import uuid5

import pytest

from services.orders.care.facts import Pause
from services.orders.care.gate import Standing, earliest_call, earliest_message, may_call, may_contact, may_write
from services.orders.care.grounds import Act, Asked, Ground, How, Known, Withdrawn, ground_for
from shared.public_holidays import vietnam
from tests.unit.care_world import IDS, MONDAY_9, STANDARD, World, hanoi, shown, world

WITH_HOLIDAYS = STANDARD.closed_on(vietnam(range(2025, 2028)))
DAY = timedelta(days=1)


def asked(at: str, how: How = "left_number") -> Asked:
    return Asked(at=hanoi(at), how=how, id=uuid5(IDS, at + how), text="Đồng ý để shop gọi tư vấn", page="serum.vn")


def act(
    at: str, purpose: Literal["requested_call", "advertising_call", "message"], act: Literal["given", "withdrawn"]
) -> Act:
    return Act(at=hanoi(at), purpose=purpose, act=act, id=uuid5(IDS, at + purpose))


def kind(known: Known, at: str, **about: Any) -> str:
    """The ground's kind, or 'withdrawn'."""
    found = ground_for(known, at=hanoi(at), **{"by": "call", **about})
    return found.kind if isinstance(found, Ground) else "withdrawn"


# --- grounds ----------------------------------------------------------------------------------------------------------


def test_who_left_the_number_is_contacted_by_that_with_the_wording_and_page() -> None:
    found = ground_for(Known(asked=(asked(MONDAY_9),)), by="call", at=hanoi("2025-06-02 18:00"))
    assert isinstance(found, Ground)
    assert (found.kind, found.how, found.since) == ("requested", "left_number", hanoi(MONDAY_9))
    assert (found.text, found.page, found.id) == ("Đồng ý để shop gọi tư vấn", "serum.vn", asked(MONDAY_9).id)
    assert kind(Known(asked=(asked(MONDAY_9),)), "2025-06-02 18:00", by="message") == "requested"


def test_a_bought_list_has_no_ground_but_the_limits_for_advertising() -> None:
    assert kind(Known(), MONDAY_9) == "advertising_limits"
    assert kind(Known(), MONDAY_9, by="message") == "advertising_limits"


def test_another_purpose_than_the_request_needs_a_consent_of_its_own() -> None:
    known = Known(asked=(asked(MONDAY_9),))
    assert kind(known, "2025-06-03 10:00", purpose="advertising") == "advertising_limits"
    agreed = Known(asked=known.asked, acts=(act("2025-06-02 10:00", "advertising_call", "given"),))
    assert kind(agreed, "2025-06-03 10:00", purpose="advertising") == "consented"
    assert kind(agreed, "2025-06-03 10:00", purpose="advertising", by="message") == "advertising_limits"


def test_a_request_is_over_30_days_after_care_ended_unless_they_asked_again() -> None:
    known = Known(asked=(asked(MONDAY_9),), care_ended_at=hanoi("2025-06-10 10:00"))
    assert kind(known, "2025-07-10 09:59") == "requested"
    assert kind(known, "2025-07-10 10:00") == "advertising_limits"
    again = Known(asked=(*known.asked, asked("2025-07-01 08:00", "came_again")), care_ended_at=known.care_ended_at)
    assert kind(again, "2025-07-20 10:00") == "requested"


def test_a_request_that_had_ended_does_not_come_back_when_we_take_the_order_up_again() -> None:
    known = Known(asked=(asked(MONDAY_9),), lapsed_at=hanoi("2025-06-10 10:00"))
    assert kind(known, "2025-08-01 10:00") == "advertising_limits"
    again = Known(asked=(*known.asked, asked("2025-08-01 09:00", "contacted_us")), lapsed_at=known.lapsed_at)
    assert kind(again, "2025-08-01 10:00") == "requested"


def test_who_claims_a_number_from_the_floating_pool_calls_as_a_campaign_until_the_customer_agrees_to_a_call() -> None:
    known = Known(asked=(asked(MONDAY_9),), claimed_at=hanoi("2025-06-20 09:00"))
    assert kind(known, "2025-06-20 09:01") == "advertising_limits"
    agreed = Known(asked=(*known.asked, asked("2025-06-20 10:00", "agreed")), claimed_at=known.claimed_at)
    assert kind(agreed, "2025-06-20 18:00") == "requested"


def test_a_request_that_was_taken_back_is_no_ground_until_they_ask_again() -> None:
    known = Known(asked=(asked(MONDAY_9),), acts=(act("2025-06-02 11:00", "requested_call", "withdrawn"),))
    assert kind(known, "2025-06-02 10:59") == "requested"
    assert kind(known, "2025-06-02 11:00") == "withdrawn"
    found = ground_for(known, by="call", at=hanoi("2025-06-03 09:00"))
    assert found == Withdrawn(at=hanoi("2025-06-02 11:00"))
    again = Known(asked=(*known.asked, asked("2025-06-05 09:00", "came_again")), acts=known.acts)
    assert kind(again, "2025-06-05 09:00") == "requested"
    given = Known(asked=known.asked, acts=(*known.acts, act("2025-06-05 09:00", "requested_call", "given")))
    assert kind(given, "2025-06-05 09:00") == "requested"


def test_who_wants_no_advertising_is_still_called_about_their_order_but_not_written_to() -> None:
    acts = (
        act("2025-06-02 11:00", "advertising_call", "withdrawn"),
        act("2025-06-02 11:00", "message", "withdrawn"),
    )
    known = Known(asked=(asked(MONDAY_9),), acts=acts)
    assert kind(known, "2025-06-02 12:00") == "requested"
    assert kind(known, "2025-06-02 12:00", purpose="advertising") == "withdrawn"
    assert kind(known, "2025-06-02 12:00", by="message") == "withdrawn"
    assert kind(Known(acts=acts), "2025-06-02 12:00") == "withdrawn"


def test_what_is_said_later_counts_from_then_on_alone() -> None:
    known = Known(asked=(asked("2025-06-05 09:00"),))
    assert kind(known, "2025-06-04 09:00") == "advertising_limits"


# --- the answer -------------------------------------------------------------------------------------------------------


def standing(by: Literal["call", "message"] = "call", **about: Any) -> Standing:
    return Standing(by=by, **{"asked": True, "made": (), **about})


@pytest.mark.parametrize(
    ("at", "asks", "refusal", "next_at"),
    [
        ("2025-06-02 06:59", standing("message", asked=False), "outside_hours", "2025-06-02 07:00"),
        ("2025-06-02 07:00", standing("message", asked=False), None, None),
        ("2025-06-02 21:59", standing("message"), None, None),
        ("2025-06-02 22:00", standing("message"), "outside_hours", "2025-06-03 07:00"),
        ("2025-06-02 16:59", standing(asked=False), None, None),
        ("2025-06-02 17:00", standing(asked=False), "outside_hours", "2025-06-03 08:00"),
        ("2025-06-02 17:00", standing(), None, None),
        ("2025-06-02 12:00", standing(), "outside_hours", "2025-06-02 13:30"),
        ("2025-06-02 10:00", standing(forbidden="consent_withdrawn"), "consent_withdrawn", None),
    ],
)
def test_the_answer_says_why_and_from_when(at: str, asks: Standing, refusal: str | None, next_at: str | None) -> None:
    found = may_contact(STANDARD, asks, hanoi(at))
    assert (found.allowed, found.refusal) == (refusal is None, refusal)
    assert found.next_at == (hanoi(next_at) if next_at else None)


def test_a_fourth_message_in_24_hours_waits_without_consent_and_goes_with_it() -> None:
    sent = tuple(hanoi(f"2025-06-02 {hour}:00") for hour in ("09", "10", "21"))
    now = hanoi("2025-06-03 08:59")
    refused = may_contact(STANDARD, standing("message", asked=False, made=sent), now)
    assert (refused.refusal, refused.next_at) == ("daily_limit", hanoi("2025-06-03 09:00"))
    assert may_contact(STANDARD, standing("message", made=sent), now).allowed


def test_an_unanswered_call_about_another_product_counts() -> None:
    order = World(STANDARD, hanoi(MONDAY_9), asked=False)
    order.other_calls.append(hanoi("2025-06-02 08:30"))
    found = may_call(STANDARD, order.facts(), hanoi("2025-06-02 10:00"))
    assert (found.refusal, found.next_at) == ("too_soon", hanoi("2025-06-03 08:30"))


def test_a_pause_stands_before_every_contact() -> None:
    order = World(STANDARD, hanoi(MONDAY_9), pause=Pause(since=hanoi(MONDAY_9), until=hanoi("2025-06-02 15:00")))
    for ask in (may_call, may_write):
        found = ask(STANDARD, order.facts(), hanoi("2025-06-02 10:00"))
        assert (found.refusal, found.next_at) == ("paused", hanoi("2025-06-02 15:00"))


# --- the edges of the windows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "calls", "asks", "expected"),
    [
        ("2025-06-02 11:59", [], True, "2025-06-02 11:59"),  # the last minute before the noon rest
        ("2025-06-02 12:00", [], True, "2025-06-02 13:30"),
        ("2025-06-02 20:30", [], True, "2025-06-03 08:00"),  # half-open: the minute of closing is closed
        ("2025-06-07 20:30", [], True, "2025-06-08 08:30"),  # into Sunday's hours
        ("2025-06-08 17:30", [], True, "2025-06-09 08:00"),
        ("2025-06-02 23:59", [], True, "2025-06-03 08:00"),  # the change of day
        ("2025-06-02 11:50", ["2025-06-02 11:50"], True, "2025-06-02 13:30"),  # the gap ends in the noon rest
        ("2025-06-02 20:20", ["2025-06-02 20:20"], True, "2025-06-03 08:00"),  # the gap ends after closing
        ("2025-06-02 15:00", ["2025-06-01 16:59"], False, "2025-06-02 16:59"),  # 24 hours end in the last minute
        ("2025-06-02 15:00", ["2025-06-01 17:00"], False, "2025-06-03 08:00"),  # 24 hours end as the window does
        ("2026-02-16 09:00", [], True, "2026-02-21 08:00"),  # Tết 2026
        ("2026-02-16 09:00", [], False, "2026-02-21 08:00"),
        ("2026-02-13 20:29", ["2026-02-13 20:20"], True, "2026-02-14 08:00"),
        ("2025-09-01 10:00", [], True, "2025-09-03 08:00"),  # National Day, two days
    ],
)
def test_a_call_moves_to_the_next_legal_slot(at: str, calls: list[str], asks: bool, expected: str) -> None:
    made = [hanoi(each) for each in calls]
    assert earliest_call(WITH_HOLIDAYS, asked=asks, calls=made, at=hanoi(at)) == hanoi(expected)


def test_the_days_cap_is_counted_by_the_local_day_not_by_24_hours() -> None:
    made = [hanoi(f"2025-06-02 {hour}:00") for hour in ("09", "15", "20")]
    assert earliest_call(STANDARD, asked=True, calls=made, at=hanoi("2025-06-02 20:20")) == hanoi("2025-06-03 08:00")


def test_messages_go_on_holidays_but_not_at_night() -> None:
    assert earliest_message(WITH_HOLIDAYS, asked=True, messages=[], at=hanoi("2026-02-17 22:30")) == hanoi(
        "2026-02-18 07:00"
    )


def test_no_answer_lies_outside_its_window_at_any_minute_of_a_year() -> None:
    """What the gate gives is open, and nothing earlier was: minute by minute around every edge of a year with its Tết."""
    window = WITH_HOLIDAYS.calendar("legal_adverts")
    start, minute = hanoi("2026-01-01 00:00"), timedelta(minutes=1)
    for day in range(365):
        for edge in (0, 7 * 60 + 59, 8 * 60, 16 * 60 + 59, 17 * 60):
            at = start + day * DAY + edge * minute
            found = earliest_call(WITH_HOLIDAYS, asked=False, calls=[], at=at)
            assert window.is_open(found)
            assert found == at or not window.is_open(found - minute)
            local = found.astimezone(start.tzinfo)
            assert 8 <= local.hour < 17


# --- care under the gate ----------------------------------------------------------------------------------------------


def test_a_task_moves_into_the_advertising_hours_when_its_consent_ends_before_it() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 18:30"))
    assert order.due == "Mon 18:30"
    order.asked = False
    order.advance("2025-06-02 16:00")
    assert order.due == "Tue 09:05"  # 24 hours after the last call, inside 08:00-17:00
    assert order.promises[order.task.key].outcome is None


def test_care_of_who_took_consent_back_ends() -> None:
    order = world()
    order.do_not_call_since = hanoi("2025-06-02 09:03")
    order.advance("2025-06-02 09:03")
    assert (order.ended, order.tasks) == ("refused", {})


def test_no_message_follows_a_missed_call_where_messages_are_forbidden() -> None:
    order = world(no_messages_since=hanoi(MONDAY_9))
    order.call("2025-06-02 09:05", "no_answer")
    assert [task.task for task in order.tasks.values()] == ["call"]


def test_information_that_must_not_be_written_is_told_in_a_call() -> None:
    order = world(no_messages_since=hanoi(MONDAY_9))
    order.call("2025-06-02 09:05", "send_info")
    assert (order.step, order.task.task) == ("thinking", "call")


def test_messages_that_are_forbidden_meanwhile_are_taken_away_and_care_goes_on() -> None:
    waiting = world()
    waiting.call("2025-06-02 09:05", "send_info")
    beside = world()
    beside.call("2025-06-02 09:05", "no_answer")
    for order in (waiting, beside):
        assert any(task.task == "message" for task in order.tasks.values())
        order.no_messages_since = hanoi("2025-06-02 09:10")
        order.advance("2025-06-02 09:10")
        assert [task.task for task in order.tasks.values()] == ["call"]
    assert (waiting.step, beside.step) == ("thinking", "no_answer_2")


def test_a_message_without_consent_waits_for_its_turn_although_calls_are_asked_for() -> None:
    order = world(at="2025-06-02 20:00", written_to=False)
    order.other_messages = [hanoi(f"2025-06-02 {hour}:00") for hour in ("09", "10", "11")]
    order.call("2025-06-02 20:05", "no_answer")
    message = next(task for task in order.tasks.values() if task.task == "message")
    assert shown(message.due_at) == "Tue 09:00"
