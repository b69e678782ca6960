"""Statuses from a file or a pasted list: previewed, applied with a result for each row, taken back."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import text

from services.shipping.status_files import applying
from services.shipping.status_files.reading import ZONE
from shared.contracts.permissions import SHIPPING_READ, SHIPPING_WRITE
from tests.integration.shipping.support import CLOSER, Shop
from tests.integration.shipping.test_callbacks import body
from tests.integration.shipping.test_shipments_api import CHANGED, account

HEADER = ("Mã vận đơn", "Trạng thái", "Thời gian")
LATER = "2030-01-05T08:00:00+07:00"


def workbook(rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER) -> bytes:
    book = Workbook()
    for row in (header, *rows):
        book.worksheets[0].append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


async def send(client: httpx.AsyncClient, content: bytes, name: str = "ghtk.xlsx", **fields: str) -> httpx.Response:
    return await client.post("/v1/status-files", files={"file": (name, content)}, data=fields)


async def previewed(shop: Shop, content: bytes, **fields: str) -> dict[str, Any]:
    answer = await send(shop.client, content, **fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def paste(shop: Shop, codes: str, status: str = "delivered", **fields: Any) -> dict[str, Any]:
    answer = await shop.client.post("/v1/status-files/pasted", json={"codes": codes, "status": status, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def ask(shop: Shop, file: dict[str, Any], what: str) -> dict[str, Any]:
    answer = await shop.client.post(f"/v1/status-files/{file['id']}/{what}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def rows(shop: Shop, file: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = await shop.client.get(f"/v1/status-files/{file['id']}/rows", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def waybills(shop: Shop, ids: Sequence[UUID]) -> list[str]:
    return [(await shop.get(shipment_id))["waybill"] for shipment_id in ids]


async def called_back(shop: Shop, waybill: str, status: int, at: str) -> None:
    assert await shop.call_back(body(waybill, status, at=at)) == 200
    await shop.apply_callbacks()


def an_hour_ago(shop: Shop) -> datetime:
    """A time behind everything so far: our clock goes forward two hours."""
    shop.skip(timedelta(hours=2) + shop.skipped)
    return shop.context.now() - timedelta(hours=1)


def typed(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%d/%m/%Y %H:%M:%S}"


async def test_a_preview_says_what_would_move_and_moves_nothing(shop: Shop) -> None:
    first, second, third = await shop.ship_many(3)
    a, b, c = await waybills(shop, [first, second, third])
    content = workbook([(a, "Đã giao hàng"), (b, "9"), (c, "2"), (a, "Đã giao hàng"), ("8.49E+11", "5"), (b, "bay")])

    file = await previewed(shop, content)

    assert file["verdicts"] == {"moves": 2, "confirms": 1, "doubled": 1, "unknown_code": 1, "unknown_status": 1}
    assert [(move["before"], move["after"], move["rows"]) for move in file["moves"]] == [
        ("accepted", "delivered", 1),
        ("accepted", "delivery_failed", 1),
    ]
    assert (file["rows"], file["parcels"], file["present"], file["results"]) == (6, 3, {"accepted": 3}, {})
    assert set((await shop.states()).values()) == {"accepted"}
    [unknown] = await rows(shop, file, only="unknown_code")
    assert (unknown["number"], unknown["code"], unknown["shipment_id"]) == (6, "8.49E+11", None)
    assert "8,49E+11" in unknown["sentence"]


async def test_an_applied_file_moves_parcels_as_a_callback_would_and_tells_the_others(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    told = len(await shop.events(CHANGED))
    file = await previewed(shop, workbook([(waybill, "Đã giao hàng")]))

    applied = await ask(shop, file, "apply")

    assert (applied["state"], applied["results"], applied["applied_by"]) == ("applied", {"moves": 1}, "NV099")
    view = await shop.get(shipment_id)
    assert view["status"] == "delivered"
    assert view["timeline"][-1]["known_first_by"] == "Tệp trạng thái"
    [event] = (await shop.events(CHANGED))[told:]
    assert (event["previous"], event["status"], event["waybill"]) == ("accepted", "delivered", waybill)


async def test_applying_twice_and_sending_the_same_file_again_do_nothing_twice(shop: Shop) -> None:
    shipment_id = await shop.ship()
    content = workbook([(waybill, "5") for waybill in await waybills(shop, [shipment_id])])
    file = await previewed(shop, content)
    first = await ask(shop, file, "apply")
    entries = (await shop.get(shipment_id))["timeline"]

    assert await ask(shop, file, "apply") == first
    again = await send(shop.client, content)

    assert (again.status_code, again.json()["title"], again.json()["file_id"]) == (
        409,
        "status-file-applied-before",
        file["id"],
    )
    assert (await shop.get(shipment_id))["timeline"] == entries


async def test_two_previews_of_one_content_are_applied_once(shop: Shop) -> None:
    [waybill] = await waybills(shop, [await shop.ship()])
    mine = await paste(shop, waybill)
    colleague = await shop.running.client(account_id=uuid4(), code="NV100")
    theirs = (await colleague.post("/v1/status-files/pasted", json={"codes": waybill, "status": "delivered"})).json()
    assert (await colleague.post(f"/v1/status-files/{theirs['id']}/apply")).status_code == 200

    refused = await shop.client.post(f"/v1/status-files/{mine['id']}/apply")

    assert (refused.status_code, refused.json()["file_id"]) == (409, theirs["id"])


async def test_a_preview_that_is_sent_again_replaces_the_one_before(shop: Shop) -> None:
    [waybill] = await waybills(shop, [await shop.ship()])
    await paste(shop, waybill)
    latest = await paste(shop, waybill)
    items = (await shop.client.get("/v1/status-files")).json()["items"]
    assert [item["id"] for item in items] == [latest["id"]]


async def test_pasted_codes_may_be_waybills_references_or_orders(shop: Shop) -> None:
    ids = await shop.ship_many(3)
    views = [await shop.get(shipment_id) for shipment_id in ids]
    codes = f"{views[0]['waybill']};{views[1]['reference']}\n  {views[2]['order_code']}, khong-co"

    file = await paste(shop, codes, "out_for_delivery")
    await ask(shop, file, "apply")

    assert file["verdicts"] == {"moves": 3, "unknown_code": 1}
    assert set((await shop.states()).values()) == {"out_for_delivery"}


async def test_an_undone_file_leaves_the_states_that_the_rest_of_the_timeline_tells(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    await called_back(shop, waybill, 4, an_hour_ago(shop).isoformat())
    before = await shop.get(shipment_id)
    file = await paste(shop, waybill)
    await ask(shop, file, "apply")

    undone = await ask(shop, file, "undo")

    assert (undone["state"], undone["results"], undone["undone_by"]) == ("undone", {"taken_back": 1}, "NV099")
    after = await shop.get(shipment_id)
    assert before["status"] == "out_for_delivery"
    assert (after["status"], after["timeline"]) == (before["status"], before["timeline"])
    last = (await shop.events(CHANGED))[-1]
    assert (last["previous"], last["status"], last["correction"]) == ("delivered", before["status"], True)
    assert await ask(shop, file, "undo") == undone
    refused = await shop.client.post(f"/v1/status-files/{file['id']}/apply")
    assert (refused.status_code, refused.json()["title"]) == (409, "status-file-undone")
    assert (await paste(shop, waybill))["verdicts"] == {"moves": 1}


async def test_what_the_carrier_told_as_well_stays_when_the_file_is_undone(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    at = an_hour_ago(shop).replace(microsecond=0)
    file = await previewed(shop, workbook([(waybill, "4", typed(at))]))
    await ask(shop, file, "apply")
    await called_back(shop, waybill, 4, at.isoformat())

    await ask(shop, file, "undo")

    entries = [item for item in (await shop.get(shipment_id))["timeline"] if item["raw_status"] == "4"]
    assert [item["known_first_by"] for item in entries] == ["Hãng gọi báo"]
    assert (await shop.get(shipment_id))["status"] == "out_for_delivery"


async def test_a_later_report_of_the_carrier_counts_whether_the_file_is_undone_or_not(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    file = await paste(shop, waybill)
    await ask(shop, file, "apply")
    await called_back(shop, waybill, 20, LATER)
    events = len(await shop.events(CHANGED))

    await ask(shop, file, "undo")

    assert (await shop.get(shipment_id))["status"] == "returning"
    assert [event["status"] for event in (await shop.events(CHANGED))[events:]] in ([], ["returning"])


async def test_a_parcel_whose_money_is_home_keeps_what_the_file_told(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    file = await paste(shop, waybill)
    await ask(shop, file, "apply")
    async with shop.context.db.transaction() as session:
        await session.execute(text("UPDATE shipments SET settled_at = now(), settled_amount = 350000"))

    undone = await ask(shop, file, "undo")

    assert undone["results"] == {"kept_settled": 1}
    assert (await shop.get(shipment_id))["status"] == "delivered"


async def test_two_files_that_tell_the_same_are_undone_one_by_one(shop: Shop) -> None:
    shipment_id = await shop.ship()
    [waybill] = await waybills(shop, [shipment_id])
    at = typed(an_hour_ago(shop))
    one = await previewed(shop, workbook([(waybill, "5", at)]))
    await ask(shop, one, "apply")
    other = await previewed(shop, workbook([(waybill, "Đã giao hàng", at)]))
    assert (await ask(shop, other, "apply"))["results"] == {"known": 1}

    await ask(shop, one, "undo")
    assert (await shop.get(shipment_id))["status"] == "delivered"
    await ask(shop, other, "undo")
    assert (await shop.get(shipment_id))["status"] == "accepted"


async def test_a_file_that_was_left_halfway_is_finished_by_applying_again(shop: Shop, monkeypatch: Any) -> None:
    ids = await shop.ship_many(5)
    monkeypatch.setattr(applying, "BATCH", 2)
    file = await paste(shop, "\n".join(await waybills(shop, ids)), "picked_up")
    apply_batch = applying._apply_batch
    turns = 0

    async def dies_in_the_second(*arguments: Any) -> bool:
        nonlocal turns
        turns += 1
        if turns == 2:
            raise RuntimeError("the process dies")
        return await apply_batch(*arguments)

    monkeypatch.setattr(applying, "_apply_batch", dies_in_the_second)
    assert (await shop.client.post(f"/v1/status-files/{file['id']}/apply")).status_code == 500
    half = (await shop.client.get(f"/v1/status-files/{file['id']}")).json()
    assert (half["state"], half["results"]) == ("applying", {"moves": 2})

    assert (await ask(shop, file, "apply"))["results"] == {"moves": 5}
    assert set((await shop.states()).values()) == {"picked_up"}


async def test_one_moves_only_parcels_that_one_may_see(shop: Shop) -> None:
    [waybill] = await waybills(shop, [await shop.ship()])
    stranger, leader = uuid4(), uuid4()
    await account(shop, leader)
    await account(shop, CLOSER, superior_id=leader)
    found = []
    for who in (stranger, leader):
        client = await shop.running.client(SHIPPING_WRITE, account_id=who)
        answer = await client.post("/v1/status-files/pasted", json={"codes": waybill, "status": "delivered"})
        found.append(answer.json()["verdicts"])
    assert found == [{"unknown_code": 1}, {"moves": 1}]


async def test_a_file_is_seen_by_who_sent_it_and_those_above_and_needs_the_permission(shop: Shop) -> None:
    [waybill] = await waybills(shop, [await shop.ship()])
    file = await paste(shop, waybill)
    stranger = await shop.running.client(SHIPPING_WRITE, account_id=uuid4())
    reader = await shop.running.client(SHIPPING_READ)
    assert (await stranger.get(f"/v1/status-files/{file['id']}")).status_code == 404
    assert (await stranger.post(f"/v1/status-files/{file['id']}/apply")).status_code == 404
    assert (await stranger.get("/v1/status-files")).json()["items"] == []
    assert (await reader.get("/v1/status-files")).status_code == 403


async def test_what_cannot_be_read_is_refused_with_what_to_do(shop: Shop) -> None:
    refused = [
        await send(shop.client, workbook([("Lan",)], header=("Tên",))),
        await send(shop.client, b""),
        await send(shop.client, b"%PDF-1.7\n%\xe2\xe3", "a.pdf"),
        await shop.client.post("/v1/status-files/pasted", json={"codes": " \n", "status": "delivered"}),
        await send(shop.client, workbook([("S1", "5")]), connection_id=str(uuid4())),
    ]
    assert [(answer.status_code, answer.json()["title"]) for answer in refused] == [
        (422, "status-file-without-codes"),
        (422, "workbook-empty"),
        (422, "workbook-unknown-file"),
        (422, "status-file-empty"),
        (422, "unknown-connection-of-file"),
    ]
    assert (await shop.client.get("/v1/status-files")).json()["items"] == []


async def test_rows_and_files_go_page_by_page(shop: Shop) -> None:
    file = await paste(shop, " ".join(f"X{number}" for number in range(7)))
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (
            await shop.client.get(f"/v1/status-files/{file['id']}/rows", params={"limit": 3, "after": after})
        ).json()
        found += [row["number"] for row in page["items"]]
        after = page["next"]
    assert found == [1, 2, 3, 4, 5, 6, 7]
    await paste(shop, "Y1")
    page = (await shop.client.get("/v1/status-files", params={"limit": 1})).json()
    rest = (await shop.client.get("/v1/status-files", params={"limit": 1, "after": page["next"]})).json()
    assert ([item["rows"] for item in page["items"] + rest["items"]], rest["next"]) == ([1, 7], None)


_MANY = (
    """
