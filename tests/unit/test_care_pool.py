"""Care of a number that lies in the floating pool, is claimed out of it, or is archived.

2 June 2025 is a Monday. Calling hours are 08:00-12:00 and 13:30-20:30, on Sunday 08:30-12:00 and 13:30-17:30.
"""

from __future__ import annotations

from tests.unit.care_world import World, hanoi, kinds, staff, unanswered, world


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
