"""Orders are born from clean leads and follow their owner, whatever the order in which the facts arrive."""

from __future__ import annotations

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.consumer import apply_once, read_event
from shared.contracts.events.leads import LEAD_ACCEPTED, LEAD_ASSIGNED, LeadAssigned
from tests.integration.orders.support import MORNING, Shop, accepted


async def transitions(shop: Shop, order_id: UUID) -> list[tuple[str, str]]:
    rows = await shop.service.rows(
        "SELECT from_level, to_level FROM transitions WHERE order_id = :id ORDER BY sequence", id=order_id
    )
    return [(row.from_level, row.to_level) for row in rows]


async def test_a_clean_lead_becomes_an_order_at_l1_with_a_customer(shop: Shop) -> None:
    order_id = await shop.accept(other_phones=["+84987654321"], note="mua 2 hộp", address="12 Lê Lợi")
    order = await shop.order(order_id, by=shop.admin)
    assert order["level"]["code"] == "L1"
    assert order["code"].startswith("DH-")
    assert order["owner_id"] is None
    assert order["lead"]["note"] == "mua 2 hộp"
    assert len(order["customer"]["phones"]) == 2
    assert await transitions(shop, order_id) == [("C3", "L1")]
    events = await shop.service.outbox("orders.level.changed.v1")
    assert [(event["payload"]["from_level"], event["payload"]["to_level"]) for event in events] == [("C3", "L1")]


async def test_a_lead_told_twice_is_one_order(shop: Shop) -> None:
    lead = accepted()
    for _ in range(2):  # two events, so that the inbox does not hide the second
        await shop.service.receive(LEAD_ACCEPTED, lead, subject=lead.lead_id)
    assert await transitions(shop, lead.lead_id) == [("C3", "L1")]
    assert len(await shop.service.outbox("orders.level.changed.v1")) == 1


@pytest.mark.parametrize(
    ("channel", "cause"),
    [("landing_page", "accepted"), ("api", "accepted"), ("manual", "manual"), ("hotline", "hotline")],
)
async def test_how_a_number_came_is_the_cause_of_its_first_transition(shop: Shop, channel: str, cause: str) -> None:
    lead = accepted(source={"channel": channel})
    await shop.service.receive(LEAD_ACCEPTED, lead, subject=lead.lead_id)
    (event,) = await shop.service.outbox("orders.level.changed.v1")
    assert (event["payload"]["to_level"], event["payload"]["cause"]) == ("L1", cause)


async def test_two_orders_of_one_number_have_one_customer(shop: Shop) -> None:
    first = await shop.accept(phone="+84912345678", name="")
    second = await shop.accept(phone="+84912345678", name="Hoa")
    customers = {(await shop.order(order, by=shop.admin))["customer"]["id"] for order in (first, second)}
    assert len(customers) == 1
    assert (await shop.order(first, by=shop.admin))["customer"]["name"] == "Hoa"


async def test_five_hundred_leads_in_one_batch_become_five_hundred_orders_with_different_codes(shop: Shop) -> None:
    leads = [accepted() for _ in range(500)]
    events = [
        read_event(
            {
                "ce-id": str(uuid7()),
                "ce-type": LEAD_ACCEPTED.name,
                "ce-subject": str(lead.lead_id),
                "ce-time": "2026-11-21T00:00:00+00:00",
                "ce-correlationid": f"correlation-{number}",
            },
            lead.model_dump_json().encode(),
        )
        for number, lead in enumerate(leads)
    ]
    async with shop.service.db.transaction() as session:
        await apply_once(session, "orders", shop.service.service.all_handlers(), events)
    codes = await shop.service.rows("SELECT count(DISTINCT code) AS codes FROM orders")
    assert codes[0].codes == 500
    causes = await shop.service.rows("SELECT correlation_id FROM outbox WHERE subject = :id", id=str(leads[7].lead_id))
    assert [row.correlation_id for row in causes] == ["correlation-7"]


async def test_the_highest_assignment_is_the_owner_however_they_arrive(shop: Shop) -> None:
    order_id = await shop.accept()
    await shop.assign(order_id, shop.colleague, number=2)
    await shop.assign(order_id, shop.sale, number=1)
    assert (await shop.order(order_id, by=shop.admin))["owner_code"] == "NV02"
    moved = await shop.service.outbox("orders.owner.changed.v1")
    assert [(event["payload"]["from_owner_code"], event["payload"]["to_owner_code"]) for event in moved] == [
        ("", "NV02")
    ]


