"""Slips and labels of many parcels as one PDF."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from deploy.local.ghtk import Faults
from services.shipping.carriers.errors import Away
from services.shipping.paper import turn
from services.shipping.paper.asking import MAX
from tests.integration.shipping.paper_support import ask, make, pages
from tests.integration.shipping.support import CLOSER, Shop


@pytest.mark.parametrize("size", ["A5", "A6", "80mm"])
async def test_a_slip_says_whom_it_goes_to_what_is_in_it_and_what_to_collect(shop: Shop, size: str) -> None:
    shipment_id = await shop.ship()
    wanted = await ask(shop, shipment_id, size=size)
    assert (wanted["state"], wanted["wanted"], wanted["done"]) == ("running", 1, 0)
    assert (await make(shop, wanted))["state"] == "done"
    [page] = await pages(shop, wanted)
    view = await shop.get(shipment_id)
    for words in (
        view["waybill"],
        "DH-AAAA1111",
        "Kho Cầu Giấy",
        "12 Trần Thái Tông, Phường Cầu Giấy, Hà Nội",
        "Nguyễn Thị Mẫu",
        "0912 345 678",
        "5 Lê Lợi, Phường Hải Châu, Đà Nẵng",
        "350.000 đ",
        "2 × Kem dưỡng (KD-50)",
        "0,50 kg",
        "Gọi trước khi giao",
    ):
        assert words in page, f"{words} is not on {page}"
    assert "IN LẠI" not in page


async def test_a_second_print_of_a_parcel_says_that_it_is_one(shop: Shop) -> None:
    shipment_id = await shop.ship()
    await make(shop, await ask(shop, shipment_id))
    again = await make(shop, await ask(shop, shipment_id))
    assert again["reprints"] == 1
    [page] = await pages(shop, again)
    assert "IN LẠI · lần 2" in page


async def test_pages_come_in_the_order_that_was_asked_for_over_many_turns(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "CHUNK", 3)
    shipments = await shop.ship_many(8)
    shipments = shipments[::-1]
    wanted = await ask(shop, *shipments, *shipments[:2])
    done = await make(shop, wanted)
    assert (done["wanted"], done["done"]) == (8, 8)
    waybills = [(await shop.get(each))["waybill"] for each in shipments]
    assert [next(w for w in waybills if w in page) for page in await pages(shop, wanted)] == waybills


async def test_a_turn_that_is_done_twice_makes_its_pages_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "CHUNK", 2)
    wanted = await ask(shop, *await shop.ship_many(4))
    await asyncio.gather(*(turn.advance(shop.context, UUID(wanted["id"])) for _ in range(3)))
    done = await make(shop, wanted)
    assert (done["done"], done["reprints"], len(await pages(shop, wanted))) == (4, 0, 4)


async def test_two_people_who_print_the_same_parcel_at_once_get_a_first_and_a_second_slip(shop: Shop) -> None:
    shipment_id = await shop.ship()
    both = [await ask(shop, shipment_id) for _ in range(2)]

    async def printed(wanted: dict[str, Any]) -> dict[str, Any]:
        while True:
            try:
                return await make(shop, wanted)
            except asyncpg.UniqueViolationError:  # its activity is repeated
                continue

    done = await asyncio.gather(*(printed(each) for each in both))
    assert sorted(each["reprints"] for each in done) == [0, 1]


async def test_carriers_labels_are_merged_and_reprints_marked(shop: Shop) -> None:
    shipments = await shop.ship_many(3)
    first = await make(shop, await ask(shop, *shipments, kind="label"))
    assert (first["done"], first["failed"]) == (3, 0)
    assert len(await pages(shop, first)) == 3
    again = await make(shop, await ask(shop, shipments[0], kind="label"))
    assert "IN LẠI · lần 2" in (await pages(shop, again))[0]


async def test_a_carrier_that_is_away_delays_labels_and_loses_none(shop: Shop) -> None:
    shipment_id = await shop.ship()
    shop.ghtk.set_faults(Faults(error_before=1.0))
    wanted = await ask(shop, shipment_id, kind="label")
    with pytest.raises(Away):
        await turn.advance(shop.context, UUID(wanted["id"]))
    shop.ghtk.set_faults(Faults())
    done = await make(shop, wanted)
    assert (done["done"], done["reprints"]) == (1, 0)


async def test_what_cannot_be_printed_is_named_and_the_rest_is_printed(shop: Shop) -> None:
    sent = await shop.ship()
    order = await shop.close_order("DH-CANCEL01")
    cancelled = await shop.open(order)
    await shop.cancel_order(order)
    assert await shop.create(cancelled) == "cancelled"
    done = await make(shop, await ask(shop, sent, cancelled))
    assert (done["done"], done["failed"]) == (1, 1)
    [problem] = done["problems"]
    assert (problem["order_code"], "đã hủy" in problem["problem"]) == ("DH-CANCEL01", True)
    nothing = await make(shop, await ask(shop, cancelled))
    answer = await shop.client.get(f"/v1/prints/{nothing['id']}/file")
    assert (answer.status_code, answer.json()["title"]) == (409, "nothing-printed")


async def test_a_parcel_that_one_may_not_see_is_not_printed(shop: Shop) -> None:
    shipment_id = await shop.ship()
    stranger = await shop.running.client("shipping.write", "shipping.read", account_id=uuid7())
    body = {"kind": "slip", "shipment_ids": [str(shipment_id)]}
    answer = await stranger.post("/v1/prints", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "unknown-shipments")
    wanted = await ask(shop, shipment_id)
    assert (await stranger.get(f"/v1/prints/{wanted['id']}")).status_code == 404
    assert (await stranger.get(f"/v1/prints/{wanted['id']}/file")).status_code == 404


async def test_a_file_is_forgotten_after_a_day(shop: Shop) -> None:
    shipment_id = await shop.ship()
    wanted = await ask(shop, shipment_id)
    early = await shop.client.get(f"/v1/prints/{wanted['id']}/file")
    assert (early.status_code, early.json()["title"]) == (409, "print-not-ready")
    await make(shop, wanted)
    await shop.poll_everything()  # two days later
    await ask(shop, shipment_id)
    answer = await shop.client.get(f"/v1/prints/{wanted['id']}/file")
    assert (answer.status_code, answer.json()["title"]) == (410, "print-forgotten")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "slip", "shipment_ids": []},
        {"kind": "slip", "size": "A4", "shipment_ids": [str(uuid7())]},
        {"kind": "slip", "size": "80x80", "shipment_ids": [str(uuid7())]},
        {"kind": "label", "size": "80mm", "shipment_ids": [str(uuid7())]},
        {"kind": "slip", "shipment_ids": [str(uuid7()) for _ in range(1_001)]},
        {"kind": "slip", "shipment_ids": [str(uuid7())]},
    ],
)
async def test_wrong_requests_are_refused(quiet_shop: Shop, body: dict[str, Any]) -> None:
    answer = await quiet_shop.client.post("/v1/prints", json=body)
    assert answer.status_code == 422, answer.text
    assert "shipment_ids" in answer.text or answer.json()["title"] in ("unknown-shipments", "paper-size-not-offered")


_MANY = """
WITH orders AS (
    INSERT INTO shippable_orders (order_id, version, code, closer_id, recipient, phone, province, ward, detail, lines, note)
    SELECT gen_random_uuid(), 1, 'DH-' || n, :closer, 'Nguyễn Thị Mẫu ' || n, '+84912345678', 'Đà Nẵng', 'Phường Hải Châu',
        n || ' đường Lê Lợi', CAST(:lines AS jsonb), 'Gọi trước khi giao, khách nhận giờ hành chính'
    FROM generate_series(1, :count) AS n
    RETURNING order_id, code
)
INSERT INTO shipments (id, order_id, connection_id, reference, waybill, status, status_at, cod, accepted_at, sort_code)
SELECT gen_random_uuid(), order_id, :connection, code || '-1', 'S22749126.SGP39-J31.' || code, 'accepted', now(), 350000, now(),
    'SGP39-J31'
