"""What the standard process owes a customer who does not answer: how often, when, and when it is enough.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

import pytest

from services.orders.care import effects as effect
from tests.unit.care_world import MONDAY_9, STANDARD, World, ended, hanoi, shown, unanswered, world


@pytest.mark.parametrize(
    ("assigned_at", "calls"),
    [
        (MONDAY_9, ["Mon 09:05", "Mon 10:05", "Mon 18:00", "Tue 11:30", "Tue 18:30", "Thu 09:30"]),
        # the second try after 14:00: the other half of the day is the next morning
        ("2025-06-02 15:00", ["Mon 15:05", "Mon 16:05", "Tue 09:00", "Wed 11:30", "Wed 18:30", "Fri 09:30"]),
        # an hour of calling time runs over the noon rest
        ("2025-06-02 11:25", ["Mon 11:30", "Mon 14:00", "Tue 09:00", "Wed 11:30", "Wed 18:30", "Fri 09:30"]),
        # Sunday evening is closed: the next legal slot is Monday's opening
        ("2025-06-07 09:00", ["Sat 09:05", "Sat 10:05", "Sat 18:00", "Sun 11:30", "Mon 08:00", "Wed 09:30"]),
    ],
)
def test_who_never_answers_is_called_six_times_at_different_hours(assigned_at: str, calls: list[str]) -> None:
    order = world(assigned_at)
    assert unanswered(order, 6) == calls
    assert (order.step, order.level, order.in_pool) == ("pool", "L1.4", True)


def test_each_retry_sets_the_level_once_and_keeps_the_promise() -> None:
    order = world()
    unanswered(order, 3)
    assert [each.level for each in order.of(effect.SetLevel) if isinstance(each, effect.SetLevel)] == ["L1.4"]
    assert [ended(order, f"{step}:1") for step in ("first_call", "no_answer_2", "no_answer_3")] == [
        ("kept", "call_result")
    ] * 3


@pytest.mark.parametrize(
    ("tries", "step", "deadline"),
    [
        (1, "no_answer_2", "Mon 10:35"),
        (2, "no_answer_3", "Mon 19:00"),
        (3, "no_answer_4", "Tue 14:00"),  # half an hour before noon and half an hour after it
        (4, "no_answer_5", "Tue 19:30"),
        (5, "no_answer_6", "Thu 11:30"),
    ],
)
def test_each_retry_has_its_own_grace(tries: int, step: str, deadline: str) -> None:
    order = world()
    unanswered(order, tries)
    assert (order.step, order.deadline) == (step, deadline)


def test_a_retry_that_nobody_makes_is_broken_told_handed_over_and_released() -> None:
    order = world()
    unanswered(order, 2)
    made = order.advance("2025-06-10 08:00")
    assert [(type(each).__name__, shown(each.at)) for each in made] == [
        ("RemindOwner", "Mon 18:00"),
        ("EndPromise", "Mon 19:00"),
        ("TellManager", "Mon 20:00"),
        ("RequestReassignment", "Tue 15:00"),
        ("CloseTask", "Wed 10:30"),
        ("ReleaseToPool", "Wed 10:30"),
    ]


def test_two_tries_are_an_hour_apart_even_if_the_first_was_late() -> None:
    order = world()
    unanswered(order, 3)
    order.call("2025-06-03 17:50", "no_answer")  # the slot of 11:30
    assert order.due == "Tue 18:50"


def test_a_message_is_owed_after_the_first_and_the_third_miss() -> None:
    order = world()
    seen = []
    for _ in range(5):
        unanswered(order, 1)
        seen.append([task.key for task in order.tasks.values() if task.task == "message"])
    assert seen == [["no_answer_2:1:message"], [], ["no_answer_4:1:message"], [], []]


def test_the_message_about_a_missed_call_is_kept_by_sending_it_and_broken_after_half_an_hour() -> None:
    order = world()
    unanswered(order, 1)
    order.call("2025-06-02 09:20", None, kind="message")
    assert ended(order, "no_answer_2:1:message") == ("kept", "message_sent")
    assert order.step == "no_answer_2"
    other = world()
    unanswered(other, 1)
    other.advance("2025-06-02 09:36")
    assert ended(other, "no_answer_2:1:message") == ("broken", "overdue")
    assert list(other.tasks) == ["no_answer_2:1"]


def test_busy_is_tried_again_after_15_minutes_twice_and_then_counts_as_no_answer() -> None:
    order = world()
    order.call("2025-06-02 09:05", "busy")
    assert (order.step, order.due, order.level) == ("busy_retry", "Mon 09:20", "L1.4")
    order.call("2025-06-02 09:20", "busy")
    assert (order.step, order.due) == ("busy_retry", "Mon 09:35")
    order.call("2025-06-02 09:35", "busy")
    assert order.step == "no_answer_2"
    # three calls are made on that day, so the cap wins over the hour
    assert order.due == "Tue 08:00"


def test_switched_off_skips_a_slot_and_the_third_time_goes_to_the_pool() -> None:
    order = world()
    order.call("2025-06-02 09:05", "switched_off")
    assert order.step == "no_answer_3"
    order.call("2025-06-02 18:00", "switched_off")
    assert order.step == "no_answer_5"
    order.call("2025-06-03 18:30", "switched_off")
    assert (order.step, order.in_pool, order.level) == ("pool", True, "L1.4")


def test_a_process_may_give_up_switched_off_numbers_earlier() -> None:
    ladder = STANDARD.ladder.model_copy(update={"switched_off_limit": 2})
    order = World(STANDARD.model_copy(update={"ladder": ladder}), hanoi(MONDAY_9))
    order.advance(MONDAY_9)
    unanswered(order, 2, "switched_off")
    assert order.step == "pool"


def test_after_a_conversation_a_busy_line_is_tried_again_at_once() -> None:
    order = world()
    unanswered(order, 2, "busy")
    order.call("2025-06-02 09:35", "call_later", promised_at=hanoi("2025-06-03 10:00"))
    unanswered(order, 1, "busy")
    assert (order.step, order.due) == ("busy_retry", "Tue 10:15")


def test_a_conversation_starts_the_retries_afresh() -> None:
    order = world()
    unanswered(order, 5)
    order.call(order.task.due_at, "call_later", promised_at=hanoi("2025-06-06 10:00"))
    order.call("2025-06-06 10:00", "no_answer")
    assert (order.step, order.due) == ("no_answer_2", "Fri 11:00")
    assert order.task.key == "no_answer_2:2"


def test_after_nine_unanswered_calls_in_one_care_it_goes_to_the_pool() -> None:
    order = world()
    unanswered(order, 5)
    order.call(order.task.due_at, "thinking")
    unanswered(order, 4)
    assert order.step == "pool"
    assert len(order.interactions) == 10
