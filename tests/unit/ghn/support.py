"""What tests of the GHN adapter share: the simulated GHN over HTTP, and what stands in its answers' place when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from deploy.local.carriers.carrier import Push
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghn import OutcomeRates, SimulatorSettings, Status
from services.shipping.carriers.access import Access, NoTokens
from services.shipping.carriers.answers import Created
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.parcel import (
    Address,
    Parcel,
    ParcelLine,
    PickUp,
)

SETTINGS = SimulatorSettings(outcomes=OutcomeRates(delivered=1))
API = "http://ghn.test/shiip/public-api"
NEW = Address(province="Thành phố Hồ Chí Minh", ward="Phường Sài Gòn", detail="5 Lê Lợi", ward_code="26740")
OLD = Address(
    province="Thành phố Hồ Chí Minh",
    district="Quận 1",
    ward="Phường Bến Nghé",
    detail="5 Lê Lợi",
    ward_code="26740",
)
PARCEL = Parcel(
    reference="DH-7C9K2M-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=NEW,
    lines=(ParcelLine(name="Kem dưỡng", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),),
    cod=500_000,
    value=400_000,
    note="Gọi trước khi giao",
    pick_up=PickUp(
        name="Kho Mẫu", phone="+84900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 đường Mẫu"
    ),
)

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class World:
    """The adapter of a shop, and the carrier's inside."""

    ghn: Ghn
    simulation: Simulation
    seen: list[httpx.Request]

    @property
    def calls(self) -> list[str]:
        return [request.url.path.rsplit("/", 1)[1] for request in self.seen]

    def body(self, call: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(next(each for each in self.seen if each.url.path.endswith(call)).content)
        return found

    def put(self, status: str, **push: Any) -> str:
        """The only parcel gets a status; returns its waybill."""
        [shipment] = self.simulation.carrier.page(after=0, limit=2)
        self.simulation.carrier.push(shipment, Push(Status(status), **push))
        return shipment.waybill


@asynccontextmanager
async def opened(app: FastAPI, **credentials: str) -> AsyncIterator[World]:
    seen: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request)

    access = {"token": SETTINGS.token, "shop_id": str(SETTINGS.shop_id), **credentials}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, event_hooks={"request": [note]}) as client:
        yield World(Ghn(Access(API, access, NoTokens()), client), app.state.simulation, seen)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Ghn]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield Ghn(Access(API, {"token": "t", "shop_id": "885"}, NoTokens()), client)


def says(body: Any, *, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda _: httpx.Response(status, content=content)


async def created(world: World, parcel: Parcel = PARCEL) -> str:
    made = await world.ghn.create(parcel)
    assert isinstance(made, Created)
    return made.waybill
