"""The shipping service of a shop, its carrier, and shorthand for what a COD desk does."""

from __future__ import annotations

import asyncio
import base64
import random
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from deploy.local.carriers.server import CarrierSimulator
from deploy.local.engines import Nats, Temporal
from deploy.local.ghtk import GhtkSimulator
from services.shipping import creation, polling
from services.shipping.app import SERVICE, callback_processor
from services.shipping.carriers.errors import Away, CarrierError
from services.shipping.carriers.registry import CARRIERS
from services.shipping.context import Context, context_of
from shared import http
from shared.contracts.events.orders import (
    ORDER_CANCELLED,
    ORDER_CLOSED,
    Address,
    OrderCancelled,
    OrderClosed,
    OrderLine,
)
from shared.lifecycle import keep_running
from tests.harness import Databases, Running, eventually, running

KEY = base64.urlsafe_b64encode(random.Random(7).randbytes(32)).decode()
CLOSER = UUID("0190a5b3-0000-7000-8000-000000000001")
PICK_UP = {
    "name": "Kho Cầu Giấy",
    "phone": "0900000001",
    "province": "Hà Nội",
    "ward": "Phường Cầu Giấy",
    "detail": "12 Trần Thái Tông",
}


def closed(
    order_id: UUID, code: str, *, version: int = 1, cod: int = 350_000, phone: str = "+84912345678"
) -> OrderClosed:
    return OrderClosed(
        order_id=order_id,
        version=version,
        code=code,
        closed_at=datetime(2026, 11, 21, tzinfo=UTC),
        closer_id=CLOSER,
        closer_code="NV001",
        recipient="Nguyễn Thị Mẫu",
        phone=phone,
        address=Address(province="Đà Nẵng", ward="Phường Hải Châu", detail="5 Lê Lợi"),
        lines=(OrderLine(sku="KD-50", name="Kem dưỡng", quantity=2, unit_price=175_000, weight_grams=250),),
        total=cod,
        cod=cod,
        note="Gọi trước khi giao",
    )


def connection_body(ghtk: GhtkSimulator, **changes: Any) -> dict[str, Any]:
    return {
        "carrier": "ghtk",
        "shop_name": "Shop Hà Nội",
        "base_url": ghtk.base_url,
        "credentials": {"token": ghtk.token, "client_source": ghtk.client_source},
        "pick_up": PICK_UP,
        "requests_per_second": 100,
        **changes,
    }


