"""The examples of docs/shipping, word for word, in a shell against the service on a port."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.contracts import permissions
from tests.docs_walk import DOCS, Step, serving, walk
from tests.harness import token
from tests.integration.shipping.support import Shop
from tests.integration.shipping.test_callbacks import body

PAGES: Final = DOCS / "shipping"


class Desk:
    """Who and what the pages speak of."""

    def __init__(self, shop: Shop, directory: Path) -> None:
        self.shop = shop
        self.directory = directory
        self.known = {"TOKEN": token(*permissions.ALL, code="QL001")}
        self.before: dict[str, Step] = {}

    async def prepare(self, page: str) -> None:
        await getattr(self, page.removesuffix(".md").replace("-", "_"))()

    async def carrier_codes(self) -> None:
        shipment_id = await self.shop.ship()
        waybill = (await self.shop.get(shipment_id))["waybill"]
        await self.shop.call_back(body(waybill, 77))
        await self.shop.call_back(body(waybill, 10, reason_code="199"))
        await self.shop.apply_callbacks()


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
async def test_the_examples_of_a_page_work_as_they_stand(shop: Shop, page: str, tmp_path: Path) -> None:
    desk = Desk(shop, tmp_path)
    await desk.prepare(page)
    async with serving(shop.running.app) as address:
        await walk(PAGES / page, tmp_path, known=desk.known | {"SHIPPING": address}, before=desk.before)
