"""A failed delivery asks whoever holds the order for a call, until the carrier's cut-off or until the parcel goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.orders.promises.waiting import Waiting
from services.orders.rescue import facts
from shared.contracts.events.orders import Address
from shared.contracts.events.shipping_rescue import RecipientChanged, RescueChanged
from tests.harness import Databases
from tests.integration.orders.support import MORNING, Person, Shop, opened
from tests.integration.orders.test_delivery import HANDED


class Failed:
    """An order whose delivery failed, as shipping tells of it."""

    def __init__(self, shop: Shop, order_id: UUID) -> None:
        self.shop = shop
        self.order_id = order_id
        self.rescue_id = uuid7()
        self.shipment_id = uuid7()
        self.sequence = 0
        self.failed_at = shop.clock.now

    def fact(self, step: str, state: str, **fields: Any) -> RescueChanged:
        self.sequence += 1
        values = {
            "rescue_id": self.rescue_id,
            "shipment_id": self.shipment_id,
            "order_id": self.order_id,
            "sequence": self.sequence,
            "step": step,
            "state": state,
            "at": self.shop.clock.now,
            "attempt": 1,
            "failed_at": self.failed_at,
            "carrier": "ghn",
            "waybill": "LFVY8L",
            "reason_code": "GHN-DFC1A4",
            "reason_vi": "Người nhận không nghe máy",
            "reason_en": "Receiver does not answer",
            "cut_off_at": self.failed_at + timedelta(hours=24),
            "decide_by": self.failed_at + timedelta(hours=23),
            **fields,
        }
        return RescueChanged.model_validate(values)

    def decided(self, *, by: Person, step: str = "asked", wish: str = "deliver_again", **fields: Any) -> RescueChanged:
        asked = {"wish": wish, "by_id": by.id, "by": by.code, "asked_at": self.shop.clock.now}
        return self.fact(step, "asked", **asked, **fields)

    async def hear(self, *told: RescueChanged) -> None:
        for fact in told:
            async with self.shop.service.db.transaction() as session:
                await facts.rescue_changed(session, fact, now=self.shop.clock.now)

    async def tasks(self, person: Person | None = None) -> list[dict[str, Any]]:
        answer = await (person or self.shop.sale).client.get("/v1/tasks")
        assert answer.status_code == 200, answer.text
        return [item for item in answer.json()["items"] if item["order_id"] == str(self.order_id)]

    async def promises(self) -> list[tuple[str, str, str]]:
        """How they ended, with cause and who kept it."""
        rows = await self.shop.service.rows(
            "SELECT coalesce(outcome, 'open') AS outcome, cause, kept_by FROM promises WHERE kind = 'rescue' "
            "AND order_id = :id ORDER BY made_at, id",
            id=self.order_id,
        )
        return [(row.outcome, row.cause, row.kept_by) for row in rows]

    async def timeline(self) -> list[str]:
        answer = await self.shop.sale.client.get(f"/v1/orders/{self.order_id}/timeline")
        return [entry["note"] for entry in reversed(answer.json()["items"]) if entry["kind"] == "rescue"]

    async def wait(self) -> None:
        """What waits for promises looks until nothing is due."""
        waiting = Waiting(self.shop.service.db, now=self.shop.clock)
        while await waiting.step():
            pass


@pytest.fixture(scope="module")
async def open_shop(databases: Databases) -> AsyncIterator[Shop]:
    """One for the file: each test has an order of its own."""
    async with opened(databases) as shop:
        await shop.stocked(units=100)
        yield shop


@pytest.fixture
async def shop(open_shop: Shop) -> Shop:
    open_shop.clock.now = MORNING
    return open_shop


@pytest.fixture
async def failed(shop: Shop) -> Failed:
    order_id = await shop.number()
    assert (await shop.close(order_id)).status_code == 201
    failed = Failed(shop, order_id)
    for sequence, status in enumerate(("accepted", "out_for_delivery", "delivery_failed"), start=1):
        await shop.shipment(order_id, status, sequence=sequence, shipment_id=failed.shipment_id, **HANDED)
    return failed


async def test_a_failed_delivery_is_a_call_of_its_own_kind_at_the_top_of_the_owners_list(failed: Failed) -> None:
    fact = failed.fact("failed", "open")
    await failed.hear(fact, fact)
    [task] = await failed.tasks()
    assert task["name_vi"] == "Cứu đơn, giao thất bại lần 1: Người nhận không nghe máy"
    assert task["name_en"] == "Rescue, failed delivery no. 1: Receiver does not answer"
    assert (task["kind"], task["origin"], task["bucket"]) == ("call", "rescue", "now")
    assert task["priority"]["rank"] == 10
    assert task["subject_id"] == str(failed.rescue_id)
    assert task["deadline_at"] == "2026-11-23T13:30:00Z"  # 20:30, the last calling hour before the cut-off at 09:00
    assert "*" not in task["phone"], "who has to call sees the number"
    assert await failed.tasks(failed.shop.colleague) == []
    assert await failed.timeline() == ["Giao không thành công lần 1: Người nhận không nghe máy"]


async def test_a_decision_in_time_keeps_the_promise_for_whoever_decided(failed: Failed) -> None:
    await failed.hear(failed.fact("failed", "open"))
    failed.shop.clock.forward(hours=1)
    await failed.hear(failed.decided(by=failed.shop.cod))
    assert await failed.tasks() == []
    assert await failed.promises() == [("kept", "asked_deliver_again", "COD1")]
    order = await failed.shop.order(failed.order_id)
    assert "rescued" in order["marks"]
    asked = {"wish": "deliver_again", "by": "COD1", "asked_at": failed.shop.clock.now}
    await failed.hear(failed.fact("accepted", "asked", **asked))
    await failed.hear(failed.fact("confirmed", "closed", outcome="redelivery", **asked))
    await failed.hear(failed.fact("outcome", "closed", outcome="delivered", saved=True, **asked))
    assert await failed.timeline() == [
        "Giao không thành công lần 1: Người nhận không nghe máy",
        "Yêu cầu hãng giao lại",
        "Hãng nhận yêu cầu giao lại",
        "Hãng đã làm theo yêu cầu giao lại: đang giao lại",
        "Sau lần giao thất bại thứ 1: giao thành công, đơn được cứu",
    ]
    assert "rescued" in (await failed.shop.order(failed.order_id))["marks"]


async def test_a_carrier_that_refuses_makes_another_call_necessary(failed: Failed) -> None:
    await failed.hear(failed.fact("failed", "open"))
    failed.shop.clock.forward(minutes=30)
    await failed.hear(failed.decided(by=failed.shop.sale, wish="send_back"))
    await failed.hear(failed.fact("refused", "open", turn=2, wish="send_back", by="NV01"))
    [task] = await failed.tasks()
    assert task["name_vi"].endswith("(hãng từ chối yêu cầu trước)")
    assert [outcome for outcome, *_ in await failed.promises()] == ["kept", "open"]


@pytest.mark.parametrize("outcome", ["redelivery", "delivered", "returning", "lost", "cancelled"])
async def test_a_parcel_that_goes_on_ends_the_call_with_its_cause(failed: Failed, outcome: str) -> None:
    await failed.hear(failed.fact("failed", "open"), failed.fact("ended", "closed", outcome=outcome))
    assert await failed.tasks() == []
    assert await failed.promises() == [("cancelled", outcome, "")]


async def test_news_in_any_order_makes_one_call_at_most_and_leaves_none_behind(failed: Failed) -> None:
    told: Sequence[RescueChanged] = (
        failed.fact("failed", "open"),
        failed.decided(by=failed.shop.sale),
        failed.fact("confirmed", "closed", outcome="redelivery", wish="deliver_again", asked_at=failed.failed_at),
    )
    for order in permutations(told):
        rescue_id = uuid7()
        await failed.hear(*(fact.model_copy(update={"rescue_id": rescue_id}) for fact in (*order, *order)))
        [left] = await failed.shop.service.rows(
            "SELECT count(*) AS n FROM tasks WHERE subject_id = :id AND closed_at IS NULL", id=rescue_id
        )
        assert left.n == 0
        [all_] = await failed.shop.service.rows("SELECT count(*) AS n FROM tasks WHERE subject_id = :id", id=rescue_id)
        assert all_.n <= 1


async def test_a_call_that_nobody_makes_is_missed_at_its_deadline_and_the_superior_told(failed: Failed) -> None:
    await failed.hear(failed.fact("failed", "open"))
    await failed.wait()
    assert await told(failed.shop.sale, failed) == ["due"]
    failed.shop.clock.forward(hours=24)
    await failed.wait()
    assert await failed.promises() == [("broken", "overdue", "")]
    assert await told(failed.shop.manager, failed) == ["overdue"]
    [task] = await failed.tasks()
    assert task["overdue"] is True, "it can still be called"
    await failed.hear(failed.decided(by=failed.shop.sale))
    [row] = await failed.shop.service.rows(
        "SELECT made_good_at IS NOT NULL AS good FROM promises WHERE order_id = :id AND kind = 'rescue'",
        id=failed.order_id,
    )
    assert row.good


async def told(person: Person, about: Failed) -> list[str]:
    """The kinds of a person's notices about the order."""
    items = (await person.client.get("/v1/notices")).json()["items"]
    return [item["kind"] for item in items if item["order_id"] == str(about.order_id)]


