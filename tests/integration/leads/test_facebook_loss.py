"""Facebook that loses pushes, and a service that dies meanwhile: every lead is there once all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Final

import pytest
from temporalio.client import Client

from deploy.local.engines import Nats, Temporal
from deploy.local.facebook import FacebookSimulator, Faults, Form, SimulatorSettings
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually
from tests.integration.leads.facebook_support import KEY, Shop, open_shop
from workflows import search_attributes
from workflows.worker import build_worker, make_current

ROOT: Final = Path(__file__).parents[3]
PACE: Final = 0.005
"""Of the pauses: five minutes between two readings become a second and a half."""
FAULTS: Final = Faults(
    drop_push=0.4,
    duplicate_push=0.1,
    delay_push=0.2,
    delay_push_seconds=1,
    server_error=0.02,
    rate_limit=0.01,
    late_listing=0.1,
    late_listing_seconds=1,
)


@pytest.fixture
async def temporal(temporal_server: Temporal) -> AsyncIterator[Client]:
    client = await connected(await connect(temporal_server))
    await ensure_search_attributes(client, search_attributes.ALL)
    await make_current(client)
    yield client
    async for execution in client.list_workflows("ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(execution.id).terminate()


@pytest.fixture
async def page(databases: Databases, nats: Nats, temporal_server: Temporal, temporal: Client) -> AsyncIterator[Shop]:
    """Pushes are accepted and applied here; whatever fetches leads is a process of its own."""
    settings = SimulatorSettings(batch_pushes=20)
    async with (
        FacebookSimulator(settings=settings) as facebook,
        open_shop(databases, facebook, nats=nats, temporal=temporal_server, facebook_pace=PACE) as shop,
    ):
        await shop.listen()
        shop.leads.start("relay", "consumer")
        async with build_worker(temporal):
            yield shop


async def fetcher(page: Shop, temporal_server: Temporal) -> Process:
    """The role that asks Facebook, as in production; what it says stands beside the engine's log."""
    environment = {
        "CHOT_DATABASE_URL": page.leads.url,
        "CHOT_CREDENTIALS_KEY": KEY,
        "CHOT_FACEBOOK_URL": page.facebook.graph_url,
        "CHOT_FACEBOOK_PACE": str(PACE),
        "CHOT_HTTP_PORT": "0",
        "TEMPORAL_ADDRESS": temporal_server.url,
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    with temporal_server.log_path.with_name("fetcher.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.leads",
            "activities",
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )


async def customers(page: Shop, forms: list[Form], *, count: int, every: float) -> None:
    """Customers send forms, one after the other, each with a number of their own."""
    dice = Random(1)
    for number in range(count):
        page.world.submit(dice.choice(forms), phone=f"09{number:08d}")
        await asyncio.sleep(every)


async def lose(page: Shop, temporal_server: Temporal, *, count: int, kills: int, every: float, within: float) -> None:
    """Leads are created while forms are read; the fetching process is killed again and again; then all are there."""
    page.world.set_faults(FAULTS)

    async def subscribed() -> bool:
        return bool(page.page.subscribed_fields)

    forms = [page.form, *(page.world.add_form(page.page) for _ in range(2))]
    process = await fetcher(page, temporal_server)
    arriving: asyncio.Task[None] | None = None
    try:
        await eventually(subscribed, within=within)
        arriving = asyncio.create_task(customers(page, forms, count=count, every=every))
        for kill in range(kills):
            wanted = count * (kill + 1) // (kills + 2)

            async def some(wanted: int = wanted) -> bool:
                (row,) = await page.leads.rows("SELECT count(*) AS leads FROM leads")
                return bool(row.leads >= wanted)

            await eventually(some, within=within, what=f"{wanted} leads before kill {kill + 1}")
            process.send_signal(signal.SIGKILL)
            await process.wait()
            process = await fetcher(page, temporal_server)
        await arriving
        await page.world.sender.drain()

        async def everything() -> bool:
            figures = await page.figures()
            assert figures["fetched"] == count, figures
            return True

        await eventually(everything, within=within, every=0.3)
    finally:
        if arriving is not None:
            arriving.cancel()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await each_lead_is_there_once(page, count)


async def each_lead_is_there_once(page: Shop, count: int) -> None:
    seen = await page.leads_seen()
    assert sorted(lead["leadgen_id"] for lead in seen) == sorted(page.world.leads)
    assert {lead["state"] for lead in seen} == {"fetched"}
    rows = await page.leads.rows("SELECT l.phone, l.verdict, r.id FROM raw_items r LEFT JOIN leads l USING (id)")
    assert len(rows) == count
    assert {row.verdict for row in rows} == {"lead"}
    sent = {answer["values"][0] for lead in page.world.leads.values() for answer in lead.field_data[1:]}  # type: ignore[index]  # a list of answers
    assert {row.phone.replace("+84", "0") for row in rows} == sent
    events = await page.leads.outbox("leads.lead.accepted.v1")
    assert len({event["subject"] for event in events}) == len(events) == count
    figures = await page.figures()
    stats = page.world.stats
    assert stats.dropped > 0
    assert figures["polled_only"] > 0
    assert figures["pushed"] + figures["polled_only"] == count
    assert (figures["pending"], figures["failed"], figures["wrong_signatures"]) == (0, 0, 0)
    print(
        f"\n{count} leads: {stats.dropped} pushes lost, {figures['polled_only']} found by reading, calls {stats.calls}"
    )


async def test_facebook_loses_four_pushes_of_ten_and_the_fetching_process_is_killed(
    page: Shop, temporal_server: Temporal
) -> None:
    await lose(page, temporal_server, count=300, kills=1, every=0.01, within=60)


@pytest.mark.soak
async def test_of_three_thousand_leads_none_is_lost_by_facebook_or_by_five_deaths(
    page: Shop, temporal_server: Temporal
) -> None:
    await lose(page, temporal_server, count=3_000, kills=5, every=0.02, within=240)
