"""The standard process, row by row: what is owed after which call, and what happens to a promise nobody keeps.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.orders.care import effects as effect
from services.orders.care.effects import Effect
from services.orders.care.facts import Pause, StepState, dump_state, load_state
from services.orders.care.gate import earliest_message, may_call
from services.orders.care.process import CareProcess
from services.orders.care.seed import cod_standard
from services.orders.care.transition import UnknownResult, transition_for
from shared.calendar import Calendar
from tests.unit.care_world import World, hanoi, shown, staff

STANDARD = cod_standard()
MINUTE = timedelta(minutes=1)
MONDAY_9 = "2025-06-02 09:00"


@pytest.fixture
def process() -> CareProcess:
    return STANDARD


def world(assigned_at: str = MONDAY_9, **more: Any) -> World:
    made = World(STANDARD, hanoi(assigned_at), **more)
    made.advance(assigned_at)
    return made


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [type(each).__name__ for each in effects]


def ended(made: World, key: str) -> tuple[str | None, str | None]:
    return made.promises[key].outcome, made.promises[key].cause


# --- first call -------------------------------------------------------------------------------------------------------


def test_an_assigned_number_is_to_be_called_within_five_minutes_and_at_the_latest_within_fifteen() -> None:
    order = world()
    assert (order.step, order.task.key, order.due, order.deadline) == (
        "first_call",
        "first_call:1",
        "Mon 09:05",
        "Mon 09:15",
    )
    assert order.task.owner_id == staff("S07").id


def test_the_first_call_escalates_after_10_15_and_30_minutes() -> None:
    order = world()
    seen = []
    for _ in range(4):
        at = order.next_due
        seen.append((shown(at), kinds(order.advance(at))))
    assert seen[:3] == [
        ("Mon 09:10", ["RemindOwner"]),
        ("Mon 09:15", ["EndPromise", "TellManager"]),
        ("Mon 09:30", ["RequestReassignment"]),
    ]
    assert ended(order, "first_call:1") == ("broken", "overdue")


def test_a_number_never_called_goes_to_the_floating_pool_after_16_calling_hours() -> None:
    order = world()
    while order.step == "first_call":
        order.advance(order.next_due)
    # Monday 3 h + 7 h, Tuesday 4 h, and 2 h of Tuesday's afternoon
    assert shown(order.log[-1].at) == "Tue 15:30"
    assert kinds(order.log)[-2:] == ["CloseTask", "ReleaseToPool"]
    assert order.level == "L1"
    assert order.in_pool


def test_escalations_that_were_slept_through_are_all_made_in_order_with_their_own_times() -> None:
    order = world()
    made = order.advance("2025-06-03 16:00")
    assert [(type(each).__name__, shown(each.at)) for each in made] == [
        ("RemindOwner", "Mon 09:10"),
        ("EndPromise", "Mon 09:15"),
        ("TellManager", "Mon 09:15"),
        ("RequestReassignment", "Mon 09:30"),
        ("CloseTask", "Tue 15:30"),
        ("ReleaseToPool", "Tue 15:30"),
    ]


def test_a_call_made_in_time_is_kept_although_the_workers_slept_until_noon() -> None:
    order = world()
    order.record("2025-06-02 09:12", "call_later", promised_at=hanoi("2025-06-02 15:00"))
    made = order.advance("2025-06-02 11:50")
    assert kinds(made) == ["EndPromise", "CloseTask", "SetLevel", "OpenTask"]
    assert ended(order, "first_call:1") == ("kept", "call_result")
    assert order.promises["first_call:1"].late_by == 7 * MINUTE


def test_a_late_call_breaks_the_promise_first_and_then_does_the_task_with_its_lateness() -> None:
    order = world()
    order.record("2025-06-02 09:25", "no_answer")
    made = order.advance("2025-06-02 09:40")
    assert kinds(made)[:2] == ["EndPromise", "CloseTask"]
    assert ended(order, "first_call:1") == ("broken", "overdue")
    (closed,) = order.of(effect.CloseTask)
    assert isinstance(closed, effect.CloseTask)
    assert (closed.outcome, closed.late_by) == ("done", 20 * MINUTE)
    assert "RequestReassignment" not in kinds(order.log)


def test_the_clock_of_the_first_call_rests_at_noon_and_at_night() -> None:
    assert world("2025-06-02 11:50").deadline == "Mon 13:35"
    assert world("2025-06-02 23:00").deadline == "Tue 08:15"


def test_the_first_call_counts_in_the_shift_of_the_owner() -> None:
    shift = Calendar.of(weekly=[["14:00-20:00"]] * 7)
    order = World(STANDARD, hanoi(MONDAY_9), owner=staff("S07"))
    assert order.owner is not None
    order.owner = type(order.owner)(id=order.owner.id, code="S07", shift=shift)
    order.advance(MONDAY_9)
    assert (order.due, order.deadline) == ("Mon 14:05", "Mon 14:15")


def test_a_shift_outside_the_legal_hours_does_not_stop_the_clock_for_ever() -> None:
    night = Calendar.of(weekly=[["21:00-23:00"]] * 7)
    order = World(STANDARD, hanoi(MONDAY_9), owner=staff("S07"))
    assert order.owner is not None
    order.owner = type(order.owner)(id=order.owner.id, code="S07", shift=night)
    order.advance(MONDAY_9)
    assert order.deadline == "Mon 09:15"


def test_another_owner_gets_a_fresh_clock_if_nobody_has_called_yet() -> None:
    order = world()
    order.assign(staff("S08"), "2025-06-02 09:08")
    order.advance("2025-06-02 09:08")
    assert ended(order, "first_call:1") == ("cancelled", "reassigned")
    assert (order.task.key, order.deadline) == ("first_call:2", "Mon 09:23")
    assert order.task.owner_id == staff("S08").id


def test_after_a_call_from_the_customer_reassignment_starts_no_new_clock() -> None:
    order = world()
    order.call("2025-06-02 09:04", None, inbound=True)
    order.assign(staff("S08"), "2025-06-02 09:08")
    assert kinds(order.advance("2025-06-02 09:08")) == ["GiveTask"]
    assert (order.task.key, order.due, order.task.owner_id) == ("first_call:1", "Mon 09:05", staff("S08").id)


def test_an_owner_who_gets_the_number_late_still_has_the_time_of_a_first_call() -> None:
    order = world()
    order.assign(staff("S08"), "2025-06-03 15:25")  # five minutes before the 16 hours are over
    order.advance("2025-06-03 15:25")
    order.advance("2025-06-03 15:39")
    assert (order.step, order.deadline) == ("first_call", "Tue 15:40")
    order.advance("2025-06-03 15:40")
    assert order.step == "pool"


def test_at_the_end_of_a_shift_the_first_call_waits_for_the_next_one() -> None:
    shift = Calendar.of(weekly=[["09:00-11:00", "14:00-16:00"]] * 7)
    order = World(STANDARD, hanoi("2025-06-02 10:55"))
    assert order.owner is not None
    order.owner = type(order.owner)(id=order.owner.id, code="S07", shift=shift)
    order.advance("2025-06-02 10:55")
    assert (order.due, order.deadline) == ("Mon 14:00", "Mon 14:10")


def test_after_a_call_the_open_task_moves_to_the_new_owner_as_it_is() -> None:
    order = world()
    order.call("2025-06-02 09:04", "no_answer")
    before = order.task
    order.assign(staff("S08"), "2025-06-02 09:30")
    made = order.advance("2025-06-02 09:30")
    assert {type(each).__name__ for each in made} == {"GiveTask"}
    assert order.task.owner_id == staff("S08").id
    assert (order.task.key, order.task.due_at) == (before.key, before.due_at)
    assert all(task.owner_id == staff("S08").id for task in order.tasks.values())


# --- nobody answers ---------------------------------------------------------------------------------------------------


def unanswered(order: World, times: int, result: str = "no_answer") -> list[str]:
    """Call whenever a call is due, in vain."""
    calls = []
    for _ in range(times):
        at = order.task.due_at
        calls.append(shown(at))
        order.call(at, result)
    return calls


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


# --- what the customer said -------------------------------------------------------------------------------------------


def test_a_callback_is_due_at_the_promised_time_with_a_reminder_five_minutes_before() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 16:00"))
    assert (order.step, order.level, order.due, order.deadline) == ("callback", "L1.2", "Mon 16:00", "Mon 16:15")
    assert shown(order.next_due) == "Mon 15:55"
    assert kinds(order.advance(order.next_due)) == ["RemindOwner"]


@pytest.mark.parametrize(
    ("called", "due"),
    [("2025-06-02 08:05", "Mon 13:35"), ("2025-06-02 10:00", "Mon 15:30"), ("2025-06-02 17:00", "Tue 09:00")],
)
def test_without_a_time_the_callback_is_in_four_hours_or_at_nine_the_next_day(called: str, due: str) -> None:
    order = world("2025-06-02 08:00")
    order.call(called, "call_later")
    assert order.due == due


def test_a_callback_promised_for_the_noon_rest_moves_to_the_next_calling_time() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 12:30"))
    assert order.due == "Mon 13:30"


def test_a_missed_callback_is_broken_told_to_the_leader_opened_to_the_team_and_released() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 16:00"))
    made = order.advance("2025-06-04 16:00")
    assert [(type(each).__name__, shown(each.at)) for each in made] == [
        ("RemindOwner", "Mon 15:55"),
        ("EndPromise", "Mon 16:15"),
        ("TellManager", "Mon 16:15"),
        ("GiveTask", "Mon 17:00"),
        ("CloseTask", "Wed 08:30"),
        ("ReleaseToPool", "Wed 08:30"),
    ]
    assert ended(order, "callback:1") == ("broken", "overdue")


def test_a_callback_opened_to_the_team_is_done_by_whoever_calls() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 16:00"))
    order.advance("2025-06-02 17:01")
    assert order.task.owner_id is None
    assert order.decision is not None
    assert "nhóm của S07" in order.decision.sentence.vi
    order.call("2025-06-02 17:20", "thinking")
    assert order.step == "thinking"


def test_an_unanswered_call_long_before_the_promised_time_does_not_drop_the_promise() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-02 16:00"))
    assert order.call("2025-06-02 11:00", "no_answer") == []
    assert (order.step, order.due) == ("callback", "Mon 16:00")
    order.call("2025-06-02 15:50", "no_answer")
    assert ended(order, "callback:1") == ("kept", "call_result")
    assert order.step == "no_answer_2"


def test_after_five_callbacks_the_number_goes_to_the_pool() -> None:
    order = world()
    for day in range(2, 8):
        order.call(f"2025-06-0{day} 10:00", "call_later", promised_at=hanoi(f"2025-06-0{day + 1} 10:00"))
    assert order.step == "pool"
    assert [ended(order, f"callback:{n}")[0] for n in range(1, 6)] == ["kept"] * 5


def test_thinking_is_asked_the_next_day_three_times() -> None:
    order = world()
    order.call("2025-06-02 09:05", "thinking")
    assert (order.step, order.level, order.due, order.deadline) == ("thinking", "L1.2", "Tue 09:05", "Tue 11:05")
    order.call("2025-06-03 09:05", "thinking")
    order.call("2025-06-04 09:05", "thinking")
    assert order.due == "Thu 09:05"
    order.call("2025-06-05 09:05", "thinking")
    assert order.step == "pool"


def test_information_is_sent_within_15_minutes_and_followed_up_the_next_day() -> None:
    order = world()
    order.call("2025-06-02 09:05", "send_info")
    assert (order.step, order.task.task, order.due, order.deadline) == (
        "send_info",
        "message",
        "Mon 09:20",
        "Mon 09:50",
    )
    order.call("2025-06-02 09:30", None, kind="message")
    assert ended(order, "send_info:1") == ("kept", "message_sent")
    assert (order.step, order.due) == ("thinking", "Tue 09:30")


def test_information_that_is_not_sent_is_a_broken_promise_and_still_followed_up() -> None:
    order = world()
    order.call("2025-06-02 09:05", "send_info")
    order.advance("2025-06-02 10:00")
    assert ended(order, "send_info:1") == ("broken", "overdue")
    assert (order.step, order.due) == ("thinking", "Tue 09:50")


def test_a_missed_call_does_not_excuse_from_sending_the_information() -> None:
    order = world()
    order.call("2025-06-02 09:05", "send_info")
    assert order.call("2025-06-02 09:25", "no_answer") == []
    assert order.step == "send_info"


def test_will_buy_later_is_reminded_the_day_before() -> None:
    order = world()
    order.call("2025-06-02 09:05", "buy_later", promised_at=hanoi("2025-06-10 10:00"))
    assert (order.step, order.level, shown(order.next_due)) == ("buy_later", "L1.6", "Mon 10:00")
    assert kinds(order.advance(order.next_due)) == ["RemindOwner"]
    assert (order.due, order.deadline) == ("Tue 10:00", "Tue 15:30")


def test_will_buy_later_reaches_no_further_than_35_days() -> None:
    order = world()
    order.call("2025-06-02 09:05", "buy_later", promised_at=hanoi("2025-09-01 10:00"))
    assert order.task.due_at == hanoi("2025-07-07 09:05")


def test_the_third_time_of_buying_later_is_the_pool() -> None:
    order = world()
    order.call("2025-06-02 09:05", "buy_later", promised_at=hanoi("2025-06-10 10:00"))
    order.call("2025-06-10 10:00", "buy_later", promised_at=hanoi("2025-06-20 10:00"))
    order.call("2025-06-20 10:00", "buy_later", promised_at=hanoi("2025-06-30 10:00"))
    assert order.step == "pool"


@pytest.mark.parametrize(
    ("result", "step", "level", "extra"),
    [
        ("closed", "closed", "L5", []),
        ("not_buying", "not_buying", "L1.5", []),
        ("refuses_contact", "refused", "L1.3", ["PutOnDoNotCallList"]),
        ("wrong_number", "wrong", "L1.1", []),
        ("spam", "wrong", "L1.1", ["AddMark"]),
    ],
)
def test_these_results_end_the_care(result: str, step: str, level: str, extra: list[str]) -> None:
    order = world()
    made = order.call("2025-06-02 09:05", result, reason="too_expensive")
    assert (order.ended, order.level, order.tasks) == (step, level, {})
    assert [kind for kind in kinds(made) if kind in ("PutOnDoNotCallList", "AddMark")] == extra
    assert order.decision is not None
    assert order.decision.next_due is None


def test_not_buying_carries_its_reason_to_the_level() -> None:
    order = world()
    order.call("2025-06-02 09:05", "not_buying", reason="too_expensive")
    (level,) = order.of(effect.SetLevel)
    assert isinstance(level, effect.SetLevel)
    assert (level.level, level.reason, level.interaction_id) == ("L1.5", "too_expensive", order.interactions[0].id)


# --- the table that answers at once -----------------------------------------------------------------------------------


def test_the_table_answers_what_decide_then_does(process: CareProcess) -> None:
    for result in process.results:
        order = world()
        assert order.state is not None
        answer = transition_for(process, order.state, result=result)
        order.call("2025-06-02 09:05", result)
        assert (order.step, order.level) == (answer.step, answer.level), result


def test_the_table_says_that_not_buying_needs_a_reason(process: CareProcess) -> None:
    order = world()
    assert order.state is not None
    assert transition_for(process, order.state, result="not_buying").needs_reason
    assert not transition_for(process, order.state, result="busy").needs_reason


def test_a_result_that_the_step_does_not_know_is_refused_with_those_it_knows(process: CareProcess) -> None:
    order = world()
    assert order.state is not None
    with pytest.raises(UnknownResult) as refused:
        transition_for(process, order.state, result="angry")
    assert refused.value.allowed[:2] == ("closed", "call_later")
    order.call("2025-06-02 09:05", "wrong_number")
    with pytest.raises(UnknownResult):
        transition_for(process, order.state, result="busy")


# --- the floating pool ------------------------------------------------------------------------------------------------


def in_pool() -> World:
    order = world()
    unanswered(order, 6)
    order.in_pool = True
    order.assign(None, "2025-06-05 09:31")
    order.advance("2025-06-05 09:31")
    return order


def test_in_the_pool_nobody_owes_anything_and_after_30_days_it_is_archived() -> None:
    order = in_pool()
    assert order.tasks == {}
    assert order.next_due == hanoi("2025-07-05 09:30")
    made = order.advance(order.next_due)
    assert kinds(made) == ["Archive", "EndCare"]
    assert (order.level, order.ended) == ("L1.4", "archived")


def test_who_claims_a_number_owes_a_call_with_everything_counted_afresh() -> None:
    order = in_pool()
    order.assign(staff("S09"), "2025-06-10 09:00", cause="claim")
    order.advance("2025-06-10 09:00")
    assert (order.step, order.level, order.due) == ("claimed_call", "L1.2", "Tue 14:30")
    assert order.task.owner_id == staff("S09").id
    assert unanswered(order, 4)[1:] == ["Tue 15:30", "Wed 09:00", "Thu 11:30"]
    assert order.step == "no_answer_5"


def test_a_claim_gives_24_calling_hours_for_the_first_call_then_the_number_goes_back() -> None:
    order = in_pool()
    order.assign(staff("S09"), "2025-06-10 09:00", cause="claim")
    order.advance("2025-06-10 09:00")
    assert order.deadline == "Thu 11:00"
    reminded = order.advance("2025-06-11 19:30")  # 20 hours: 10 on Tuesday, 10 until then on Wednesday
    assert kinds(reminded) == ["RemindOwner"]
    assert kinds(order.advance("2025-06-12 10:59")) == []
    assert kinds(order.advance("2025-06-12 11:00")) == ["EndPromise", "CloseTask", "ReleaseToPool"]
    assert order.step == "pool"


def test_a_claim_that_is_heard_of_before_the_release_is_a_claim_all_the_same() -> None:
    order = world()
    order.assignment += 1  # the release, which a manager made
    order.assign(staff("S09"), "2025-06-02 10:00", cause="claim")
    order.advance("2025-06-02 10:00")
    assert (order.step, order.due) == ("claimed_call", "Mon 15:30")
    assert order.task.owner_id == staff("S09").id


def test_a_number_that_a_manager_puts_into_the_pool_waits_there_and_leads_is_not_asked_again() -> None:
    order = world()
    order.in_pool = True
    order.assign(None, "2025-06-02 09:30", cause="floating_pool")
    made = order.advance("2025-06-02 09:30")
    assert kinds(made) == ["EndPromise", "CloseTask"]
    assert (order.step, order.tasks) == ("pool", {})
    assert order.next_due == hanoi("2025-07-02 09:30")


def test_a_number_of_the_archive_that_is_given_to_somebody_is_cared_for_again() -> None:
    order = in_pool()
    order.advance(order.next_due)
    assert order.ended == "archived"
    order.assign(staff("S09"), "2025-08-04 09:00", cause="manual")
    made = order.advance("2025-08-04 09:00")
    assert kinds(made) == ["ReopenCare", "SetLevel", "OpenTask"]
    assert (order.step, order.level, order.task.owner_id) == ("claimed_call", "L1.2", staff("S09").id)


def test_a_call_logged_after_the_number_was_released_changes_nothing() -> None:
    order = in_pool()
    assert order.call("2025-06-05 10:00", "no_answer") == []
    assert order.step == "pool"


def test_a_customer_who_calls_while_in_the_pool_is_cared_for_again() -> None:
    order = in_pool()
    made = order.call("2025-06-06 10:00", "call_later", inbound=True, promised_at=hanoi("2025-06-06 15:00"))
    assert "RequestReassignment" in kinds(made)
    assert (order.step, order.due) == ("callback", "Fri 15:00")


# --- caps and the legal gate ------------------------------------------------------------------------------------------


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


def test_who_did_not_ask_is_never_called_in_the_evening(process: CareProcess) -> None:
    order = world("2025-06-02 15:00", asked=False)
    facts = order.facts()
    assert may_call(process, facts, hanoi("2025-06-02 16:59")).allowed
    assert may_call(process, facts, hanoi("2025-06-02 17:00")).refusal == "outside_hours"
    asked = world("2025-06-02 15:00").facts()
    assert may_call(process, asked, hanoi("2025-06-02 17:00")).allowed


def test_who_did_not_ask_gets_three_messages_in_24_hours(process: CareProcess) -> None:
    sent = [hanoi(f"2025-06-02 {hour}:00") for hour in ("09", "10", "11")]
    fourth = hanoi("2025-06-02 12:00")
    assert earliest_message(process, asked=True, messages=sent, at=fourth) == fourth
    assert earliest_message(process, asked=False, messages=sent, at=fourth) == hanoi("2025-06-03 09:00")
    assert earliest_message(process, asked=False, messages=sent[:2], at=fourth) == fourth


def test_the_gate_says_why_and_from_when_on_a_call_may_be_made(process: CareProcess) -> None:
    order = world()
    order.call("2025-06-02 09:05", "busy")
    too_soon = may_call(process, order.facts(), hanoi("2025-06-02 09:10"))
    assert (too_soon.refusal, too_soon.next_at) == ("too_soon", hanoi("2025-06-02 09:20"))
    order.call("2025-06-02 09:20", "busy")
    order.call("2025-06-02 09:35", "busy")
    limit = may_call(process, order.facts(), hanoi("2025-06-02 10:00"))
    assert (limit.refusal, limit.next_at) == ("daily_limit", hanoi("2025-06-03 08:00"))
    noon = may_call(process, world().facts(), hanoi("2025-06-02 12:00"))
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


# --- the customer comes back ------------------------------------------------------------------------------------------


def test_leaving_the_number_again_brings_the_retry_forward_to_now() -> None:
    order = world()
    unanswered(order, 2)
    order.came_again_at = hanoi("2025-06-02 14:00")
    order.advance("2025-06-02 14:00")
    assert ended(order, "no_answer_3:1") == ("cancelled", "came_again")
    assert (order.step, order.task.key, order.due) == ("no_answer_3", "no_answer_3:1/2", "Mon 14:00")


def test_leaving_the_number_again_brings_a_callback_forward_but_only_to_a_legal_time() -> None:
    order = world()
    order.call("2025-06-02 09:05", "call_later", promised_at=hanoi("2025-06-05 16:00"))
    order.came_again_at = hanoi("2025-06-02 21:00")
    order.advance("2025-06-02 21:00")
    assert (order.step, order.due) == ("callback", "Tue 08:00")


def test_leaving_the_number_again_does_not_disturb_who_is_thinking() -> None:
    order = world()
    order.call("2025-06-02 09:05", "thinking")
    order.came_again_at = hanoi("2025-06-02 14:00")
    assert order.advance("2025-06-02 14:00") == []


@pytest.mark.parametrize("result", ["wrong_number", "refuses_contact", "not_buying"])
def test_leaving_the_number_again_reopens_what_was_given_up(result: str) -> None:
    order = world()
    order.call("2025-06-02 09:05", result, reason="too_expensive")
    order.came_again_at = hanoi("2025-06-03 10:00")
    made = order.advance("2025-06-03 10:00")
    assert kinds(made) == ["ReopenCare", "SetLevel", "OpenTask"]
    assert (order.step, order.level, order.due, order.ended) == ("callback", "L1.2", "Tue 10:00", None)


def test_a_closed_order_is_not_reopened_by_another_form() -> None:
    order = world()
    order.call("2025-06-02 09:05", "closed")
    order.came_again_at = hanoi("2025-06-03 10:00")
    assert order.advance("2025-06-03 10:00") == []
    assert order.ended == "closed"


def test_a_customer_who_calls_in_is_a_conversation() -> None:
    order = world()
    unanswered(order, 4)
    order.call("2025-06-03 15:00", "call_later", inbound=True, promised_at=hanoi("2025-06-03 16:00"))
    assert (order.step, order.level, order.due) == ("callback", "L1.2", "Tue 16:00")
    assert order.state is not None
    assert order.state.ladder == 0


def test_a_call_from_the_customer_that_nobody_took_is_returned_now() -> None:
    order = world()
    unanswered(order, 2)
    order.call("2025-06-02 15:00", None, inbound=True)
    assert (order.step, order.due) == ("no_answer_3", "Mon 15:00")


# --- levels set by others, pauses, accidents --------------------------------------------------------------------------


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


# --- the sentence -----------------------------------------------------------------------------------------------------


def test_the_sentence_says_who_must_do_what_by_when_and_why() -> None:
    order = world()
    order.call("2025-06-02 09:05", "no_answer")
    assert order.decision is not None
    assert order.decision.sentence.vi == (
        "S07 phải làm “Gọi lại lần 2” lúc 02/06/2025 10:05, chậm nhất 02/06/2025 10:35, "
        "vì kết quả lúc 02/06/2025 09:05 là “Không nghe máy”."
    )
    assert order.decision.sentence.en == (
        "S07 must do “Second try” at 02/06/2025 10:05, by 02/06/2025 10:35 at the latest, "
        "because the result at 02/06/2025 09:05 was “No answer”."
    )


def test_the_sentence_says_when_a_task_is_overdue_and_when_care_has_ended() -> None:
    order = world()
    order.advance("2025-06-02 09:20")
    assert order.decision is not None
    assert "(đã trễ)" in order.decision.sentence.vi
    assert "(overdue)" in order.decision.sentence.en
    order.call("2025-06-02 09:21", "wrong_number")
    assert order.decision is not None
    assert order.decision.sentence.vi == "Đã kết thúc chăm sóc: Sai số."


def test_a_state_stored_by_earlier_code_is_still_read() -> None:
    order = world()
    assert order.state is not None
    stored = dump_state(order.state)
    del stored["misses"]
    assert load_state(stored) == order.state
    assert isinstance(load_state(stored), StepState)


def test_next_due_is_always_later_than_now() -> None:
    order = world()
    for at, later in pairwise([MONDAY_9, "2025-06-02 09:31", "2025-06-03 15:30", "2025-07-20 00:00"]):
        order.advance(at)
        assert order.decision is not None
        assert order.decision.next_due is None or order.decision.next_due > hanoi(at), later
