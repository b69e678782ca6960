"""The simulated GHN answers and calls back as the documentation of the real one says; its adapter's tests show the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from deploy.local.carriers.carrier import Push
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghn import Faults, OutcomeRates, SimulatorSettings, create_app
from deploy.local.ghn.__main__ import ENTRY

API = "http://ghn.test/shiip/public-api"
SETTINGS = SimulatorSettings(
    outcomes=OutcomeRates(delivered=1), callback_url="http://shop.test/callbacks", resend_after_seconds=0
)
BODY: dict[str, Any] = {
    "client_order_code": "DH-1",
    "to_name": "Nguyễn Thị Hồng",
    "to_phone": "0912345678",
    "to_address": "5 Lê Lợi",
    "to_ward_name": "Phường Hải Châu",
    "to_province_name": "Đà Nẵng",
    "is_new_to_address": True,
    "weight": 300,
    "length": 10,
    "width": 10,
    "height": 10,
    "cod_amount": 350_000,
    "service_type_id": 2,
    "payment_type_id": 1,
    "required_note": "KHONGCHOXEMHANG",
    "items": [{"name": "Kem dưỡng", "quantity": 1, "price": 350_000, "weight": 300}],
}


@dataclass
class Shop:
    """A client of the simulator, and what it was called back with."""

    client: httpx.AsyncClient
    simulation: Simulation
    callbacks: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, path: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
        answer: dict[str, Any] = (await self.client.request(method, f"{API}{path}", json=body)).json()
        return answer

    async def created(self, **changes: Any) -> str:
        answer = await self.ask("/v2/shipping-order/create", {**BODY, **changes})
        assert answer["code"] == 200, answer
        return str(answer["data"]["order_code"])

    async def moved(self, *, steps: int) -> None:
        await self.simulation.carrier.advance_steps(steps)
        await self.simulation.sender.drain()


@asynccontextmanager
async def open_shop(
    *, settings: SimulatorSettings = SETTINGS, respond: Callable[[int], int] = lambda _: 200
) -> AsyncIterator[Shop]:
    callbacks: list[dict[str, Any]] = []

    def receive(request: httpx.Request) -> httpx.Response:
        callbacks.append(orjson.loads(request.content))
        return httpx.Response(respond(len(callbacks)))

    app = create_app(settings=settings, callback_transport=httpx.MockTransport(receive))
    headers = {"Token": settings.token, "ShopId": str(settings.shop_id)}
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, headers=headers) as client:
        yield Shop(client, app.state.simulation, callbacks)


async def test_a_second_creation_of_a_code_is_answered_like_the_first() -> None:
    async with open_shop() as shop:
        code = await shop.created()
        assert await shop.created() == code
        assert (shop.simulation.stats.created, shop.simulation.stats.duplicates_answered) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"to_name": None}, "USER_ERR_COMMON"),
        ({"weight": "300"}, "USER_ERR_COMMON"),
        ({"weight": 50_001}, "USER_ERR_COMMON"),
        ({"weight": 20_000}, "USER_ERR_COMMON"),
        ({"length": 201}, "USER_ERR_COMMON"),
        ({"cod_amount": 50_000_001}, "USER_ERR_COMMON"),
        ({"insurance_value": 5_000_001}, "USER_ERR_COMMON"),
        ({"required_note": "XEM"}, "USER_ERR_COMMON"),
        ({"client_order_code": "x" * 51}, "USER_ERR_COMMON"),
        ({"service_type_id": 5, "items": []}, "USER_ERR_COMMON"),
        ({"to_phone": "+84912345678"}, "PHONE_INVALID"),
        ({"to_ward_name": "Phường Không Có"}, "WARD_NAME_NOT_VALID"),
        ({"to_province_name": "Không Có"}, "PROVINCE_NAME_NOT_VALID"),
        ({"is_new_to_address": False, "to_ward_code": "1", "to_district_id": 1}, "WARD_IS_INVALID"),
    ],
)
async def test_a_wrong_field_is_refused_with_ghn_s_word(changes: dict[str, Any], word: str) -> None:
    async with open_shop() as shop:
        response = await shop.client.post(f"{API}/v2/shipping-order/create", json={**BODY, **changes})
        assert (response.status_code, response.json()["code"], response.json()["code_message"]) == (400, 400, word)
        assert len(shop.simulation.carrier) == 0


async def test_a_wrong_token_is_401_and_a_wrong_shop_400() -> None:
    async with open_shop() as shop:
        for headers, status in (({"Token": "x"}, 401), ({"Token": ""}, 401), ({"ShopId": "1"}, 400)):
            response = await shop.client.post(f"{API}/v2/shipping-order/create", json=BODY, headers=headers)
            assert (response.status_code, response.json()["code"]) == (status, status)
        assert shop.simulation.stats.unauthorised == 3


async def test_every_change_is_told_with_its_type_and_time_in_utc() -> None:
    async with open_shop() as shop:
        code = await shop.created()
        await shop.moved(steps=1)
        await shop.ask("/v2/shipping-order/updateCOD", {"order_code": code, "cod_amount": 300_000})
        await shop.ask("/v2/shipping-order/update", {"order_code": code, "weight": 900})
        await shop.simulation.sender.drain()
        told = [(each["Type"], each["Status"], each["CODAmount"]) for each in shop.callbacks]
        assert told == [
            ("create", "ready_to_pick", 350_000),
            ("switch_status", "picking", 350_000),
            ("update_cod", "picking", 300_000),
            ("update_weight", "picking", 300_000),
        ]
        assert shop.callbacks[3]["Weight"] == 900
        assert {each["OrderCode"] for each in shop.callbacks} == {code}
        assert all(each["Time"].endswith("Z") for each in shop.callbacks)


async def test_the_payment_is_a_date_in_the_detail_and_in_later_callbacks_only() -> None:
    async with open_shop() as shop:
        code = await shop.created()
        await shop.moved(steps=20)
        assert [each["CODTransferDate"] for each in shop.callbacks] == [None] * 10
        detail = (await shop.ask("/v2/shipping-order/detail", {"order_code": code}))["data"]
        assert (detail["status"], detail["is_cod_transferred"]) == ("delivered", True)
        assert detail["cod_transfer_date"].endswith("Z")
        [shipment] = shop.simulation.carrier.page(after=0, limit=2)
        shop.simulation.carrier.push(shipment, Push("delivered", kind="update_fee"))
        await shop.simulation.sender.drain()
        assert shop.callbacks[-1]["CODTransferDate"] == detail["cod_transfer_date"]


async def test_a_callback_that_is_not_answered_with_200_is_sent_ten_times_more() -> None:
    assert SimulatorSettings().resend_after_seconds == 5
    async with open_shop(respond=lambda number: 204 if number <= 11 else 200) as shop:
        await shop.created()
        await shop.simulation.sender.drain()
        assert len(shop.callbacks) == 11
        await shop.moved(steps=1)
        assert (len(shop.callbacks), shop.simulation.stats.callbacks_given_up) == (12, 1)


async def test_types_may_be_written_as_in_the_documentation_s_text() -> None:
    async with open_shop(settings=SETTINGS.model_copy(update={"upper_case_types": True})) as shop:
        await shop.created()
        await shop.moved(steps=1)
        assert [each["Type"] for each in shop.callbacks] == ["Create", "Switch_status"]


async def test_a_preview_and_a_fee_cost_what_the_creation_costs_and_make_nothing() -> None:
    async with open_shop() as shop:
        preview = (await shop.ask("/v2/shipping-order/preview", BODY))["data"]
        fee = (await shop.ask("/v2/shipping-order/fee", BODY))["data"]
        assert len(shop.simulation.carrier) == 0
        created = (await shop.ask("/v2/shipping-order/create", BODY))["data"]
        assert preview["total_fee"] == fee["total"] == created["total_fee"] > 0
        assert preview["order_code"] == ""


async def test_services_and_times_are_listed() -> None:
    async with open_shop() as shop:
        asked = {"shop_id": 885, "from_district": 1442, "to_district": 1443}
        services = (await shop.ask("/v2/shipping-order/available-services", asked))["data"]
        assert {each["service_type_id"] for each in services} == {2, 5}
        leadtime = (await shop.ask("/v2/shipping-order/leadtime", BODY))["data"]
        assert leadtime["leadtime"] > leadtime["order_date"]
        assert (await shop.ask("/v2/shift/date", {}, method="GET"))["data"]


async def test_a_label_s_token_ends_after_half_an_hour() -> None:
    async with open_shop() as shop:
        code = await shop.created()
        token = (await shop.ask("/v2/a5/gen-token", {"order_codes": [code]}))["data"]["token"]
        page = f"http://ghn.test/a5/public-api/printA5?token={token}"
        assert code in (await shop.client.get(page)).text
        await shop.simulation.carrier.advance_time(timedelta(minutes=31))
        assert (await shop.client.get(page)).status_code == 400


async def test_asking_too_often_is_429_in_ghn_s_envelope() -> None:
    async with open_shop() as shop:
        shop.simulation.set_faults(Faults(rate_limit=1))
        response = await shop.client.post(f"{API}/v2/shipping-order/create", json=BODY)
        assert (response.status_code, response.json()["code"]) == (429, 429)
        assert len(shop.simulation.carrier) == 0


@pytest.mark.parametrize("flags", [("--drop-callback", "2"), ("--shop-id", "0"), ("--callback-url", "nowhere")])
def test_a_wrong_flag_stops_the_program_with_its_name(
    flags: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        ENTRY.main(list(flags))
    assert stopped.value.code == 2
    assert flags[0].removeprefix("--") in capsys.readouterr().err.replace("_", "-")
