"""The sentence that says where care stands, and the state behind it.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from itertools import pairwise

from services.orders.care.facts import StepState, dump_state, load_state
from tests.unit.care_world import MONDAY_9, hanoi, world


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
