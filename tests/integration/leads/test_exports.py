"""Exports of leads to Excel."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest
from openpyxl import load_workbook
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.exports.live import topic_of
from services.leads.exports.work import ATTEMPTS, ExportWorker
from services.leads.state import parts_of
from shared.auth import Principal
from shared.streams import Hints
from tests.harness import Running, eventually
from tests.integration.leads.company import hire, pool, post
from tests.integration.leads.test_tags import group, tag

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def worker(leads: Running) -> ExportWorker:
    parts = parts_of(leads.runtime)
    return ExportWorker(leads.db, arrived=parts.exported, zone="Asia/Ho_Chi_Minh", hints=parts.streams.hints)


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/leads/exports", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def workbook(client: httpx.AsyncClient, export: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/leads/exports/{export['id']}/file")
    assert answer.status_code == 200, answer.text
    rows = list(load_workbook(BytesIO(answer.content)).active.iter_rows(values_only=True))  # type: ignore[union-attr]  # it has a sheet
    return [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]


async def test_an_export_is_a_workbook_with_labels_in_vietnamese(leads: Running) -> None:
    client = await leads.client(code="NV001")
    (nam,) = await hire(leads, "NV012")
    await pool(client, [nam], channels=["manual"])
    hot = await tag(client, await group(client), "Nóng")
    lead = await post(client, "0912345678", other_phone="0987654321", name="Nguyễn Thị Lan", product="KEM", note="gấp")
    await client.post(f"/v1/leads/{lead['id']}/tags", json={"add": [hot["id"]]})
    await post(client, "0912345679", product="SERUM")

    export = await ask(client, filter={"product": ["KEM"]}, with_numbers=True)
    assert (export["state"], export["expected"]) == ("running", 1)
    await worker(leads).step()

    (row,) = await workbook(client, export)
    assert (row["Số điện thoại"], row["Số khác"]) == ("0912345678", "0987654321")
    assert (row["Tên khách"], row["Trạng thái"], row["Mã trạng thái"]) == ("Nguyễn Thị Lan", "Đã lọc trùng", "L1")
    assert (row["Người chăm"], row["Kênh"], row["Thẻ"], row["Mã đơn"]) == ("NV012", "Nhập tay", "Nóng", lead["id"])
    arrived = row["Ngày số về"].replace(tzinfo=HANOI)
    assert abs((datetime.now(UTC) - arrived).total_seconds()) < 120
    assert row["Ngày chia"] is not None


async def test_numbers_are_masked_without_the_permission_and_every_export_is_told_and_kept(leads: Running) -> None:
    boss = await leads.client()
    await post(boss, "0912345678", name="Lan", note="số em 0912 345 678")
    client = await leads.client("leads.read", "leads.export", "visibility.all", code="MKT01")

    refused = await client.post("/v1/leads/exports", json={"with_numbers": True})
    assert (refused.status_code, refused.json()["permission"]) == (403, "phones.reveal")
    export = await ask(client, filter={"q": "lan", "level": ["L1"]})
    await worker(leads).step()
    (row,) = await workbook(client, export)

    assert (row["Số điện thoại"], row["Ghi chú của khách"]) == ("0912***678", "số em 0912***678")
    (event,) = await leads.outbox("leads.export.made.v1")
    told = event["payload"]
    assert (told["by"], told["filters"], told["rows"], told["with_numbers"]) == ("MKT01", ["level", "q"], 1, False)
    shown = (await boss.get("/v1/leads/exports")).json()["items"]
    assert [(one["by"], one["filter"], one["rows"]) for one in shown] == [("MKT01", {"q": "lan", "level": ["L1"]}, 1)]
    assert [row.by for row in await leads.rows("SELECT by FROM export_downloads")] == ["MKT01"]
    assert (await boss.get(f"/v1/leads/exports/{export['id']}/file")).status_code == 404  # only whoever asked for it


async def test_cells_never_start_a_formula_and_odd_text_is_kept(leads: Running) -> None:
    client = await leads.client()
    names = ["=HYPERLINK(1)", "+84912", "-1", "@x", "\u202etxt 🙂", "a\nb"]
    for place, name in enumerate(names):
        await post(client, f"091234567{place}", name=name)

    export = await ask(client)
    await worker(leads).step()

    answer = await client.get(f"/v1/leads/exports/{export['id']}/file")
    sheet = load_workbook(BytesIO(answer.content)).active
    assert sheet is not None
    shown = [row[2] for row in sheet.iter_rows(min_row=2)]  # type: ignore[index]  # cells, not values
    assert [cell.value for cell in shown] == ["=HYPERLINK(1)", "+84912", "-1", "@x", "txt 🙂", "a\nb"]
    assert {(cell.data_type, cell.number_format) for cell in shown} == {("s", "@")}


async def test_an_export_holds_only_what_its_maker_may_see(leads: Running) -> None:
    boss = await leads.client()
    nam, hoa = await hire(leads, "NV012", "NV013")
    await pool(boss, [nam, hoa], weights=[1, 1])
    made = [await post(boss, f"091234567{place}") for place in range(4)]
    own = await leads.client("leads.read", "leads.export", account_id=nam.id, code="NV012")

    export = await ask(own)
    await worker(leads).step()

    seen = {item["id"] for item in (await own.get("/v1/leads")).json()["items"]}
    assert {row["Mã đơn"] for row in await workbook(own, export)} == seen
    assert 0 < len(seen) < len(made)


async def test_an_export_is_followed_on_a_stream_by_those_who_may_see_it(leads: Running) -> None:
    account, other = uuid7(), uuid7()
    client = await leads.client("leads.read", "leads.export", "visibility.all", account_id=account)
    await post(await leads.client(), "0912345678")
    export = await ask(client)
    streams, topic = parts_of(leads.runtime).streams, topic_of(UUID(export["id"]))
    may = frozenset({"leads.export"})

    assert (await client.post("/v1/streams/tickets", json={"topics": [topic]})).status_code == 201
    before = (await streams.read(Principal(account, "NV001", may), [topic]))[topic]
    await worker(leads).step()
    after = (await streams.read(Principal(account, "NV001", may), [topic]))[topic]

    assert (before["state"], after["state"], after["rows"]) == ("running", "done", 1)
    assert streams.topic(topic).ended(after)
    assert await streams.read(Principal(other, "NV002", may), [topic]) == {}
    assert await streams.read(Principal(account, "NV001", frozenset()), [topic]) == {}


async def test_a_repeated_request_makes_one_export(leads: Running) -> None:
    client = await leads.client()
    sent = [await client.post("/v1/leads/exports", json={}, headers={"Idempotency-Key": "export-1"}) for _ in range(2)]
    assert sent[0].json()["id"] == sent[1].json()["id"]
    assert len((await client.get("/v1/leads/exports")).json()["items"]) == 1


async def test_an_export_whose_writer_is_killed_is_written_again_by_another_process(leads: Running) -> None:
    client = await leads.client()
    await fill(leads, 3_000)
    export = await ask(client)
    first = asyncio.create_task(worker(leads).step())

    async def writer() -> psutil.Process | None:
        found = [
            one for one in psutil.Process().children() if "services.leads.exports.child" in " ".join(one.cmdline())
        ]
        return found[0] if found else None

    child = await eventually(writer)
    assert child is not None
    first.cancel()  # as a process that is told to stop in the middle
    await asyncio.gather(first, return_exceptions=True)
    assert await eventually(lambda: gone(child))
    assert (await client.get(f"/v1/leads/exports/{export['id']}")).json()["state"] == "running"

    await worker(leads).step()

    rows = await workbook(client, export)
    assert (len(rows), len({row["Mã đơn"] for row in rows})) == (3_000, 3_000)
    assert len(await leads.outbox("leads.export.made.v1")) == 1


class Stuck(Hints):
    """Says that the first page was written, and lets nothing go on."""

    def __init__(self) -> None:
        super().__init__("leads", "")
        self.first = asyncio.Event()

    async def tell(self, topic: str) -> None:
        self.first.set()
        await asyncio.Event().wait()


async def test_an_export_outlives_any_number_of_processes_that_are_told_to_stop(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0912345678")
    export = await ask(client)

    for _ in range(ATTEMPTS + 1):
        stuck = Stuck()
        process = ExportWorker(leads.db, arrived=asyncio.Event(), zone="Asia/Ho_Chi_Minh", hints=stuck)
        stopped = asyncio.create_task(process.step())
        await stuck.first.wait()
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
    await worker(leads).step()

    assert len(await workbook(client, export)) == 1
    assert [row.attempts for row in await leads.rows("SELECT attempts FROM exports")] == [1]


async def test_an_export_over_which_processes_die_again_and_again_ends_as_failed(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0912345678")
    export = await ask(client)
    async with leads.db.transaction() as session:  # as many processes took it up and never came back
        await session.execute(text("UPDATE exports SET attempts = :deaths"), {"deaths": ATTEMPTS})

    await worker(leads).step()

    assert (await client.get(f"/v1/leads/exports/{export['id']}")).json()["state"] == "failed"


async def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_a_writer_that_dies_ends_the_export_and_says_so(leads: Running) -> None:
    client = await leads.client()
    await fill(leads, 3_000)
    export = await ask(client)
    working = asyncio.create_task(worker(leads).step())

    async def kill() -> bool:
        for one in psutil.Process().children():
            if "services.leads.exports.child" in " ".join(one.cmdline()):
                os.kill(one.pid, signal.SIGKILL)
                return True
        return False

    await eventually(kill)
    await working

    assert (await client.get(f"/v1/leads/exports/{export['id']}")).json()["state"] == "failed"
    answer = await client.get(f"/v1/leads/exports/{export['id']}/file")
    assert (answer.status_code, answer.json()["title"]) == (409, "export-failed")


async def test_a_workbook_can_be_downloaded_for_a_day(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0912345678")
    export = await ask(client)
    early = await client.get(f"/v1/leads/exports/{export['id']}/file")
    assert (early.status_code, early.json()["title"]) == (409, "export-not-ready")
    await worker(leads).step()
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE exports SET expires_at = now() - interval '1 s'"))
    late = await client.get(f"/v1/leads/exports/{export['id']}/file")
    assert (late.status_code, late.json()["title"]) == (410, "export-gone")

    await worker(leads).step()

    assert await leads.rows("SELECT 1 FROM export_chunks") == []
    assert (await client.get(f"/v1/leads/exports/{export['id']}")).json()["rows"] == 1


async def fill(leads: Running, count: int) -> None:
    """Leads without the trouble of intake."""
    async with leads.db.transaction() as session:
        await session.execute(
            text(
                """