INSERT INTO shippable_orders (order_id, version, code, closer_id)
SELECT gen_random_uuid(), 1, 'DH-' || n, :closer FROM generate_series(1, :count) AS n
""",
    """
INSERT INTO shipments (id, order_id, connection_id, reference, waybill, status, status_at, cod, accepted_at)
SELECT gen_random_uuid(), order_id, :connection, code || '-1', 'S' || code, 'accepted', now() - interval '1 day', 350000,
    now() - interval '1 day'
FROM shippable_orders
""",
)


@pytest.mark.parametrize("count", [600, pytest.param(20_000, marks=pytest.mark.soak)])
async def test_a_large_file_goes_there_and_back_within_requests_and_with_flat_memory(shop: Shop, count: int) -> None:
    async with shop.context.db.transaction() as session:
        for statement in _MANY:
            values = {"closer": CLOSER, "connection": shop.connection_id, "count": count}
            await session.execute(text(statement), {name: values[name] for name in values if f":{name}" in statement})
    content = workbook([(f"SDH-{n}", "Đã giao hàng" if n % 3 else "Không giao được hàng") for n in range(1, count + 1)])
    shop.client.timeout = httpx.Timeout(300)
    took: dict[str, float] = {}

    async def timed(name: str, asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        began = time.monotonic()
        answer = await asked
        took[name] = round(time.monotonic() - began, 2)
        return answer

    tracemalloc.start()
    try:
        file = await timed("preview", previewed(shop, content))
        applied = await timed("apply", ask(shop, file, "apply"))
        there = Counter((await shop.states()).values())
        undone = await timed("undo", ask(shop, file, "undo"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    print(count, took, f"{peak / 2**20:.0f} MiB")
    assert file["verdicts"] == applied["results"] == {"moves": count}
    assert there == {"delivered": count - count // 3, "delivery_failed": count // 3}
    assert undone["results"] == {"taken_back": count}
    assert set((await shop.states()).values()) == {"accepted"}
    assert len(await shop.events(CHANGED)) == 2 * count
    # All rows with their parcels at once would be 100 MiB at 20,000.
    assert peak < 48 * 2**20


async def test_delimited_text_is_read_as_well(shop: Shop) -> None:
    [waybill] = await waybills(shop, [await shop.ship()])
    answer = await send(shop.client, f"waybill;status\n{waybill};returned\n".encode(), "a.csv")
    assert answer.json()["verdicts"] == {"moves": 1}