@dataclass
class Shop:
    """The service, the simulated carrier and the time that both believe in."""

    running: Running
    simulator: CarrierSimulator
    client: httpx.AsyncClient
    connection_id: UUID
    callback_url: str
    carrier: str
    skipped: timedelta = timedelta()
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ghtk(self) -> GhtkSimulator:
        """The carrier, where it is GHTK."""
        assert isinstance(self.simulator, GhtkSimulator)
        return self.simulator

    @property
    def context(self) -> Context:
        return context_of(self.running.runtime)

    def skip(self, duration: timedelta) -> None:
        """Our clock goes forward."""
        self.skipped += duration
        self.context.now = lambda: datetime.now(UTC) + self.skipped

    async def close_order(self, code: str = "DH-AAAA1111", **changes: Any) -> UUID:
        """An order is closed, and shipping hears of it."""
        order_id = uuid7()
        await self.running.receive(ORDER_CLOSED, closed(order_id, code, **changes), subject=order_id)
        return order_id

    async def cancel_order(self, order_id: UUID, *, version: int = 2) -> None:
        event = OrderCancelled(
            order_id=order_id, version=version, at=datetime.now(UTC), reason="khách đổi ý", by="NV001"
        )
        await self.running.receive(ORDER_CANCELLED, event, subject=order_id)

    async def open(self, order_id: UUID) -> UUID:
        shipment_id, _ = await creation.open_shipment(self.context, order_id)
        return shipment_id

    async def create(self, shipment_id: UUID, *, tries: int = 30) -> str:
        """What the workflow does until the creation is settled; returns its state."""
        outcome = await creation.prepare(self.context, shipment_id)
        for _ in range(tries):
            if outcome.state != "next_reference":
                return outcome.state
            try:
                outcome = await creation.create_or_adopt(self.context, shipment_id, outcome.reference)
            except CarrierError as error:
                if isinstance(error, Away) and error.retry_after is not None:
                    await asyncio.sleep(error.retry_after)  # as Temporal does
                outcome = await creation.prepare(self.context, shipment_id)
        raise AssertionError(f"not settled after {tries} tries")

    async def ship(self, code: str = "DH-AAAA1111", **changes: Any) -> UUID:
        """An order that the carrier has accepted; returns the shipment."""
        shipment_id = await self.open(await self.close_order(code, **changes))
        assert await self.create(shipment_id) == "accepted"
        return shipment_id

    async def ship_many(self, count: int) -> list[UUID]:
        return list(await asyncio.gather(*(self.ship(f"DH-{number:08d}") for number in range(count))))

    async def poll(self) -> polling.Round:
        return await polling.poll_overdue(self.context, self.connection_id)

    async def poll_everything(self) -> None:
        """One poll interval later: everything that is not at rest is overdue and is asked."""
        self.skip(timedelta(days=2))
        await self.poll()

    async def get(self, shipment_id: UUID) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/shipments/{shipment_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def call_back(self, body: bytes | str, *, content_type: str = "application/x-www-form-urlencoded") -> int:
        """A callback straight to the application; returns the HTTP status."""
        caller = await self.running.anonymous()
        path = httpx.URL(self.callback_url).path
        return (await caller.post(path, content=body, headers={"content-type": content_type})).status_code

    async def apply_callbacks(self) -> int:
        """Applies what was accepted, as the consumer role does; returns how many."""
        return await callback_processor(self.running.runtime).apply_batch()

    async def listen(self) -> None:
        """Serves the callback address on a real port, applies callbacks as they come, and tells the carrier."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.tasks.append(asyncio.create_task(http.serve(self.running.app, host="127.0.0.1", port=port)))
        self.tasks.append(asyncio.create_task(keep_running("callbacks", callback_processor(self.running.runtime).run)))
        async with httpx.AsyncClient() as client:

            async def up() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(up)
        self.simulator.send_callbacks_to(f"http://127.0.0.1:{port}{httpx.URL(self.callback_url).path}")

    async def settle_callbacks(self) -> None:
        """Until every callback was sent, and every accepted one applied."""
        await self.simulator.drain()

        async def applied() -> bool:
            [row] = await self.running.rows("SELECT count(*) AS waiting FROM callbacks_raw WHERE state = 'received'")
            return row.waiting == 0  # type: ignore[no-any-return]  # a row of the driver

        await eventually(applied)

    async def events(self, *types: str) -> list[dict[str, Any]]:
        return [row["payload"] for row in await self.running.outbox(*types)]

    async def states(self) -> dict[str, str]:
        """Waybill → our status."""
        rows = await self.running.rows("SELECT waybill, status FROM shipments WHERE waybill <> ''")
        return {row.waybill: row.status for row in rows}

    def carrier_states(self) -> dict[str, str]:
        """Waybill → our word for the carrier's own status."""
        statuses = CARRIERS[self.carrier].codes.statuses
        return {each.waybill: statuses[str(each.status)].status for each in self.simulator.shipments}


def moves(events: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Shipment → its changes of status, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in sorted(events, key=lambda event: event["sequence"]):
        if event["status"] != event["previous"]:
            found.setdefault(event["shipment_id"], []).append(event)
    return found


@asynccontextmanager
async def open_shop(
    databases: Databases,
    simulator: CarrierSimulator,
    *,
    connect: dict[str, Any] | None = None,
    nats: Nats | None = None,
    temporal: Temporal | None = None,
    **settings: Any,
) -> AsyncIterator[Shop]:
    async with running(
        SERVICE, databases, nats=nats, temporal=temporal, credentials_key=KEY, carrier_timeout=5, **settings
    ) as instance:
        client = await instance.client(code="NV099")
        if connect is None:
            assert isinstance(simulator, GhtkSimulator)
            connect = connection_body(simulator)
        created = await client.post("/v1/connections", json=connect)
        assert created.status_code == 201, created.text
        body = created.json()
        shop = Shop(instance, simulator, client, UUID(body["id"]), body["callback_url"], body["carrier"])
        try:
            yield shop
        finally:
            for task in shop.tasks:
                task.cancel()
            await asyncio.gather(*shop.tasks, return_exceptions=True)
