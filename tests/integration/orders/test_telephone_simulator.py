"""The simulated telephone system that integrators run: it calls, it tells, and it has the habits of real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from deploy.local.telephone import Exchange as Simulator
from deploy.local.telephone import Faults, Settings, create_app
from services.orders.app import SERVICE
from services.orders.clock import CLOCK
from tests.docs_walk import address_of, port_to_serve_on, serving
from tests.harness import Databases, running
from tests.integration.orders.support import Clock, Shop, idempotency_key, staffed
from tests.integration.orders.telephone_support import CALLOUT, KEY, Exchange


@asynccontextmanager
async def connected(
    databases: Databases, faults: Faults
) -> AsyncIterator[tuple[Exchange, Simulator, httpx.AsyncClient]]:
    """A shop whose telephone system is the simulator, each on a port; and a client of the simulator's control."""
    with port_to_serve_on() as port:
        settings = {"credentials_key": KEY, "public_url": address_of(port)}
        async with running(SERVICE, databases, filled=staffed, **settings) as service:
            clock = Clock()
            service.runtime.state[CLOCK] = clock
            simulator = Simulator(Settings(pace=0, talks=60), faults, now=clock)
            shop = await Shop.open(service, clock)
            async with (
                serving(service.app, port),
                simulator.running(),
                serving(create_app(simulator)) as address,
                httpx.AsyncClient(base_url=address, timeout=30) as control,
            ):
                dialled: dict[str, Any] = {**CALLOUT, "url": f"{address}/v1/call2/callout"}
                exchange = await Exchange.connect(shop, click_to_call=dialled)
                hook_url = f"{address_of(port)}{exchange.hook}"
                assert (await control.patch("/_simulator/settings", json={"hook_url": hook_url})).status_code == 200
                yield exchange, simulator, control


async def click(exchange: Exchange, order_id: UUID) -> str:
    path = f"/v1/orders/{order_id}/call"
    answer = await exchange.shop.sale.client.post(path, json={}, headers=idempotency_key())
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["state"])


ODD = Faults(doubled=1, reordered=1, no_answered=1, wrong_address=1, unreadable=1)


@pytest.mark.parametrize("faults", [Faults(), ODD], ids=["well-behaved", "odd"])
async def test_a_click_becomes_one_call_of_its_length_whatever_the_habits(databases: Databases, faults: Faults) -> None:
    async with connected(databases, faults) as (exchange, simulator, control):
        order_id = await exchange.shop.number()
        exchange.shop.clock.forward(minutes=5)
        assert await click(exchange, order_id) == "accepted"
        assert (await control.post("/_simulator/drain")).status_code == 204
        await exchange.work()
        (call,) = await exchange.calls(order_id)
        assert (call["state"], call["direction"], call["talk_seconds"]) == ("waiting", "out", 60)
        told = simulator.stats
        assert (told.calls, told.clicks, told.given_up, told.strangers_taken) == (1, 1, 0, 0)
        assert told.strangers_refused == (told.events - told.withheld) * 2 * faults.wrong_address


async def test_a_click_with_a_wrong_token_is_refused_and_calls_nobody(databases: Databases) -> None:
    async with connected(databases, Faults()) as (exchange, simulator, control):
        await control.patch("/_simulator/settings", json={"token": "another"})
        assert await click(exchange, await exchange.shop.number()) == "refused"
        assert (simulator.stats.clicks_refused, simulator.stats.calls) == (1, 0)


async def test_a_missed_call_of_a_customer_is_told_too(databases: Databases) -> None:
    async with connected(databases, Faults()) as (exchange, _, control):
        order_id = await exchange.shop.number(phone="+84912345678")
        exchange.shop.clock.forward(minutes=5)
        called = await control.post("/_simulator/incoming", json={"user": "nv01", "phone": "0912345678"})
        assert called.status_code == 201
        await control.post("/_simulator/drain")
        await exchange.work()
        assert await exchange.interactions(order_id) == [("call", "in", "", "telephone", "NV01")]
