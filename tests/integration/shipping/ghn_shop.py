"""A shop that ships with the simulated GHN."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from deploy.local.ghn import GhnSimulator
from services.shipping.carriers.access import Access, NoTokens
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.parcel import Unit
from services.shipping.units import store as units
from services.shipping.work import work
from tests.harness import Databases
from tests.integration.shipping.support import PICK_UP, Shop, open_shop


async def places_of(ghn: GhnSimulator) -> Sequence[Unit]:
    """GHN's list of places of the new era."""
    access = Access(ghn.api_url, {"token": ghn.token, "shop_id": ghn.shop_id}, NoTokens())
    async with httpx.AsyncClient() as client:
        return await Ghn(access, client).units("new")


@asynccontextmanager
async def open_ghn_shop(databases: Databases, ghn: GhnSimulator, places: Sequence[Unit]) -> AsyncIterator[Shop]:
    """A shop with these places of the carrier."""
    body = {
        "carrier": "ghn",
        "shop_name": "Shop Hà Nội",
        "base_url": ghn.api_url,
        "credentials": {"token": ghn.token, "shop_id": ghn.shop_id},
        "pick_up": PICK_UP,
        "requests_per_second": 100,
    }
    async with open_shop(databases, ghn, connect=body) as opened:
        async with work(opened.context.db) as current:
            await units.replace(current.connection, "ghn", "new", places, now=opened.context.now())
        yield opened
