"""Failed deliveries: told once, decided once, asked of the carrier once, and what the carrier makes of it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from deploy.local.ghn import Faults, GhnSimulator, OutcomeRates
from services.shipping import following
from services.shipping.carriers.errors import UnknownOutcome
from services.shipping.carriers.parcel import Unit
from services.shipping.rescue import calling
from services.shipping.rescue.unanswered import CONFIRMED_WITHIN
from services.shipping.work import work
from shared.contracts.events.orders import OWNER_CHANGED, OwnerChanged
from shared.contracts.events.shipping_rescue import RECIPIENT_CHANGED, RESCUE_CHANGED
from shared.contracts.permissions import ORDERS_CARE, SHIPPING_READ
from tests.harness import Databases
from tests.integration.shipping.ghn_shop import open_ghn_shop, places_of
from tests.integration.shipping.support import CLOSER, Shop
from tests.integration.shipping.test_callbacks import body
from tests.integration.shipping.test_ghn import callback


@pytest.fixture(scope="module")
async def carrier() -> AsyncIterator[GhnSimulator]:
    async with GhnSimulator() as started:
        yield started


@pytest.fixture(scope="module")
async def places(carrier: GhnSimulator) -> Sequence[Unit]:
    return await places_of(carrier)


@pytest.fixture(scope="module")
async def opened(databases: Databases, carrier: GhnSimulator, places: Sequence[Unit]) -> AsyncIterator[Shop]:
    async with open_ghn_shop(databases, carrier, places) as shop:
        await shop.listen()
        yield shop


@pytest.fixture
async def shop(opened: Shop, carrier: GhnSimulator) -> Shop:
    calls_back_at = carrier.simulation.settings.callback_url
    await carrier.simulation.reset()
    carrier.set_outcomes(OutcomeRates(delivered=1))
    carrier.send_callbacks_to(calls_back_at)
    return opened


class Failed:
    """A parcel with a failed delivery."""

    def __init__(self, shop: Shop, shipment_id: UUID, waybill: str) -> None:
        self.shop = shop
        self.shipment_id = shipment_id
        self.waybill = waybill

    @classmethod
    async def make(cls, shop: Shop) -> Failed:
        shipment_id = await shop.ship(f"DH-{random.getrandbits(40):010X}")
        waybill = (await shop.get(shipment_id))["waybill"]
        parcel = cls(shop, shipment_id, waybill)
        await parcel.goes("delivering")
        await parcel.goes("delivery_fail", reason_code="GHN-DFC1A4")
        return parcel

    async def goes(self, status: str, **more: Any) -> None:
        """The carrier moves it, and calls back."""
        self.shop.simulator.push(self.waybill, status, **more)
        await self.shop.settle_callbacks()

    async def view(self, **headers: str) -> dict[str, Any]:
        order_id = (await self.shop.get(self.shipment_id))["order_id"]
        states = ["open", "asked", "closed"]
        found = await self.shop.client.get("/v1/rescues", params={"order_id": order_id, "state": states})
        latest = max(found.json()["items"], key=lambda each: each["attempt"])
        answer = await self.shop.client.get(f"/v1/rescues/{latest['id']}", headers=headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def ask(self, client: httpx.AsyncClient | None = None, **wish: Any) -> httpx.Response:
        rescue = await self.view()
        return await (client or self.shop.client).post(f"/v1/rescues/{rescue['id']}/requests", json=wish)

    async def tell(self) -> bool:
        """What the workflow asks of shipping."""
        return await calling.tell_carrier(self.shop.context, self.shipment_id)

    async def steps(self) -> list[tuple[int, str, str]]:
        """What was told of it: attempt, step, state."""
        events = await self.shop.events(RESCUE_CHANGED.name)
        mine = [each for each in events if each["shipment_id"] == str(self.shipment_id)]
        return [(each["attempt"], each["step"], each["state"]) for each in mine]

    @property
    def calls(self) -> dict[str, int]:
        calls = self.shop.simulator.stats.calls
        return {name: calls.get(name, 0) for name in ("storing", "return", "update")}


@pytest.fixture
async def failed(shop: Shop) -> Failed:
    """A parcel whose receiver did not answer, an hour ago by nobody's clock but the carrier's."""
    return await Failed.make(shop)


async def test_a_failed_delivery_is_told_once_in_words_however_often_it_is_reported(failed: Failed) -> None:
    [entry] = [each for each in failed.shop.simulator.shipment(failed.waybill).history if "fail" in str(each.status)]
    body = callback(
        failed.waybill, "delivery_fail", ReasonCode="GHN-DFC1A4", Time=entry.at.isoformat().replace("+00:00", "Z")
    )
    for _ in range(2):
        assert await failed.shop.call_back(body, content_type="application/json") == 200
    await failed.shop.settle_callbacks()
    assert await failed.steps() == [(1, "failed", "open")]
    view = await failed.view()
    assert (view["attempt"], view["reason"], view["state_label"]) == (1, "Người nhận không nghe máy", "Chờ gọi khách")
    assert view["can"] == ["deliver_again", "change_recipient", "send_back", "customer_refuses"]
    assert view["phone"] == "0912***678"
    assert (await failed.view(**{"Accept-Language": "en"}))["reason"] == "Receiver does not answer"


@pytest.mark.parametrize("seed", range(2))
async def test_news_that_are_shuffled_and_repeated_make_one_rescue_of_each_failed_delivery(
    shop: Shop, seed: int
) -> None:
    dice = random.Random(seed)
    news = [
        ("picked", 0, ""),
        ("delivering", 10, ""),
        ("delivery_fail", 12, "GHN-DFC1A4"),
        ("storing", 15, ""),
        ("delivering", 34, ""),
        ("delivery_fail", 36, "GHN-DFC1A2"),
        ("delivering", 58, ""),
        ("delivery_fail", 60, "GHN-DFC1A0"),
        ("waiting_to_return", 61, ""),
    ]
    parcels = [await shop.ship(f"DH-{seed}{number}{dice.getrandbits(28):07X}") for number in range(2)]
    began = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)  # after they were made
    told = []
    for shipment_id in parcels:
        waybill = (await shop.get(shipment_id))["waybill"]
        for status, hours, reason in news * 2:
            at = (began + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            told.append(callback(waybill, status, ReasonCode=reason, Time=at))
    dice.shuffle(told)
    for start in range(0, len(told), 10):
        for each in told[start : start + 10]:
            assert await shop.call_back(each, content_type="application/json") == 200
        await shop.settle_callbacks()
    expected = [
        (1, timedelta(hours=12), "GHN-DFC1A4", "closed", "failed_again", None),
        (2, timedelta(hours=36), "GHN-DFC1A2", "closed", "failed_again", None),
        (3, timedelta(hours=60), "GHN-DFC1A0", "open", "", timedelta(hours=61)),
    ]
    for shipment_id in parcels:
        rows = await shop.running.rows(
            "SELECT * FROM rescues WHERE shipment_id = :id AND outcome <> 'withdrawn' ORDER BY failed_at",
            id=shipment_id,
        )
        found = [
            (
                row.attempt,
                row.failed_at - began,
                row.reason_code,
                row.state,
                row.outcome,
                row.held_since - began if row.held_since else None,
            )
            for row in rows
        ]
        assert found == expected
        events = [e for e in await shop.events(RESCUE_CHANGED.name) if e["shipment_id"] == str(shipment_id)]
        newest = {event["rescue_id"]: event for event in sorted(events, key=lambda event: event["sequence"])}
        waiting = [event for event in newest.values() if event["state"] == "open"]
        assert [event["attempt"] for event in waiting] == [3], "one call is left to be made"


async def test_a_customer_who_wants_it_after_all_is_saved_and_everybody_hears_each_step(failed: Failed) -> None:
    await failed.goes("waiting_to_return")
    answer = await failed.ask(wish="deliver_again", note="Khách ở nhà sau 17 giờ")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["state"], answer.json()["request_state"]) == ("asked", "requested")
    assert (await failed.ask(wish="send_back")).json()["type"].endswith("rescue-already-asked")
    advance = await following.advance(failed.shop.context, failed.shipment_id)
    assert advance.action == "tell"
    assert await failed.tell()
    assert not await failed.tell(), "nothing is left to tell"
    await failed.shop.settle_callbacks()
    view = await failed.view()
    assert (view["outcome_label"], view["request_label"]) == ("Đang giao lại", "Hãng đã làm theo")
    assert view["saved"] is False
    note = failed.shop.simulator.shipment(failed.waybill).creation.note
    assert note == "Giao lại. Khách ở nhà sau 17 giờ"
    await failed.goes("delivering")
    await failed.goes("delivered")
    assert (await failed.view())["saved"] is True
    assert await failed.steps() in (
        [
            (1, "failed", "open"),
            (1, "changed", "open"),
            (1, "asked", "asked"),
            (1, "accepted", "asked"),
            (1, "confirmed", "closed"),
            (1, "outcome", "closed"),
        ],
        [  # its callback was faster than its answer
            (1, "failed", "open"),
            (1, "changed", "open"),
            (1, "asked", "asked"),
            (1, "confirmed", "closed"),
            (1, "outcome", "closed"),
        ],
    )
    assert failed.calls["storing"] == 1


async def test_each_failed_delivery_waits_for_a_decision_of_its_own_and_the_last_that_asked_has_saved_it(
    failed: Failed,
) -> None:
    await failed.ask(wish="deliver_again")
    await failed.tell()
    await failed.goes("delivering")
    await failed.goes("delivery_fail", reason_code="GHN-DFC1A2")
    view = await failed.view()
    assert (view["attempt"], view["state"], view["by"]) == (2, "open", "")
    await failed.goes("delivering")
    await failed.goes("delivered")
    events = await failed.shop.events(RESCUE_CHANGED.name)
    last = {each["attempt"]: each for each in events if each["shipment_id"] == str(failed.shipment_id)}
    assert {attempt: (each["outcome"], each["saved"]) for attempt, each in last.items()} == {
        1: ("failed_again", True),
        2: ("delivered", False),
    }


async def test_another_phone_and_address_reach_the_carrier_the_slip_and_the_order(failed: Failed) -> None:
    address = {"province": "Đà Nẵng", "ward": "Phường Hải Châu", "detail": "7 Lê Lợi"}
    refused = await failed.ask(wish="change_recipient", phone="123456789")
    assert refused.json()["type"].endswith("recipient-phone-invalid")
    assert refused.json()["code"] == "phone_unknown_prefix"
    answer = await failed.ask(wish="change_recipient", phone="0987 654 321", address=address)
    assert answer.status_code == 202, answer.text
    await failed.tell()
    creation = failed.shop.simulator.shipment(failed.waybill).creation
    assert (creation.tel, creation.address) == ("0987654321", "7 Lê Lợi, Phường Hải Châu")
    parcel = await failed.shop.get(failed.shipment_id)
    assert parcel["phone"] == "0987***321"
    assert parcel["order_changed"] is False
    [told] = [
        each
        for each in await failed.shop.events(RECIPIENT_CHANGED.name)
        if each["shipment_id"] == str(failed.shipment_id)
    ]
    assert (told["phone"], told["address"]["detail"], told["recipient"]) == ("+84987654321", "7 Lê Lợi", None)
    [request] = (await failed.view())["requests"]
    assert request["recipient_changed"]
    assert request["before"] == "Nguyễn Thị Mẫu, 0912***678, 5 Lê Lợi, Phường Hải Châu, Đà Nẵng"


async def test_a_carrier_that_does_it_and_does_not_answer_is_asked_once(failed: Failed) -> None:
    await failed.goes("waiting_to_return")
    await failed.ask(wish="send_back")
    failed.shop.simulator.set_faults(Faults(error_after=1))
    with pytest.raises(UnknownOutcome):
        await failed.tell()
    failed.shop.simulator.set_faults(Faults())
    assert await failed.tell()
    assert failed.calls["return"] == 1
    assert (await failed.view())["request_state"] == "confirmed"


async def test_a_process_that_dies_between_its_word_and_the_call_has_it_asked_once(failed: Failed) -> None:
    await failed.ask(wish="send_back")
    async with work(failed.shop.context.db) as current:  # so far it came
        died = await current.connection.execute(
            "UPDATE rescue_requests SET calls = 1, in_doubt = true WHERE shipment_id = $1", failed.shipment_id
        )
        assert died == "UPDATE 1"
    assert await failed.tell()
    await failed.shop.settle_callbacks()
    assert failed.calls["return"] == 1
    assert (await failed.view())["outcome"] == "returning"


async def test_what_the_carrier_refuses_waits_for_another_decision(failed: Failed) -> None:
    failed.shop.simulator.push(failed.waybill, "delivering", callback=False)  # it is out again already
    await failed.ask(wish="customer_refuses")
    assert await failed.tell()
    view = await failed.view()
    assert (view["state"], view["request_state"]) == ("open", "refused")
    assert view["requests"][0]["answer"] == "Không thể trả hàng ở trạng thái delivering"
    events = await failed.shop.events(RESCUE_CHANGED.name)
    last = [each for each in events if each["shipment_id"] == str(failed.shipment_id)][-1]
    assert (last["step"], last["turn"]) == ("refused", 2)
    await failed.goes("delivered")
    assert (await failed.view())["saved"] is False
    over = await failed.ask(wish="deliver_again")
    assert over.json()["type"].endswith("rescue-over")


async def test_a_carrier_that_does_not_do_what_it_promised_leaves_the_decision_open_again(
    failed: Failed,
) -> None:
    shop = failed.shop
    await failed.ask(wish="deliver_again", by_hand=True)
    before = await following.advance(shop.context, failed.shipment_id)
    assert before.action == ""
    assert before.next_due is not None
    try:
        shop.skip(CONFIRMED_WITHIN + timedelta(minutes=1))
        await following.advance(shop.context, failed.shipment_id)
    finally:
        shop.skip(-shop.skipped)
    view = await failed.view()
    assert (view["state"], view["request_state"]) == ("open", "expired")
    assert failed.calls == {"storing": 0, "return": 0, "update": 0}


async def test_whoever_holds_the_order_decides_and_strangers_see_nothing(failed: Failed) -> None:
    running = failed.shop.running
    stranger = await running.client(ORDERS_CARE, SHIPPING_READ, code="NV500")
    assert (await failed.ask(stranger, wish="deliver_again")).status_code == 404
    closer = await running.client(ORDERS_CARE, SHIPPING_READ, account_id=CLOSER)
    reader = await running.client(SHIPPING_READ, account_id=CLOSER)
    assert (await failed.ask(reader, wish="deliver_again")).status_code == 403
    nobody = await running.anonymous()
    assert (await failed.ask(nobody, wish="deliver_again")).status_code == 401
    bad = await failed.ask(closer, wish="send_back", phone="0912345679")
    assert bad.status_code == 422
    late = await failed.ask(closer, wish="deliver_again", day="2020-01-01")
    assert late.json()["type"].endswith("rescue-day")
    holder = uuid7()
    moved = OwnerChanged(
        order_id=UUID((await failed.view())["order_id"]),
        assignment=2,
        level="L7.2",
        from_owner_id=CLOSER,
        to_owner_id=holder,
        at=datetime.now(UTC),
    )
    await running.receive(OWNER_CHANGED, moved, subject=moved.order_id)
    answer = await failed.ask(await running.client(ORDERS_CARE, SHIPPING_READ, account_id=holder), wish="deliver_again")
    assert answer.status_code == 202, answer.text


async def test_a_request_that_is_repeated_under_its_key_asks_once(failed: Failed) -> None:
    rescue = await failed.view()
    for _ in range(2):
        answer = await failed.shop.client.post(
            f"/v1/rescues/{rescue['id']}/requests",
            json={"wish": "deliver_again"},
            headers={"Idempotency-Key": str(rescue["id"])},
        )
        assert answer.status_code == 202
    assert len((await failed.view())["requests"]) == 1


async def test_a_carrier_without_such_a_call_is_told_by_hand(quiet_shop: Shop) -> None:
    """GHTK takes none of them through its interface, and sends back by itself what a customer refuses."""
    shop = quiet_shop
    shipment_id = await shop.ship("DH-RESCUE01")
    waybill = (await shop.get(shipment_id))["waybill"]
    at = datetime.now(UTC).replace(microsecond=0).isoformat()
    assert await shop.call_back(body(waybill, 10, reason_code="122", at=at)) == 200
    await shop.apply_callbacks()
    [rescue] = (await shop.client.get("/v1/rescues")).json()["items"]
    assert (rescue["reason"], rescue["can"]) == ("Không gọi được người nhận", [])
    path = f"/v1/rescues/{rescue['id']}/requests"
    refused = await shop.client.post(path, json={"wish": "deliver_again"})
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("carrier-cannot")
    assert "tổng đài" in refused.json()["detail"]
    told = await shop.client.post(path, json={"wish": "deliver_again", "by_hand": True})
    assert (told.status_code, told.json()["request_state"]) == (202, "accepted")
    changed = await shop.client.post(path, json={"wish": "customer_refuses"})
    assert [each["state"] for each in changed.json()["requests"]] == ["replaced", "accepted"]
    closer = await shop.running.client(SHIPPING_READ, ORDERS_CARE, account_id=CLOSER, code="NV001")
    late = await closer.post(path, json={"wish": "deliver_again", "by_hand": True})
    assert (late.status_code, late.json()["title"]) == (409, "rescue-already-decided"), late.text
    assert "replace = true" in late.json()["detail"]
    again = await closer.post(path, json={"wish": "deliver_again", "by_hand": True, "replace": True})
    assert (again.status_code, again.json()["by"]) == (202, "NV001")
    told_of = [each["by_desk"] for each in await shop.events(RESCUE_CHANGED.name) if each["step"] == "asked"]
    assert told_of == [True, True, False], "the COD desk, then the closer"
    assert not await calling.tell_carrier(shop.context, shipment_id)