WITH made AS (
    INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict)
    SELECT uuidv7(), 'manual', now() - n * interval '1 minute', '', '', 'lead' FROM generate_series(1, :count) AS n
    RETURNING id, received_at
), numbered AS (SELECT id, received_at, row_number() OVER (ORDER BY received_at, id) AS n FROM made)
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, channel, campaign,
    landing_page, marketer, received_at, returning_customer, level, in_care)
SELECT id, 'lead', '+849' || lpad(n::text, 8, '0'), '{}', '', 'Nguyễn Văn ' || n, 'KEM-' || n % 50, 'Gọi sau ' || n % 24 || 'h',
    n || ' Lê Lợi, Phường Bến Thành', 'manual', '', '', '', received_at, false, 'L1', true
FROM numbered
"""
            ),
            {"count": count},
        )


@pytest.mark.soak
async def test_200_000_leads_are_exported_in_flat_memory_also_when_it_has_to_begin_again(leads: Running) -> None:
    client = await leads.client()
    await fill(leads, 200_000)
    export = await ask(client)
    process = psutil.Process()
    before, peak, child_peak = process.memory_info().rss, 0, 0

    async def watch() -> None:
        nonlocal peak, child_peak
        while True:
            peak = max(peak, process.memory_info().rss - before)
            for one in process.children():
                try:
                    if "exports.child" in " ".join(one.cmdline()):
                        child_peak = max(child_peak, one.memory_info().rss)
                except psutil.Error:
                    continue
            await asyncio.sleep(0.2)

    async def half() -> bool:
        return bool((await client.get(f"/v1/leads/exports/{export['id']}")).json()["rows"] >= 100_000)

    watching = asyncio.create_task(watch())
    stopped = asyncio.create_task(worker(leads).step())
    await eventually(half, within=300)
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    started = datetime.now(UTC)
    await worker(leads).step()
    took = (datetime.now(UTC) - started).total_seconds()
    watching.cancel()

    state = (await client.get(f"/v1/leads/exports/{export['id']}")).json()
    print(
        f"200,000 rows: {took:.0f} s, +{peak >> 20} MiB here, {child_peak >> 20} MiB in the child, {state['bytes']:,} bytes"
    )
    assert (state["state"], state["rows"]) == ("done", 200_000)
    assert peak < 100 << 20
    assert child_peak < 150 << 20
