"""What-if runs: recorded orders live once more, and the process in force makes of them exactly what was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.orders.care.processes import PROCESSES
from services.orders.what_if import turn
from services.orders.what_if.turn import Turns
from shared.contracts.events.staff import (
    DUTY_CHANGED,
    SHIFTS_CHANGED,
    DutyChanged,
    ShiftsChanged,
    ShiftTimes,
)
from tests.integration.orders.support import MORNING, Person, Shop

RESULTS = ["no_answer", "no_answer", "busy", "switched_off", "call_later", "thinking", "send_info", "buy_later"]
FINAL = ["not_buying", "refuses_contact", "wrong_number"]


@dataclass
class People:
    """The two salespeople, who are not always there and change their minds."""

    shop: Shop
    versions: Counter[UUID] = field(default_factory=Counter)
    undone: int = 0
    claimed: int = 0

    async def do_something(self, order_id: UUID, random: Random) -> None:
        """Right after something was logged: whoever logged it may take it back; a colleague may take what is open."""
        if random.random() < 0.4:
            (last,) = await self.shop.service.rows(
                "SELECT id, staff_id FROM interactions WHERE order_id = :id UNION ALL SELECT NULL, NULL "
                "ORDER BY id DESC NULLS LAST LIMIT 1",
                id=order_id,
            )
            author = next((each for each in self._both() if each.id == last.staff_id), self.shop.admin)
            self.shop.clock.forward(seconds=random.randrange(20, 300))
            if last.id is not None:
                answer = await author.client.post(f"/v1/orders/{order_id}/interactions/{last.id}/undo")
                self.undone += answer.status_code == 200
            self.shop.clock.forward(seconds=2)
        for person in self._both():
            found = (await person.client.get("/v1/tasks", params={"to_take": True})).json()["items"]
            for task in found[:1]:
                self.claimed += (await person.client.post(f"/v1/tasks/{task['id']}/claim")).status_code == 200
                self.shop.clock.forward(seconds=2)

    async def come_or_go(self, random: Random) -> None:
        person = random.choice(self._both())
        self.shop.clock.forward(seconds=2)
        self.versions[person.id] += 1
        version, at = self.versions[person.id], self.shop.clock.now
        if random.random() < 0.7:
            duty = DutyChanged(account_id=person.id, version=version, on_duty=random.random() < 0.4, at=at)
            await self.shop.service.receive(DUTY_CHANGED, duty, subject=person.id)
            return
        hours = random.choice([("08:00-12:00",), ("13:30-17:30",), ("10:00-15:00", "18:00-20:00"), ()])
        times = [
            ShiftTimes(
                shift_id=UUID(int=1), name="Ca", zone="Asia/Ho_Chi_Minh", weekdays=(1, 2, 3, 4, 5, 6, 7), periods=hours
            )
        ]
        shifts = ShiftsChanged(account_id=person.id, version=version, shifts=tuple(times if hours else ()), at=at)
        await self.shop.service.receive(SHIFTS_CHANGED, shifts, subject=person.id)

    def _both(self) -> list[Person]:
        return [self.shop.sale, self.shop.colleague]


async def some_days(
    shop: Shop, *, orders: int, seed: int, days: float = 6, people: People | None = None, among: Sequence[UUID] = ()
) -> list[UUID]:
    """Numbers arrive, people work on them or do not, workers look late, customers come again.

    Args:
        days: after the first morning, until which this lasts.
        among: orders that are there already, and worked on as well.
        people: who goes off duty, changes shift, takes results back and takes calls of others.
    """
    random, end = Random(seed), MORNING + timedelta(days=days)
    if not among:
        await shop.stocked(units=1000)
    made = list(among)
    looks = {order_id: await shop.look(order_id) for order_id in made}
    while shop.clock.now < end:
        if len(made) < orders:
            order_id = await shop.accept()
            made.append(order_id)
            await shop.assign(order_id, random.choice([shop.sale, shop.colleague]))
            looks[order_id] = await shop.look(order_id)
            shop.clock.forward(seconds=2)
        for order_id in random.sample(made, k=min(3, len(made))):
            await _something(shop, order_id, random)
            shop.clock.forward(seconds=2)
            if people is not None:
                await people.do_something(order_id, random)
            looks[order_id] = await shop.look(order_id)
            shop.clock.forward(seconds=2)
        if people is not None and random.random() < 0.3:
            await people.come_or_go(random)
            for order_id in made:  # whose owner it was; the others find nothing to do
                looks[order_id] = await shop.look(order_id)
        shop.clock.forward(minutes=random.choice([7, 20, 50, 200, 600]), seconds=random.randrange(60))
        for order_id, due in looks.items():
            if due is not None and due <= shop.clock.now:
                now = shop.clock.now
                # Most are looked at when they are due, some when the workers are back.
                shop.clock.now = due if random.random() < 0.8 else now
                looks[order_id] = await shop.look(order_id)
                shop.clock.now = now
                if (again := looks[order_id]) is not None and again <= now:
                    looks[order_id] = await shop.look(order_id)
    return made


async def _something(shop: Shop, order_id: UUID, random: Random) -> None:
    kind = random.random()
    order = await shop.order(order_id, by=shop.admin)
    owner = next((each for each in (shop.sale, shop.colleague) if str(each.id) == str(order["owner_id"])), shop.admin)
    if kind < 0.7:
        result = random.choice(RESULTS if random.random() < 0.85 else FINAL)
        promised = (shop.clock.now + timedelta(hours=random.randrange(1, 60))).isoformat()
        fields = {"promised_at": promised} if result in ("call_later", "buy_later") and random.random() < 0.7 else {}
        reason = {"reason": "giá cao"} if result == "not_buying" else {}
        await shop.call(order_id, result, by=owner, **fields, **reason)
    elif kind < 0.8:
        await shop.came_again(order_id)
    elif kind < 0.9:
        await shop.assign(order_id, random.choice([shop.sale, shop.colleague, None]))
    elif kind < 0.95:
        await shop.close(order_id, by=owner)
    else:
        body = {"to": random.choice(["L1.2", "L1.4", "L1.6"]), "reason": "khách gọi lại"}
        await shop.admin.client.post(f"/v1/orders/{order_id}/level", json=body)


async def ask(shop: Shop, **wanted: Any) -> httpx.Response:
    body = {
        "process": "cod_standard",
        "since": (MORNING - timedelta(days=1)).isoformat(),
        "till": (MORNING + timedelta(days=30)).isoformat(),
        **wanted,
    }
    return await shop.admin.client.post("/v1/what-if", json=body)


async def run(shop: Shop, **wanted: Any) -> dict[str, Any]:
    """A run, done as its workflow does it."""
    asked = await ask(shop, **wanted)
    assert asked.status_code == 201, asked.text
    work = Turns(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    while not (await work.take(UUID(asked.json()["id"]))).done:
        pass
    return dict((await shop.admin.client.get(f"/v1/what-if/{asked.json()['id']}")).json())


async def listed(shop: Shop, found: dict[str, Any], what: str, **params: Any) -> Sequence[dict[str, Any]]:
    answer = await shop.admin.client.get(f"/v1/what-if/{found['id']}/{what}", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def current(shop: Shop) -> tuple[int, dict[str, Any]]:
    rows = await shop.service.rows(
        "SELECT version, body FROM process_versions WHERE key = 'cod_standard' ORDER BY version DESC LIMIT 1"
    )
    return rows[0].version, rows[0].body


async def close_day(shop: Shop, on: str) -> None:
    kept = (await shop.admin.client.get("/v1/calendars/call_hours")).json()
    body = {name: kept[name] for name in ("name", "zone", "weekly", "public_holidays")}
    body["special_days"] = [{"on": on, "closed": True}]
    headers = {"If-Match": f'"{kept["version"]}"'}
    assert (await shop.admin.client.put("/v1/calendars/call_hours", json=body, headers=headers)).status_code == 200


async def test_the_process_in_force_makes_exactly_what_was_recorded(shop: Shop) -> None:
    """Tasks with their times to the second, promises with their ends, levels: of random lives, with a calendar that was
    changed on the way."""
    made = await some_days(shop, orders=12, seed=7, days=3)
    await close_day(shop, "2026-11-28")
    shop.clock.forward(minutes=1)
    for order_id in made:
        await shop.look(order_id)
    version, _ = await current(shop)
    found = await run(shop, version=version)
    differing = await listed(shop, found, "orders", verdict="different")
    assert [(each["order_id"], each["differences"]) for each in differing] == []
    assert (found["total"], found["looked"], found["equal"], found["failed"]) == (12, 12, 12, 0)
    assert found["recorded"] == found["tried"]
    assert found["recorded"]["tasks"] > 40
    assert min(found["recorded"][outcome] for outcome in ("kept", "broken", "cancelled")) > 3
    people = await listed(shop, found, "people")
    assert {(each["code"], each["side"]) for each in people} >= {("NV01", "recorded"), ("NV02", "tried")}
    assert all(0 <= each["idle_minutes"] <= each["open_minutes"] for each in people)
    calls = await shop.service.rows(
        "SELECT count(*) AS made FROM interactions WHERE kind = 'call' AND direction = 'out'"
    )
    assert sum(each["calls"] for each in people if each["side"] == "recorded") == calls[0].made


@pytest.mark.parametrize("seed", [1, 2])
async def test_shifts_duty_and_results_taken_back_are_lived_through_as_they_were(shop: Shop, seed: int) -> None:
    people = People(shop)
    await some_days(shop, orders=8, seed=seed, days=2.5, people=people)
    version, _ = await current(shop)
    found = await run(shop, version=version)
    differing = await listed(shop, found, "orders", verdict="different")
    assert [(each["order_id"], each["differences"]) for each in differing] == []
    assert (found["equal"], found["failed"]) == (8, 0)
    assert 0 < found["undone"] <= people.undone, "orders, of which each counts once"
    assert found["recorded"] == found["tried"]
    standing = await shop.service.rows(
        "SELECT count(*) AS promises FROM promises WHERE voided_at IS NULL AND kind <> 'answer'"
    )
    assert found["recorded"]["tasks"] == standing[0].promises, "what was taken back counts nowhere"


async def test_a_promised_call_of_somebody_off_duty_goes_to_the_team_in_the_other_life_as_well(shop: Shop) -> None:
    order_id = await shop.number()
    at = shop.clock.now + timedelta(minutes=90)
    await shop.call(order_id, "call_later", promised_at=at.isoformat())
    shop.clock.forward(minutes=1)
    off = DutyChanged(account_id=shop.sale.id, version=1, on_duty=False, at=shop.clock.now)
    await shop.service.receive(DUTY_CHANGED, off, subject=shop.sale.id)
    shop.clock.now = at + timedelta(minutes=16)
    await shop.look(order_id)
    taken = (await shop.colleague.client.get("/v1/tasks", params={"to_take": True})).json()["items"]
    shop.clock.forward(minutes=2)
    assert (await shop.colleague.client.post(f"/v1/tasks/{taken[0]['id']}/claim")).status_code == 200
    version, body = await current(shop)
    assert (await run(shop, version=version))["equal"] == 1
    body["escalations"][body["steps"]["callback"]["escalate"]]["rungs"] = [
        rung
        for rung in body["escalations"][body["steps"]["callback"]["escalate"]]["rungs"]
        if rung["do"] != "open_to_team"
    ]
    found = await run(shop, body=body)
    [different] = await listed(shop, found, "orders")
    assert "callback:1: owner_id" in different["differences"][0], "it would have stayed with its owner"


async def test_another_process_shows_what_would_have_been_different(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=12)
    await shop.call(order_id, "no_answer")
    task = (await shop.order(order_id))["tasks"][0]
    version, body = await current(shop)
    body["steps"]["no_answer_2"]["due"] = {"after": "2h"}
    body["steps"]["first_call"]["grace"] = "5m"
    found = await run(shop, body=body)
    assert (found["recorded"]["first_calls_late"], found["tried"]["first_calls_late"]) == (0, 1)
    [different] = await listed(shop, found, "orders")
    assert different["verdict"] == "different"
    assert different["differences"][0].startswith("first_call:1: deadline_at, promised")
    steps = {(step["step"], step["side"]): step for step in await listed(shop, found, "steps", limit=200)}
    assert (steps["first_call", "recorded"]["kept"], steps["first_call", "tried"]["broken"]) == (1, 1)
    assert task == (await shop.order(order_id))["tasks"][0]
    assert (await run(shop, version=version))["equal"] == 1


async def test_what_nobody_was_asked_for_is_not_counted_against_people(shop: Shop) -> None:
    """Care ended with the first answer; a process that goes on would have asked for a call that nobody knew of."""
    order_id = await shop.number()
    shop.clock.forward(minutes=4)
    await shop.call(order_id, "not_buying", reason="giá cao")
    shop.clock.forward(days=3)
    _, body = await current(shop)
    body["rules"].append({"at": ["first_call"], "results": {"not_buying": "thinking"}})
    found = await run(shop, body=body)
    assert found["recorded"]["broken"] == 0
    assert (found["tried"]["broken"], found["tried"]["unasked"]) == (0, 1)


async def test_a_result_that_the_step_does_not_know_counts_as_an_attempt(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=4)
    await shop.call(order_id, "send_info")
    _, body = await current(shop)
    del body["results"]["send_info"]
    for rule in body["rules"]:
        rule["results"].pop("send_info", None)
        rule["at"] = [step for step in rule["at"] if step != "send_info"]
    body["rules"] = [rule for rule in body["rules"] if rule["results"] and rule["at"]]
    del body["steps"]["send_info"]
    body["reasons"] = {path: why for path, why in body["reasons"].items() if "send_info" not in path}
    found = await run(shop, body=body)
    assert (found["unplaced"], found["failed"], found["equal"]) == (1, 0, 0)


async def test_a_run_that_is_killed_counts_nothing_twice_and_a_cancelled_one_stops(
    shop: Shop, monkeypatch: Any
) -> None:
    for _ in range(3):
        await shop.number()
    monkeypatch.setattr(turn, "BATCH", 1)
    version, _ = await current(shop)
    asked = (await ask(shop, version=version)).json()
    work = Turns(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    await work.take(UUID(asked["id"]))
    written = turn._write

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(turn, "_write", dies)
    with pytest.raises(RuntimeError, match="killed"):
        await work.take(UUID(asked["id"]))
    monkeypatch.setattr(turn, "_write", written)
    await work.take(UUID(asked["id"]))
    half = (await shop.admin.client.get(f"/v1/what-if/{asked['id']}")).json()
    assert (half["looked"], half["total"], half["recorded"]["tasks"]) == (2, 3, 2)
    cancelled = await shop.admin.client.post(f"/v1/what-if/{asked['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert (await work.take(UUID(asked["id"]))).done
    assert (await shop.admin.client.get(f"/v1/what-if/{asked['id']}")).json()["looked"] == 2
    assert len(await listed(shop, half, "orders", limit=1)) == 1


async def test_what_cannot_be_tried_is_refused_with_the_reason(shop: Shop) -> None:
    version, body = await current(shop)
    unknown = await ask(shop, version=99)
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        "There is no such process, version or draft. See /v1/care-processes.",
    )
    del body["steps"]["no_answer_2"]
    unsound = await ask(shop, body=body)
    assert (unsound.status_code, unsound.json()["title"]) == (422, "process-unsound")
    unreadable = await ask(shop, body={"steps": 1})
    assert (unreadable.status_code, unreadable.json()["title"]) == (422, "process-unreadable")
    assert (await ask(shop, version=version, body=body)).status_code == 422
    assert (await ask(shop, version=version, till="2020-01-01T00:00:00Z")).status_code == 422
    refused = await shop.sale.client.post("/v1/what-if", json={})
    assert refused.status_code == 403
    assert (await shop.admin.client.get(f"/v1/what-if/{UUID(int=1)}")).status_code == 404
