"""Connections: tried before they are saved, their secrets kept."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from deploy.local.ghtk import Faults
from services.shipping.settings import ShippingSettings
from shared.contracts.permissions import SHIPPING_READ, SHIPPING_WRITE
from shared.settings import load
from shared.vault import CredentialsUnreadable, Vault
from tests.integration.shipping.support import KEY, Shop, connection_body


async def test_a_new_connection_shows_its_callback_address_once_and_no_secret(shop: Shop) -> None:
    body = connection_body(shop.ghtk, shop_name="Shop Sài Gòn")
    created = await shop.client.post("/v1/connections", json=body, headers={"Idempotency-Key": "one"})
    assert created.status_code == 201
    answer = created.json()
    assert answer["callback_url"].startswith("http://127.0.0.1:8103/v1/hooks/carriers/")
    assert shop.ghtk.token not in created.text
    again = await shop.client.post("/v1/connections", json=body, headers={"Idempotency-Key": "one"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == answer
    shown = await shop.client.get(f"/v1/connections/{answer['id']}")
    assert "callback_url" not in shown.json()
    assert shop.ghtk.token not in shown.text


async def test_neither_token_nor_callback_secret_stands_in_the_database(shop: Shop) -> None:
    body = connection_body(shop.ghtk, shop_name="Shop Sài Gòn")
    await shop.client.post("/v1/connections", json=body, headers={"Idempotency-Key": "one"})
    secret = shop.callback_url.rsplit("/", 1)[1]
    for table in ("carrier_connections", "idempotency_keys", "outbox"):
        for row in await shop.running.rows(f"SELECT * FROM {table}"):
            stored = repr(row)
            assert shop.ghtk.token not in stored
            assert secret not in stored


async def test_wrong_credentials_are_not_saved(shop: Shop) -> None:
    body = connection_body(shop.ghtk, shop_name="Shop X", credentials={"token": "wrong", "client_source": "S100001"})
    answer = await shop.client.post("/v1/connections", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "carrier-credentials-refused")
    assert len((await shop.client.get("/v1/connections")).json()["items"]) == 1


async def test_a_carrier_that_is_away_cannot_be_connected(shop: Shop) -> None:
    shop.ghtk.set_faults(Faults(error_before=1.0))
    answer = await shop.client.post("/v1/connections", json=connection_body(shop.ghtk, shop_name="Shop X"))
    assert (answer.status_code, answer.json()["title"]) == (502, "carrier-away")


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"base_url": "http://services.giaohangtietkiem.vn"}, "insecure-carrier-address"),
        ({"base_url": "https://user@example.com"}, "insecure-carrier-address"),
        ({"base_url": "ftp://127.0.0.1"}, "insecure-carrier-address"),
        ({"base_url": "http://[::1"}, "insecure-carrier-address"),
        ({"credentials": {"token": "x"}}, "wrong-credential-names"),
        ({"credentials": {"token": "a\nb", "client_source": "S1"}}, "wrong-credential-names"),
        ({"credentials": {"token": "", "client_source": "S1"}}, "wrong-credential-names"),
        ({"carrier": "nobody"}, "invalid"),
        ({"pick_up": {"name": "Kho"}}, "invalid"),
        ({"requests_per_second": 0}, "invalid"),
        ({"speed": 3}, "invalid"),
    ],
)
async def test_a_wrong_field_is_named_before_the_carrier_is_called(
    quiet_shop: Shop, changes: dict[str, object], title: str
) -> None:
    calls = dict(quiet_shop.ghtk.stats.calls)
    body = connection_body(quiet_shop.ghtk, shop_name="Shop X", **changes)
    answer = await quiet_shop.client.post("/v1/connections", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, title)
    assert quiet_shop.ghtk.stats.calls == calls


async def test_a_shop_is_connected_once(shop: Shop) -> None:
    answer = await shop.client.post("/v1/connections", json=connection_body(shop.ghtk))
    assert (answer.status_code, answer.json()["title"]) == (409, "carrier-shop-exists")


async def test_a_change_needs_the_version_it_was_made_from(shop: Shop) -> None:
    path = f"/v1/connections/{shop.connection_id}"
    assert (await shop.client.patch(path, json={"shop_name": "Mới"})).status_code == 428
    etag = (await shop.client.get(path)).headers["ETag"]
    assert (await shop.client.patch(path, json={"shop_name": "Mới"}, headers={"If-Match": etag})).status_code == 200
    stale = await shop.client.patch(path, json={"shop_name": "Cũ"}, headers={"If-Match": etag})
    assert stale.status_code == 412


async def test_new_credentials_are_tried_before_they_replace_the_old(shop: Shop) -> None:
    path = f"/v1/connections/{shop.connection_id}"
    wrong = {"credentials": {"token": "wrong", "client_source": "S100001"}}
    answer = await shop.client.patch(path, json=wrong, headers={"If-Match": '"1"'})
    assert answer.json()["title"] == "carrier-credentials-refused"
    assert (await shop.get(await shop.ship()))["status"] == "accepted"


async def test_a_connection_with_shipments_is_disabled_not_deleted(shop: Shop) -> None:
    await shop.ship()
    answer = await shop.client.delete(f"/v1/connections/{shop.connection_id}")
    assert (answer.status_code, answer.json()["title"]) == (409, "carrier-connection-in-use")


async def test_connecting_starts_the_polling_of_the_connection(shop: Shop) -> None:
    subjects = [command["subject"] for command in await shop.running.outbox("CarrierPollingWorkflow")]
    assert subjects == [f"polling/{shop.connection_id}"]


async def test_connections_are_for_administrators(shop: Shop) -> None:
    desk = await shop.running.client(SHIPPING_READ, SHIPPING_WRITE)
    refused: list[httpx.Response] = [
        await desk.post("/v1/connections", json=connection_body(shop.ghtk, shop_name="Shop X")),
        await desk.patch(f"/v1/connections/{shop.connection_id}", json={}),
        await desk.delete(f"/v1/connections/{shop.connection_id}"),
        await desk.post(f"/v1/connections/{shop.connection_id}/callback-address"),
        await desk.get("/v1/callbacks"),
        await desk.post("/v1/operations/reconcile"),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert (await desk.get("/v1/connections")).status_code == 200
    assert (await (await shop.running.anonymous()).get("/v1/connections")).status_code == 401


def test_credentials_open_for_their_own_connection_and_key_only() -> None:
    vault, connection_id = Vault(b"\1" * 32, service="shipping"), UUID(int=1)
    sealed = vault.seal({"token": "t"}, owner_id=connection_id)
    assert vault.open(sealed, owner_id=connection_id) == {"token": "t"}
    foreign = (Vault(b"\2" * 32, service="shipping"), Vault(b"\1" * 32, service="leads"))
    for box, other in ((vault, UUID(int=2)), *((each, connection_id) for each in foreign)):
        with pytest.raises(CredentialsUnreadable):
            box.open(sealed, owner_id=other)


@pytest.mark.parametrize("key", [None, "", "short", "A" * 43, KEY + "AAAA", "không phải base64 đâu nhé, thật đấy mà!!"])
def test_a_missing_or_weak_key_stops_the_process_with_a_sentence(
    key: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHOT_DATABASE_URL", "postgresql://localhost/shipping")
    monkeypatch.delenv("CHOT_CREDENTIALS_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("CHOT_CREDENTIALS_KEY", key)
    with pytest.raises(SystemExit):
        load(ShippingSettings)
    told = capsys.readouterr().err
    assert "CHOT_CREDENTIALS_KEY" in told
    assert key is None or len(key) < 6 or key not in told
