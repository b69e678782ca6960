"""Telephone systems: how they are connected, whose address works, and what is done with what cannot be read."""

from __future__ import annotations

from typing import Any

from services.orders.telephone.processing import CallProcessor
from tests.integration.orders.support import MORNING
from tests.integration.orders.telephone_support import Exchange

PHONE = "+84912345678"


async def test_a_wrong_secret_is_a_path_that_does_not_exist(exchange: Exchange) -> None:
    answer = await exchange.outside.post("/v1/hooks/telephone/nonsense", json={})
    assert answer.status_code == 404
    assert await exchange.shop.service.rows("SELECT 1 FROM telephone_raw") == []


async def test_what_cannot_be_read_is_kept_shown_and_read_again_when_told_so(exchange: Exchange) -> None:
    shop = exchange.shop
    answer = await exchange.outside.post(exchange.hook, content=b"{nonsense")
    assert answer.status_code == 200
    await exchange.send({"call_status": "ended"}, {"event": "flew away"}, [1], "x")
    await exchange.work()
    path = f"/v1/telephone/systems/{exchange.system_id}"
    page = (await shop.admin.client.get(f"{path}/unreadable", params={"limit": 3})).json()
    rest = (await shop.admin.client.get(f"{path}/unreadable", params={"after": page["next"]})).json()
    assert len(page["items"] + rest["items"]) == 5
    assert (await shop.admin.client.post(f"{path}/replay")).json() == {"replayed": 5}
    await exchange.work()
    assert (await shop.admin.client.get(path)).json()["unreadable"] == 5


async def test_a_call_that_breaks_us_holds_up_no_other_and_is_tried_again(exchange: Exchange) -> None:
    shop = exchange.shop
    broken, sound = await shop.number(phone=PHONE), await shop.number(phone="+84912345679")
    worker = CallProcessor(shop.service.runtime)
    for phone in (PHONE, "+84912345679"):
        await exchange.send(exchange.stringee.outgoing("nv01", phone, at=MORNING, cause="486 Busy Here"))
    await worker.read_batch()
    pool = await shop.service.db.driver()
    spoil = "UPDATE telephone_events SET event = event || $1::jsonb WHERE event ->> 'phone' = $2"
    await pool.execute(spoil, '{"what": "exploded"}', PHONE)
    await worker.drain()
    assert [row[2] for row in await exchange.interactions(sound)] == ["busy"]
    assert await exchange.interactions(broken) == []
    await pool.execute('UPDATE telephone_events SET event = event || \'{"what": "ended"}\'')
    await worker.drain()
    assert await exchange.interactions(broken) == []  # not yet: the next try comes later
    shop.clock.forward(seconds=3)
    await worker.drain()
    assert [row[2] for row in await exchange.interactions(broken)] == ["busy"]


async def test_events_of_a_disabled_system_are_refused(exchange: Exchange) -> None:
    admin = exchange.shop.admin.client
    path = f"/v1/telephone/systems/{exchange.system_id}"
    view = (await admin.get(path)).json()
    fields = ("name", "format", "zone", "causes", "click_to_call", "extensions")
    changed = {**{name: view[name] for name in fields}, "enabled": False}
    assert (await admin.put(path, json=changed)).status_code == 428
    assert (await admin.put(path, json=changed, headers={"If-Match": '"9"'})).status_code == 412
    assert (await admin.put(path, json=changed, headers={"If-Match": '"1"'})).json()["credentials"] == ["token"]
    assert (await exchange.outside.post(exchange.hook, json={})).status_code == 404


async def test_a_renewed_address_replaces_the_former_one(exchange: Exchange) -> None:
    renewed = await exchange.shop.admin.client.post(f"/v1/telephone/systems/{exchange.system_id}/hook-address")
    assert (await exchange.outside.post(exchange.hook, json={})).status_code == 404
    new = httpx_path(renewed.json()["hook_url"])
    assert (await exchange.outside.post(new, json={})).status_code == 200


def httpx_path(url: str) -> str:
    return url[url.index("/v1/") :]


async def test_a_telephone_system_that_could_not_work_is_refused(exchange: Exchange) -> None:
    stranger = "0192f0a1-1111-7abc-8def-0123456789ab"
    refused: list[tuple[dict[str, Any], str]] = [
        ({"zone": "Asia/Saigon_City"}, "invalid"),
        ({"causes": {"486": "thinking"}}, "cause-result-unknown"),
        ({"extensions": {"101": stranger}}, "extension-staff-unknown"),
        ({"click_to_call": {"url": "http://pbx.example/call"}}, "invalid"),
        ({"click_to_call": {"url": "https://pbx.example/{secret}"}}, "credential-missing"),
        ({"click_to_call": {"url": "https://pbx.example/", "body": "{phone"}}, "invalid"),
        ({"name": "Tổng đài stringee"}, "telephone-system-name-taken"),
    ]
    for fields, title in refused:
        body = {"name": "Tổng đài hai", "format": "chot", **fields}
        answer = await exchange.shop.admin.client.post("/v1/telephone/systems", json=body)
        assert (answer.status_code in (409, 422), answer.json()["title"]) == (True, title)
    assert len((await exchange.shop.admin.client.get("/v1/telephone/systems")).json()["items"]) == 1


async def test_only_administrators_keep_telephone_systems(exchange: Exchange) -> None:
    assert (await exchange.shop.manager.client.get("/v1/telephone/systems")).status_code == 403
