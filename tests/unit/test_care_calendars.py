"""What a change of working hours, holidays or shifts does to care that is going on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from services.orders.care import effects as effect
from services.orders.care.process import CareProcess, Hours
from services.orders.care.seed import cod_standard
from shared.calendar import Calendar
from tests.unit.care_world import World, hanoi, staff

PROCESS = cod_standard()
WEDNESDAY, THURSDAY = date(2025, 6, 4), date(2025, 6, 5)


def closed(*days: date) -> CareProcess:
    return PROCESS.closed_on(days)


def opened(**special: list[str]) -> CareProcess:
    """Calling hours with days of their own: `d20250604=["08:00-10:00"]`."""
    hours = PROCESS.calendars["call_hours"].model_dump()
    hours |= {"managed": True, "extra": {date.fromisoformat(day[1:]): periods for day, periods in special.items()}}
    return PROCESS.kept_by({"call_hours": Hours.model_validate(hours)}, holidays=())


def at_tuesday_evening(process: CareProcess = PROCESS) -> World:
    """A number was assigned on Tuesday after hours: its first call is due on Wednesday at 08:05."""
    world = World(process, hanoi("2025-06-03 21:00"))
    world.advance("2025-06-03 21:00")
    return world


def test_a_task_of_tomorrow_moves_when_tomorrow_becomes_a_day_off() -> None:
    world = at_tuesday_evening()
    assert (world.due, world.deadline) == ("Wed 08:05", "Wed 08:15")
    world.process = closed(WEDNESDAY)
    moved = world.advance("2025-06-03 22:00")
    assert [(type(each), each.cause) for each in moved] == [(effect.MoveTask, "calendar")]
    assert (world.due, world.deadline) == ("Thu 08:05", "Thu 08:15")
    assert world.advance("2025-06-04 12:00") == []


def test_a_task_comes_forward_when_a_day_off_becomes_a_working_day_and_goes_back_when_it_is_taken_back() -> None:
    world = at_tuesday_evening(closed(WEDNESDAY))
    assert world.due == "Thu 08:05"
    world.process = PROCESS
    world.advance("2025-06-03 22:00")
    assert world.due == "Wed 08:05"
    world.process = closed(WEDNESDAY)
    world.advance("2025-06-03 22:10")
    assert world.due == "Thu 08:05"
    world.process = PROCESS
    world.advance("2025-06-03 22:20")
    assert world.due == "Wed 08:05"


def test_a_promised_callback_keeps_its_time_unless_that_time_is_closed() -> None:
    world = at_tuesday_evening()
    world.call("2025-06-04 09:00", "call_later", promised_at=hanoi("2025-06-05 10:20"))
    world.process = opened(d20250605=["10:00-12:00"])
    assert world.advance("2025-06-04 10:00") == []
    assert world.due == "Thu 10:20"
    world.process = closed(THURSDAY)
    world.advance("2025-06-04 10:10")
    assert world.due == "Fri 08:00"
    world.process = PROCESS
    world.advance("2025-06-04 10:20")
    assert world.due == "Thu 10:20"


def test_a_callback_without_an_agreed_time_follows_the_calendar() -> None:
    world = at_tuesday_evening()
    world.call("2025-06-04 15:00", "call_later")
    assert world.due == "Wed 19:00"
    world.process = opened(d20250604=["08:00-12:00", "13:30-18:00"])
    world.advance("2025-06-04 15:30")
    assert world.due == "Thu 09:00"


def test_nobody_becomes_late_by_a_change_that_opens_hours_already_past() -> None:
    world = at_tuesday_evening(closed(WEDNESDAY))
    world.process = PROCESS
    moved = world.advance("2025-06-04 11:00")
    assert (world.due, world.deadline) == ("Wed 11:00", "Wed 11:10")
    assert all(isinstance(each, effect.MoveTask) for each in moved)
    assert world.promises[world.task.key].outcome is None


def test_a_change_that_closes_today_afterwards_gives_the_open_tasks_that_day_back() -> None:
    world = at_tuesday_evening()
    world.process = closed(WEDNESDAY)
    world.advance("2025-06-04 08:10")
    assert world.due == "Thu 08:05"


def test_what_was_broken_stays_broken() -> None:
    world = at_tuesday_evening()
    world.advance("2025-06-04 08:20")
    assert world.promises[world.task.key].outcome == "broken"
    world.process = closed(WEDNESDAY)
    moved = world.advance("2025-06-04 08:30")
    assert not any(isinstance(each, effect.MoveTask | effect.EndPromise) for each in moved)
    assert world.due == "Wed 08:05"


def test_escalations_run_in_the_new_hours() -> None:
    world = at_tuesday_evening()
    world.advance("2025-06-04 08:20")
    assert f"{world.next_due.astimezone(hanoi('2025-06-04 00:00').tzinfo):%a %H:%M}" == "Wed 08:30"
    world.process = opened(d20250604=["08:00-08:25"])
    world.advance("2025-06-04 08:22")
    assert f"{world.next_due.astimezone(hanoi('2025-06-04 00:00').tzinfo):%a %H:%M}" == "Thu 08:05"


def test_a_wait_in_the_pool_is_wall_time_and_does_not_move() -> None:
    world = at_tuesday_evening()
    world.assign(None, "2025-06-04 09:00", cause="floating_pool")
    world.advance("2025-06-04 09:00")
    before = world.next_due
    world.process = closed(*[WEDNESDAY + timedelta(days=n) for n in range(40)])
    world.advance("2025-06-04 10:00")
    assert world.next_due == before


def test_the_first_call_is_due_in_the_shift_of_its_owner_and_follows_it() -> None:
    def on(*periods: str) -> Calendar:
        return Calendar.of(weekly=[periods] * 7)

    late = replace(staff("S07"), shift=on("14:00-18:00"))
    world = World(PROCESS, hanoi("2025-06-04 09:00"), owner=late)
    world.advance("2025-06-04 09:00")
    assert (world.due, world.deadline) == ("Wed 14:05", "Wed 14:15")
    world.owner = replace(late, shift=on("10:00-18:00"))
    world.advance("2025-06-04 09:30")
    assert (world.due, world.deadline) == ("Wed 10:05", "Wed 10:15")
    world.call("2025-06-04 10:05", "no_answer")
    assert world.due == "Wed 11:05"
    world.owner = late
    assert world.advance("2025-06-04 10:30") == []


def test_another_owner_begins_afresh_in_their_own_shift_without_a_move_in_between() -> None:
    world = World(PROCESS, hanoi("2025-06-04 09:00"))
    world.advance("2025-06-04 09:00")
    world.assign(replace(staff("S08"), shift=Calendar.of(weekly=[["15:00-18:00"]] * 7)), "2025-06-04 09:05")
    made = world.advance("2025-06-04 09:05")
    assert not any(isinstance(each, effect.MoveTask) for each in made)
    assert world.due == "Wed 15:05"


def test_a_branch_in_another_zone_is_called_in_its_own_hours() -> None:
    hours = PROCESS.calendars["call_hours"].model_copy(update={"zone": "Asia/Tokyo", "managed": True})
    world = World(PROCESS.kept_by({"call_hours": hours}, holidays=()), hanoi("2025-06-03 21:00"))
    world.advance("2025-06-03 21:00")
    assert world.due == "Wed 06:05"


def test_what_a_company_manages_needs_no_reason_in_the_process_and_changes_its_business_time() -> None:
    changed = opened(d20250604=["08:00-10:00"])
    assert changed.business_time != PROCESS.business_time
    assert closed().business_time == PROCESS.business_time
    assert not any(path.startswith("calendars.call_hours") for path, _ in changed.numbers())
