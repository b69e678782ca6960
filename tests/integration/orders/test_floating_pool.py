"""What leads says of the floating pool and of hand-overs, as care and people see it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.events.leads import (
    LEAD_ASSIGNED,
    LEAD_RELEASED,
    LEAD_UNASSIGNED,
    LeadAssigned,
    LeadReleased,
    LeadUnassigned,
)
from tests.integration.orders.support import Person, Shop


async def give(shop: Shop, order_id: UUID, to: Person, *, cause: str) -> None:
    number = shop.assignments[order_id] = shop.assignments.get(order_id, 0) + 1
    fact = LeadAssigned.model_validate(
        {
            "lead_id": order_id,
            "assignment": number,
            "owner_id": to.id,
            "owner_code": to.code,
            "team": "S1",
            "assigned_at": shop.clock.now,
            "cause": cause,
        }
    )
    await shop.service.receive(LEAD_ASSIGNED, fact, subject=order_id)
    await shop.look(order_id)


async def release(shop: Shop, order_id: UUID) -> None:
    number = shop.assignments[order_id] = shop.assignments.get(order_id, 0) + 1
    fact = LeadReleased(lead_id=order_id, assignment=number, released_at=shop.clock.now, cause="floating_pool")
    await shop.service.receive(LEAD_RELEASED, fact, subject=order_id)
    await shop.look(order_id)


async def test_a_number_that_a_manager_released_waits_in_the_pool_and_a_claim_gives_24_calling_hours(
    shop: Shop,
) -> None:
    order_id = await shop.number()
    await release(shop, order_id)
    care = await shop.service.rows("SELECT step FROM care WHERE order_id = :id", id=order_id)
    assert care[0].step == "pool"
    assert await shop.service.outbox("orders.reassignment.requested.v1") == []

    shop.clock.forward(hours=1)
    await give(shop, order_id, shop.colleague, cause="claim")

    (task,) = await shop.service.rows(
        "SELECT step, owner_id, deadline_at FROM tasks WHERE order_id = :id AND closed_at IS NULL", id=order_id
    )
    assert (task.step, task.owner_id) == ("claimed_call", shop.colleague.id)
    # Monday 10:00 in Vietnam and 24 hours of those in which a campaign may call (rule D38), of which a day has nine; since
    # 2026 the 24th of November is a holiday
    assert task.deadline_at - shop.clock.now == timedelta(days=3, hours=6)
    assert await shop.level(order_id) == "L1.2"


async def test_a_number_of_the_archive_that_is_given_to_somebody_is_in_care_again(shop: Shop) -> None:
    order_id = await shop.number()
    await release(shop, order_id)
    shop.clock.forward(days=31)
    await shop.look(order_id)
    before = await shop.service.rows("SELECT is_open, archived_at, round FROM care WHERE order_id = :id", id=order_id)

    await give(shop, order_id, shop.colleague, cause="manual")

    after = await shop.service.rows(
        "SELECT is_open, archived_at, round, step FROM care WHERE order_id = :id", id=order_id
    )
    assert (before[0].is_open, before[0].archived_at is not None, before[0].round) == (False, True, 1)
    assert (after[0].is_open, after[0].archived_at, after[0].round, after[0].step) == (True, None, 2, "claimed_call")
    commands = [event["payload"] for event in await shop.service.outbox() if event["subject"].startswith("care/")]
    assert commands, "another workflow follows it"


async def test_a_promised_callback_goes_with_a_lead_that_is_handed_over(shop: Shop) -> None:
    order_id = await shop.number()
    promised = shop.clock.now + timedelta(hours=6)
    await shop.call(order_id, "call_later", promised_at=promised.isoformat())
    shop.clock.forward(minutes=10)

    await give(shop, order_id, shop.colleague, cause="hand_over")

    (task,) = await shop.service.rows(
        "SELECT t.step, t.owner_id, t.due_at, p.owner_id AS promiser, p.ended_at FROM tasks t "
        "JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key WHERE t.order_id = :id AND t.closed_at IS NULL",
        id=order_id,
    )
    assert (task.step, task.due_at) == ("callback", promised), "the customer was promised this time, whoever calls"
    assert (task.owner_id, task.promiser, task.ended_at) == (shop.colleague.id, shop.colleague.id, None)


async def test_a_new_number_without_owner_is_told_to_whoever_distributes_once(shop: Shop) -> None:
    order_id = await shop.accept()
    fact = LeadUnassigned(
        lead_id=order_id,
        received_at=shop.clock.now,
        raised_at=shop.clock.now + timedelta(minutes=15),
        waited_minutes=15,
    )
    event_id = await shop.service.receive(LEAD_UNASSIGNED, fact, subject=order_id)
    await shop.service.receive(LEAD_UNASSIGNED, fact, subject=order_id, event_id=event_id)
    await shop.service.receive(LEAD_UNASSIGNED, fact, subject=order_id, event_id=uuid7())

    (notice,) = (await shop.manager.client.get("/v1/notices")).json()["items"]
    assert (notice["order_id"], notice["kind"]) == (str(order_id), "no_owner")
    assert (await shop.sale.client.get("/v1/notices")).json()["items"] == []
