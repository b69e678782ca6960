"""A Facebook page followed by its workflow, on the real engines, against the simulated Facebook."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from deploy.local.engines import Nats, Temporal
from deploy.local.facebook import FacebookSimulator
from services.leads.reconcile import reconcile
from shared.contracts import ids
from shared.contracts.commands import NUDGE
from shared.contracts.workflows import FACEBOOK, FacebookInput
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually
from tests.integration.leads.facebook_support import Shop, open_shop
from tests.workflow.recording import keep
from workflows import search_attributes
from workflows.worker import build_worker, make_current

PACE = 0.01
"""Of the pauses: five minutes become three seconds."""


@pytest.fixture
async def temporal(temporal_server: Temporal) -> AsyncIterator[Client]:
    client = await connected(await connect(temporal_server))
    await ensure_search_attributes(client, search_attributes.ALL)
    await make_current(client)
    yield client
    # The queues are the product's own, so a workflow left over would find the next test's database.
    async for execution in client.list_workflows("ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(execution.id).terminate()


@pytest.fixture
async def page(databases: Databases, nats: Nats, temporal_server: Temporal, temporal: Client) -> AsyncIterator[Shop]:
    """Everything runs: pushes are applied, the relay carries nudges, activities and workflow workers work."""
    async with (
        FacebookSimulator() as facebook,
        open_shop(databases, facebook, nats=nats, temporal=temporal_server, facebook_pace=PACE) as shop,
    ):
        await shop.listen()
        shop.leads.start("relay", "consumer", "activities")
        async with build_worker(temporal):
            yield shop


async def test_pushed_and_lost_leads_are_fetched_and_the_operator_sees_where_the_page_stands(
    page: Shop, temporal: Client
) -> None:
    handle = temporal.get_workflow_handle(ids.facebook_id(page.id))

    async def subscribed() -> bool:
        return bool(page.page.subscribed_fields)

    await eventually(subscribed)
    page.world.submit(page.form, phone="0912000001", name="Trần Thị Mai")
    page.page.subscribed_fields = ()
    page.world.submit(page.form, phone="0912000002")

    async def fetched() -> bool:
        figures = await page.figures()
        return (figures["fetched"], figures["polled_only"]) == (2, 1)

    await eventually(fetched)

    async def shown() -> bool:
        described = await handle.describe()
        return described.typed_search_attributes.get(search_attributes.SOURCE) == page.page.id

    await eventually(shown)
    await keep(handle, "facebook-page")
    history = (await handle.fetch_history()).to_json()
    assert "Mai" not in history
    assert "912000001" not in history
    assert page.page.token not in history


async def test_a_page_is_followed_again_after_an_operator_ended_its_workflow(page: Shop, temporal: Client) -> None:
    first = temporal.get_workflow_handle(ids.facebook_id(page.id))

    async def runs() -> bool:
        return bool(page.world.stats.calls.get("leads"))

    await eventually(runs)
    await first.terminate()

    async def started_again() -> bool:
        await reconcile(page.leads.db, temporal)
        try:
            described = await temporal.get_workflow_handle(ids.facebook_id(page.id, round=2)).describe()
        except RPCError:
            return False
        return described.status is WorkflowExecutionStatus.RUNNING

    await eventually(started_again, within=30, every=0.2)
    page.world.submit(page.form, phone="0912000001")

    async def fetched() -> bool:
        return bool((await page.figures())["fetched"] == 1)

    await eventually(fetched)


async def test_a_long_history_goes_on_as_new(page: Shop, temporal: Client) -> None:
    workflow_id = ids.facebook_id(page.id, round=9)
    handle = await temporal.start_workflow(
        FACEBOOK.name,
        FacebookInput(page_id=page.id, history_limit=10),
        id=workflow_id,
        task_queue=FACEBOOK.task_queue,
    )

    async def continued() -> bool:
        await handle.signal(NUDGE)
        described = await temporal.get_workflow_handle(workflow_id).describe()
        return described.run_id != handle.first_execution_run_id

    await eventually(continued, every=0.2)
    await keep(temporal.get_workflow_handle(workflow_id, run_id=handle.first_execution_run_id), "facebook-continued")
