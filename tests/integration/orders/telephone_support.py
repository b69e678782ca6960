"""A shop with a telephone system: its hook, its extensions, and the worker that reads what comes."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from deploy.local.telephone import Stringee
from services.orders.telephone.processing import CallProcessor
from tests.integration.orders.support import Shop

KEY = base64.urlsafe_b64encode(os.urandom(32)).decode()

CALLOUT = {
    "method": "POST",
    "url": "https://api.stringee.com/v1/call2/callout",
    "headers": {"X-STRINGEE-AUTH": "{token}"},
    "body": '{{"from": {{"type": "internal", "number": "{extension}"}}, '
    '"to": [{{"type": "external", "number": "{phone_e164}"}}], "customData": "{request}"}}',
    "accepted_field": "r",
    "accepted_value": "0",
}


@dataclass
class Exchange:
    """The shop's telephone system, connected."""

    shop: Shop
    stringee: Stringee
    system_id: UUID
    hook: str
    outside: httpx.AsyncClient

    @classmethod
    async def connect(cls, shop: Shop, *, format: str = "stringee", **fields: Any) -> Exchange:
        body = {
            "name": f"Tổng đài {format}",
            "format": format,
            "extensions": {"nv01": str(shop.sale.id), "nv02": str(shop.colleague.id)},
            "click_to_call": CALLOUT,
            "credentials": {"token": "jwt-of-the-project"},
            **fields,
        }
        answer = await shop.admin.client.post("/v1/telephone/systems", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        hook = urlsplit(made["hook_url"]).path
        return cls(shop, Stringee(hook_url=hook), UUID(made["id"]), hook, await shop.service.anonymous())

    async def send(self, *bodies: Any) -> None:
        """The system calls our hook, once for each body."""
        for body in bodies:
            answer = await self.outside.post(self.hook, json=body)
            assert answer.status_code == 200, answer.text

    async def work(self) -> None:
        """What has come is read, and what follows from it is done."""
        await CallProcessor(self.shop.service.runtime).drain()

    async def tell(self, events: Sequence[dict[str, Any]]) -> None:
        """Events come one by one, each dealt with before the next."""
        for event in events:
            await self.send(event)
            await self.work()

    async def calls(self, order_id: UUID) -> list[dict[str, Any]]:
        answer = await self.shop.admin.client.get(f"/v1/orders/{order_id}/calls")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def interactions(self, order_id: UUID) -> list[tuple[Any, ...]]:
        """What is logged of an order, by the time at which it took place: (kind, direction, result, source, staff)."""
        rows = await self.shop.service.rows(
            "SELECT kind, direction, result, source, staff_code FROM standing_interactions WHERE order_id = :id "
            "ORDER BY at, number",
            id=order_id,
        )
        return [tuple(row) for row in rows]

    async def waiting(self, *, by: Any = None, **query: Any) -> list[dict[str, Any]]:
        answer = await (by or self.shop.sale).client.get("/v1/calls/waiting", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])
