"""How often and at which hours a customer may be contacted, as far as it moves what is owed.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from services.orders.care.gate import earliest_message, may_call
from tests.unit.care_world import MONDAY_9, STANDARD, World, ended, hanoi, kinds, unanswered, world


def test_calls_about_other_products_count_for_the_day() -> None:
    order = World(STANDARD, hanoi(MONDAY_9))
    order.other_calls = [hanoi("2025-06-02 08:10"), hanoi("2025-06-02 08:30"), hanoi("2025-06-02 08:55")]
    order.advance(MONDAY_9)
    assert order.due == "Tue 08:00"


def test_a_call_about_another_product_moves_a_callback_by_the_gap() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 16:00"))
    order.other_calls = [hanoi("2025-06-02 15:50")]
    made = order.advance("2025-06-02 16:15")
    assert "EndPromise" not in kinds(made)
    assert (order.due, order.deadline) == ("Mon 16:05", "Mon 16:20")


def test_who_did_not_ask_is_called_within_the_advertising_hours_once_in_24_hours() -> None:
    order = world("2025-06-02 16:50", asked=False)
    calls = unanswered(order, 6)
    assert calls == ["Mon 16:55", "Tue 16:55", "Wed 16:55", "Thu 16:55", "Fri 16:55", "Sun 09:30"]
    assert set(order.windows.values()) == {"legal_adverts", "messages"}


def test_who_did_not_ask_is_never_called_in_the_evening() -> None:
    order = world("2025-06-02 15:00", asked=False)
    facts = order.facts()
    assert may_call(STANDARD, facts, hanoi("2025-06-02 16:59")).allowed
    assert may_call(STANDARD, facts, hanoi("2025-06-02 17:00")).refusal == "outside_hours"
    asked = world("2025-06-02 15:00").facts()
    assert may_call(STANDARD, asked, hanoi("2025-06-02 17:00")).allowed


def test_who_did_not_ask_gets_three_messages_in_24_hours() -> None:
    sent = [hanoi(f"2025-06-02 {hour}:00") for hour in ("09", "10", "11")]
    fourth = hanoi("2025-06-02 12:00")
    assert earliest_message(STANDARD, asked=True, messages=sent, at=fourth) == fourth
    assert earliest_message(STANDARD, asked=False, messages=sent, at=fourth) == hanoi("2025-06-03 09:00")
    assert earliest_message(STANDARD, asked=False, messages=sent[:2], at=fourth) == fourth


def test_the_gate_says_why_and_from_when_on_a_call_may_be_made() -> None:
    order = world()
    order.call("2025-06-02 09:05", "busy")
    too_soon = may_call(STANDARD, order.facts(), hanoi("2025-06-02 09:10"))
    assert (too_soon.refusal, too_soon.next_at) == ("too_soon", hanoi("2025-06-02 09:20"))
    order.call("2025-06-02 09:20", "busy")
    order.call("2025-06-02 09:35", "busy")
    limit = may_call(STANDARD, order.facts(), hanoi("2025-06-02 10:00"))
    assert (limit.refusal, limit.next_at) == ("daily_limit", hanoi("2025-06-03 08:00"))
    noon = may_call(STANDARD, world().facts(), hanoi("2025-06-02 12:00"))
    assert (noon.refusal, noon.next_at) == ("outside_hours", hanoi("2025-06-02 13:30"))


def test_a_number_on_the_do_not_call_list_has_no_task_and_care_ends() -> None:
    order = World(STANDARD, hanoi(MONDAY_9), do_not_call_since=hanoi("2025-05-01 09:00"))
    made = order.advance(MONDAY_9)
    assert "OpenTask" not in kinds(made)
    assert (order.ended, order.level) == ("refused", "L1.3")


def test_a_number_that_comes_onto_the_list_during_care_loses_its_task() -> None:
    order = world()
    order.do_not_call_since = hanoi("2025-06-02 09:03")
    order.advance("2025-06-02 09:03")
    assert ended(order, "first_call:1") == ("cancelled", "do_not_call")
    assert (order.ended, order.tasks) == ("refused", {})
    assert may_call(STANDARD, order.facts(), hanoi("2025-06-02 09:04")).refusal == "do_not_call"
