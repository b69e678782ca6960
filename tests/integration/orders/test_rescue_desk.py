"""Who calls a failed delivery: whoever holds the order, then the COD desk too, always before the carrier's cut-off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders import record
from services.orders.rescue import desk
from shared.contracts.events.orders_rescue import RESCUE_HANDED_OVER
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from shared.contracts.permissions import ORDERS_CARE, ORDERS_READ
from tests.harness import Databases
from tests.integration.orders.support import MORNING, Person, Shop, opened
from tests.integration.orders.test_delivery import HANDED
from tests.integration.orders.test_rescue import Failed, told

SETTING = "/v1/settings/rescue"
_duty = count(1)


class Call(Failed):
    """The call about a failed delivery."""

    async def task_id(self) -> UUID:
        [row] = await self.shop.service.rows("SELECT id FROM tasks WHERE subject_id = :id", id=self.rescue_id)
        return UUID(str(row.id))

    async def look(self) -> desk.Standing | None:
        """What its workflow asks of orders."""
        async with self.shop.service.db.transaction() as session:
            order = await record.lock(session, self.order_id)
            assert order is not None
            return await desk.look(session, order, await self.task_id(), now=self.shop.clock.now)

    async def at_desk(self, person: Person | None = None) -> list[dict[str, Any]]:
        answer = await (person or self.shop.cod).client.get("/v1/tasks", params={"desk": True})
        assert answer.status_code == 200, answer.text
        return [item for item in answer.json()["items"] if item["order_id"] == str(self.order_id)]

    async def handed_over(self) -> list[dict[str, Any]]:
        events = await self.shop.service.outbox(RESCUE_HANDED_OVER.name)
        return [event["payload"] for event in events if event["subject"] == str(self.order_id)]

    async def nudges(self) -> int:
        name = f"rescue/{await self.task_id()}"
        return len([each for each in await self.shop.service.outbox("RescueCallWorkflow") if each["subject"] == name])

    async def attempt(self, person: Person, *, reached: bool) -> httpx.Response:
        body = {"reached": reached, "note": "khách hẹn chiều mai" if reached else ""}
        return await person.client.post(f"/v1/tasks/{await self.task_id()}/attempts", json=body)

    async def owed_by(self) -> UUID | None:
        [row] = await self.shop.service.rows("SELECT owner_id FROM promises WHERE id = :id", id=self.rescue_id)
        return UUID(str(row.owner_id)) if row.owner_id is not None else None


@pytest.fixture(scope="module")
async def open_shop(databases: Databases) -> AsyncIterator[Shop]:
    """One for the file: each test has an order of its own."""
    async with opened(databases) as shop:
        await shop.stocked(units=100)
        yield shop


@pytest.fixture
async def shop(open_shop: Shop) -> AsyncIterator[Shop]:
    open_shop.clock.now = MORNING
    yield open_shop
    async with open_shop.service.db.transaction() as session:
        await session.execute(text("DELETE FROM rescue_settings"))
        await session.execute(text("UPDATE staff_members SET on_duty = true"))


@pytest.fixture
async def known(shop: Shop) -> Call:
    """A delivery failed, and shipping has not told of it yet."""
    return await sent(shop, shop.sale)


async def sent(shop: Shop, person: Person) -> Call:
    """An order that somebody holds and has closed, whose delivery failed."""
    order_id = await shop.number()
    await shop.assign(order_id, person)
    assert (await shop.close(order_id, by=person)).status_code == 201
    call = Call(shop, order_id)
    for sequence, status in enumerate(("accepted", "out_for_delivery", "delivery_failed"), start=1):
        await shop.shipment(order_id, status, sequence=sequence, shipment_id=call.shipment_id, **HANDED)
    return call


@pytest.fixture
async def call(known: Call) -> Call:
    await known.hear(known.fact("failed", "open"))
    return known


async def switch(shop: Shop, person: Person, *, on_duty: bool) -> None:
    fact = DutyChanged(account_id=person.id, version=next(_duty), on_duty=on_duty, at=shop.clock.now)
    await shop.service.receive(DUTY_CHANGED, fact, subject=person.id)


async def put(shop: Shop, version: int, **body: Any) -> httpx.Response:
    return await shop.admin.client.put(SETTING, json=body, headers={"If-Match": f'"{version}"'})


async def test_after_two_call_hours_the_desk_has_the_call_too_and_reads_why(call: Call) -> None:
    [task] = await call.tasks()
    eleven = MORNING + timedelta(hours=2)
    assert datetime.fromisoformat(task["desk"]["at"]) == eleven
    assert (task["desk"]["handed_over"], task["desk"]["why_vi"]) == (False, "quá 2 giờ gọi")
    assert await call.at_desk() == []
    assert await call.nudges() == 1, "its workflow waits"
    call.shop.clock.forward(minutes=119)
    await call.look()
    assert await call.at_desk() == []
    call.shop.clock.forward(minutes=1)
    for _ in range(2):
        await call.look()
    [task] = await call.at_desk()
    assert (task["desk"]["handed_over"], task["desk"]["why_vi"]) == (True, "quá 2 giờ gọi")
    assert (task["desk"]["why_en"], task["desk"]["from_code"]) == ("2 h of calling time are over", "NV01")
    assert task["deadline_at"] == "2026-11-23T13:30:00Z"
    assert "*" in task["phone"], "who takes it sees the number"
    assert [item["id"] for item in await call.tasks()] == [task["id"]], "the closer keeps sight of it"
    [fact] = await call.handed_over()
    assert (fact["why"], fact["from_code"], fact["call_minutes"]) == ("call_hours", "NV01", 120)
    assert await told(call.shop.sale, call) == ["handed_over"]
    assert await told(call.shop.cod, call) == ["to_desk"]
    assert await call.owed_by() == call.shop.sale.id
    assert (await call.timeline())[-1] == "Chuyển bộ phận COD gọi khách: quá 2 giờ gọi"


async def test_one_of_the_desk_takes_the_call_decides_and_the_closer_is_told(call: Call) -> None:
    shop = call.shop
    shop.clock.forward(hours=2)
    await call.look()
    claim = f"/v1/tasks/{await call.task_id()}/claim"
    assert (await shop.colleague.client.post(claim)).status_code == 409, "sales has it no more than before"
    assert (await shop.cod.client.post(claim)).status_code == 200
    assert (await shop.cod.client.post(claim)).status_code == 200
    late = await shop.admin.client.post(claim)
    assert (late.status_code, late.json()["title"]) == (409, "task-taken")
    assert late.json()["by"] == "COD1"
    [task] = await call.at_desk()
    assert (task["claimed_by"], "*" in task["phone"]) == ("COD1", False)
    [own] = await call.tasks()
    assert (own["owner_code"], own["claimed_by"]) == ("NV01", "COD1")
    await call.hear(call.decided(by=shop.cod))
    assert await call.at_desk() == []
    assert await call.tasks() == []
    assert await call.promises() == [("kept", "asked_deliver_again", "COD1")]
    assert await told(shop.sale, call) == ["decided", "claimed", "handed_over"]


async def test_the_closer_who_is_first_after_all_wins_and_the_desk_is_told(call: Call) -> None:
    shop = call.shop
    shop.clock.forward(hours=2)
    await call.look()
    assert (await shop.cod.client.post(f"/v1/tasks/{await call.task_id()}/claim")).status_code == 200
    assert (await call.attempt(shop.sale, reached=True)).status_code == 201
    [task] = await call.at_desk()
    assert task["desk"]["reached_by"] == "NV01", "the desk sees that the customer was called"
    await call.hear(call.decided(by=shop.sale))
    assert await call.at_desk() == []
    assert await told(shop.cod, call) == ["decided", "to_desk"]
    assert await call.promises() == [("kept", "asked_deliver_again", "NV01")]


async def test_nothing_is_handed_over_once_the_customer_was_reached(call: Call) -> None:
    assert (await call.attempt(call.shop.sale, reached=False)).status_code == 201
    assert (await call.attempt(call.shop.sale, reached=True)).status_code == 201
    call.shop.clock.forward(hours=5)
    await call.look()
    assert await call.handed_over() == []
    [task] = await call.tasks()
    assert (task["desk"]["at"], task["desk"]["reached_by"]) == (None, "NV01")
    assert await call.timeline() == [
        "Giao không thành công lần 1: Người nhận không nghe máy",
        "Gọi cứu đơn, không gặp khách",
        "Gọi cứu đơn, gặp khách",
    ]


@pytest.mark.parametrize(("seconds", "handed"), [(45, 0), (8, 1)])
async def test_a_conversation_that_the_telephone_system_measured_is_a_call_an_announcement_is_none(
    call: Call, seconds: int, handed: int
) -> None:
    async with call.shop.service.db.transaction() as session:
        await session.execute(
            text("""
