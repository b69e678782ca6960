"""Leads that flow in while things break, and the books that must balance afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from deploy.local.demo.api import Refused
from deploy.local.layout import SERVICES
from tests.harness import eventually
from tests.shop import Shop
from workflows import search_attributes

PER_SECOND: Final = 40.0
"""Leads that come in a second: as many as the Temporal development server can start care for on two cores."""
RETRY: Final = 0.2
"""Seconds that a sender waits before it repeats a request."""
PATIENCE: Final = 240.0
"""Seconds at most until a sender has an answer, or the books balance, on a machine that is busy with something else.
What a killed process held comes back after 30 s: so long do JetStream and Temporal wait for its word."""

SLOWEST: Final = 5.0
"""Orders a second whose care such a machine starts at least."""

_ORDERS: Final = """
SELECT CAST(o.id AS text) AS id, o.phone, o.level, CAST(o.owner_id AS text) AS owner_id, o.owner_code,
    CAST(o.customer_id AS text) AS customer_id, c.is_open, c.looks, c.version = c.seen_version AS followed,
    (SELECT count(*) FROM transitions WHERE order_id = o.id) AS transitions,
    (SELECT count(*) FROM assignments WHERE order_id = o.id) AS assignments,
    (SELECT count(*) FROM tasks WHERE order_id = o.id) AS tasks,
    (SELECT count(*) FROM promises WHERE order_id = o.id AND kind = 'first_call' AND ended_at IS NULL) AS first_calls,
    (SELECT count(*) FROM promises WHERE order_id = o.id) AS promises
