"""What tests of the ViettelPost adapter share: a server that answers in its ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from services.shipping.carriers.access import Access, HeldToken
from services.shipping.carriers.answers import (
    AlreadyThere,
    Created,
)
from services.shipping.carriers.parcel import Address, CarrierUnits, Options, Parcel, ParcelLine, PickUp, Unit
from services.shipping.carriers.viettelpost import ViettelPost

NEW = Address("Đà Nẵng", "Phường Hải Châu", "5 Lê Lợi")
OLD_UNITS = CarrierUnits(
    Unit("province", "4", "Đà Nẵng"), Unit("ward", "721", "Phường Hải Châu I"), Unit("district", "71", "")
)
OLD = Address("Đà Nẵng", "Phường Hải Châu I", "5 Lê Lợi", district="Quận Hải Châu", units=OLD_UNITS)
PARCEL = Parcel(
    reference="DH-AAAA1111-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=NEW,
    lines=(
        ParcelLine(name="Kem dưỡng ẩm", sku="KD-50", quantity=2, unit_price=190_000, weight_grams=250),
        ParcelLine(name="Sữa rửa mặt", sku="SR-1", quantity=1, unit_price=120_000, weight_grams=130),
    ),
    cod=500_000,
    value=500_000,
    note="Gọi trước khi giao",
    pick_up=PickUp(
        name="Kho Mẫu", phone="+84900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 đường Mẫu"
    ),
    options=Options(service="VCN"),
)
ACCOUNT = {"username": "shop", "password": "mật khẩu"}
INVENTORY = [
    {"groupaddressId": 88001, "name": "Kho Mẫu", "phone": "0900000001", "address": "12 đường Mẫu", "provinceId": 1}
]
MADE = {"ORDER_NUMBER": "10345381626", "MONEY_COLLECTION": 500_000, "MONEY_TOTAL": "32500", "KPI_HT": 72}


def good(data: Any = None, *, message: Any = "OK") -> httpx.Response:
    return httpx.Response(200, json={"status": 200, "error": False, "message": message, "data": data})


def bad(message: Any = "Dữ liệu không hợp lệ", *, status: int | str = 204, data: Any = None) -> httpx.Response:
    """A failure as it comes: on HTTP 200."""
    return httpx.Response(200, json={"status": status, "error": True, "message": message, "data": data})


Route = Callable[[httpx.Request], httpx.Response] | httpx.Response


class Server:
    """A ViettelPost that issues tokens, takes only the newest one, and answers by path."""

    def __init__(self, routes: Mapping[str, Route] | None = None, *, expired_on_401: bool = False) -> None:
        self.routes = {"/v2/user/listInventory": good(INVENTORY), **(routes or {})}
        self.token = "long-0"
        self.expired_on_401 = expired_on_401
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        path, body = request.url.path, orjson.loads(request.content or b"null")
        if path == "/v2/user/Login":
            return good({"token": "short"}) if body["PASSWORD"] == ACCOUNT["password"] else bad("Sai mật khẩu")
        if path == "/v2/user/ownerconnect":
            assert (request.headers["Token"], body["USERNAME"]) == ("short", "shop")
            return self._issue()
        if path == "/v2/user/LoginVTP":
            return self._issue() if body["token"] == "portal" else bad("Token không tồn tại")
        if request.headers.get("Token") != self.token:
            return httpx.Response(401) if self.expired_on_401 else bad("Token invalid", status=202)
        route = self.routes[path]
        if isinstance(route, httpx.Response):
            return httpx.Response(route.status_code, content=route.content, headers=route.headers)
        return route(request)

    def _issue(self) -> httpx.Response:
        self.token = f"long-{int(self.token.removeprefix('long-')) + 1}"
        return good({"token": self.token, "expired": 4_000_000_000_000})

    def paths(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.seen]

    def body(self, path: str) -> dict[str, Any]:
        """Of the last request to a path."""
        found = [request for request in self.seen if request.url.path == path]
        body: dict[str, Any] = orjson.loads(found[-1].content)
        return body


@asynccontextmanager
async def viettelpost(
    server: Callable[[httpx.Request], httpx.Response], credentials: Mapping[str, str] = ACCOUNT
) -> AsyncIterator[ViettelPost]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
        yield ViettelPost(Access("https://vtp.test", credentials, HeldToken()), client)


async def created(parcel: Parcel, route: Route | None = None) -> tuple[Created | AlreadyThere, Server]:
    answer = route or good(MADE)
    server = Server({"/v2/order/createOrder": answer, "/v2/order/createOrderNlp": answer})
    async with viettelpost(server) as carrier:
        return await carrier.create(parcel), server


def failing(error: type[httpx.TransportError]) -> Route:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("x", request=request)

    return answer
