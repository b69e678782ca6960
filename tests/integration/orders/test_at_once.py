"""Everything that touches the same few orders and customers, at once and in random order: nobody waits in a circle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from services.orders import record
from shared.consumer import NotYet, apply_once, read_event
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import DUPLICATE_FOUND, LEAD_ASSIGNED, DuplicateFound, LeadAssigned, Source
from shared.contracts.events.leads_everyday import DO_NOT_CALL_CHANGED, DoNotCallChanged
from shared.db import is_contended
from shared.errors import Problem
from tests.integration.orders.support import Person, Shop, idempotency_key
from tests.integration.orders.telephone_support import Exchange
from tests.integration.orders.test_customers import customer_of
from tests.integration.orders.test_process_moves import URL as MOVES
from tests.integration.orders.test_process_moves import publish, quicker
from tests.integration.orders.test_process_moves import work as move_work

ORDERS: Final = 8
WORKERS: Final = 6
ANSWERS: Final = {200, 201, 404, 409, 410, 412, 422}
"""What may be answered to something that made no sense any more when its turn came."""


class Floor:
    """Random doings on the orders of a shop."""

    def __init__(
        self,
        shop: Shop,
        exchange: Exchange,
        orders: list[UUID],
        customers: list[str],
        processes: list[int],
        seed: int,
    ) -> None:
        self._shop, self._exchange, self._orders, self._customers = shop, exchange, orders, customers
        self._processes = processes
        self._told: list[dict[str, Any]] = []
        self._random = random.Random(seed)
        self._merges: list[str] = []
        self._assignment = 1
        self._versions = 0
        self.wrong: list[str] = []
        self.done: dict[str, int] = {}

    def _some(self) -> list[UUID]:
        return self._random.sample(self._orders, self._random.randint(2, ORDERS))

    async def _ask(self, by: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await by.client.post(path, json=body, headers=idempotency_key())
        if answer.status_code not in ANSWERS:
            self.wrong.append(f"{answer.status_code} {path}")
        return dict(answer.json())

    async def _hear(self, type: EventType, *facts: tuple[UUID, Contract]) -> None:
        """As the consumer does: what came together is one transaction."""
        service = self._shop.service
        events = [
            read_event(
                {
                    "ce-id": str(uuid7()),
                    "ce-type": type.name,
                    "ce-subject": str(subject),
                    "ce-time": "2026-11-23T02:00:00Z",
                },
                fact.model_dump_json().encode(),
            )
            for subject, fact in facts
        ]
        try:
            async with service.db.transaction() as session:
                await apply_once(session, service.service.name, service.service.all_handlers(), events)
        except DBAPIError as error:
            if not is_contended(error):
                raise
            self.wrong.append(f"deadlock: {type.name}")
        except (NotYet, Problem):
            pass  # heard again later

    async def call(self) -> None:
        order_id = self._random.choice(self._orders)
        result = self._random.choice(["no_answer", "busy", ""])
        await self._ask(self._shop.sale, f"/v1/orders/{order_id}/interactions", {"kind": "call", "result": result})

    async def merge(self) -> None:
        one, other = self._random.sample(self._customers, 2)
        body = {"other": other, "reason": "một người"}
        merged = await self._ask(self._shop.manager, f"/v1/customers/{one}/merge", body)
        if "merge_id" in merged:
            self._merges.append(merged["merge_id"])

    async def unmerge(self) -> None:
        if self._merges:
            path = f"/v1/customers/merges/{self._random.choice(self._merges)}/undo"
            await self._ask(self._shop.manager, path, {"reason": "hai người"})

    async def merged_by_leads(self) -> None:
        lead, anchor = self._random.sample(self._orders, 2)
        self._assignment += 1
        now = self._shop.clock.now
        fact = DuplicateFound(
            lead_id=lead, anchor_id=anchor, assignment=self._assignment, at=now + timedelta(microseconds=self._assignment),
            cause="merged", by="QL01", received_at=now, source=Source(channel="landing_page"),
        )  # fmt: skip
        await self._hear(DUPLICATE_FOUND, (lead, fact))

    async def hand_over(self) -> None:
        self._assignment += 1
        to = self._random.choice([self._shop.sale, self._shop.colleague])
        facts = [
            LeadAssigned(
                lead_id=order_id, assignment=self._assignment, owner_id=to.id, owner_code=to.code, team="S1",
                assigned_at=self._shop.clock.now, cause="hand_over",
            )
            for order_id in self._some()
        ]  # fmt: skip
        await self._hear(LEAD_ASSIGNED, *((fact.lead_id, fact) for fact in facts))

    async def listed(self) -> None:
        self._versions += 1
        rows = await self._shop.service.rows("SELECT phone FROM orders ORDER BY random()")
        facts = [DoNotCallChanged(phone=row.phone, version=self._versions, at=self._shop.clock.now) for row in rows]
        await self._hear(DO_NOT_CALL_CHANGED, *((self._orders[0], fact) for fact in facts))

    async def telephone(self) -> None:
        """New calls, and events of older ones once more."""
        rows = await self._shop.service.rows("SELECT phone FROM orders ORDER BY random() LIMIT 2")
        for row in rows:
            self._told += self._exchange.stringee.outgoing("nv01", row.phone[1:], at=self._shop.clock.now, talks=30)
        for event in self._random.sample(self._told, min(len(self._told), 8)):
            await self._exchange.send(event)
        await self._exchange.work()

    async def contact(self) -> None:
        customer = self._random.choice(self._customers)
        phone = f"09{self._random.randint(10_000_000, 99_999_999)}"
        body = {"name": "Trần Bình", "roles": ["recipient"], "phones": [phone]}
        await self._ask(self._shop.manager, f"/v1/customers/{customer}/contacts", body)

    async def process(self) -> None:
        """Running care goes over to another version, while somebody works on it."""
        shop = self._shop
        to = self._random.choice(self._processes)
        begun = await self._ask(shop.admin, MOVES, {"to_version": to, "reason": "thử", "per_minute": 60_000})
        if "id" in begun:
            await move_work(shop, begun["id"], turns=5)
            await self._ask(shop.admin, f"{MOVES}/{begun['id']}/start", {})
            await move_work(shop, begun["id"], turns=5)

    async def work(self, rounds: int) -> None:
        doings: list[Callable[[], Awaitable[None]]] = [
            *(self.call, self.merge, self.unmerge, self.merged_by_leads, self.hand_over),
            *(self.listed, self.telephone, self.contact, self.process),
        ]
        for _ in range(rounds):
            doing = self._random.choice(doings)
            await doing()
            self.done[doing.__name__] = self.done.get(doing.__name__, 0) + 1


DEADLOCKS: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.mark.parametrize("rounds", [12, pytest.param(150, marks=pytest.mark.soak)])
async def test_whatever_is_done_at_once_is_answered_and_nobody_waits_in_a_circle(
    shop: Shop, exchange: Exchange, rounds: int
) -> None:
    orders = [await shop.number() for _ in range(ORDERS)]
    customers = [await customer_of(shop, order_id) for order_id in orders]
    processes = [1, await publish(shop, quicker)]
    seed = random.randrange(1_000_000)
    floor = Floor(shop, exchange, orders, customers, processes, seed)
    for _ in range(3):
        await floor.telephone()
    await asyncio.gather(*(floor.work(rounds) for _ in range(WORKERS)))
    ((deadlocks,),) = await shop.service.rows(DEADLOCKS)
    print(f"seed {seed}, {floor.done}, {deadlocks} deadlocks")
    assert (floor.wrong, deadlocks) == ([], 0), f"seed {seed}"


async def test_whoever_waited_in_a_circle_is_told_to_repeat(shop: Shop) -> None:
    first, second = sorted([await shop.number(), await shop.number()])
    held = asyncio.Barrier(2)

    async def lock_both(one: UUID, other: UUID) -> None:
        async with shop.service.db.transaction() as session:
            await record.lock(session, one)
            await held.wait()
            await record.lock(session, other)

    (error,) = filter(
        None, await asyncio.gather(lock_both(first, second), lock_both(second, first), return_exceptions=True)
    )
    assert is_contended(error)

    async def circle() -> None:
        raise error

    shop.service.app.add_api_route("/circle", circle)
    answer = await shop.sale.client.get("/circle")
    assert (answer.status_code, answer.json()["title"], answer.headers["Retry-After"]) == (503, "unavailable", "2")
    assert not is_contended(ValueError())