async def test_another_cut_off_moves_the_deadline_and_another_owner_takes_the_call_over(failed: Failed) -> None:
    await failed.hear(failed.fact("failed", "open"))
    later = failed.failed_at + timedelta(hours=54)  # 15:00 on Wednesday; Tuesday is a public holiday
    held = {"decide_by": later, "cut_off_at": later + timedelta(hours=1)}
    await failed.hear(failed.fact("changed", "open", **held))
    [task] = await failed.tasks()
    assert task["deadline_at"] == later.isoformat().replace("+00:00", "Z")
    await failed.shop.assign(failed.order_id, failed.shop.colleague)
    assert await failed.tasks() == []
    [task] = await failed.tasks(failed.shop.colleague)
    assert task["owner_code"] == "NV02"


async def test_another_phone_and_address_are_the_orders_next_version_and_the_call_uses_them(failed: Failed) -> None:
    fact = RecipientChanged(
        request_id=uuid7(),
        order_id=failed.order_id,
        shipment_id=failed.shipment_id,
        at=failed.shop.clock.now,
        by_id=failed.shop.sale.id,
        by="NV01",
        phone="+84987654321",
        address=Address(province="Đà Nẵng", ward="Phường Hải Châu", detail="7 Lê Lợi"),
    )
    for _ in range(2):
        async with failed.shop.service.db.transaction() as session:
            await facts.recipient_changed(session, fact)
    versions = (await failed.shop.sale.client.get(f"/v1/orders/{failed.order_id}/versions")).json()["items"]
    assert len(versions) == 2
    assert versions[0]["version"] == versions[1]["version"] + 1
    assert (versions[0]["by_code"], versions[0]["reason"]) == ("NV01", "cứu đơn: đổi người nhận")
    assert versions[0]["contents"]["address"]["detail"] == "7 Lê Lợi"
    assert versions[0]["contents"]["recipient"] == versions[1]["contents"]["recipient"]
    await failed.hear(failed.fact("failed", "open"))
    [task] = await failed.tasks()
    assert task["phone"] == "0987654321"
