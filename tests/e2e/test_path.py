"""A number becomes an order, care, a parcel and money, over HTTP, on the real engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from deploy.local.demo.api import Refused
from deploy.local.ghtk.life import Status
from shared.contracts import ids
from tests.harness import eventually, result
from tests.shop import TEAM, WITHIN, Shop
from workflows import search_attributes
from workflows.care import SPREAD

PRICE = 690_000
"""Of the air purifier, in đồng."""
FEE = 30_000
"""What the customer pays for shipping, in đồng."""


async def last_timer(workflow: WorkflowHandle[Any, Any]) -> datetime | None:
    """When the timer fires that the workflow started last."""
    history = await workflow.fetch_history()
    started = [event for event in history.events if event.HasField("timer_started_event_attributes")]
    if not started:
        return None
    waits = started[-1].timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    return started[-1].event_time.ToDatetime(tzinfo=UTC) + waits


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_lead_becomes_an_order_whose_workflow_says_in_words_who_must_do_what_by_when(shop: Shop) -> None:
    phone = shop.phone()
    order_id = await shop.lead(phone=phone, product="DAO-6")
    order = await shop.in_care(order_id)
    owner = shop.holder(order)
    (task,) = order["tasks"]
    assert (order["level"]["code"], task["step"], task["owner_id"]) == ("L1", "first_call", owner.id)

    mine = [item async for item in owner.pages("orders", "/v1/tasks") if item["order_id"] == order_id]
    assert [item["phone"] for item in mine] == [phone], "who has to call sees the whole number"
    others = next(person for person in shop.company.sales if person.id != owner.id)
    with pytest.raises(Refused) as refusal:
        await others.get("orders", f"/v1/orders/{order_id}")
    assert refusal.value.status == 404

    care = await owner.get("orders", f"/v1/orders/{order_id}/care")
    deadline = instant(task["deadline_at"]) + timedelta(hours=7)
    assert care["sentence_vi"].startswith(f"{owner.code} phải làm “{task['name_vi']}” lúc ")
    assert f"{deadline:%d/%m/%Y %H:%M}" in care["sentence_vi"], "the deadline, in the time of Vietnam"

    workflow = shop.care(order_id)

    async def says_the_same() -> bool:
        shown = await shop.shown(workflow)
        return care["sentence_vi"] in shown and care["sentence_en"] in shown

    await eventually(says_the_same, within=WITHIN)
    described = await workflow.describe()
    assert described.status == WorkflowExecutionStatus.RUNNING
    code = (await owner.get("orders", f"/v1/orders/{order_id}"))["code"]
    assert await described.static_summary() == f"{code}: care"
    found = described.typed_search_attributes
    assert found[search_attributes.LEVEL] == "L1"
    assert found[search_attributes.OWNER] == owner.code
    assert found[search_attributes.TEAM] == TEAM
    assert found[search_attributes.SOURCE] == "manual"
    assert found[search_attributes.DUE_AT] == instant(task["due_at"])
    assert found.get(search_attributes.ATTEMPTS, 0) == 0


async def test_a_logged_call_moves_the_workflow_to_its_next_timer(shop: Shop) -> None:
    order_id = await shop.lead(product="DAO-6")
    order = await shop.in_care(order_id)
    owner, workflow = shop.holder(order), shop.care(order_id)

    async def waiting() -> datetime | None:
        return await last_timer(workflow)

    first_timer = await eventually(waiting, within=WITHIN, what="the workflow waits for the first call")

    answer = await owner.ask("orders", "POST", f"/v1/orders/{order_id}/interactions", kind="call", result="no_answer")
    next_call = next(task for task in answer["tasks"] if task["kind"] == "call")
    assert (answer["level"], answer["care"]["step"], next_call["step"]) == ("L1.4", "no_answer_2", "no_answer_2")
    first_due = min(instant(task["due_at"]) for task in answer["tasks"])

    async def moved_on() -> dict[str, Any] | None:
        care: dict[str, Any] = await owner.get("orders", f"/v1/orders/{order_id}/care")
        found = (await workflow.describe()).typed_search_attributes
        assert found.get(search_attributes.LEVEL) == "L1.4"
        assert found.get(search_attributes.ATTEMPTS) == 1
        assert found.get(search_attributes.DUE_AT) == first_due
        assert care["sentence_vi"] in await shop.shown(workflow)
        timer = await last_timer(workflow)
        assert timer is not None
        assert timer != first_timer
        late = timer - instant(care["next_due"])
        assert timedelta(seconds=-1) < late < SPREAD + timedelta(seconds=1), "the timer is that of the database"
        return care

    care = await eventually(moved_on, within=WITHIN)
    assert care is not None
    assert care["step"] == "no_answer_2"
    assert "Không nghe máy" in care["sentence_vi"], "why it is so"
    timeline = (await owner.get("orders", f"/v1/orders/{order_id}/timeline"))["items"]
    assert ("promise", "kept") in {(entry["kind"], entry["what"]) for entry in timeline}


async def test_a_closed_order_becomes_a_parcel_and_money_and_every_report_shows_it(shop: Shop) -> None:
    await shop.quiet()
    money_before = await revenue(shop)
    cod_before = (await shop.admin.get("shipping", "/v1/cod/summary"))["total"]
    order_id = await shop.lead(product="LOC-KHI")
    closed = await shop.close(order_id, sku="LOC-KHI")
    assert (closed["level"], closed["cod"], closed["stock"]) == ("L5", PRICE + FEE, "reserved")
    assert closed["care"]["is_open"] is False

    to_post = [item["id"] async for item in shop.company.cod_desk.pages("orders", "/v1/orders", to_post="true")]
    assert to_post == [order_id]
    await shop.post(order_id)
    shipment = await shop.accepted(order_id)
    parcel = await shop.parcel(shipment["waybill"])
    assert (parcel["reference"], parcel["cod"]) == (shipment["reference"], PRICE + FEE)
    await shop.at_level(order_id, "L7")

    await shop.carried_to(shipment["waybill"], Status.PICKED_UP)

    async def handed_over() -> bool:
        order = await shop.at_level(order_id, "L7")
        return order["shipment"]["handed_over_at"] is not None and order["contents"]["stock"] == "issued"

    await eventually(handed_over, within=WITHIN)
    await shop.carried_to(shipment["waybill"], Status.DELIVERING)
    await shop.at_level(order_id, "L7.1")
    await shop.carried_to(shipment["waybill"], Status.DELIVERED)
    await shop.at_level(order_id, "L8")
    await shop.carried_to(shipment["waybill"], Status.SETTLED)

    async def money_is_home() -> bool:
        order = await shop.at_level(order_id, "L8")
        return bool(order["shipment"]["settled_amount"] == PRICE + FEE)

    await eventually(money_is_home, within=WITHIN)
    detail = await shop.admin.get("shipping", f"/v1/shipments/{shipment['id']}")
    by_callback = [entry["status"] for entry in detail["timeline"] if "callback" in entry["sources"]]
    assert [status for status in by_callback if status] == [
        *("accepted", "picked_up", "picked_up", "out_for_delivery", "delivered", "delivered", "delivered")
    ]
    for workflow_id, outcome in (
        (ids.care_id(UUID(order_id)), "closed"),
        (ids.fulfilment_id(UUID(order_id)), "done"),
        (ids.shipment_id(UUID(shipment["id"])), "delivered"),
    ):
        await ended(shop, workflow_id, outcome=outcome)

    async def reported() -> bool:
        funnel = await shop.admin.get("reporting", "/v1/reports/funnel", group_by="product")
        (row,) = [row for row in funnel["rows"] if row["key"] == "LOC-KHI"]
        assert [row[reached] for reached in ("c3", "l1", "l5", "l7", "l8", "net_closed")] == [1] * 6
        passed = [await entered(shop, level, order_id) for level in ("C3", "L1", "L5", "L7", "L7.1", "L8")]
        assert passed == [1] * 6, "each level was entered once"
        earned = {kind: amount - money_before[kind] for kind, amount in (await revenue(shop)).items()}
        assert earned == {"closed": PRICE, "delivered": PRICE, "received": PRICE, "compensated": 0}
        return bool((await shop.admin.get("reporting", "/v1/reports/identity"))["holds"])

    await eventually(reported, within=WITHIN)
    cod = (await shop.admin.get("shipping", "/v1/cod/summary"))["total"]
    assert cod["delivered"] - cod_before["delivered"] == cod["settled"] - cod_before["settled"] == PRICE + FEE


async def revenue(shop: Shop) -> dict[str, int]:
    """The named sums of money: kind → đồng."""
    return {row["kind"]: row["amount"] for row in (await shop.admin.get("reporting", "/v1/reports/money"))["rows"]}


async def entered(shop: Shop, level: str, order_id: str) -> int:
    """How often reporting saw an order enter a level."""
    pages = shop.admin.pages("reporting", "/v1/reports/transitions", level=level)
    return [item["order_id"] async for item in pages].count(order_id)


async def ended(shop: Shop, workflow_id: str, *, outcome: str) -> None:
    """Waits until a workflow has ended, and says how."""
    workflow = shop.temporal.get_workflow_handle(workflow_id, result_type=str)

    async def completed() -> bool:
        return (await workflow.describe()).status != WorkflowExecutionStatus.RUNNING

    await eventually(completed, within=WITHIN, what=f"{workflow_id} ends")
    assert await result(workflow) == outcome


async def stock_of(shop: Shop, sku: str) -> tuple[int, int]:
    """On hand, and reserved."""
    (row,) = (await shop.admin.get("orders", "/v1/stock", sku=sku))["items"]
    return row["on_hand"], row["reserved"]


async def test_an_order_cancelled_before_it_is_posted_never_reaches_the_carrier(shop: Shop) -> None:
    before = await stock_of(shop, "MASSAGE")
    parcels = len(await shop.parcels())
    order_id = await shop.lead(product="MASSAGE")
    await shop.close(order_id, sku="MASSAGE")
    assert await stock_of(shop, "MASSAGE") == (before[0], before[1] + 1)

    answer = await shop.company.cod_desk.ask("orders", "POST", f"/v1/orders/{order_id}/cancel", reason="khách đổi ý")
    assert answer["level"] == "L5.3"
    assert await stock_of(shop, "MASSAGE") == before
    await ended(shop, ids.fulfilment_id(UUID(order_id)), outcome="cancelled")
    assert await shop.shipments(order_id) == []
    assert len(await shop.parcels()) == parcels


async def test_an_order_cancelled_before_pick_up_is_cancelled_at_the_carrier(shop: Shop) -> None:
    before = await stock_of(shop, "KCN-SPF50")
    order_id = await shop.lead(product="KCN-SPF50")
    await shop.close(order_id, sku="KCN-SPF50")
    await shop.post(order_id)
    shipment = await shop.accepted(order_id)
    await shop.at_level(order_id, "L7")

    answer = await shop.company.cod_desk.ask("orders", "POST", f"/v1/orders/{order_id}/cancel", reason="khách đổi ý")
    assert answer["level"] == "L7.4"
    assert await stock_of(shop, "KCN-SPF50") == before

    async def cancelled_there() -> bool:
        assert (await shop.parcel(shipment["waybill"]))["status"] == Status.CANCELLED
        return [known["status"] for known in await shop.shipments(order_id)] == ["cancelled"]

    await eventually(cancelled_there, within=WITHIN)
    await ended(shop, ids.shipment_id(UUID(shipment["id"])), outcome="cancelled")
    assert (await shop.at_level(order_id, "L7.4"))["contents"]["fulfilment"] == "cancelled"

    async def not_counted_as_sent() -> bool:
        funnel = await shop.admin.get("reporting", "/v1/reports/funnel", group_by="product")
        (row,) = [row for row in funnel["rows"] if row["key"] == "KCN-SPF50"]
        return [row[reached] for reached in ("l5", "l7", "net_closed")] == [1, 0, 0]

    await eventually(not_counted_as_sent, within=WITHIN)


async def test_an_order_cancelled_while_its_parcel_is_made_leaves_nothing_alive_at_the_carrier(shop: Shop) -> None:
    order_id = await shop.lead(product="GOI-CST")
    await shop.close(order_id, sku="GOI-CST")
    await shop.post(order_id)
    await shop.company.cod_desk.ask("orders", "POST", f"/v1/orders/{order_id}/cancel", reason="đặt nhầm")

    await ended(shop, ids.fulfilment_id(UUID(order_id)), outcome="cancelled")
    await shop.quiet()

    async def nothing_alive() -> bool:
        shipments = await shop.shipments(order_id)
        references = {shipment["reference"] for shipment in shipments}
        parcels = [parcel for parcel in await shop.parcels() if parcel["reference"] in references]
        assert all(parcel["status"] == Status.CANCELLED for parcel in parcels)
        return all(shipment["status"] == "cancelled" for shipment in shipments)

    await eventually(nothing_alive, within=WITHIN)
    order = await shop.order(order_id)
    assert order is not None
    assert order["level"]["code"] in ("L5.3", "L7.4")
    assert order["contents"]["stock"] == "released"
