"""The largest files that are taken and given: in flat memory, and in a time that people wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
import pytest

from services.leads.consent.list_work import ListWorker
from tests.harness import Running
from tests.integration.leads.imports_support import numbers, upload


@dataclass
class Peak:
    """Bytes of memory beyond those of the beginning, and seconds."""

    bytes: int = 0
    seconds: float = 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Peak]:
    """What this process takes at most while the block runs."""
    process = psutil.Process()
    before, peak, started = process.memory_info().rss, Peak(), time.monotonic()

    async def watch() -> None:
        while True:
            peak.bytes = max(peak.bytes, process.memory_info().rss - before)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        yield peak
    finally:
        watching.cancel()
        peak.seconds = time.monotonic() - started


@pytest.mark.soak
async def test_a_list_of_a_million_numbers_is_put_on_the_list_in_flat_memory(leads: Running) -> None:
    client = await leads.client()
    content = "\n".join(f"09{number:08}" for number in range(1_000_000)).encode()

    async with watched() as sent:
        made = await client.post(
            "/v1/do-not-call/imports",
            files={"file": ("danh-sach.txt", content)},
            data={"source": "authority", "mode": "replace", "reason": "Danh sách không quảng cáo 11/2026"},
        )
    assert made.status_code == 201, made.text
    async with watched() as put:
        worker = ListWorker(leads.db, arrived=asyncio.Event())
        while await worker.step():
            pass

    done = (await client.get(f"/v1/do-not-call/imports/{made.json()['id']}")).json()
    print(
        f"1,000,000 rows: sent {sent.seconds:.0f} s, +{sent.bytes >> 20} MiB; put on the list {put.seconds:.0f} s, "
        f"+{put.bytes >> 20} MiB"
    )
    assert (done["state"], done["added"], done["rejected"]) == ("done", 1_000_000, 0)
    assert sent.bytes < 400 << 20
    assert put.bytes < 100 << 20


@pytest.mark.soak
async def test_a_verdict_workbook_of_two_hundred_thousand_rows_is_written_in_flat_memory(leads: Running) -> None:
    client = await leads.client()
    content = await asyncio.to_thread(numbers, 200_000)
    made = await upload(client, content)
    assert made.status_code == 201, made.text

    size = 0
    url = f"/v1/imports/{made.json()['id']}/verdicts.xlsx"
    async with watched() as written, client.stream("GET", url, timeout=300) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_bytes():
            size += len(piece)

    print(f"200,000 verdicts: {written.seconds:.0f} s, +{written.bytes >> 20} MiB, {size:,} bytes")
    assert size > 1_000_000
    assert written.bytes < 150 << 20