FROM orders o LEFT JOIN care c ON c.order_id = o.id
"""
_CARE: Final = """
SELECT count(*) AS orders, count(*) FILTER (WHERE is_open AND (looks = 0 OR seen_version < version)) AS behind FROM care
"""


@dataclass
class Ledger:
    """Every lead that was answered with 2xx, and what must have become of each."""

    shop: Shop
    leads: dict[str, str] = field(default_factory=dict)
    """Id → phone, of leads that nobody has worked on."""

    @asynccontextmanager
    async def flow(self, count: int, *, per_second: float = PER_SECOND) -> AsyncIterator[Flow]:
        """Leads come in, a steady number a second, while the block runs; it ends when each of them is answered."""
        await self.shop.stay_signed_in()
        flow = Flow(self, count)
        async with asyncio.TaskGroup() as group:
            group.create_task(flow.run(per_second))
            yield flow

    async def balance(self) -> None:
        """Waits until everything has arrived; then nothing may be missing and nothing doubled."""
        everybody = len(self.leads) + len(self.shop.worked)

        async def arrived() -> bool:
            (care,) = await self.shop.rows("orders", _CARE)
            assert care["orders"] >= everybody, f"{care['orders']} of {everybody} orders are in care or were"
            assert care["behind"] == 0, f"{care['behind']} cares are not followed yet"
            return True

        await eventually(arrived, within=PATIENCE + everybody / SLOWEST, every=0.5)
        # What comes twice, comes late: the books are read when nothing is on its way.
        await self.shop.quiet(within=PATIENCE)
        await self.shop.stay_signed_in()
        await self._no_dead_letters()
        owners = await self._orders()
        await self._tasks(owners)
        await self._leads(owners)
        await eventually(lambda: self.followed_by_workflows(owners), within=PATIENCE, every=0.5)
        await self._reports()
        assert self.shop.logs_with([]) == [], "a number is in a log"

    async def _no_dead_letters(self) -> None:
        for service in SERVICES:
            letters = (await self.shop.admin.get(service, "/v1/messages/dead-letters"))["items"]
            assert letters == [], f"dead letters of {service}"

    async def _orders(self) -> dict[str, str]:
        """Exactly one order, customer, transition, assignment and first-call promise for each lead; returns id → owner."""
        rows = await self.shop.rows("orders", _ORDERS)
        assert {row["id"] for row in rows} == self.leads.keys() | self.shop.worked, "orders that are missing or extra"
        customers = await self.shop.rows("orders", "SELECT id FROM customers")
        assert len(customers) == len({row["customer_id"] for row in rows}) == len(rows), "each has one customer"
        mine = [row for row in rows if row["id"] in self.leads]
        once = ("transitions", "assignments", "tasks", "first_calls", "promises")
        wrong = [
            dict(row)
            for row in mine
            if row["level"] != "L1"
            or row["phone"] != f"+84{self.leads[row['id']][1:]}"
            or row["owner_id"] is None
            or not row["is_open"]
            or any(row[what] != 1 for what in once)
        ]
        assert wrong == []
        return {row["id"]: row["owner_code"] for row in mine}

    async def _tasks(self, owners: dict[str, str]) -> None:
        """Everybody finds their first calls on their list, each once."""
        found: Counter[tuple[str, str]] = Counter()
        for person in self.shop.company.sales:
            async for task in person.pages("orders", "/v1/tasks"):
                if task["order_id"] in self.leads:
                    assert task["step"] == "first_call"
                    found[task["order_id"], person.code] += 1
        assert found == Counter(dict.fromkeys(owners.items(), 1))

    async def _leads(self, owners: dict[str, str]) -> None:
        """Leads agrees with orders about who holds what, and would decide the same again."""
        held = {lead["id"]: lead["owner"]["code"] async for lead in self.shop.admin.pages("leads", "/v1/leads")}
        assert {id: code for id, code in held.items() if id in self.leads} == owners
        assert held.keys() == self.leads.keys() | self.shop.worked
        (pool,) = (await self.shop.admin.get("leads", "/v1/pools"))["items"]
        assert pool["waiting"] == 0
        replayed = await self.shop.admin.get("leads", f"/v1/pools/{pool['id']}/replay", limit=200)
        assert replayed["differing"] == []

    async def followed_by_workflows(self, owners: dict[str, str]) -> bool:
        """Whether each order is in the care of one running workflow that has shown whom it waits for."""
        shown: Counter[tuple[str, str]] = Counter()
        query = "WorkflowType = 'CareWorkflow' AND ExecutionStatus = 'Running'"
        async for execution in self.shop.temporal.list_workflows(query):
            kind, order_id, *further = execution.id.split("/")
            assert (kind, further) == ("care", [])
            if order_id in self.leads:
                shown[order_id, execution.typed_search_attributes.get(search_attributes.OWNER, "")] += 1
        missing = owners.items() - shown.keys()
        assert not missing, f"{len(missing)} of {len(owners)} orders without a workflow that shows their owner"
        assert shown == Counter(dict.fromkeys(owners.items(), 1))
        return True

    async def _reports(self) -> None:
        everybody = len(self.leads) + len(self.shop.worked)

        async def counted() -> bool:
            identity = await self.shop.admin.get("reporting", "/v1/reports/identity")
            rows = {row["level"]: row for row in identity["rows"]}
            assert identity["holds"]
            assert (rows["C3"]["entered"], rows["C3"]["left"]) == (everybody, everybody)
            return bool(rows["L1"]["entered"] == everybody)

        await eventually(counted, within=PATIENCE)


class Flow:
    """Senders that do not give up: each repeats its lead under one key until it is answered."""

    def __init__(self, ledger: Ledger, count: int) -> None:
        self._ledger = ledger
        self._count = count
        self._answered = asyncio.Condition()
        self.answered = 0
        self.repeated = 0
        """Requests that found nobody, or a service that could not store."""

    async def run(self, per_second: float) -> None:
        begun = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                await asyncio.sleep(begun + number / per_second - asyncio.get_running_loop().time())
                group.create_task(self._send(self._ledger.shop.phone()))

    async def reach(self, share: float) -> None:
        """Waits until this share of the leads is answered."""
        async with self._answered:
            await self._answered.wait_for(lambda: self.answered >= share * self._count)

    async def _send(self, phone: str) -> None:
        key = str(uuid4())

        async def taken() -> dict[str, Any] | None:
            try:
                answer = await self._ledger.shop.company.marketer.request(
                    "leads", "POST", "/v1/leads", json={"phone": phone}, headers={"Idempotency-Key": key}
                )
            except httpx.TransportError:
                self.repeated += 1
                return None
            except Refused as refused:
                if refused.status != 503:
                    raise
                self.repeated += 1
                return None
            verdict: dict[str, Any] = answer.json()
            return verdict

        verdict = await eventually(taken, within=PATIENCE, every=RETRY, what="the lead is answered")
        assert verdict is not None
        assert verdict["verdict"] == "lead", "a repeated request had an effect of its own"
        self._ledger.leads[verdict["id"]] = phone
        async with self._answered:
            self.answered += 1
            self._answered.notify_all()
