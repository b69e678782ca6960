"""The first call is due in the shift of whoever holds the number (rule D39)."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from shared.contracts.events.staff import SHIFTS_CHANGED, ShiftsChanged, ShiftTimes
from tests.integration.orders.support import Person, Shop

SHIFT = UUID(int=7)


def working(*periods: str, **rules: Any) -> ShiftTimes:
    every_day = {"shift_id": SHIFT, "name": "Ca", "zone": "Asia/Ho_Chi_Minh", "weekdays": (1, 2, 3, 4, 5, 6, 7)}
    return ShiftTimes.model_validate({**every_day, "periods": periods, **rules})


async def tell(shop: Shop, person: Person, version: int, *shifts: ShiftTimes) -> None:
    """What staff tells of a person's shifts."""
    change = ShiftsChanged(account_id=person.id, version=version, shifts=shifts, at=shop.clock.now)
    await shop.service.receive(SHIFTS_CHANGED, change, subject=person.id)


async def due(shop: Shop, order_id: UUID) -> tuple[str, str]:
    """When the first call is due and when its promise breaks, on the clocks of Vietnam."""
    [task] = await shop.service.rows(
        "SELECT due_at, deadline_at FROM tasks WHERE order_id = :id AND closed_at IS NULL", id=order_id
    )
    due_at, deadline_at = (at + timedelta(hours=7) for at in (task.due_at, task.deadline_at))
    return f"{due_at:%a %H:%M}", f"{deadline_at:%a %H:%M}"


async def nudged(shop: Shop) -> int:
    """How often workflows were told to look again."""
    rows = await shop.service.rows("SELECT count(*) AS sent FROM outbox WHERE destination = 'command'")
    return int(rows[0].sent)


async def test_the_clock_of_the_first_call_runs_in_the_shift_of_the_owner(shop: Shop) -> None:
    await tell(shop, shop.sale, 1, working("14:00-18:00"))
    order_id = await shop.number()
    assert await due(shop, order_id) == ("Mon 14:05", "Mon 14:15")
    await shop.assign(order_id, shop.colleague)
    await shop.look(order_id)
    assert await due(shop, order_id) == ("Mon 09:05", "Mon 09:15"), "whose clock begins anew, in all calling hours"


async def test_whoever_is_not_told_of_has_all_calling_hours_and_so_has_a_shift_outside_them(shop: Shop) -> None:
    first = await shop.number()
    assert (await due(shop, first))[0] == "Mon 09:05"
    await tell(shop, shop.sale, 1, working("22:00-23:00"))
    second = await shop.number()
    assert (await due(shop, second))[0] == "Mon 09:05", "nobody may be called at 22:00, so it cannot be waited for"


async def test_two_shifts_are_one_time_and_a_day_off_of_the_company_is_none(shop: Shop) -> None:
    afternoon = working("13:00-16:00", shift_id=UUID(int=8))
    change = ShiftsChanged(
        account_id=shop.sale.id,
        version=1,
        shifts=(working("15:00-18:00"), afternoon),
        holidays=(shop.clock.now.date(),),
        at=shop.clock.now,
    )
    await shop.service.receive(SHIFTS_CHANGED, change, subject=shop.sale.id)
    order_id = await shop.number()
    # Tuesday is a public holiday, on which nobody is called; the calls of an afternoon begin at 13:30.
    assert await due(shop, order_id) == ("Wed 13:35", "Wed 13:45")


async def test_a_change_of_shift_wakes_the_first_calls_that_are_open_and_nothing_else(shop: Shop) -> None:
    waiting, called, others = await shop.number(), await shop.number(), await shop.accept()
    await shop.call(called, "no_answer")
    await shop.assign(others, shop.colleague)
    await shop.look(others)
    before = await nudged(shop)
    await tell(shop, shop.sale, 1, working("14:00-18:00"))
    assert await nudged(shop) - before == 1
    await shop.look(waiting)
    assert await due(shop, waiting) == ("Mon 14:05", "Mon 14:15")
    promise = await shop.service.rows("SELECT due_at, outcome FROM promises WHERE order_id = :id", id=waiting)
    assert [(row.due_at.hour, row.outcome) for row in promise] == [(7, None)], "the promise goes with it"
    await tell(shop, shop.sale, 2)
    await shop.look(waiting)
    assert await due(shop, waiting) == ("Mon 09:05", "Mon 09:15"), "and comes back when the shift is taken away"


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_told_late_twice_or_in_any_order_leaves_the_last_shift(shop: Shop, seed: int) -> None:
    told = [(1, "08:00-12:00"), (2, "14:00-18:00"), (3, "16:00-20:00"), (3, "16:00-20:00"), (2, "14:00-18:00")]
    Random(seed).shuffle(told)
    for version, hours in told:
        await tell(shop, shop.sale, version, working(hours))
    assert (await due(shop, await shop.number()))[0] == "Mon 16:05"
    before = await nudged(shop)
    await tell(shop, shop.sale, 4, working("16:00-20:00"))
    await tell(shop, shop.sale, 1, working("08:00-12:00"))
    assert await nudged(shop) == before, "who works at the same times as before has nothing to look at again"


async def test_the_shift_of_the_owner_comes_with_what_is_read_of_the_order_anyway(shop: Shop) -> None:
    await tell(shop, shop.sale, 1, working("14:00-18:00"))
    order_id = await shop.number()
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = shop.service.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await shop.look(order_id)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert sum("staff_shifts" in statement for statement in statements) == 1