async def test_an_owner_told_before_the_order_is_not_lost(shop: Shop) -> None:
    lead = accepted()
    assigned = LeadAssigned(
        lead_id=lead.lead_id,
        assignment=1,
        owner_id=shop.sale.id,
        owner_code="NV01",
        assigned_at=MORNING,
        cause="distribution",
    )
    await shop.service.receive(LEAD_ASSIGNED, assigned, subject=lead.lead_id)
    await shop.service.receive(LEAD_ACCEPTED, lead, subject=lead.lead_id)
    assert (await shop.order(lead.lead_id))["owner_code"] == "NV01"
    commands = await shop.service.outbox("CareWorkflow")
    assert [command["subject"] for command in commands] == [f"care/{lead.lead_id}"]


async def test_care_begins_with_the_first_assignment_and_hears_of_the_next(shop: Shop) -> None:
    order_id = await shop.accept()
    assert await shop.service.outbox("CareWorkflow") == []
    await shop.assign(order_id, shop.sale)
    await shop.assign(order_id, shop.colleague)
    await shop.assign(order_id, None)
    commands = await shop.service.outbox("CareWorkflow")
    assert [command["subject"] for command in commands] == [f"care/{order_id}"] * 3
    assert all(command["payload"]["kind"] == "nudge" for command in commands)
    assert set(commands[0]["payload"]["input"]) <= {"order_id", "continued", "history_limit"}


async def test_a_salesperson_sees_their_own_orders_and_a_manager_those_below(shop: Shop) -> None:
    mine = await shop.accept()
    theirs = await shop.accept()
    await shop.assign(mine, shop.sale)
    await shop.assign(theirs, shop.colleague)
    seen = [item["id"] for item in (await shop.sale.client.get("/v1/orders")).json()["items"]]
    assert seen == [str(mine)]
    below = [item["id"] for item in (await shop.manager.client.get("/v1/orders")).json()["items"]]
    assert below == [str(theirs), str(mine)]
    hidden = await shop.sale.client.get(f"/v1/orders/{theirs}")
    assert hidden.status_code == 404
    assert hidden.json()["title"] == "not-found"


async def test_a_phone_is_whole_for_its_owner_and_masked_for_others(shop: Shop) -> None:
    order_id = await shop.number(phone="+84912345678")
    assert (await shop.order(order_id))["customer"]["phones"] == ["0912345678"]
    assert (await shop.order(order_id, by=shop.cod))["customer"]["phones"] == ["0912***678"]
    assert (await shop.order(order_id, by=shop.manager))["customer"]["phones"] == ["0912345678"]


async def test_orders_are_found_by_level_phone_words_and_code(shop: Shop) -> None:
    wanted = await shop.accept(phone="+84912345678", name="Nguyễn Thị Ánh Đào")
    other = await shop.accept(name="Trần Văn Bình")
    code = (await shop.order(wanted, by=shop.admin))["code"]

    async def found(**query: str) -> list[str]:
        answer = await shop.admin.client.get("/v1/orders", params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await found(phone="0912 345 678") == [str(wanted)]
    assert await found(text="anh dao") == [str(wanted)]
    assert await found(text="ĐÀO ng") == [str(wanted)]
    assert await found(text=code.lower()) == [str(wanted)]
    assert await found(level="L1") == [str(other), str(wanted)]
    assert await found(level="L5") == []
    assert await found(unassigned="true", text="binh") == [str(other)]


async def test_a_long_list_comes_in_pages(shop: Shop) -> None:
    orders = [str(await shop.accept()) for _ in range(5)]
    seen: list[str] = []
    after = None
    while True:
        page = (
            await shop.admin.client.get("/v1/orders", params={"limit": 2, **({"after": after} if after else {})})
        ).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == orders[::-1]


async def test_a_customer_who_comes_again_stands_on_the_timeline_and_care_looks(shop: Shop) -> None:
    order_id = await shop.number()
    before = len(await shop.service.outbox("CareWorkflow"))
    shop.clock.forward(hours=1)
    await shop.came_again(order_id)
    entries = (await shop.sale.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert entries[0]["kind"] == "came_again"
    assert len(await shop.service.outbox("CareWorkflow")) == before + 1


async def test_coming_again_reopens_a_number_that_was_given_up(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.call(order_id, "not_buying", reason="giá cao")
    assert answer.json()["level"] == "L1.5"
    shop.clock.forward(days=1)
    await shop.came_again(order_id)
    await shop.look(order_id)
    order = await shop.order(order_id)
    assert order["level"]["code"] == "L1.2"
    assert order["care"]["is_open"] is True
    assert len(order["tasks"]) == 1
    moves = await shop.service.outbox("orders.level.changed.v1")
    assert moves[-1]["payload"]["cause"] == "came_again"
    assert (await shop.service.outbox("CareWorkflow"))[-1]["subject"] == f"care/{order_id}/2"
