"""Connections to pages: tried before they are saved, their secrets kept."""

from __future__ import annotations

import json
from uuid import UUID

import httpx
import pytest

from deploy.local.facebook import FacebookSimulator, Faults
from deploy.local.facebook.pushes import sign
from services.leads.app import SERVICE
from shared.contracts.permissions import LEADS_READ, LEADS_SOURCES
from shared.vault import Vault
from tests.harness import Databases, running
from tests.integration.leads.facebook_support import Shop, connection


async def test_a_new_connection_shows_its_address_once_and_its_secrets_never(page: Shop) -> None:
    other = page.world.add_page(name="Shop Hạ Long")
    body = connection(page.world, other)
    created = await page.client.post("/v1/facebook/pages", json=body, headers={"Idempotency-Key": "one"})
    assert (created.status_code, created.json()["name"]) == (201, "Shop Hạ Long")
    again = await page.client.post("/v1/facebook/pages", json=body, headers={"Idempotency-Key": "one"})
    assert again.json()["callback_url"] == created.json()["callback_url"]
    shown = [
        created,
        await page.client.get("/v1/facebook/pages"),
        await page.client.get(f"/v1/facebook/pages/{page.id}"),
    ]
    for answer in shown:
        assert other.token not in answer.text
        assert page.world.settings.app_secret not in answer.text
    assert "callback_url" not in shown[2].json()
    stored = str(await page.leads.rows("SELECT p.*, k.body FROM facebook_pages p LEFT JOIN idempotency_keys k ON true"))
    assert other.token not in stored
    assert created.json()["callback_url"].rsplit("/", 1)[1] not in stored


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"access_token": "EAAGwrong"}, "190"),
        ({"app_secret": "wrong"}, "appsecret_proof"),
        ({"page_id": "4711"}, "does not exist"),
    ],
)
async def test_what_facebook_refuses_is_not_saved(page: Shop, wrong: dict[str, str], says: str) -> None:
    other = page.world.add_page()
    answer = await page.client.post("/v1/facebook/pages", json=connection(page.world, other, **wrong))
    assert (answer.status_code, answer.json()["title"]) == (422, "facebook-refused")
    assert says in answer.json()["detail"]
    assert len((await page.client.get("/v1/facebook/pages")).json()["items"]) == 1


async def test_while_facebook_is_away_nothing_is_saved(page: Shop) -> None:
    other = page.world.add_page()
    page.world.set_faults(Faults(server_error=1))
    answer = await page.client.post("/v1/facebook/pages", json=connection(page.world, other))
    assert (answer.status_code, answer.json()["title"]) == (503, "facebook-away")


async def test_a_page_is_connected_once(page: Shop) -> None:
    answer = await page.client.post("/v1/facebook/pages", json=connection(page.world, page.page))
    assert (answer.status_code, answer.json()["title"]) == (409, "facebook-page-taken")


async def test_sources_are_of_the_channel_that_they_serve(page: Shop) -> None:
    made = await page.client.post("/v1/sources", json={"name": "Chat", "channel": "facebook_chat"})
    other = page.world.add_page()
    body = connection(page.world, other, form_source_id=made.json()["id"])
    answer = await page.client.post("/v1/facebook/pages", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "source-of-other-channel")


async def test_an_edit_starts_from_the_version_that_was_seen(page: Shop) -> None:
    path = f"/v1/facebook/pages/{page.id}"
    body = {"app_id": page.world.settings.app_id, "active": False}
    assert (await page.client.put(path, json=body)).status_code == 428
    assert (await page.client.put(path, json=body, headers={"If-Match": '"7"'})).status_code == 412
    changed = await page.client.put(path, json=body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["active"]) == (200, '"2"', False)
    calls = dict(page.world.stats.calls)
    assert (await page.round()).next_due is None
    assert page.world.stats.calls == calls, "a page that is switched off is left alone"
    lead = {"leadgen_id": 1, "form_id": page.form.id, "page_id": page.page.id}
    entry = {"id": page.page.id, "time": 1, "changes": [{"field": "leadgen", "value": lead}]}
    content = json.dumps({"object": "page", "entry": [entry]}).encode()
    signature = sign(content, page.world.settings.app_secret)
    assert (await page.push(content, signature=signature)).status_code == 200, "the address serves other pages as well"
    await page.apply()
    assert await page.leads_seen() == []
    assert (await page.client.get("/v1/facebook/pushes")).json()["items"] == []


async def test_with_another_key_both_secrets_are_asked_for(page: Shop) -> None:
    page.context.vault = Vault(bytes(range(1, 33)), service="leads")
    assert (await page.round()).problem == "credentials"
    path, etag = f"/v1/facebook/pages/{page.id}", {"If-Match": '"1"'}
    body = {"app_id": page.world.settings.app_id, "access_token": page.page.token}
    answer = await page.client.put(path, json=body, headers=etag)
    assert (answer.status_code, answer.json()["title"]) == (422, "credentials-lost")
    body["app_secret"] = page.world.settings.app_secret
    assert (await page.client.put(path, json=body, headers=etag)).status_code == 200
    assert (await page.round()).problem == ""


async def test_a_new_address_replaces_the_former(page: Shop) -> None:
    made = await page.client.post(f"/v1/facebook/pages/{page.id}/callback-address")
    fresh = made.json()
    assert (await page.push(b"{}", signature="x")).status_code == 404
    assert (await page.push(b"{}", signature="x", path=httpx.URL(fresh["callback_url"]).path)).status_code == 403
    assert fresh["verify_token"] != page.verify_token


async def test_only_those_who_manage_sources_see_pages(page: Shop) -> None:
    reader = await page.leads.client(LEADS_READ)
    keeper = await page.leads.client(LEADS_SOURCES)
    for path in ("/v1/facebook/pages", f"/v1/facebook/pages/{page.id}/leads", "/v1/facebook/pushes"):
        assert (await reader.get(path)).status_code == 403
        assert (await keeper.get(path)).status_code == 200
    assert (await keeper.get(f"/v1/facebook/pages/{UUID(int=1)}")).status_code == 404


async def test_without_a_key_no_page_is_connected(databases: Databases, facebook: FacebookSimulator) -> None:
    async with running(SERVICE, databases, facebook_url=facebook.graph_url) as leads:
        client = await leads.client()
        body = connection(facebook.world, facebook.world.add_page())
        answer = await client.post("/v1/facebook/pages", json=body)
        assert (answer.status_code, answer.json()["title"]) == (409, "credentials-key-missing")
