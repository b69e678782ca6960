"""What becomes of orders when their leads are corrected or marked as spam, and who is confirmed as the customer."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.consumer import apply_once, read_event
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import (
    LEAD_ACCEPTED,
    LEAD_ASSIGNED,
    LeadAssigned,
)
from tests.integration.orders.lead_changes_support import (
    correct,
    customer_of,
    mark,
)
from tests.integration.orders.support import Shop, accepted


async def test_a_corrected_number_is_called_from_now_on_and_the_wrong_one_belongs_to_nobody(shop: Shop) -> None:
    order_id = await shop.number(phone="+84900000001")
    await correct(shop, order_id, phone="+84912345678", name="Hoa Đặng", product="TRA", number_changed=True)

    order = await shop.order(order_id)
    assert (order["customer"]["phones"], order["lead"]["name"], order["lead"]["product"]) == (
        ["0912345678"],
        "Hoa Đặng",
        "TRA",
    )
    await shop.call(order_id, "no_answer")
    (call,) = await shop.service.rows("SELECT phone FROM interactions")
    assert call.phone == "+84912345678"
    assert await shop.service.rows("SELECT 1 FROM customer_phones WHERE phone = '+84900000001'") == []
    entries = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert [(one["what"], one["by"]) for one in entries if one["kind"] == "correction"] == [("phone", "NV01")]


async def test_a_number_that_is_another_customers_gives_the_order_to_that_customer(shop: Shop) -> None:
    known = await shop.number(phone="+84912345678")
    order_id = await shop.number(phone="+84900000001")
    await correct(shop, order_id, phone="+84912345678")

    assert (await customer_of(shop, order_id))["id"] == (await customer_of(shop, known))["id"]


async def test_a_customer_with_other_orders_keeps_the_number_that_was_wrong_for_this_one(shop: Shop) -> None:
    theirs = await shop.number(phone="+84900000001")
    order_id = await shop.number(phone="+84900000001")
    await correct(shop, order_id, phone="+84912345678")

    assert (await customer_of(shop, theirs))["phones"] == ["0900000001"]
    assert (await customer_of(shop, order_id))["phones"] == ["0912345678"]


async def test_a_wrong_number_that_is_corrected_returns_to_l1_with_the_reason_and_is_cared_for(shop: Shop) -> None:
    order_id = await shop.number(phone="+84900000001")
    await shop.call(order_id, "wrong_number")
    assert await shop.level(order_id) == "L1.1"
    shop.clock.forward(minutes=5)
    await correct(shop, order_id, phone="+84912345678", reason="khách nhắn lại số")
    await shop.look(order_id)

    order = await shop.order(order_id)
    assert (order["level"]["code"], order["care"]["is_open"], len(order["tasks"])) == ("L1", True, 1)
    (row,) = await shop.service.rows(
        "SELECT actor_code, reason FROM transitions WHERE order_id = :id AND cause = 'corrected'", id=order_id
    )
    assert (row.actor_code, row.reason) == ("NV01", "khách nhắn lại số")


async def test_a_name_alone_returns_no_wrong_number_and_an_older_revision_changes_nothing(shop: Shop) -> None:
    order_id = await shop.number(phone="+84912345678")
    await shop.call(order_id, "wrong_number")
    await correct(shop, order_id, revision=4, name="Mới")
    await correct(shop, order_id, revision=3, name="Cũ", phone="+84900000009")

    order = await shop.order(order_id, by=shop.admin)
    assert (order["level"]["code"], order["lead"]["name"], order["customer"]["phones"]) == (
        "L1.1",
        "Mới",
        ["0912345678"],
    )


async def test_corrections_and_births_of_the_same_numbers_neither_deadlock_nor_split_a_customer(shop: Shop) -> None:
    numbers = [f"+8491234567{place}" for place in range(6)]
    orders = [await shop.accept(phone=number) for number in numbers]

    async def birth(place: int) -> None:
        await shop.accept(phone=numbers[place % 6], other_phones=[numbers[(place + 1) % 6]])

    await asyncio.gather(
        *(correct(shop, orders[place], phone=numbers[(place + 1) % 6]) for place in range(6)),
        *(birth(place) for place in range(12)),
    )

    rows = await shop.service.rows("SELECT phone, count(DISTINCT customer_id) AS owners FROM orders GROUP BY phone")
    assert {row.owners for row in rows} == {1}


async def test_spam_ends_as_a_wrong_number_with_the_mark_and_makes_no_contact(shop: Shop) -> None:
    order_id = await shop.number()
    await mark(shop, order_id, "fake", revision=2)
    await shop.look(order_id)

    order = await shop.order(order_id, by=shop.admin)
    assert (order["level"]["code"], order["marks"], order["tasks"]) == ("L1.1", ["spam"], [])
    assert order["customer"]["confirmed_at"] is None


async def test_spam_that_is_none_returns_to_l1_and_a_wrong_number_that_somebody_called_does_not(shop: Shop) -> None:
    marked, called = await shop.number(), await shop.number()
    await shop.call(called, "wrong_number")
    for order_id in (marked, called):
        await mark(shop, order_id, "fake", revision=2)
        await shop.look(order_id)
    shop.clock.forward(minutes=5)
    for order_id in (marked, called):
        await mark(shop, order_id, "", revision=3)
        await mark(shop, order_id, "fake", revision=2)
    await shop.look(marked)

    assert (await shop.level(marked), await shop.level(called)) == ("L1", "L1.1")
    order = await shop.order(marked)
    assert (order["marks"], len(order["tasks"])) == ([], 1)


async def test_a_customer_is_confirmed_by_the_first_conversation(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "no_answer")
    assert (await customer_of(shop, order_id))["confirmed_at"] is None
    shop.clock.forward(hours=2)
    at = shop.clock.now
    await shop.call(order_id, "thinking")
    shop.clock.forward(days=1)
    await shop.call(order_id, "thinking")

    customer = await customer_of(shop, order_id)
    assert (datetime.fromisoformat(customer["confirmed_at"]), customer["confirmed_by"]) == (at, "NV01")


async def test_a_conversation_that_is_taken_back_confirms_nobody(shop: Shop) -> None:
    order_id = await shop.number()
    logged = (await shop.call(order_id, "thinking")).json()["interaction_id"]
    assert (await customer_of(shop, order_id))["confirmed_at"] is not None

    undone = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions/{logged}/undo")

    assert undone.status_code == 200, undone.text
    assert (await customer_of(shop, order_id))["confirmed_at"] is None


async def test_whoever_says_wrong_number_is_not_the_customer(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "wrong_number")

    assert (await customer_of(shop, order_id))["confirmed_at"] is None


def event(event_type: EventType, data: Contract, subject: UUID) -> Any:
    headers = {
        "ce-id": str(uuid7()),
        "ce-type": event_type.name,
        "ce-subject": str(subject),
        "ce-time": "2026-11-21T00:00:00+00:00",
    }
    return read_event(headers, data.model_dump_json().encode())


async def test_a_new_lead_of_a_number_and_the_closing_of_its_other_order_do_not_deadlock(shop: Shop) -> None:
    """One batch brings a new lead of a customer and moves their other order, which is being closed meanwhile."""
    await shop.stocked(units=100)
    for place in range(8):
        phone = f"+8491234500{place}"
        order_id = await shop.number(phone=phone, name="")
        lead = accepted(phone=phone, name="Hoa")
        moved = LeadAssigned(
            lead_id=order_id,
            assignment=2,
            owner_id=shop.sale.id,
            owner_code="NV01",
            assigned_at=shop.clock.now,
            cause="manual",
        )
        batch = [event(LEAD_ACCEPTED, lead, lead.lead_id), event(LEAD_ASSIGNED, moved, order_id)]

        async def consume(batch: list[Any] = batch) -> None:
            async with shop.service.db.transaction() as session:
                await apply_once(session, "orders", shop.service.service.all_handlers(), batch)

        closed, _ = await asyncio.gather(shop.close(order_id), consume())

        assert closed.status_code == 201, closed.text
    deadlocks = await shop.service.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks[0].deadlocks == 0
