"""What colleagues ask of one another about an order is a promise like any other, outside the care process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from services.orders import record
from services.orders.actors import Actor
from services.orders.promises import asked
from services.orders.promises.waiting import Waiting
from shared.db import Session
from tests.integration.orders.support import Person, Shop


async def ask(shop: Shop, order_id: UUID, of: Person, *, minutes: int = 60) -> UUID:
    """Somebody's note asks a colleague to answer within the hour."""
    note = uuid7()
    due_at = shop.clock.now + timedelta(minutes=minutes)
    async with shop.service.db.transaction() as session:
        order = await locked(session, order_id)
        request = asked.Request(
            subject_id=note,
            owner_id=of.id,
            asked_by_id=shop.manager.id,
            due_at=due_at,
            deadline_at=due_at + timedelta(minutes=30),
        )
        assert await asked.ask(session, order, request, now=shop.clock.now)
        assert not await asked.ask(session, order, request, now=shop.clock.now), "a repeated request asks once"
    return note


async def locked(session: Session, order_id: UUID) -> record.Order:
    order = await record.lock(session, order_id)
    assert order is not None
    return order


async def answer(shop: Shop, order_id: UUID, note: UUID, by: Person) -> bool:
    async with shop.service.db.transaction() as session:
        order = await locked(session, order_id)
        who = Actor("staff", by.id, by.code)
        return await asked.answered(session, order, subject_id=note, by=who, at=shop.clock.now)


async def look(shop: Shop) -> None:
    """The waiter looks until nothing is due."""
    waiting = Waiting(shop.service.db, now=shop.clock)
    while await waiting.step():
        pass


async def promise(shop: Shop, note: UUID) -> dict[str, Any]:
    (row,) = await shop.service.rows(
        "SELECT outcome, cause, late_seconds, ended_at, made_good_at, kept_by FROM promises WHERE task_key = :key",
        key=asked.key_of(note),
    )
    return dict(row._mapping)


async def test_a_question_stands_on_the_list_of_whom_it_asks_and_its_answer_keeps_the_promise(shop: Shop) -> None:
    order_id = await shop.number()
    note = await ask(shop, order_id, shop.colleague)
    (item,) = (await shop.colleague.client.get("/v1/tasks", params={"kind": "answer"})).json()["items"]
    assert (item["origin"], item["subject_id"], item["promise"]) == ("note", str(note), "answer")
    assert item["asked_by_id"] == str(shop.manager.id)
    assert (await shop.colleague.client.get("/v1/notices")).json()["items"][0]["kind"] == "asked"
    shop.clock.forward(minutes=70)
    assert await answer(shop, order_id, note, shop.colleague)
    assert not await answer(shop, order_id, note, shop.colleague), "it is answered once"
    assert await promise(shop, note) == {
        "outcome": "kept",
        "cause": "answered",
        "late_seconds": 600,
        "ended_at": shop.clock.now,
        "made_good_at": None,
        "kept_by": "NV02",
    }
    (event,) = [
        event["payload"]
        for event in await shop.service.outbox("orders.promise.ended.v1")
        if event["payload"]["kind"] == "answer"
    ]
    assert (event["outcome"], event["kept_by"], event["late_seconds"]) == ("kept", "NV02", 600)
    assert (await shop.colleague.client.get("/v1/tasks")).json()["items"] == []


async def test_a_question_that_nobody_answers_breaks_at_its_deadline_however_late_somebody_looks(shop: Shop) -> None:
    order_id = await shop.number()
    note = await ask(shop, order_id, shop.sale)
    deadline = shop.clock.now + timedelta(minutes=90)
    shop.clock.forward(hours=5)
    await look(shop)
    await look(shop)
    broken = await promise(shop, note)
    assert (broken["outcome"], broken["late_seconds"], broken["ended_at"]) == ("broken", 1800, deadline)
    told = [item["kind"] for item in (await shop.manager.client.get("/v1/notices")).json()["items"]]
    assert told.count("overdue") == 1
    assert await answer(shop, order_id, note, shop.manager)
    good = await promise(shop, note)
    assert (good["outcome"], good["made_good_at"], good["kept_by"]) == ("broken", shop.clock.now, "QL01")


async def test_the_care_process_leaves_questions_alone(shop: Shop) -> None:
    order_id = await shop.number()
    note = await ask(shop, order_id, shop.colleague)
    logged = await shop.call(order_id, "not_buying", reason="giá cao")
    assert logged.status_code == 201, logged.text
    undone = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions/{logged.json()['interaction_id']}/undo")
    assert undone.status_code == 200, undone.text
    assert (await promise(shop, note))["outcome"] is None
    async with shop.service.db.transaction() as session:
        order = await locked(session, order_id)
        await asked.withdraw(session, order, subject_id=note, cause="note_deleted", at=shop.clock.now)
    assert (await promise(shop, note))["outcome"] == "cancelled"


async def test_an_order_that_somebody_holds_delays_no_other_question(shop: Shop) -> None:
    busy, free = await shop.number(), await shop.number()
    held_up, goes_on = await ask(shop, busy, shop.colleague), await ask(shop, free, shop.colleague)
    shop.clock.forward(hours=2)
    waiting = Waiting(shop.service.db, now=shop.clock)
    async with shop.service.db.transaction() as session:
        await locked(session, busy)
        assert await waiting.step() == 1
        assert (await promise(shop, goes_on))["outcome"] == "broken"
        assert (await promise(shop, held_up))["outcome"] is None
    await look(shop)
    assert (await promise(shop, held_up))["outcome"] == "broken"


async def test_a_question_whose_time_is_over_is_refused(shop: Shop) -> None:
    order_id = await shop.number()
    with pytest.raises(asked.DueInThePast):
        await ask(shop, order_id, shop.colleague, minutes=-5)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promises SET outcome = 'kept' WHERE task_key = :key",
        "UPDATE promises SET ended_at = NULL, outcome = NULL WHERE task_key = :key",
        "UPDATE promises SET cause = 'other' WHERE task_key = :key",
    ],
)
async def test_a_promise_ends_once_whatever_a_statement_says(shop: Shop, statement: str) -> None:
    order_id = await shop.number()
    note = await ask(shop, order_id, shop.colleague)
    shop.clock.forward(hours=2)
    await look(shop)
    with pytest.raises(asyncpg.PostgresError, match="a promise ends once"):
        await write(shop, statement, note)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE promises SET outcome = 'kept', ended_at = now() WHERE task_key = :key", "promises_cause_check"),
        ("UPDATE promises SET outcome = 'late', ended_at = now(), cause = 'x' WHERE task_key = :key", "outcome_check"),
        ("UPDATE promises SET made_good_at = now() WHERE task_key = :key", "promises_made_good_check"),
        ("UPDATE promises SET late_seconds = -1 WHERE task_key = :key", "promises_late_check"),
        (
            "UPDATE tasks SET closed_at = now(), outcome = 'done' WHERE key = :key",
            "the promise of a closed task is open",
        ),
    ],
)
async def test_no_promise_is_dropped_whatever_a_statement_says(shop: Shop, statement: str, refusal: str) -> None:
    order_id = await shop.number()
    note = await ask(shop, order_id, shop.colleague)
    with pytest.raises(asyncpg.PostgresError, match=refusal):
        await write(shop, statement, note)


async def write(shop: Shop, statement: str, note: UUID) -> None:
    pool = await shop.service.db.driver()
    await pool.execute(statement.replace(":key", "$1"), asked.key_of(note))
