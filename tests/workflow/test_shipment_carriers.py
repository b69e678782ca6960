"""Shipments of the other carriers on the real engines: what GHTK's status 6 says, GHN's day of transfer or a statement does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.client import Client

from deploy.local.carriers.model import OutcomeRates
from deploy.local.carriers.server import CarrierSimulator
from deploy.local.ghn import GhnSimulator
from deploy.local.viettelpost import ViettelPostSimulator
from shared.contracts import ids
from shared.contracts.events.shipping import COD_SETTLED
from tests.integration.shipping.support import PICK_UP, Shop
from tests.workflow.test_shipment import ghtk, result_of, shop, status_is, temporal

__all__ = ["ghtk", "shop", "temporal"]  # fixtures


async def connect(
    shop: Shop, simulator: CarrierSimulator, carrier: str, address: str, credentials: dict[str, str]
) -> UUID:
    """A further connection of the shop, whose carrier calls back where the shop's own does."""
    body = {"carrier": carrier, "shop_name": carrier, "base_url": address, "credentials": credentials}
    answer = await shop.client.post("/v1/connections", json={**body, "pick_up": PICK_UP, "requests_per_second": 100})
    assert answer.status_code == 201, answer.text
    served = httpx.URL(str(shop.simulator.simulation.settings.callback_url))
    simulator.send_callbacks_to(str(served.copy_with(path=httpx.URL(answer.json()["callback_url"]).path)))
    simulator.set_outcomes(OutcomeRates(delivered=1))
    return UUID(answer.json()["id"])


async def send_with(shop: Shop, connection_id: UUID, code: str) -> UUID:
    """An order's shipment, planned for a connection."""
    order_id = await shop.close_order(code)
    answer = await shop.client.put(f"/v1/plans/{order_id}", json={"connection_id": str(connection_id)})
    assert (answer.status_code, answer.json()["problems"]) == (200, []), answer.text
    return await shop.open(order_id)


@pytest.fixture
async def others() -> AsyncIterator[tuple[GhnSimulator, ViettelPostSimulator]]:
    async with AsyncExitStack() as running:
        ghn = await running.enter_async_context(GhnSimulator())
        yield ghn, await running.enter_async_context(ViettelPostSimulator())


async def test_parcels_of_ghn_and_viettelpost_are_followed_until_their_money_is_home(
    shop: Shop, temporal: Client, others: tuple[GhnSimulator, ViettelPostSimulator]
) -> None:
    ghn, viettelpost = others
    at_ghn = await connect(shop, ghn, "ghn", ghn.api_url, {"token": ghn.token, "shop_id": ghn.shop_id})
    at_viettelpost = await connect(shop, viettelpost, "viettelpost", viettelpost.base_url, viettelpost.account)
    by_ghn = await send_with(shop, at_ghn, "DH-GHN00001")
    by_viettelpost = await send_with(shop, at_viettelpost, "DH-VTP00001")
    for shipment_id in (by_ghn, by_viettelpost):
        await status_is(shop, shipment_id, "accepted")
    for carrier in others:
        await carrier.advance(steps=12)

    # GHN's day of transfer stands in the parcel's details alone: polling finds it.
    assert await result_of(temporal, by_ghn) == "delivered"
    # Nothing of ViettelPost tells that the COD was paid out but its statement.
    view = await status_is(shop, by_viettelpost, "delivered")
    assert view["settled_at"] is None
    statement = f"Mã phiếu gửi;COD;Tổng cước\n{view['waybill']};350000;0\n".encode()
    sent = await shop.client.post(
        "/v1/cod/statements",
        files={"file": ("bang-ke.csv", statement)},
        data={"connection_id": str(at_viettelpost)},
    )
    assert sent.status_code == 201, sent.text
    assert await result_of(temporal, by_viettelpost) == "delivered"

    settled = {event["carrier"]: event for event in await shop.events(COD_SETTLED.name)}
    evidence: dict[str, Any] = {carrier: (event["amount"], event["evidence"]) for carrier, event in settled.items()}
    assert evidence == {"ghn": (350_000, "status"), "viettelpost": (350_000, "statement")}
    for shipment_id in (by_ghn, by_viettelpost):
        history = await temporal.get_workflow_handle(ids.shipment_id(shipment_id)).fetch_history()
        assert "Mẫu" not in history.to_json()
