"""The simulated Facebook behaves as Meta's documentation says, also when it misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from deploy.local.facebook import FacebookSimulator, Faults, Page, SimulatorSettings
from deploy.local.facebook.pushes import sign
from deploy.local.simulator.server import EmbeddedServer, server_config

SETTINGS = SimulatorSettings(retry_seconds=(0.0, 0.01), unsubscribe_after_failures=2)


@pytest.fixture
async def facebook() -> AsyncIterator[FacebookSimulator]:
    async with FacebookSimulator(settings=SETTINGS) as simulator:
        yield simulator


async def ask(facebook: FacebookSimulator, page: Page, path: str, **parameters: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(
            f"{facebook.graph_url}/{path}",
            params={"appsecret_proof": facebook.world.proof(page), **parameters},
            headers={"Authorization": f"Bearer {page.token}"},
        )


@dataclass
class Receiver:
    """A shop's address: what came, and how it answers."""

    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    status: int = 200
    url: str = ""


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = FastAPI()

    @app.get("/hook")
    async def verify(request: Request) -> Response:
        return Response(request.query_params["hub.challenge"])

    @app.post("/hook")
    async def receive(request: Request) -> Response:
        receiver.bodies.append(await request.body())
        receiver.signatures.append(request.headers["x-hub-signature-256"])
        return Response(status_code=receiver.status)

    server = EmbeddedServer(server_config(app))
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    receiver.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving


async def test_a_form_is_read_a_hundred_at_a_time_and_new_leads_do_not_move_the_pages(
    facebook: FacebookSimulator,
) -> None:
    page = facebook.world.add_page()
    form = facebook.world.add_form(page)
    for _ in range(150):
        facebook.world.submit(form, phone="0912345678")
    first = (await ask(facebook, page, f"{form.id}/leads", limit="500")).json()
    assert len(first["data"]) == 100
    facebook.world.submit(form, phone="0912345678")
    after = first["paging"]["cursors"]["after"]
    second = (await ask(facebook, page, f"{form.id}/leads", limit="100", after=after)).json()
    assert len({lead["id"] for lead in first["data"] + second["data"]}) == 150
    assert "next" not in second["paging"]
    assert "field_data" not in first["data"][0], "only what was asked for"


async def test_a_filter_by_time_leaves_older_leads_out(facebook: FacebookSimulator) -> None:
    page = facebook.world.add_page()
    form = facebook.world.add_form(page)
    now = datetime.now(UTC)
    facebook.world.submit(form, created=now - timedelta(days=2))
    late = facebook.world.submit(form, created=now)
    value = int((now - timedelta(days=1)).timestamp())
    wanted = f'[{{"field":"time_created","operator":"GREATER_THAN","value":{value}}}]'
    shown = (await ask(facebook, page, f"{form.id}/leads", filtering=wanted)).json()["data"]
    assert [lead["id"] for lead in shown] == [late.id]


async def test_wrong_tokens_proofs_and_objects_have_facebook_s_own_codes(facebook: FacebookSimulator) -> None:
    page, other = facebook.world.add_page(), facebook.world.add_page()
    assert (await ask(facebook, page, page.id, appsecret_proof="x")).json()["error"]["code"] == 100
    assert (await ask(facebook, page, "4711")).json()["error"]["error_subcode"] == 33
    assert (await ask(facebook, page, f"{other.id}/subscribed_apps")).json()["error"]["code"] == 200
    facebook.world.renew_token(page)
    old = Page(page.id, page.name, "EAAGold")
    answer = await ask(facebook, old, page.id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)


async def test_pushes_are_signed_sent_again_and_in_the_end_the_app_is_dropped(facebook: FacebookSimulator) -> None:
    page = facebook.world.add_page()
    form = facebook.world.add_form(page)
    page.subscribed_fields = ("leadgen",)
    async with receiving() as receiver:
        await facebook.world.enter_callback(receiver.url, "token")
        facebook.world.submit(form, phone="0912345678")
        await facebook.world.sender.drain()
        secret = facebook.world.settings.app_secret
        assert receiver.signatures == [sign(body, secret) for body in receiver.bodies]
        assert b"0912345678" not in receiver.bodies[0], "nothing personal is pushed"
        receiver.status = 500
        for _ in range(3):
            facebook.world.submit(form, phone="0912345678")
            await facebook.world.sender.drain()
    assert facebook.world.stats.pushes_given_up == 2
    assert page.subscribed_fields == ()
    assert len(receiver.bodies) == 1 + 2 * 3, "each of the two given up was sent three times, the last one never"


async def test_lost_pushes_are_lost_alike_in_every_run(facebook: FacebookSimulator) -> None:
    lost = []
    for _ in range(2):
        async with FacebookSimulator(settings=SETTINGS, faults=Faults(drop_push=0.4)) as again:
            page = again.world.add_page()
            page.subscribed_fields = ("leadgen",)
            again.world.sender.callback_url = "http://127.0.0.1:9/"
            form = again.world.add_form(page)
            for _ in range(100):
                again.world.submit(form)
            lost.append(again.world.stats.dropped)
    assert lost[0] == lost[1]
    assert 25 <= lost[0] <= 55


async def test_people_drive_it_by_its_control_api(facebook: FacebookSimulator) -> None:
    base = facebook.graph_url.rsplit("/", 1)[0] + "/_simulator"
    async with receiving() as receiver, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        page = (await client.post("/pages", json={"name": "Shop Hạ Long"})).json()
        form = (await client.post("/forms", json={"page_id": page["page_id"]})).json()
        callback = {"url": receiver.url, "verify_token": "token"}
        assert (await client.post("/callback", json=callback)).status_code == 204
        facebook.world.pages[page["page_id"]].subscribed_fields = ("leadgen", "messages")
        lead = await client.post("/leads", json={"form_id": form["form_id"], "phone": "0912345678"})
        told = await client.post("/messages", json={"page_id": page["page_id"], "psid": "77", "text": "0912345678"})
        assert (lead.status_code, told.status_code) == (201, 201)
        await facebook.world.sender.drain()
        assert len(receiver.bodies) == 2
        assert (await client.put("/faults", json={"drop_push": 1})).json()["drop_push"] == 1
        assert (await client.put("/faults", json={"no_such_fault": 1})).status_code == 422
        assert (await client.post(f"/pages/{page['page_id']}/expire-token")).status_code == 204
        assert (await client.post(f"/pages/{page['page_id']}/drop-subscription")).status_code == 204
        assert (await client.post("/forms", json={"page_id": "1"})).status_code == 404
        assert (await client.get("/stats")).json()["updates"] == 2
