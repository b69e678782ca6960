"""The whole product with a small company in it, used as its users do: people sign in at staff and ask over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import nats
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle

from deploy.local.demo import company as companies
from deploy.local.demo.api import Person, Refused
from deploy.local.demo.company import Company
from deploy.local.ghtk.life import Status
from deploy.local.layout import SERVICES
from deploy.local.stack import Stack
from services.staff.tokens import ACCESS_TOKEN_LIFE
from shared.contracts import ids
from tests.harness import connect, eventually

TEAM: Final = "Sale 1"
WITHIN: Final = 60.0
"""Seconds at most for what takes one or two: a bound for a machine that is busy with something else."""

NUMBER: Final = re.compile(rb"(?<![0-9A-Za-z.-])(?:\+?84|0)912\d{6}(?!\d)")
"""What looks like one of the numbers that `Shop.phone` makes, as typed or in international form."""

_PENDING: Final = "SELECT type, status, count(*) FROM outbox WHERE status <> 'sent' GROUP BY type, status"


@dataclass
class Shop:
    """A company at work on a running stack."""

    stack: Stack
    http: httpx.AsyncClient
    company: Company
    temporal: Client
    worked: set[str] = field(default_factory=set)
    """Leads that were typed in one by one, to be worked on."""
    _signed_in_at: float = field(default_factory=time.monotonic)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def admin(self) -> Person:
        return self.company.admin

    def phone(self) -> str:
        """A mobile number that nobody has used here."""
        return f"0912{next(self._numbers):06d}"

    def holder(self, order: Mapping[str, Any]) -> Person:
        """The salesperson who holds an order."""
        return next(person for person in self.company.sales if person.id == order["owner_id"])

    async def stay_signed_in(self) -> None:
        """Fresh tokens for everybody, when theirs have lived for longer than half of their life."""
        if time.monotonic() - self._signed_in_at > ACCESS_TOKEN_LIFE.total_seconds() / 2:
            company = self.company
            for person in (company.admin, company.manager, company.marketer, company.cod_desk, *company.sales):
                await person.sign_in()
            self._signed_in_at = time.monotonic()

    async def lead(self, *, phone: str = "", correlation: str = "", **about: str) -> str:
        """The marketer types a number in that nobody left before; returns the id of the lead and of its order.

        Args:
            about: further fields of the lead.
        """
        answer = await self.company.marketer.request(
            "leads",
            "POST",
            "/v1/leads",
            json={"phone": phone or self.phone(), **about},
            headers={"x-correlation-id": correlation} if correlation else {},
        )
        assert answer.json()["verdict"] == "lead"
        lead_id = str(answer.json()["id"])
        self.worked.add(lead_id)
        return lead_id

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """An order as the administrator sees it; None while orders does not know it."""
        try:
            order: dict[str, Any] = await self.admin.get("orders", f"/v1/orders/{order_id}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return order

    async def in_care(self, order_id: str) -> dict[str, Any]:
        """The order, once somebody holds it and its care has said what is next."""

        async def held() -> dict[str, Any] | None:
            order = await self.order(order_id)
            return order if order and order["owner_id"] and order["tasks"] else None

        order = await eventually(held, within=WITHIN, what="the order has an owner and a task")
        assert order is not None
        return order

    async def at_level(self, order_id: str, level: str) -> dict[str, Any]:
        """The order, once it has come to a level."""

        async def there() -> dict[str, Any] | None:
            order = await self.order(order_id)
            assert order is not None
            assert order["level"]["code"] == level
            return order

        order = await eventually(there, within=WITHIN, what=f"the order is at {level}")
        assert order is not None
        return order

    async def close(
        self, order_id: str, *, sku: str, recipient: str = "Khách hàng", detail: str = "12 Hàng Bài"
    ) -> dict[str, Any]:
        """The salesperson who holds the order closes it on the telephone."""
        order = await self.in_care(order_id)
        closed: dict[str, Any] = await self.holder(order).ask(
            "orders",
            "POST",
            f"/v1/orders/{order_id}/close",
            recipient=recipient,
            address={"province": "Thành phố Hà Nội", "ward": "Phường Hoàn Kiếm", "detail": detail},
            lines=[{"sku": sku, "quantity": 1}],
            shipping_fee=30_000,
            call={"seconds": 120},
        )
        return closed

    async def post(self, order_id: str) -> None:
        """The COD desk hands a closed order to shipping."""
        await self.company.cod_desk.ask("orders", "POST", f"/v1/orders/{order_id}/post")

    async def shipments(self, order_id: str) -> list[dict[str, Any]]:
        """The shipments of an order, as shipping shows them."""
        return [item async for item in self.admin.pages("shipping", "/v1/shipments", order_id=order_id)]

    async def accepted(self, order_id: str) -> dict[str, Any]:
        """The shipment of an order, once the carrier has given it a waybill."""

        async def known() -> dict[str, Any] | None:
            return next((shipment for shipment in await self.shipments(order_id) if shipment["waybill"]), None)

        shipment = await eventually(known, within=WITHIN, what="the carrier has the parcel")
        assert shipment is not None
        return shipment

    async def parcels(self) -> list[dict[str, Any]]:
        """The carrier's own table."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = await self.carrier("GET", f"shipments?limit=1000&after={after}")
            found += page["items"]
            if page["next"] is None:
                return found
            after = page["next"]

    async def parcel(self, waybill: str) -> dict[str, Any]:
        """One row of the carrier's own table."""
        row: dict[str, Any] = await self.carrier("GET", f"shipments/{waybill}")
        return row

    async def carrier(self, method: str, path: str, **body: Any) -> Any:
        """One request to the control side of the simulated carrier."""
        url = f"{self.stack.url('ghtk')}/_simulator/{path}"
        answer = await self.http.request(method, url, json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def carried_to(self, waybill: str, status: Status) -> None:
        """Lets the carrier's couriers work until a parcel has a status."""
        while (await self.parcel(waybill))["status"] != status:
            assert (await self.carrier("POST", "advance", steps=1))["moves"] > 0, "the parcel moves no further"

    def logs_with(self, secrets: Collection[str]) -> list[str]:
        """Names of the logs that hold one of these texts, or any customer's number."""
        found = []
        for log in sorted(self.stack.log_dir.iterdir()):
            content = log.read_bytes()
            if NUMBER.search(content) or any(secret.encode() in content for secret in secrets):
                found.append(log.name)
        return found

    def care(self, order_id: str) -> WorkflowHandle[Any, Any]:
        """The workflow that follows the care of an order."""
        return self.temporal.get_workflow_handle(ids.care_id(UUID(order_id)))

    async def rows(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a service's database, for what no API shows."""
        connection = await asyncpg.connect(self.stack.database_url(service))
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def quiet(self, *, within: float = WITHIN) -> None:
        """Waits until everything that was written has been told to everybody: nothing in an outbox, nothing unread."""
        before: list[int] | None = None

        async def still() -> bool:
            nonlocal before
            seen, before = before, await self._published()
            return seen is not None and seen == before

        await eventually(still, within=within, every=0.1, what="every event and command has arrived")

    async def _published(self) -> list[int]:
        """The last sequence of every stream; an AssertionError while something is on its way."""
        pending = {service: await self.rows(service, _PENDING) for service in SERVICES}
        assert not any(pending.values()), f"in the outbox: {pending}"
        connection = await nats.connect(self.stack.nats.url, allow_reconnect=False)
        try:
            streams = await connection.jetstream().streams_info()
            for stream in streams:
                for consumer in await connection.jsm().consumers_info(str(stream.config.name)):
                    unread = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
                    assert unread == 0, f"{consumer.name} has {unread} of {stream.config.name} to read"
        finally:
            await connection.close()
        return sorted(stream.state.last_seq for stream in streams)

    async def shown(self, workflow: WorkflowHandle[Any, Any]) -> str:
        """The current details that the Temporal UI shows of a workflow."""
        metadata = await workflow.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)


@asynccontextmanager
async def open_shop(
    directory: Path,
    *,
    roles_split: Collection[str] = (),
    settings: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[Shop]:
    """A stack with a company that is open for business: everybody on duty, one pool, stock, a carrier without faults.

    Args:
        directory: of the stack; its logs stay there.
        roles_split: services that have a process for each role.
        settings: of programs, by their name.
    """
    async with (
        Stack(directory, ephemeral=True, roles_split=roles_split, settings=settings or {}) as stack,
        httpx.AsyncClient(timeout=30) as http,
    ):
        company = await companies.found(http, stack.url, admin_password=stack.env("staff")["CHOT_BOOTSTRAP_PASSWORD"])
        await companies.connect_carrier(company, http, carrier_url=stack.url("ghtk"))
        await companies.open_for_business(company)
        shop = Shop(stack, http, company, await connect(stack.temporal))
        await eventually(lambda: _open(shop), within=WITHIN, what="everybody can be given leads")
        yield shop


async def _open(shop: Shop) -> bool:
    """Whether leads has heard that everybody is on duty."""
    (pool,) = (await shop.admin.get("leads", "/v1/pools"))["items"]
    members = (await shop.admin.get("leads", f"/v1/pools/{pool['id']}"))["members"]
    return all(member["on_duty"] and member["active"] for member in members)
