"""What others do to an order under care, and what accidents do: levels, pauses, sleeping workers, late logs.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from services.orders.care import effects as effect
from services.orders.care.facts import Pause
from tests.unit.care_world import ended, hanoi, kinds, shown, staff, unanswered, world


def test_an_order_closed_at_the_desk_ends_the_care_and_cancels_the_promise() -> None:
    order = world()
    order.set_level("L5", "2025-06-02 09:04")
    order.advance("2025-06-02 09:04")
    assert ended(order, "first_call:1") == ("cancelled", "level_set")
    assert order.ended == "closed"
    assert order.of(effect.SetLevel) == []


def test_a_level_outside_the_care_ends_it_too() -> None:
    order = world()
    order.set_level("L5.3", "2025-06-02 09:04")
    order.advance("2025-06-02 09:04")
    assert (order.ended, order.tasks, order.level) == ("L5.3", {}, "L5.3")


def test_a_cancelled_order_is_not_reopened_by_another_form() -> None:
    order = world()
    unanswered(order, 1)
    order.set_level("L5.3", "2025-06-02 09:30")
    order.advance("2025-06-02 09:30")
    order.came_again_at = hanoi("2025-06-03 10:00")
    assert order.advance("2025-06-03 10:00") == []
    assert order.decision is not None
    assert order.decision.sentence.en == "Care has ended at L5.3."


def test_a_level_set_by_hand_leads_to_the_step_of_that_level() -> None:
    order = world()
    order.set_level("L1.6", "2025-06-02 09:04")
    order.advance("2025-06-02 09:04")
    assert (order.step, order.level) == ("buy_later", "L1.6")


def test_a_cancelled_order_set_back_to_its_former_level_is_cared_for_again() -> None:
    order = world()
    order.call("2025-06-02 09:05", "thinking")
    order.set_level("L5.3", "2025-06-02 09:30")
    order.advance("2025-06-02 09:30")
    order.set_level("L1.2", "2025-06-02 10:00")
    assert kinds(order.advance("2025-06-02 10:00")) == ["ReopenCare", "OpenTask"]
    assert order.step == "callback"


def test_an_ended_order_set_back_to_care_has_a_task_again() -> None:
    order = world()
    order.call("2025-06-02 09:05", "not_buying", reason="too_expensive")
    order.set_level("L1.2", "2025-06-04 09:00")
    made = order.advance("2025-06-04 09:00")
    assert kinds(made) == ["ReopenCare", "OpenTask"]
    assert (order.step, order.ended) == ("callback", None)


def test_a_level_that_was_written_at_once_with_the_call_is_not_written_again() -> None:
    order = world()
    order.record("2025-06-02 09:05", "no_answer", level_set=True)
    order.set_level("L1.4", "2025-06-02 09:05")
    assert "SetLevel" not in kinds(order.advance("2025-06-02 09:06"))
    order.record("2025-06-02 10:05", "call_later")
    order.set_level("L1.2", "2025-06-02 10:05")
    assert "SetLevel" not in kinds(order.advance("2025-06-02 10:06"))


def test_levels_written_at_once_with_two_calls_are_not_written_again_though_they_led_back() -> None:
    order = world()
    unanswered(order, 1)
    written = len(order.of(effect.SetLevel))
    order.record("2025-06-02 10:05", "thinking", level_set=True)
    order.record("2025-06-03 10:05", "no_answer", level_set=True)
    order.advance("2025-06-03 10:06")
    assert (order.step, order.level, len(order.of(effect.SetLevel))) == ("no_answer_2", "L1.4", written)


def test_what_was_recorded_while_the_workers_slept_is_taken_in_the_order_in_which_it_happened() -> None:
    order = world()
    order.assign(staff("S08"), "2025-06-02 09:08")
    order.record("2025-06-02 09:20", "thinking")
    order.advance("2025-06-02 11:00")
    assert ended(order, "first_call:1") == ("cancelled", "reassigned")
    assert ended(order, "first_call:2") == ("kept", "call_result")


def test_somebody_elses_later_level_wins_over_an_earlier_call() -> None:
    order = world()
    order.record("2025-06-02 09:05", "no_answer")
    order.set_level("L5.3", "2025-06-02 09:06")
    order.advance("2025-06-02 09:07")
    assert (order.level, order.ended) == ("L5.3", "L5.3")
    assert order.of(effect.SetLevel) == []


def test_while_paused_nothing_is_owed_and_on_resuming_the_task_comes_back() -> None:
    order = world()
    unanswered(order, 2)
    order.pause = Pause(since=hanoi("2025-06-02 15:00"))
    order.advance("2025-06-02 15:00")
    assert ended(order, "no_answer_3:1") == ("cancelled", "paused")
    assert order.decision is not None
    assert (order.tasks, order.decision.next_due) == ({}, None)
    assert order.advance("2025-06-05 15:00") == []
    order.pause = None
    order.advance("2025-06-06 10:00")
    assert (order.step, order.due, order.task.key) == ("no_answer_3", "Fri 10:00", "no_answer_3:1/2")


def test_a_pause_with_an_end_asks_again_at_that_end() -> None:
    order = world()
    order.pause = Pause(since=hanoi("2025-06-02 09:02"), until=hanoi("2025-06-03 09:00"))
    order.advance("2025-06-02 09:02")
    assert order.next_due == hanoi("2025-06-03 09:00")
    order.advance(order.next_due)
    assert (order.step, order.due, order.deadline) == ("first_call", "Tue 09:00", "Tue 09:10")


def test_a_long_pause_does_not_count_as_time_without_a_first_call() -> None:
    order = world()
    order.pause = Pause(since=hanoi("2025-06-02 09:02"))
    order.advance("2025-06-02 09:02")
    order.pause = None
    order.advance("2025-06-09 09:00")
    order.advance("2025-06-09 20:00")
    assert order.step == "first_call"
    order.advance("2025-06-10 16:00")
    assert (order.step, shown(order.log[-1].at)) == ("pool", "Tue 15:30")


def test_a_promise_made_while_paused_is_kept_in_mind() -> None:
    order = world()
    order.pause = Pause(since=hanoi("2025-06-02 09:02"))
    order.advance("2025-06-02 09:02")
    order.call("2025-06-02 10:00", "call_later", inbound=True, promised_at=hanoi("2025-06-05 16:00"))
    assert order.tasks == {}
    order.pause = None
    order.advance("2025-06-03 10:00")
    assert (order.step, order.due) == ("callback", "Thu 16:00")


def test_a_task_that_was_lost_is_opened_again() -> None:
    order = world()
    order.promises["first_call:1"].outcome = "cancelled"
    order.tasks.clear()
    order.advance("2025-06-02 09:03")
    assert (order.task.key, order.due) == ("first_call:1/2", "Mon 09:05")


def test_an_order_without_owner_asks_for_one_and_tells_the_manager_after_15_minutes() -> None:
    order = world()
    unanswered(order, 1)
    order.assign(None, "2025-06-02 09:40")
    made = order.advance("2025-06-02 09:40")
    assert "RequestReassignment" in kinds(made)
    assert order.task.owner_id is None
    assert shown(order.next_due) == "Mon 09:55"
    assert kinds(order.advance(order.next_due)) == ["TellManager"]
    order.assign(staff("S09"), "2025-06-02 10:00")
    order.advance("2025-06-02 10:00")
    assert order.task.owner_id == staff("S09").id


def test_a_call_logged_late_counts_but_does_not_undo_a_later_one() -> None:
    order = world()
    order.call("2025-06-02 09:14", "thinking")
    order.record("2025-06-02 09:10", "no_answer")
    order.advance("2025-06-02 09:30")
    assert (order.step, order.due) == ("thinking", "Tue 09:14")
    assert order.state is not None
    assert order.state.unanswered == 1


def test_a_retry_decided_upon_too_late_is_not_held_against_the_owner() -> None:
    order = world()
    order.record("2025-06-02 09:05", "no_answer")
    order.advance("2025-06-02 17:00")  # the retry of 10:05 was never shown to anybody
    assert (order.step, order.due, order.deadline) == ("no_answer_2", "Mon 17:00", "Mon 17:30")


def test_a_promise_to_the_customer_is_broken_even_if_it_was_decided_upon_too_late() -> None:
    order = world()
    order.record("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 10:00"))
    order.advance("2025-06-02 17:00")
    assert ended(order, "callback:1") == ("broken", "overdue")
    assert order.promises["callback:1"].at == hanoi("2025-06-02 10:15")
    assert order.step == "callback"
