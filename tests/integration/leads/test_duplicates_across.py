"""Duplicates, corrections, merges and spam through leads, orders and reporting together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.leads.app import SERVICE as LEADS
from services.leads.distributor import Distributor
from services.orders.app import SERVICE as ORDERS
from services.orders.care import service as care_service
from services.orders.care.processes import PROCESSES
from services.orders.care.reading import lock_care
from services.orders.record import lock
from services.reporting.app import SERVICE as REPORTING
from shared.contracts.events import REGISTRY
from tests.harness import Databases, Running, running
from tests.integration.leads.company import hire, pool, post


@dataclass
class Company:
    """Three services, and what the relay and the consumers between them would do."""

    leads: Running
    orders: Running
    reporting: Running
    client: httpx.AsyncClient
    told: set[UUID] = field(default_factory=set)

    async def tell(self) -> None:
        """Carries every event to whoever wants it, until nobody says anything new."""
        while await self._carry(self.leads, self.orders, self.reporting) + await self._carry(
            self.orders, self.leads, self.reporting
        ):
            pass

    async def _carry(self, sender: Running, *readers: Running) -> int:
        rows = await sender.rows("SELECT id, type, subject, payload FROM outbox ORDER BY id")
        fresh = [row for row in rows if row.type in REGISTRY and row.id not in self.told]
        for row in fresh:
            self.told.add(row.id)
            event_type = REGISTRY[row.type]
            for reader in readers:
                if row.type in reader.service.all_handlers().by_type:
                    data = event_type.model.model_validate(row.payload)
                    await reader.receive(event_type, data, subject=row.subject, event_id=row.id)
        return len(fresh)

    async def change(self, lead: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(f"/v1/leads/{lead['id']}/{what}", json={"reason": "thử", **body})
        assert answer.status_code == 200, answer.text
        await self.tell()
        return dict(answer.json())

    async def order(self, lead: dict[str, Any]) -> dict[str, Any]:
        answer = await (await self.orders.client()).get(f"/v1/orders/{lead['id']}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def look(self, lead: dict[str, Any]) -> None:
        """Lets care look at an order, as its workflow does."""
        async with self.orders.db.transaction() as session:
            order = await lock(session, UUID(lead["id"]))
            care = await lock_care(session, UUID(lead["id"]))
            assert order is not None
            assert care is not None
            processes = self.orders.runtime.state[PROCESSES]
            await care_service.advance(session, processes, order, care, now=datetime.now(UTC))
        await self.tell()

    async def lead(self, lead: dict[str, Any]) -> dict[str, Any]:
        return dict((await self.client.get(f"/v1/leads/{lead['id']}")).json())

    async def funnel(self) -> tuple[int, int, int]:
        """Numbers that came, of which duplicates, of which clean; after checking that every level adds up."""
        client = await self.reporting.client()
        identity = (await client.get("/v1/reports/identity")).json()
        assert identity["holds"] is True, identity
        today = datetime.now(UTC).date()
        period = {"first": str(today - timedelta(days=2)), "last": str(today + timedelta(days=2))}
        answer = await client.get("/v1/reports/funnel", params=period)
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()["rows"]
        return row["c3"], row["duplicates"], row["l1"]


@pytest.fixture
async def company(databases: Databases) -> AsyncIterator[Company]:
    async with (
        running(LEADS, databases) as leads,
        running(ORDERS, databases) as orders,
        running(REPORTING, databases) as reporting,
    ):
        client = await leads.client(code="QL01")
        await pool(client, await hire(leads, "NV01", "NV02"))
        yield Company(leads, orders, reporting, client)


async def test_a_released_duplicate_goes_through_the_funnel_as_a_lead(company: Company) -> None:
    first = await post(company.client, "0912345678")
    duplicate = await post(company.client, "0912345678", name="Hoa")
    await company.tell()
    assert await company.funnel() == (2, 1, 1)

    await company.change(duplicate, "release-duplicate")

    order = await company.order(duplicate)
    assert (order["level"]["code"], order["owner_code"] != "", order["lead"]["name"]) == ("L1", True, "Hoa")
    assert order["customer"]["id"] == (await company.order(first))["customer"]["id"]
    assert await company.funnel() == (2, 0, 2)


async def test_a_customer_who_comes_again_out_of_the_floating_pool_is_called_by_whoever_had_them(
    company: Company,
) -> None:
    lead = await post(company.client, "0912345678")
    await company.tell()
    await company.look(lead)
    before = (await company.lead(lead))["owner"]["code"]
    body = {"lead_ids": [lead["id"]], "to": "floating_pool", "reason": "hết lượt gọi"}
    assert (await company.client.post("/v1/leads/reassign", json=body)).status_code == 200
    await company.tell()
    await company.look(lead)
    assert (await company.lead(lead))["owner"] is None

    await post(company.client, "0912345678", note="gọi em với")
    await company.tell()
    await company.look(lead)
    while await Distributor(company.leads.db).step():
        pass
    await company.tell()
    await company.look(lead)

    order = await company.order(lead)
    assert [(await company.lead(lead))["owner"]["code"], order["owner_code"]] == [before, before]
    (task,) = await company.orders.rows("SELECT owner_id, step FROM tasks WHERE closed_at IS NULL")
    assert (str(task.owner_id), task.step) == (order["owner_id"], "callback")


async def test_merged_and_released_again_every_sum_comes_right_each_time(company: Company) -> None:
    older = await post(company.client, "0912345678")
    younger = await post(company.client, "0987654321")
    await company.tell()
    await company.change(younger, "merge", other_id=older["id"])
    gone = await company.order(younger)
    assert (gone["level"]["code"], gone["owner_id"]) == ("C3.1", None)
    assert sorted((await company.order(older))["customer"]["phones"]) == ["0912345678", "0987654321"]
    assert await company.funnel() == (2, 1, 1)

    await company.change(younger, "release-duplicate")

    order = await company.order(younger)
    assert (order["level"]["code"], order["owner_code"] != "") == ("L1", True)
    assert (await company.lead(younger))["owner"]["code"] == order["owner_code"]
    assert await company.funnel() == (2, 0, 2)


async def test_a_corrected_number_reaches_the_order_and_its_next_arrival_the_timeline(company: Company) -> None:
    lead = await post(company.client, "0912345678")
    await company.tell()
    answer = await company.client.patch(
        f"/v1/leads/{lead['id']}", json={"phone": "0987654321"}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 200, answer.text
    await post(company.client, "0987654321", note="gọi em với")
    await company.tell()

    order = await company.order(lead)
    assert order["customer"]["phones"] == ["0987654321"]
    timeline = (await (await company.orders.client()).get(f"/v1/orders/{lead['id']}/timeline")).json()["items"]
    assert {"correction", "came_again"} <= {entry["kind"] for entry in timeline}
    assert await company.funnel() == (2, 1, 1)


async def test_spam_and_back_leaves_every_level_and_owner_as_it_was(company: Company) -> None:
    lead = await post(company.client, "0912345678")
    await company.tell()
    before = await company.lead(lead)

    await company.change(lead, "spam", kind="fake")
    assert ((await company.order(lead))["level"]["code"], (await company.lead(lead))["level"]) == ("L1.1", "L1.1")
    assert await company.funnel() == (1, 0, 1)
    await company.change(lead, "not-spam")

    after = await company.lead(lead)
    assert (after["level"], after["owner"]) == ("L1", before["owner"])
    assert ((await company.order(lead))["level"]["code"], (await company.order(lead))["marks"]) == ("L1", [])
    rows = await company.leads.rows("SELECT in_care FROM leads")
    assert rows[0].in_care is True
    assert await company.funnel() == (1, 0, 1)
