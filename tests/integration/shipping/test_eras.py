"""Addresses of the two eras: ward code 26740 was Phường Bến Nghé until 2025-06-30 and is Phường Sài Gòn since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import pytest
from pypdf import PdfReader
from uuid_utils.compat import uuid7

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.server import CarrierSimulator
from deploy.local.ghn import GhnSimulator
from deploy.local.ghn.model import SimulatorSettings
from deploy.local.ghn.model import as_created as ghn_created
from deploy.local.ghn.places import country
from deploy.local.ghtk import GhtkSimulator
from deploy.local.viettelpost import ViettelPostSimulator
from shared.contracts.events.orders import ORDER_CLOSED, Address
from tests.harness import Databases
from tests.integration.shipping.paper_support import ask, make, pages
from tests.integration.shipping.support import PICK_UP, Shop, closed, open_shop

OLD: Final = Address(
    province="Thành phố Hồ Chí Minh",
    district="Quận 1",
    ward="Phường Bến Nghé",
    detail="5 Lê Lợi",
    province_code="79",
    district_code="760",
    ward_code="26740",
)
NEW: Final = Address(
    province="Thành phố Hồ Chí Minh", ward="Phường Sài Gòn", detail="5 Lê Lợi", province_code="79", ward_code="26740"
)
"""The one code of the statistics office that names two wards."""
ERAS: Final[Mapping[str, Address]] = {"old": OLD, "new": NEW}
WARDS: Final[Mapping[str, str]] = {"old": "Phường Bến Nghé, Quận 1", "new": "Phường Sài Gòn"}
CARRIERS: Final = ("ghtk", "ghn", "viettelpost")
OLD_PICK_UP: Final = {**PICK_UP, "ward": "Phường Dịch Vọng Hậu", "district": "Quận Cầu Giấy"}
"""ViettelPost takes its own ids only where both ends have them."""


@dataclass
class Desk:
    """A shop with the three carriers, each with its own lists of places where it has some.

    Args:
        connections: carrier → connection.
    """

    shop: Shop
    simulators: Mapping[str, CarrierSimulator]
    connections: Mapping[str, UUID]
    orders: int = 0

    async def plan(self, carrier: str, address: Address) -> tuple[UUID, list[dict[str, Any]]]:
        """An order to an address, given to a carrier; and what that carrier would refuse."""
        self.orders += 1
        order = closed(uuid7(), f"DH-ERA{self.orders:05d}").model_copy(update={"address": address})
        await self.shop.running.receive(ORDER_CLOSED, order, subject=order.order_id)
        body = {"connection_id": str(self.connections[carrier])}
        answer = await self.shop.client.put(f"/v1/plans/{order.order_id}", json=body)
        return order.order_id, answer.json()["problems"]

    async def ship(self, carrier: str, address: Address) -> UUID:
        """The shipment of such an order, which the carrier has accepted."""
        order_id, problems = await self.plan(carrier, address)
        assert problems == []
        shipment_id = await self.shop.open(order_id)
        assert await self.shop.create(shipment_id) == "accepted"
        return shipment_id

    async def told(self, carrier: str, shipment_id: UUID) -> Any:
        """What the carrier was asked for."""
        return self.simulators[carrier].shipment((await self.shop.get(shipment_id))["waybill"]).creation


@pytest.fixture(scope="module")
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    """One for all: the lists of places are fetched once."""
    settings = SimulatorSettings(lists_only=("Hà Nội", "Hồ Chí Minh"))
    async with AsyncExitStack() as running:
        ghtk = await running.enter_async_context(GhtkSimulator())
        ghn = await running.enter_async_context(GhnSimulator(settings=settings))
        viettelpost = await running.enter_async_context(ViettelPostSimulator())
        shop = await running.enter_async_context(open_shop(databases, ghtk))
        connections = {"ghtk": shop.connection_id}
        for carrier, address, credentials in (
            ("ghn", ghn.api_url, {"token": ghn.token, "shop_id": ghn.shop_id}),
            ("viettelpost", viettelpost.base_url, viettelpost.account),
        ):
            body = {
                "carrier": carrier,
                "shop_name": carrier,
                "base_url": address,
                "credentials": credentials,
                "pick_up": OLD_PICK_UP,
                "requests_per_second": 100,
            }
            answer = await shop.client.post("/v1/connections", json=body)
            assert answer.status_code == 201, answer.text
            connections[carrier] = UUID(answer.json()["id"])
            for era in ERAS:
                path = f"/v1/connections/{connections[carrier]}/units"
                fetched = await shop.client.post(path, params={"era": era})
                assert fetched.status_code == 200, fetched.text
        yield Desk(shop, {"ghtk": ghtk, "ghn": ghn, "viettelpost": viettelpost}, connections)


async def test_the_lists_of_the_carriers_that_have_some_are_here_for_both_eras(desk: Desk) -> None:
    lists = (await desk.shop.client.get("/v1/carrier-units")).json()["items"]
    units = {(each["carrier"], each["era"]): each["units"] for each in lists}
    assert sorted(units) == [("ghn", "new"), ("ghn", "old"), ("viettelpost", "new"), ("viettelpost", "old")]
    assert units["ghn", "new"] == 34 + 3_321
    told = [each for each in country().old.parts.values() if each.name in ("Hà Nội", "Hồ Chí Minh")]
    districts = [district for province in told for district in province.parts.values()]
    assert units["ghn", "old"] == len(told) + len(districts) + sum(len(district.parts) for district in districts)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_code_26740_ships_and_prints_as_the_ward_of_its_era(desk: Desk, carrier: str, era: str) -> None:
    shipment_id = await desk.ship(carrier, ERAS[era])
    right, wrong = WARDS[era], WARDS["new" if era == "old" else "old"]

    told = await desk.told(carrier, shipment_id)
    assert f"5 Lê Lợi, {right}" in told.address
    assert wrong not in told.address

    slip = await make(desk.shop, await ask(desk.shop, shipment_id))
    assert slip["problems"] == []
    [page] = await pages(desk.shop, slip)
    on_paper = " ".join(page.split())
    assert f"5 Lê Lợi, {right}, Thành phố Hồ Chí Minh" in on_paper
    assert wrong not in on_paper

    label = await desk.shop.client.get(f"/v1/shipments/{shipment_id}/label", params={"size": "A5"})
    assert label.status_code == 200, label.text
    words = label.text if carrier == "ghn" else PdfReader(BytesIO(label.content)).pages[0].extract_text()
    # The simulated carriers' PDFs have letters without accents.
    written = {"old": ("Bến Nghé", "Ben Nghe"), "new": ("Sài Gòn", "Sai Gon")}
    assert any(name in words for name in written[era])
    assert not any(name in words for other in ERAS if other != era for name in written[other])


async def test_the_old_form_goes_by_the_carrier_s_own_codes_which_are_not_the_statistics_office_s(desk: Desk) -> None:
    at_ghn = ghn_created(await desk.told("ghn", await desk.ship("ghn", OLD)))
    ward = country().old_ward(district_id=at_ghn.to_district_id, ward_code=at_ghn.to_ward_code)
    assert ward is not None
    assert (at_ghn.is_new_to_address, ward.name, ward.code == "26740") == (False, "Phường Bến Nghé", False)
    at_viettelpost = await desk.told("viettelpost", await desk.ship("viettelpost", OLD))
    # What it made of its ids: the order says "Thành phố Hồ Chí Minh", its list has no prefix.
    assert at_viettelpost.address == "5 Lê Lợi, Phường Bến Nghé, Quận 1, Hồ Chí Minh"


@pytest.mark.parametrize("carrier", ["ghn", "viettelpost"])
async def test_a_ward_that_is_not_in_the_carrier_s_list_is_named(desk: Desk, carrier: str) -> None:
    _, [problem] = await desk.plan(carrier, OLD.model_copy(update={"ward": "Phường Không Có"}))
    assert problem["code"] == "unit_unknown"
    assert "“Phường Không Có”" in problem["message"]


async def test_a_list_that_cannot_be_fetched_to_its_end_leaves_the_former_one(desk: Desk) -> None:
    before = (await desk.shop.client.get("/v1/carrier-units")).json()
    desk.simulators["ghn"].set_faults(Faults(error_before=1.0))
    path = f"/v1/connections/{desk.connections['ghn']}/units"
    answer = await desk.shop.client.post(path, params={"era": "old"})
    desk.simulators["ghn"].set_faults(Faults())
    assert (answer.status_code, answer.json()["title"]) == (502, "carrier-away")
    assert (await desk.shop.client.get("/v1/carrier-units")).json() == before
