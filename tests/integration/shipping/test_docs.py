"""The examples of docs/shipping, word for word, in a shell against the service on a port."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from httpx import URL

from deploy.local.ghn import GhnSimulator
from deploy.local.ghn.model import SimulatorSettings
from services.shipping.cod import settlement
from services.shipping.paper import turn
from shared.contracts import permissions
from tests.docs_walk import DOCS, Step, commands, serving, walk
from tests.harness import token
from tests.integration.shipping.cod_support import Parcel, paid, ship, workbook
from tests.integration.shipping.support import PICK_UP, Shop
from tests.integration.shipping.test_callbacks import body

PAGES: Final = DOCS / "shipping"
IN_FRONT: Final = frozenset({"simulators.md"})
"""Its commands are servers that stay in front of the shell; tests/integration/test_*_simulator.py hold what it says."""


class Desk:
    """Who and what the pages speak of.

    Args:
        beside: keeps what else runs while a page is walked through.
    """

    def __init__(self, shop: Shop, directory: Path, beside: AsyncExitStack) -> None:
        self.shop = shop
        self.directory = directory
        self.beside = beside
        self.known = {"TOKEN": token(*permissions.ALL, code="QL001")}
        self.before: dict[str, Step] = {}

    async def prepare(self, page: str) -> None:
        if (step := getattr(self, page.removesuffix(".md").replace("-", "_"), None)) is not None:
            await step()

    async def carrier_codes(self) -> None:
        shipment_id = await self.shop.ship()
        waybill = (await self.shop.get(shipment_id))["waybill"]
        await self.shop.call_back(body(waybill, 77))
        await self.shop.call_back(body(waybill, 10, reason_code="199"))
        await self.shop.apply_callbacks()

    async def ghn(self) -> None:
        settings = SimulatorSettings(lists_only=("Hà Nội",))
        carrier = await self.beside.enter_async_context(GhnSimulator(settings=settings))
        self.known |= {"GHN": carrier.api_url, "GHN_TOKEN": carrier.token, "GHN_SHOP": carrier.shop_id}

    async def connections(self) -> None:
        self.known |= {"GHTK": self.shop.ghtk.base_url, "GHTK_TOKEN": self.shop.ghtk.token}

    async def creating(self) -> None:
        shop = self.shop
        order_id = await shop.close_order("DH-DOCS0001")
        refused = await shop.open(await shop.close_order("DH-DOCS0002", cod=2_000_000_000))
        assert await shop.create(refused) == "refused"
        made = await shop.ship("DH-DOCS0003")
        manual = await shop.client.post(
            "/v1/connections", json={"carrier": "manual", "shop_name": "Xe nhà", "pick_up": PICK_UP}
        )
        by_hand = await shop.close_order("DH-DOCS0004")
        await shop.client.put(f"/v1/plans/{by_hand}", json={"connection_id": manual.json()["id"]})
        carried = await shop.open(by_hand)
        assert await shop.create(carried) == "accepted"
        self.known |= {
            "ORDER": str(order_id),
            "CONNECTION": str(shop.connection_id),
            "REFUSED": str(refused),
            "SHIPMENT": str(made),
            "BY_HAND": str(carried),
        }

    async def rescue(self) -> None:
        """One failed delivery at a carrier that takes requests, one at GHTK, which takes none."""
        by_hand = await self._failed(await self.shop.ship("DH-DOCS0005"), status=10)
        self.known |= {"BY_HAND": by_hand, "RESCUE": await rescue_at_ghn(self.shop, self.beside)}

    async def _failed(self, shipment_id: UUID, *, status: int) -> str:
        waybill = (await self.shop.get(shipment_id))["waybill"]
        await self.shop.call_back(body(waybill, status, reason_code="122"))
        await self.shop.apply_callbacks()
        [rescue] = (await self.shop.client.get("/v1/rescues")).json()["items"]
        return str(rescue["id"])

    async def status_files(self) -> None:
        self.known["WAYBILL"] = (await self.shop.get(await self.shop.ship()))["waybill"]

    async def cod(self) -> None:
        paid_over, by_hand, owed = (Parcel(f"S1.{number}", f"DH-AAAA000{number}") for number in (1, 2, 3))
        await ship(self.shop.running, (paid_over, by_hand, owed), self.shop.connection_id)
        self.known |= {"SHIPMENT": str(by_hand.id), "OWED": str(owed.id)}
        rows = [paid(paid_over, cod=400_000), ("NHAM-9", "", 350_000, 22_000, 0, 328_000), ("NHAM-8", "", 5, 0, 0, 5)]
        rows = [rows[0], paid(owed, cod=0, fee=22_000), rows[1], rows[2]]
        statement = workbook(rows, above=[["Mã phiên: GHTK-20261120"]])
        (self.directory / "doisoat.xlsx").write_bytes(statement)
        (self.directory / "la.csv").write_text("Phiếu số;Khoản trả;Diễn giải\nS1.7;350.000;x\n")
        (self.directory / "sao-ke.csv").write_text("Ngày;Ghi có;Nội dung\n21/11/2026;12.000;lãi tiền gửi\n")
        for command in ("/lines?unmatched", "/lines/3/match", "kind=over"):
            self.before[command] = self.compare_statements

    async def compare_statements(self) -> None:
        """What the workflows of statements do."""
        for row in await self.shop.running.rows("SELECT id FROM cod_statements WHERE state = 'matching'"):
            await settlement.advance(self.shop.context, row.id, beat=lambda *_: None)

    async def paper(self) -> None:
        self.known["SHIPMENT"] = str(await self.shop.ship())
        self.before["$PRINT/file"] = self.print

    async def print(self) -> None:
        for row in await self.shop.running.rows("SELECT id FROM prints"):
            while not (await turn.advance(self.shop.context, row.id)).done:
                pass


async def rescue_at_ghn(shop: Shop, beside: AsyncExitStack) -> str:
    """A failed delivery of a parcel that GHN carries."""
    carrier = await beside.enter_async_context(GhnSimulator())
    connected = await shop.client.post(
        "/v1/connections",
        json={
            "carrier": "ghn",
            "shop_name": "Shop GHN",
            "base_url": carrier.api_url,
            "credentials": {"token": carrier.token, "shop_id": carrier.shop_id},
            "pick_up": PICK_UP,
        },
    )
    connection = connected.json()
    order_id = await shop.close_order("DH-DOCS0006")
    await shop.client.put(f"/v1/plans/{order_id}", json={"connection_id": connection["id"]})
    shipment_id = await shop.open(order_id)
    assert await shop.create(shipment_id) == "accepted"
    waybill = (await shop.get(shipment_id))["waybill"]
    caller = await shop.running.anonymous()
    told = {
        "OrderCode": waybill,
        "Status": "delivery_fail",
        "Time": "2030-01-02T08:00:00.000Z",
        "Type": "switch_status",
    }
    assert (await caller.post(URL(connection["callback_url"]).path, json=told)).status_code == 200
    await shop.apply_callbacks()
    [rescue] = (await shop.client.get("/v1/rescues", params={"carrier": "ghn"})).json()["items"]
    return str(rescue["id"])


@pytest.mark.parametrize(
    "page", sorted(path.name for path in PAGES.glob("*.md") if path.name not in IN_FRONT and any(commands(path)))
)
async def test_the_examples_of_a_page_work_as_they_stand(shop: Shop, page: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as beside:
        desk = Desk(shop, tmp_path, beside)
        await desk.prepare(page)
        address = await beside.enter_async_context(serving(shop.running.app))
        await walk(PAGES / page, tmp_path, known=desk.known | {"SHIPPING": address}, before=desk.before)
