"""Callbacks of GHN as the adapter reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from deploy.local.carriers.life import TRANSFER
from deploy.local.ghn import create_app
from services.shipping.carriers.answers import CallbackMessage
from services.shipping.carriers.errors import UnreadableCallback
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghn_codes import TRANSFERRED
from tests.unit.ghn.support import SETTINGS, created, opened

CALLBACK: dict[str, Any] = {
    "CODAmount": 500_000,
    "CODTransferDate": None,
    "ClientOrderCode": "DH-7C9K2M-1",
    "OrderCode": "Z82BS",
    "Reason": "",
    "ReasonCode": "",
    "ShopID": 885,
    "Status": "delivering",
    "Time": "2021-11-11T03:52:50.158Z",
    "Type": "switch_status",
}


def told(**changes: Any) -> list[tuple[str, str]]:
    body = orjson.dumps({**CALLBACK, **changes})
    return [(each.raw_status, each.at.isoformat()) for each in Ghn.read_callback(CallbackMessage(body))]


MOMENT = "2021-11-11T03:52:50.158000+00:00"


@pytest.mark.parametrize("kind", ["switch_status", "Switch_status", "create", "Create", ""])
def test_a_callback_is_read_whatever_the_case_of_its_type(kind: str) -> None:
    [report] = Ghn.read_callback(CallbackMessage(orjson.dumps({**CALLBACK, "Type": kind, "ReasonCode": "GHN-DFC1A4"})))
    assert (report.waybill, report.reference, report.raw_status) == ("Z82BS", "DH-7C9K2M-1", "delivering")
    assert report.at == datetime(2021, 11, 11, 3, 52, 50, 158_000, tzinfo=UTC)
    assert (report.reason_code, report.collected, report.fee) == ("GHN-DFC1A4", None, None)


@pytest.mark.parametrize("kind", ["update_weight", "Update_cod", "update_fee"])
def test_a_new_weight_or_price_tells_no_status(kind: str) -> None:
    assert told(Type=kind) == []


def test_other_forms_of_a_callback_are_read_too() -> None:
    assert told(Status="DELIVERED") == [("delivered", MOMENT)]
    listed = orjson.dumps([CALLBACK, {**CALLBACK, "Status": "delivered"}])
    assert [each.raw_status for each in Ghn.read_callback(CallbackMessage(listed))] == ["delivering", "delivered"]
    lower = orjson.dumps({name.lower(): value for name, value in CALLBACK.items()})
    assert len(Ghn.read_callback(CallbackMessage(lower))) == 1
    assert told(Status="teleported") == [("teleported", MOMENT)]
    assert Ghn.read_callback(CallbackMessage(orjson.dumps({**CALLBACK, "IsPartialReturn": True})))[0].partial


def test_a_callback_with_a_transfer_date_tells_the_payment_besides() -> None:
    at = "2021-11-15T02:00:00.000Z"
    assert told(Status="delivered", CODTransferDate=at) == [
        ("delivered", MOMENT),
        (TRANSFERRED, "2021-11-15T02:00:00+00:00"),
    ]
    assert told(Type="update_cod", CODTransferDate="2021-11-11") == [(TRANSFERRED, MOMENT)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"OrderCode=Z82BS",
        b'{"Status": "delivered"}',
        orjson.dumps({**CALLBACK, "Time": "hôm qua"}),
        orjson.dumps({**CALLBACK, "Time": None}),
        orjson.dumps({**CALLBACK, "Status": None}),
        orjson.dumps({**CALLBACK, "CODTransferDate": "mai"}),
    ],
)
def test_an_unreadable_callback_says_what_is_wrong_without_its_values(body: bytes) -> None:
    with pytest.raises(UnreadableCallback) as unreadable:
        Ghn.read_callback(CallbackMessage(body))
    assert "hôm qua" not in str(unreadable.value)


async def test_a_payment_told_by_the_simulator_s_callback_is_read(app: FastAPI) -> None:
    bodies: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    settings = SETTINGS.model_copy(update={"callback_url": "http://shop.test/x", "announce_transfer": True})
    telling = create_app(settings=settings, callback_transport=httpx.MockTransport(receive))
    async with telling.router.lifespan_context(telling), opened(telling) as world:
        await created(world)
        await world.simulation.carrier.advance_steps(20)
        await world.simulation.sender.drain()
        [shipment] = world.simulation.carrier.page(after=0, limit=2)
    reports = [report for body in bodies for report in Ghn.read_callback(CallbackMessage(body))]
    assert [report.raw_status for report in reports] == [
        *(str(entry.status) for entry in shipment.history if entry.kind != TRANSFER),
        TRANSFERRED,
    ]
