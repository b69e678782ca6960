"""A shop whose leads come from the simulated Facebook."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx

from deploy.local.engines import Nats, Temporal
from deploy.local.facebook import FacebookSimulator, Form, Page
from deploy.local.facebook.world import World
from services.leads.app import SERVICE
from services.leads.facebook import rounds
from services.leads.facebook.applying import Applier
from services.leads.facebook.context import Facebook, facebook_of
from services.leads.facebook.rounds import Standing
from shared.http import serve
from tests.harness import Databases, Running, eventually, running

KEY: Final = base64.urlsafe_b64encode(bytes(range(32))).decode()


@dataclass
class Shop:
    """The leads service with one connected page."""

    leads: Running
    facebook: FacebookSimulator
    client: httpx.AsyncClient
    page: Page
    form: Form
    id: UUID
    callback_path: str
    verify_token: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    skipped: timedelta = timedelta()

    @property
    def world(self) -> World:
        return self.facebook.world

    @property
    def context(self) -> Facebook:
        return facebook_of(self.leads.runtime)

    def skip(self, duration: timedelta) -> None:
        """Our clock goes forward."""
        self.skipped += duration
        self.context.now = lambda: datetime.now(UTC) + self.skipped

    async def listen(self) -> None:
        """Serves the callback address on a real port and enters it at Facebook."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.tasks.append(asyncio.create_task(serve(self.leads.app, host="127.0.0.1", port=port)))
        url = f"http://127.0.0.1:{port}{self.callback_path}"

        async def entered() -> bool:
            try:
                await self.world.enter_callback(url, self.verify_token)
            except httpx.ConnectError:
                return False
            return True

        await eventually(entered)

    async def push(self, body: bytes, *, signature: str | None = None, path: str = "") -> httpx.Response:
        """A push straight to the application."""
        caller = await self.leads.anonymous()
        headers = {"x-hub-signature-256": signature} if signature is not None else {}
        return await caller.post(path or self.callback_path, content=body, headers=headers)

    async def apply(self) -> None:
        """Applies what was pushed, as the consumer role does."""
        applier = Applier(self.context)
        while await applier.step():
            pass

    async def round(self) -> Standing:
        """One round of the page, as its workflow has it done."""
        standing = await rounds.advance(self.context, self.id)
        assert standing is not None
        return standing

    async def read_again(self) -> Standing:
        """The forms are read once more, whenever their time comes."""
        await self.client.post(f"/v1/facebook/pages/{self.id}/read")
        return await self.round()

    async def figures(self) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/facebook/pages/{self.id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def leads_seen(self, **query: str) -> list[dict[str, Any]]:
        """Every lead that Facebook told us of."""
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            parameters = {"limit": "200", **query, **({"after": after} if after else {})}
            page = (await self.client.get(f"/v1/facebook/pages/{self.id}/leads", params=parameters)).json()
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def connection(world: World, page: Page, **changes: Any) -> dict[str, Any]:
    """The body that connects a page."""
    return {
        "page_id": page.id,
        "app_id": world.settings.app_id,
        "app_secret": world.settings.app_secret,
        "access_token": page.token,
        **changes,
    }


@asynccontextmanager
async def open_shop(
    databases: Databases,
    facebook: FacebookSimulator,
    *,
    nats: Nats | None = None,
    temporal: Temporal | None = None,
    **settings: Any,
) -> AsyncIterator[Shop]:
    values = {"credentials_key": KEY, "facebook_url": facebook.graph_url, "facebook_timeout": 5, **settings}
    async with running(SERVICE, databases, nats=nats, temporal=temporal, **values) as leads:
        page = facebook.world.add_page()
        form = facebook.world.add_form(page)
        client = await leads.client(code="NV099")
        created = await client.post("/v1/facebook/pages", json=connection(facebook.world, page))
        assert created.status_code == 201, created.text
        made = created.json()
        path = httpx.URL(made["callback_url"]).path
        shop = Shop(leads, facebook, client, page, form, UUID(made["id"]), path, made["verify_token"])
        try:
            yield shop
        finally:
            await shop.close()