WITH system AS (
    INSERT INTO telephone_systems (id, name, format, zone, secret_hash) VALUES (:system, :name, 'chot', 'UTC', :secret)
    RETURNING id
)
INSERT INTO telephone_calls (id, system_id, call_id, direction, account_id, started_at, answered_at, talk_seconds, order_id,
    changed)
SELECT :id, id, 'one', 'out', :account, :at, :at, :seconds, :order_id, false FROM system
"""),
            {
                "id": uuid7(),
                "system": uuid7(),
                "name": str(uuid7()),
                "secret": uuid7().bytes,
                "account": call.shop.sale.id,
                "at": MORNING + timedelta(minutes=20),
                "seconds": seconds,
                "order_id": call.order_id,
            },
        )
    call.shop.clock.forward(hours=2)
    await call.look()
    assert len(await call.handed_over()) == handed


@pytest.mark.parametrize("how", ["decided", "delivered"])
async def test_nothing_is_handed_over_once_it_is_decided_or_the_parcel_went_on(call: Call, how: str) -> None:
    if how == "decided":
        await call.hear(call.decided(by=call.shop.sale))
    else:
        await call.hear(call.fact("ended", "closed", outcome="delivered"))
    assert await call.nudges() == 2, "its workflow hears of it"
    call.shop.clock.forward(hours=2)
    await call.look()
    assert (await call.handed_over(), await call.at_desk()) == ([], [])


async def test_a_carrier_that_waits_no_longer_than_the_closers_hours_shortens_them(known: Call) -> None:
    soon = {"decide_by": MORNING + timedelta(minutes=100), "cut_off_at": MORNING + timedelta(minutes=110)}
    await known.hear(known.fact("failed", "open", **soon))
    [task] = await known.tasks()
    assert datetime.fromisoformat(task["desk"]["at"]) == MORNING + timedelta(minutes=70)
    assert task["desk"]["why_vi"] == "sắp hết hạn của hãng"
    # The carrier waits longer than it said at first.
    await known.hear(known.fact("changed", "open"))
    assert await known.nudges() == 2
    await known.look()
    [task] = await known.tasks()
    assert task["desk"]["why"] == "call_hours"


async def test_a_cut_off_that_is_over_hands_the_call_over_at_once(known: Call) -> None:
    over = MORNING - timedelta(hours=1)
    await known.hear(known.fact("failed", "open", decide_by=over - timedelta(hours=1), cut_off_at=over))
    assert [fact["why"] for fact in await known.handed_over()] == ["cut_off"]
    assert await known.nudges() == 0, "nothing waits"
    assert len(await known.tasks()) == 1


async def test_a_leavers_order_is_called_about_by_the_desk_at_once(shop: Shop) -> None:
    id = uuid7()
    client = await shop.service.client(ORDERS_READ, ORDERS_CARE, account_id=id, code="NV09", team="S1")
    leaver = Person(id, "NV09", client)
    await works_here(shop, leaver, version=1, active=True)
    waiting = await sent(shop, leaver)
    await waiting.hear(waiting.fact("failed", "open"))
    known = await sent(shop, leaver)
    await works_here(shop, leaver, version=2, active=False)
    assert await waiting.nudges() == 2
    await waiting.look()
    assert [fact["why"] for fact in await waiting.handed_over()] == ["left"]
    await known.hear(known.fact("failed", "open"))
    assert [fact["why"] for fact in await known.handed_over()] == ["no_owner"]
    [task] = await known.at_desk()
    assert (task["owner_code"], task["desk"]["from_code"]) == ("", "")
    assert (await shop.cod.client.post(f"/v1/tasks/{task['id']}/claim")).status_code == 200
    assert await known.owed_by() == shop.cod.id, "who takes it owes it"


async def works_here(shop: Shop, person: Person, *, version: int, active: bool) -> None:
    fact = AccountChanged(
        account_id=person.id,
        version=version,
        code=person.code,
        name=person.code,
        department="sale",
        group="sale",
        team="S1",
        active=active,
        at=shop.clock.now,
    )
    await shop.service.receive(ACCOUNT_CHANGED, fact, subject=person.id)


async def test_who_goes_off_duty_gives_the_call_to_the_desk(call: Call) -> None:
    await switch(call.shop, call.shop.colleague, on_duty=False)
    assert await call.nudges() == 1
    await switch(call.shop, call.shop.sale, on_duty=False)
    assert await call.nudges() == 2
    await call.look()
    assert [fact["why"] for fact in await call.handed_over()] == ["off_duty"]
    assert len(await call.tasks()) == 1


async def test_another_owner_has_the_rest_of_the_call_hours(call: Call) -> None:
    call.shop.clock.forward(minutes=90)
    await call.shop.assign(call.order_id, call.shop.colleague)
    await call.look()
    [task] = await call.tasks(call.shop.colleague)
    assert datetime.fromisoformat(task["desk"]["at"]) == MORNING + timedelta(hours=2)
    call.shop.clock.forward(minutes=30)
    await call.look()
    assert [fact["from_code"] for fact in await call.handed_over()] == ["NV02"]


async def test_where_the_desk_calls_first_the_promise_is_the_desks(known: Call) -> None:
    shop = known.shop
    assert (await put(shop, 0, first_caller="desk")).status_code == 200
    await known.hear(known.fact("failed", "open"))
    [task] = await known.at_desk()
    assert task["desk"]["why_vi"] == "bộ phận COD gọi trước"
    assert len(await known.tasks()) == 1, "the closer sees it"
    assert await known.owed_by() is None
    await known.wait()
    assert await told(shop.sale, known) == [], "and is not reminded of it"
    await shop.assign(known.order_id, shop.colleague)
    assert await known.owed_by() is None
    await shop.cod.client.post(f"/v1/tasks/{task['id']}/claim")
    assert await known.owed_by() == shop.cod.id


async def test_a_setting_that_is_changed_holds_for_calls_that_wait(call: Call) -> None:
    assert (await put(call.shop, 0, first_caller="closer", call_hours=0.5)).status_code == 200
    assert await call.nudges() == 2
    call.shop.clock.forward(minutes=29)
    await call.look()
    assert await call.handed_over() == []
    assert (await put(call.shop, 1, first_caller="closer", call_hours=1)).status_code == 200
    call.shop.clock.forward(minutes=1)
    await call.look()
    assert await call.handed_over() == [], "half an hour holds no more"
    assert (await put(call.shop, 2, first_caller="desk", call_hours=1)).status_code == 200
    await call.look()
    assert [fact["why"] for fact in await call.handed_over()] == ["desk_first"]


async def test_the_setting_has_a_version_a_history_and_an_author(shop: Shop) -> None:
    first = await shop.sale.client.get(SETTING)
    assert (first.json()["first_caller"], first.json()["call_hours"], first.headers["ETag"]) == ("closer", 2, '"0"')
    changed = await put(shop, 0, first_caller="closer", call_hours=1.5)
    assert (changed.json()["version"], changed.headers["ETag"]) == (1, '"1"')
    assert (await put(shop, 0, first_caller="desk")).status_code == 412
    assert (await shop.admin.client.put(SETTING, json={"first_caller": "desk"})).status_code == 428
    assert (await put(shop, 1, first_caller="closer", call_hours=1.5)).json()["version"] == 1, "nothing changed"
    await put(shop, 1, first_caller="desk", call_hours=3)
    page = (await shop.admin.client.get(f"{SETTING}/history")).json()
    assert [(each["version"], each["call_hours"], each["changed_by"]) for each in page["items"]] == [
        (2, 3, "AD01"),
        (1, 1.5, "AD01"),
    ]
    assert (await shop.manager.client.get(f"{SETTING}/history")).status_code == 403
    refused = await shop.manager.client.put(SETTING, json={"first_caller": "desk"}, headers={"If-Match": '"2"'})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("body", "vi"),
    [
        ({"first_caller": "owner"}, "giá trị không có trong danh sách cho phép: 'closer' hoặc 'desk'"),
        ({"first_caller": "closer", "call_hours": 0}, "nhỏ quá, phải từ 0.25 trở lên"),
        ({"first_caller": "closer", "call_hours": 25}, "lớn quá, tối đa 24.0"),
        ({"first_caller": "closer", "call_hours": 0.3}, "phải là bội số của 0.25"),
        ({"first_caller": "closer", "call_hours": "nhiều"}, "phải là số"),
    ],
)
async def test_values_that_make_no_sense_are_refused_in_both_languages(
    shop: Shop, body: dict[str, Any], vi: str
) -> None:
    headers = {"If-Match": '"0"'}
    english = await shop.admin.client.put(SETTING, json=body, headers=headers)
    vietnamese = await shop.admin.client.put(SETTING, json=body, headers={**headers, "Accept-Language": "vi"})
    assert (english.status_code, vietnamese.status_code) == (422, 422)
    [error] = vietnamese.json()["errors"]
    assert error["message"].startswith(vi), error
    assert english.json()["errors"][0]["message"].startswith("Input should be")
    assert (await shop.admin.client.get(SETTING)).json()["version"] == 0


async def test_only_the_desk_sees_the_desks_list(call: Call) -> None:
    call.shop.clock.forward(hours=2)
    await call.look()
    assert (await call.shop.sale.client.get("/v1/tasks", params={"desk": True})).status_code == 403
    assert await told(call.shop.manager, call) == []
    assert (await call.attempt(call.shop.colleague, reached=True)).status_code == 404
    body = {"topics": ["desk_tasks/cod"]}
    assert (await call.shop.sale.client.post("/v1/streams/tickets", json=body)).status_code == 422
    assert (await call.shop.cod.client.post("/v1/streams/tickets", json=body)).status_code == 201
    page = (await call.shop.cod.client.get("/v1/tasks", params={"desk": True, "limit": 1})).json()
    assert page["counts"]["now"] >= 1
