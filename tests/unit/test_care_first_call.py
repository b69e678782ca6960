"""The first call of a number in the standard process: by when it is owed, and what follows if nobody makes it.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from datetime import timedelta

from services.orders.care import effects as effect
from shared.calendar import Calendar
from tests.unit.care_world import MONDAY_9, STANDARD, World, ended, hanoi, kinds, shown, staff, world

MINUTE = timedelta(minutes=1)


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
