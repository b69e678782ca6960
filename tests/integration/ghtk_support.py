"""A shop for the simulated carrier to talk to: requests as the shop makes them, a receiver for its callbacks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from deploy.local.carriers.simulation import Simulation
from deploy.local.ghtk import Faults, SimulatorSettings, create_app

CALLBACK_URL = "http://shop.test/callbacks/ghtk/a-long-secret"
ORDER_PATH = "/services/shipment/order/?ver=1.5"


def creation_body(partner_id: str, **changes: Any) -> dict[str, Any]:
    """A complete request; `changes` replace fields of the order, None takes a field away."""
    order = {
        "id": partner_id,
        "pick_name": "Kho Cầu Giấy",
        "pick_tel": "0900000001",
        "pick_address": "12 Trần Thái Tông",
        "pick_province": "Hà Nội",
        "pick_ward": "Phường Cầu Giấy",
        "pick_money": 350_000,
        "name": "Nguyễn Thị Hồng",
        "tel": "0912345678",
        "address": "5 Lê Lợi",
        "province": "Đà Nẵng",
        "ward": "Phường Hải Châu",
        "hamlet": "Khác",
        "is_freeship": 1,
        "value": 350_000,
        "note": "Gọi trước khi giao",
    }
    for name, value in changes.items():
        if value is None:
            order.pop(name, None)
        else:
            order[name] = value
    products = [{"name": "Kem dưỡng", "weight": 0.3, "quantity": 2, "price": 175_000, "product_code": "KD-01"}]
    return {"products": products, "order": order}


@dataclass
class Receiver:
    """Keeps every callback as it came; `respond` decides the answer to the n-th request (from 0)."""

    respond: Callable[[int], int] = lambda _: 200
    requests: list[httpx.Request] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        number = len(self.requests)
        self.requests.append(request)
        async with self.changed:
            self.changed.notify_all()
        return httpx.Response(self.respond(number))

    async def wait_for(self, number: int) -> None:
        """Until `number` callbacks have come."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= number)

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(request.content.decode(), keep_blank_values=True)) for request in self.requests]

    @property
    def statuses(self) -> list[int]:
        return [int(form["status_id"]) for form in self.forms]


@dataclass
class Shop:
    """A client of one simulator in the same process."""

    client: httpx.AsyncClient
    simulation: Simulation
    receiver: Receiver

    async def create(self, partner_id: str, **changes: Any) -> dict[str, Any]:
        return _object(await self.client.post(ORDER_PATH, json=creation_body(partner_id, **changes)))

    async def created(self, partner_id: str, **changes: Any) -> str:
        """The label of a shipment that had to be created."""
        answer = await self.create(partner_id, **changes)
        assert answer["success"], answer
        return str(answer["order"]["label"])

    async def track(self, reference: str) -> dict[str, Any]:
        return _object(await self.client.get(f"/services/shipment/v2/{reference}"))

    async def cancel(self, reference: str) -> dict[str, Any]:
        return _object(await self.client.post(f"/services/shipment/cancel/{reference}"))

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.client.request(method, f"/_simulator/{path}", json=body)
        response.raise_for_status()
        return response.json() if response.content else None

    async def push(self, reference: str, status: int, **body: Any) -> None:
        await self.control("POST", f"shipments/{reference}/status", {"status": status, **body})

    async def advance(self, **body: float) -> int:
        """Move everything and wait until the callbacks have been answered. Returns the number of moves."""
        moves = (await self.control("POST", "advance", body))["moves"]
        assert (await self.control("POST", "callbacks/drain", {}))["pending"] == 0
        return int(moves)

    async def row(self, reference: str) -> dict[str, Any]:
        row: dict[str, Any] = await self.control("GET", f"shipments/{reference}")
        return row

    async def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = await self.control("GET", "stats")
        return stats


@asynccontextmanager
async def open_shop(
    *,
    settings: SimulatorSettings | None = None,
    faults: Faults | None = None,
    receiver: Receiver | None = None,
) -> AsyncIterator[Shop]:
    """A shop whose callbacks come back to `receiver`; resends come without a pause."""
    receiver = receiver or Receiver()
    settings = (settings or SimulatorSettings()).model_copy(
        update={"callback_url": CALLBACK_URL, "resend_after_seconds": 0.0}
    )
    app = create_app(settings=settings, faults=faults, callback_transport=httpx.MockTransport(receiver))
    headers = {"Token": settings.token, "X-Client-Source": settings.client_source}
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ghtk.test", headers=headers) as client,
    ):
        yield Shop(client, app.state.simulation, receiver)


def _object(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    return body
