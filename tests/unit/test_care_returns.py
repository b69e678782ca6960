"""What changes in the care of a customer who leaves their number again, or calls.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

import pytest

from tests.unit.care_world import ended, hanoi, kinds, unanswered, world


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
