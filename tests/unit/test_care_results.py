"""What the standard process owes after each thing a customer may say.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

import pytest

from services.orders.care import effects as effect
from services.orders.care.transition import UnknownResult, transition_for
from tests.unit.care_world import STANDARD, ended, hanoi, kinds, shown, world


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


# --- the table that answers at once ----------------------------------------------------------------------------------


def test_the_table_answers_what_decide_then_does() -> None:
    for result in STANDARD.results:
        order = world()
        assert order.state is not None
        answer = transition_for(STANDARD, order.state, result=result)
        order.call("2025-06-02 09:05", result)
        assert (order.step, order.level) == (answer.step, answer.level), result


def test_the_table_says_that_not_buying_needs_a_reason() -> None:
    order = world()
    assert order.state is not None
    assert transition_for(STANDARD, order.state, result="not_buying").needs_reason
    assert not transition_for(STANDARD, order.state, result="busy").needs_reason


def test_a_result_that_the_step_does_not_know_is_refused_with_those_it_knows() -> None:
    order = world()
    assert order.state is not None
    with pytest.raises(UnknownResult) as refused:
        transition_for(STANDARD, order.state, result="angry")
    assert refused.value.allowed[:2] == ("closed", "call_later")
    order.call("2025-06-02 09:05", "wrong_number")
    with pytest.raises(UnknownResult):
        transition_for(STANDARD, order.state, result="busy")
