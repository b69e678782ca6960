"""How the ViettelPost adapter is let in."""

from __future__ import annotations

import httpx
import pytest

from services.shipping.carriers.answers import (
    CancelOutcome,
    Created,
)
from services.shipping.carriers.errors import (
    Away,
    NotLetIn,
)
from tests.unit.viettelpost.support import (
    MADE,
    PARCEL,
    Server,
    bad,
    good,
    viettelpost,
)


@pytest.mark.parametrize("expired_on_401", [False, True])
async def test_an_expired_token_is_renewed_once_and_the_call_repeated(expired_on_401: bool) -> None:
    server = Server({"/v2/order/createOrderNlp": good(MADE)}, expired_on_401=expired_on_401)
    async with viettelpost(server) as carrier:
        await carrier.test()
        server.token = "long-7"  # the carrier has ended the one that we hold
        assert isinstance(await carrier.create(PARCEL), Created)
    assert server.paths()[:3] == ["Login", "ownerconnect", "listInventory"]
    assert server.paths()[3:] == [
        "createOrderNlp",
        *([] if expired_on_401 else ["listInventory"]),
        "Login",
        "ownerconnect",
        "createOrderNlp",
    ]


async def test_a_refusal_with_a_good_token_does_not_log_in_again() -> None:
    server = Server({"/v2/order/UpdateOrder": bad("Không thể hủy")})
    async with viettelpost(server) as carrier:
        assert (await carrier.cancel("DH-1", waybill="1")).outcome == CancelOutcome.REFUSED
    assert server.paths().count("Login") == 1


async def test_a_token_from_the_portal_is_used_as_it_is_and_exchanged_when_it_is_not_accepted() -> None:
    server = Server()
    server.token = "portal"
    async with viettelpost(server, {"token": "portal"}) as carrier:
        await carrier.test()
        assert server.paths() == ["listInventory"]
    server = Server()
    async with viettelpost(server, {"token": "portal"}) as carrier:
        await carrier.test()
    assert "LoginVTP" in server.paths()


@pytest.mark.parametrize(
    "credentials", [{"username": "shop", "password": "falsch"}, {"token": "another"}, {}, {"username": "shop"}]
)
async def test_credentials_that_do_not_suffice_are_not_let_in(credentials: dict[str, str]) -> None:
    async with viettelpost(Server(), credentials) as carrier:
        with pytest.raises(NotLetIn):
            await carrier.test()


async def test_a_carrier_that_is_away_while_a_token_is_renewed_made_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("x", request=request)

    async with viettelpost(answer) as carrier:
        with pytest.raises(Away):
            await carrier.create(PARCEL)
