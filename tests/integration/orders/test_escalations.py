"""What becomes of promises that their owner does not keep: the team, the superior, another owner."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from shared.contracts import permissions
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from tests.integration.orders.support import Person, Shop

TAKERS = 20


async def promised(shop: Shop, *, minutes: float = 120) -> tuple[UUID, datetime]:
    """A number whose customer was promised a call; returns when."""
    order_id = await shop.number()
    at = shop.clock.now + timedelta(minutes=minutes)
    answer = await shop.call(order_id, "call_later", promised_at=at.isoformat())
    assert answer.status_code == 201, answer.text
    return order_id, at


async def to_take(person: Person) -> list[dict[str, Any]]:
    answer = await person.client.get("/v1/tasks", params={"to_take": True})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def duty(shop: Shop, person: Person, *, on: bool, version: int) -> None:
    change = DutyChanged(account_id=person.id, version=version, on_duty=on, at=shop.clock.now)
    await shop.service.receive(DUTY_CHANGED, change, subject=person.id)


async def opened(shop: Shop) -> tuple[UUID, dict[str, Any]]:
    """A promised call that is an hour late, so that the whole team may take it."""
    order_id, at = await promised(shop)
    shop.clock.now = at + timedelta(minutes=61)
    await shop.look(order_id)
    (task,) = await to_take(shop.colleague)
    return order_id, task


async def test_a_promised_call_is_its_owners_until_it_is_late_and_then_the_teams(shop: Shop) -> None:
    order_id, at = await promised(shop)
    shop.clock.now = at + timedelta(minutes=14)
    await shop.look(order_id)
    assert await to_take(shop.colleague) == []
    (task,) = (await shop.sale.client.get("/v1/tasks")).json()["items"]
    early = await shop.colleague.client.post(f"/v1/tasks/{task['id']}/claim")
    assert early.status_code == 409, "the colleague is of the team"
    assert "NV01" in early.json()["detail"]
    shop.clock.now = at + timedelta(minutes=61)
    await shop.look(order_id)
    (item,) = await to_take(shop.colleague)
    assert (item["id"], item["to_team"], item["owner_code"]) == (task["id"], True, "")
    assert "*" not in item["phone"]


async def test_of_twenty_who_take_a_call_at_once_one_gets_it_and_the_promise_says_who_met_it(shop: Shop) -> None:
    order_id, task = await opened(shop)
    granted = permissions.SEED_GROUPS["sale"]
    takers = {f"NX{number:02}": uuid7() for number in range(TAKERS)}
    clients = {
        code: await shop.service.client(*granted, account_id=id, code=code, team="S1") for code, id in takers.items()
    }
    for code, id in takers.items():
        change = AccountChanged(
            account_id=id, version=1, code=code, name=code, department="sale", group="sale", at=shop.clock.now
        )
        await shop.service.receive(ACCOUNT_CHANGED, change, subject=id)
    answers: dict[str, httpx.Response] = dict(
        zip(
            clients,
            await asyncio.gather(*(client.post(f"/v1/tasks/{task['id']}/claim") for client in clients.values())),
            strict=True,
        )
    )
    (winner,) = [code for code, answer in answers.items() if answer.status_code == 200]
    losers = [answer.json() for answer in answers.values() if answer.status_code == 409]
    assert len(losers) == TAKERS - 1
    assert {problem["type"].rpartition("/")[2] for problem in losers} == {"task-taken"}
    assert all(winner in problem["detail"] for problem in losers)
    assert (await clients[winner].post(f"/v1/tasks/{task['id']}/claim")).status_code == 200, "asking again is harmless"

    assert await to_take(shop.colleague) == []
    assert [item["kind"] for item in (await shop.sale.client.get("/v1/notices")).json()["items"]][:1] == ["claimed"]
    mine = (await clients[winner].get("/v1/tasks")).json()["items"]
    assert [(item["id"], "*" in item["phone"]) for item in mine] == [(task["id"], False)]
    care = (await clients[winner].get(f"/v1/orders/{order_id}/care")).json()
    assert f"{winner} (nhận gọi thay NV01)" in care["sentence_vi"]
    logged = await clients[winner].post(
        f"/v1/orders/{order_id}/interactions", json={"kind": "call", "result": "thinking"}
    )
    assert logged.status_code == 201, logged.text
    (event,) = await shop.service.outbox("orders.promise.made_good.v1")
    assert (event["payload"]["kept_by"], event["payload"]["owner_code"]) == (winner, "NV01")
    assert (await shop.order(order_id))["owner_code"] == "NV01", "the number stays with its owner"


async def test_a_promised_call_of_somebody_off_duty_goes_to_the_team_as_soon_as_it_is_late(shop: Shop) -> None:
    order_id, at = await promised(shop)
    await duty(shop, shop.sale, on=False, version=1)
    assert await shop.look(order_id) == at - timedelta(minutes=5), "the reminder comes first"
    shop.clock.now = at + timedelta(minutes=16)
    await shop.look(order_id)
    assert [item["order_id"] for item in await to_take(shop.colleague)] == [str(order_id)]


async def test_who_is_back_on_duty_keeps_the_usual_hour(shop: Shop) -> None:
    order_id, at = await promised(shop)
    await duty(shop, shop.sale, on=False, version=1)
    await duty(shop, shop.sale, on=True, version=2)
    shop.clock.now = at + timedelta(minutes=16)
    await shop.look(order_id)
    assert await to_take(shop.colleague) == []


async def test_a_promised_call_of_somebody_who_left_goes_to_the_team_when_it_is_due(shop: Shop) -> None:
    order_id, at = await promised(shop)
    left = AccountChanged(
        account_id=shop.sale.id,
        version=2,
        code="NV01",
        name="NV01",
        department="sale",
        group="sale",
        team="S1",
        superior_id=shop.manager.id,
        active=False,
        at=shop.clock.now,
    )
    before = len(await shop.service.outbox("CareWorkflow"))
    await shop.service.receive(ACCOUNT_CHANGED, left, subject=shop.sale.id)
    assert len(await shop.service.outbox("CareWorkflow")) == before + 1, "its care is woken"
    shop.clock.now = at
    await shop.look(order_id)
    assert [item["order_id"] for item in await to_take(shop.colleague)] == [str(order_id)]
    told = (await shop.manager.client.get("/v1/escalations")).json()["items"]
    assert [item["kind"] for item in told] == ["overdue"]


async def test_three_untouched_numbers_are_taken_from_a_person_in_a_shift_then_they_are_off_duty(shop: Shop) -> None:
    await duty(shop, shop.sale, on=True, version=1)
    numbers = [await shop.number() for _ in range(5)]
    shop.clock.forward(minutes=31)
    await asyncio.gather(*(shop.look(order_id) for order_id in numbers))
    requests = await shop.service.outbox("orders.reassignment.requested.v1")
    assert len(requests) == 3
    (reached,) = await shop.service.outbox("orders.taking_limit.reached.v1")
    assert (reached["payload"]["code"], reached["payload"]["taken"]) == ("NV01", 3)
    told = (await shop.manager.client.get("/v1/escalations", params={"waiting": True})).json()["items"]
    assert [item["kind"] for item in told].count("taking_limit") == 1

    shop.clock.forward(hours=1)
    await duty(shop, shop.sale, on=True, version=3)
    further = await shop.number()
    shop.clock.forward(minutes=31)
    await shop.look(further)
    assert len(await shop.service.outbox("orders.reassignment.requested.v1")) == 4, "another shift begins at zero"


async def test_a_superior_sees_what_is_late_below_them_and_acknowledges_it(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=16)
    await shop.look(order_id)
    (told,) = (await shop.manager.client.get("/v1/escalations", params={"waiting": True})).json()["items"]
    assert (told["kind"], told["order_id"], told["task"]["owner_code"]) == ("overdue", str(order_id), "NV01")
    assert "NV01" in told["sentence_vi"]
    assert datetime.fromisoformat(told["looks_again_at"]) == shop.clock.now + timedelta(minutes=14)
    url = f"/v1/notices/{told['id']}/acknowledge"
    assert (await shop.sale.client.post(url, json={})).status_code == 404
    assert (await shop.manager.client.post(url, json={"remark": "đã nhắc"})).status_code == 204
    assert (await shop.manager.client.post(url, json={"remark": "lần hai"})).status_code == 204
    assert (await shop.manager.client.get("/v1/escalations", params={"waiting": True})).json()["items"] == []
    await shop.call(order_id, "thinking")
    (seen,) = (await shop.manager.client.get("/v1/escalations")).json()["items"]
    assert (seen["acknowledged_by"], seen["remark"], seen["task"]["outcome"]) == ("QL01", "đã nhắc", "done")


async def test_the_first_call_is_told_once_with_how_long_the_customer_waited(shop: Shop) -> None:
    arrived = shop.clock.now - timedelta(hours=12)  # 21:00, after the calling hours: its clock begins at 08:00
    order_id = await shop.accept(at=arrived)
    await shop.assign(order_id, shop.sale)
    await shop.look(order_id)
    shop.clock.forward(minutes=7)
    await shop.call(order_id, "no_answer")
    await shop.call(order_id, "thinking")
    late = await shop.number()
    shop.clock.forward(minutes=25)
    await shop.call(late, "thinking", by=shop.sale)
    made = [event["payload"] for event in await shop.service.outbox("orders.first_call.made.v1")]
    assert [(one["order_id"], one["in_time"], one["late_seconds"]) for one in made] == [
        (str(order_id), True, 0),
        (str(late), False, 600),
    ]
    assert [one["wait_since_assigned_seconds"] for one in made] == [420, 1500]
    assert [one["wait_seconds"] for one in made] == [67 * 60, 1500]
    assert {one["by"] for one in made} == {"NV01"}