FROM orders RETURNING id
"""
_LINES = [
    {
        "name": f"Kem dưỡng da ban đêm loại {n}",
        "sku": f"KD-{n}",
        "quantity": n,
        "unit_price": 175_000,
        "weight_grams": 250,
    }
    for n in range(1, 6)
]


def forget_peak() -> None:
    """The peak of this process's memory is that of what follows."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Of this process's memory, in kB."""
    [found] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found)


@pytest.mark.soak
@pytest.mark.parametrize("size", ["A5", "A6", "80mm"])
async def test_a_thousand_slips_take_less_than_a_minute_and_500_megabytes(shop: Shop, size: str) -> None:
    values = {"closer": CLOSER, "connection": shop.connection_id, "count": MAX, "lines": json.dumps(_LINES)}
    async with shop.context.db.transaction() as session:
        shipments = list((await session.execute(text(_MANY), values)).scalars())
    forget_peak()
    begun = time.monotonic()
    done = await make(shop, await ask(shop, *shipments, size=size))
    took = time.monotonic() - begun
    kilobytes = peak()
    print(f"{MAX} slips on {size} in {took:.1f} s, at most {kilobytes / 1024:.0f} MiB")
    assert (done["state"], done["done"], done["failed"]) == ("done", MAX, 0)
    assert len(await pages(shop, done)) == MAX
    assert took < 60
    assert kilobytes < 500 * 1000
