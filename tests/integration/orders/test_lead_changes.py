"""What becomes of orders when their leads are released, corrected, merged or marked as spam."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.consumer import NotYet, apply_once, read_event
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import (
    DUPLICATE_FOUND,
    DUPLICATE_RELEASED,
    LEAD_ACCEPTED,
    LEAD_ASSIGNED,
    LEAD_CORRECTED,
    LEAD_DUPLICATED,
    SPAM_MARKED,
    DuplicateFound,
    DuplicateReleased,
    LeadAssigned,
    LeadCorrected,
    LeadDuplicated,
    Source,
    SpamMarked,
)
from tests.integration.orders.support import Shop, accepted
from tests.integration.orders.test_intake import transitions

SOURCE = Source(channel="landing_page", landing_page="Trang 1", marketer="MK02")


async def duplicated(shop: Shop, anchor: UUID, lead_id: UUID, **fields: Any) -> None:
    lead = LeadDuplicated(
        lead_id=lead_id,
        anchor_id=anchor,
        received_at=shop.clock.now,
        product="TRA",
        note="đặt thêm",
        source=SOURCE,
        **fields,
    )
    await shop.service.receive(LEAD_DUPLICATED, lead, subject=lead_id)


async def release(shop: Shop, lead_id: UUID, anchor: UUID, *, at: datetime | None = None, **fields: Any) -> None:
    values = {
        "lead_id": lead_id,
        "anchor_id": anchor,
        "received_at": shop.clock.now,
        "phone": "+84912345678",
        "source": SOURCE,
        "at": at or shop.clock.now,
        "by_id": shop.manager.id,
        "by": "QL01",
        "reason": "hai người chung số",
        **fields,
    }
    await shop.service.receive(DUPLICATE_RELEASED, DuplicateReleased.model_validate(values), subject=lead_id)


async def found(shop: Shop, lead_id: UUID, anchor: UUID, *, cause: str = "corrected", **fields: Any) -> None:
    number = shop.assignments[lead_id] = shop.assignments.get(lead_id, 0) + 1
    values = {
        "lead_id": lead_id,
        "anchor_id": anchor,
        "assignment": number,
        "at": shop.clock.now,
        "cause": cause,
        "by": "QL01",
        "by_id": shop.manager.id,
        "reason": "cùng một khách",
        "received_at": shop.clock.now,
        "product": "TRA",
        "source": SOURCE,
        **fields,
    }
    await shop.service.receive(DUPLICATE_FOUND, DuplicateFound.model_validate(values), subject=lead_id)


async def correct(shop: Shop, lead_id: UUID, *, revision: int = 2, **fields: Any) -> None:
    values = {
        "lead_id": lead_id,
        "revision": revision,
        "at": shop.clock.now,
        "by": "NV01",
        "by_id": shop.sale.id,
        "phone": "+84912345678",
        "name": "Đặng Thị Hoa",
        **fields,
    }
    await shop.service.receive(LEAD_CORRECTED, LeadCorrected.model_validate(values), subject=lead_id)


async def mark(shop: Shop, lead_id: UUID, kind: str, *, revision: int) -> None:
    values = {"lead_id": lead_id, "kind": kind, "revision": revision, "at": shop.clock.now, "by": "NV01"}
    await shop.service.receive(SPAM_MARKED, SpamMarked.model_validate(values), subject=lead_id)


async def customer_of(shop: Shop, order_id: UUID) -> dict[str, Any]:
    return dict((await shop.order(order_id, by=shop.admin))["customer"])


async def call_due(shop: Shop, order_id: UUID) -> datetime:
    """When the next call of an order is due."""
    (call,) = [task for task in (await shop.order(order_id))["tasks"] if task["kind"] == "call"]
    return datetime.fromisoformat(call["due_at"])


# --- duplicates on the timeline and in care (rule D8) ----------------------------------------------------------------


async def test_a_duplicate_stands_on_the_timeline_with_its_product_page_and_message(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(hours=1)
    await duplicated(shop, order_id, uuid7())

    entry = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"][0]

    assert (entry["kind"], entry["what"], entry["reason"], entry["note"]) == (
        "came_again",
        "TRA",
        "Trang 1",
        "đặt thêm",
    )


@pytest.mark.parametrize("result", ["no_answer", "call_later"])
async def test_a_duplicate_brings_the_next_task_of_an_unreached_or_postponed_anchor_to_now(
    shop: Shop, result: str
) -> None:
    order_id = await shop.number()
    await shop.call(order_id, result)
    before = await call_due(shop, order_id)
    shop.clock.forward(minutes=20)
    await duplicated(shop, order_id, uuid7())
    await shop.look(order_id)

    assert await call_due(shop, order_id) == shop.clock.now < before


async def test_a_competitor_that_comes_again_reopens_nothing(shop: Shop) -> None:
    order_id = await shop.number()
    await mark(shop, order_id, "competitor", revision=2)
    await shop.look(order_id)
    await duplicated(shop, order_id, uuid7(), anchor_asked_again=False, flag="competitor")

    assert await shop.level(order_id) == "L1.1"
    entry = (await shop.admin.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert "competitor" in [one["reason"] for one in entry if one["kind"] == "came_again"]


# --- releases --------------------------------------------------------------------------------------------------------


async def test_a_released_duplicate_is_an_order_that_came_from_c3_1_with_who_and_why(shop: Shop) -> None:
    anchor = await shop.number(phone="+84912345678")
    lead_id = uuid7()
    await duplicated(shop, anchor, lead_id)
    await release(shop, lead_id, anchor)

    assert await transitions(shop, lead_id) == [("C3.1", "L1")]
    (row,) = await shop.service.rows(
        "SELECT cause, actor_code, reason FROM transitions WHERE order_id = :id", id=lead_id
    )
    assert (row.cause, row.actor_code, row.reason) == ("released", "QL01", "hai người chung số")
    assert (await customer_of(shop, lead_id))["id"] == (await customer_of(shop, anchor))["id"]
    arrivals = (await shop.sale.client.get(f"/v1/orders/{anchor}/timeline")).json()["items"]
    assert [one["reason"] for one in arrivals if one["kind"] == "came_again"] == ["released"]


async def test_an_owner_told_before_the_release_holds_the_order(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    assigned = LeadAssigned(
        lead_id=lead_id,
        assignment=1,
        owner_id=shop.sale.id,
        owner_code="NV01",
        assigned_at=shop.clock.now,
        cause="sticky",
    )
    await shop.service.receive(LEAD_ASSIGNED, assigned, subject=lead_id)
    await release(shop, lead_id, anchor)

    assert (await shop.order(lead_id))["owner_code"] == "NV01"
    assert (await shop.service.outbox("CareWorkflow"))[-1]["subject"] == f"care/{lead_id}"


async def test_a_duplicate_that_is_heard_of_after_its_release_does_not_call_the_anchors_customer(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    await release(shop, lead_id, anchor)
    before = len(await shop.service.outbox("CareWorkflow"))
    await duplicated(shop, anchor, lead_id)

    assert len(await shop.service.outbox("CareWorkflow")) == before


async def test_a_release_told_twice_is_one_order(shop: Shop) -> None:
    anchor = await shop.number()
    lead_id = uuid7()
    for _ in range(2):
        await release(shop, lead_id, anchor)

    assert await transitions(shop, lead_id) == [("C3.1", "L1")]


# --- found to be a duplicate -----------------------------------------------------------------------------------------


async def test_a_lead_found_to_be_a_duplicate_rests_without_owner_and_task_and_shows_at_the_anchor(shop: Shop) -> None:
    anchor = await shop.number()
    order_id = await shop.number()
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor)
    await shop.look(order_id)

    order = await shop.order(order_id, by=shop.admin)
    assert (order["level"]["code"], order["owner_id"], order["tasks"], order["care"]["is_open"]) == (
        "C3.1",
        None,
        [],
        False,
    )
    assert (await transitions(shop, order_id))[-1] == ("L1", "C3.1")
    entries = (await shop.sale.client.get(f"/v1/orders/{anchor}/timeline")).json()["items"]
    assert [(one["key"], one["before"]) for one in entries if one["kind"] == "came_again"] == [
        (str(order_id), "corrected")
    ]


async def test_released_again_it_goes_on_where_it_began(shop: Shop) -> None:
    anchor, order_id = await shop.number(), await shop.number()
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor)
    await shop.look(order_id)
    shop.clock.forward(minutes=5)
    await release(shop, order_id, anchor, had_order=True)
    await shop.assign(order_id, shop.colleague)
    await shop.look(order_id)

    order = await shop.order(order_id, by=shop.colleague)
    assert (order["level"]["code"], order["owner_code"], len(order["tasks"])) == ("L1", "NV02", 1)


async def test_a_release_that_overtakes_the_finding_wins(shop: Shop) -> None:
    anchor, order_id = await shop.number(), await shop.number()
    earlier = shop.clock.forward(minutes=5)
    shop.clock.forward(minutes=5)
    await release(shop, order_id, anchor, had_order=True)
    await found(shop, order_id, anchor, at=earlier)

    assert await shop.level(order_id) == "L1"


async def test_an_order_closed_meanwhile_stays_closed(shop: Shop) -> None:
    await shop.stocked()
    anchor, order_id = await shop.number(), await shop.number()
    assert (await shop.close(order_id)).status_code == 201
    await found(shop, order_id, anchor)

    assert await shop.level(order_id) == "L5"


async def test_nothing_is_found_before_both_orders_are_there(shop: Shop) -> None:
    order_id = await shop.number()
    with pytest.raises(NotYet):
        await found(shop, order_id, uuid7())
    with pytest.raises(NotYet):
        await release(shop, uuid7(), order_id, had_order=True)
    with pytest.raises(NotYet):
        await correct(shop, uuid7())
    with pytest.raises(NotYet):
        await mark(shop, uuid7(), "fake", revision=2)


async def test_merged_leads_are_one_customer_with_both_numbers_and_the_refusal_of_either(shop: Shop) -> None:
    anchor = await shop.number(phone="+84912345678", name="")
    order_id = await shop.number(phone="+84987654321", name="Lan")
    other = await shop.accept(phone="+84987654321")
    await shop.call(other, "no_answer")
    async with shop.service.db.transaction() as session:
        from services.orders import customers

        lan = UUID((await customer_of(shop, order_id))["id"])
        await customers.refuse_calls(session, lan, at=shop.clock.now, reason="đừng gọi")
    shop.clock.forward(minutes=5)
    await found(shop, order_id, anchor, cause="merged")

    customer = await customer_of(shop, anchor)
    assert (customer["name"], customer["orders"]) == ("Lan", 3)
    assert sorted(customer["phones"]) == ["0912345678", "0987654321"]
    assert customer["do_not_call_at"] is not None
    assert (await customer_of(shop, other))["id"] == customer["id"]
    (gone,) = await shop.service.rows("SELECT merged_into FROM customers WHERE id = :id", id=lan)
    assert str(gone.merged_into) == customer["id"]


# --- corrections -----------------------------------------------------------------------------------------------------


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


# --- spam ------------------------------------------------------------------------------------------------------------


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


# --- contacts --------------------------------------------------------------------------------------------------------


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


# --- locks -----------------------------------------------------------------------------------------------------------


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
