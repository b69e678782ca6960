"""The money of parcels on the real engines: a statement's workflow, and the parcels' that wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from deploy.local.engines import Nats, Temporal
from services.shipping.reconcile import reconcile
from services.shipping.work import work
from shared.contracts import ids
from shared.contracts.workflows import nudge_shipment
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually, result
from tests.integration.shipping.cod_support import Desk, Parcel, open_desk, paid, workbook
from tests.workflow.recording import keep
from workflows import search_attributes
from workflows.worker import build_worker, make_current


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
async def desk(databases: Databases, nats: Nats, temporal_server: Temporal, temporal: Client) -> AsyncIterator[Desk]:
    """Relay, activity worker and workflow worker run."""
    async with open_desk(databases, nats=nats, temporal=temporal_server) as opened:
        opened.running.start("relay", "activities")
        async with build_worker(temporal):
            yield opened


async def end_of(handle: WorkflowHandle[Any, Any]) -> Any:
    """How a workflow ends that the relay is about to start."""

    async def there() -> bool:
        try:
            return bool((await handle.describe()).run_id)
        except RPCError:
            return False

    await eventually(there, what=f"{handle.id} was started")
    return await result(handle)


async def test_workflows_of_parcels_wait_for_their_money_and_end_when_it_is_home_or_written_off(
    desk: Desk, temporal: Client
) -> None:
    home, short, given_up = (Parcel(f"S1.{number}", f"DH-AAAA000{number}") for number in range(1, 4))
    await desk.ship(home, short, given_up)
    async with work(desk.running.db) as current:
        for parcel in (home, short, given_up):
            current.send(nudge_shipment(parcel.id))
    answer = await desk.send(workbook([paid(home), paid(short, cod=300_000)]))
    settlement = temporal.get_workflow_handle(ids.settlement_id(UUID(answer.json()["id"])))
    await end_of(settlement)
    assert (await desk.statement(answer.json()["id"]))["state"] == "matched"
    assert await end_of(temporal.get_workflow_handle(ids.shipment_id(home.id))) == "delivered"
    waiting = temporal.get_workflow_handle(ids.shipment_id(short.id))

    async def told() -> bool:
        view = await desk.look(short)
        described = await waiting.describe()
        due = described.typed_search_attributes.get(search_attributes.DUE_AT)
        assert "GHTK nợ 50.000 đ từ 20/11/2026, hạn 30/11/2026" in view.view.sentence_vi
        return due == short.at + timedelta(days=10)

    await eventually(told)
    again = await desk.send(workbook([paid(short, cod=50_000, fee=0)]))
    await end_of(temporal.get_workflow_handle(ids.settlement_id(UUID(again.json()["id"]))))
    assert await end_of(waiting) == "delivered"
    written_off = await desk.client.post(f"/v1/cod/shipments/{given_up.id}/write-off", json={"reason": "hãng phá sản"})
    assert written_off.json()["written_off"]["amount"] == 350_000
    assert await end_of(temporal.get_workflow_handle(ids.shipment_id(given_up.id))) == "written_off"
    await keep(settlement, "settlement-matched")
    await keep(waiting, "shipment-paid-short-then-home")
    await keep(temporal.get_workflow_handle(ids.shipment_id(given_up.id)), "shipment-written-off")


async def test_a_parcel_whose_workflow_has_ended_is_followed_again_when_its_money_turns_out_wrong(
    desk: Desk, temporal: Client
) -> None:
    parcel = Parcel("S1.9", "DH-BBBB0009", status="returned")
    await desk.ship(parcel)
    async with work(desk.running.db) as current:
        current.send(nudge_shipment(parcel.id))
    assert await end_of(temporal.get_workflow_handle(ids.shipment_id(parcel.id))) == "returned"
    await desk.agree(version=1, proof="bank")
    answer = await desk.send(workbook([paid(parcel)]))
    settlement = temporal.get_workflow_handle(ids.settlement_id(UUID(answer.json()["id"])))

    async def wrong() -> bool:
        return [each["kind"] for each in await desk.differences()] == ["returned_yet_paid"]

    await eventually(wrong)

    async def waits_for_the_bank() -> bool:
        return (await desk.statement(answer.json()["id"]))["state"] == "matched"

    await eventually(waits_for_the_bank)
    assert (await reconcile(desk.running.db, temporal))["shipments"] == 1
    further = temporal.get_workflow_handle(ids.shipment_id(parcel.id, round=2))

    [difference] = await desk.differences()
    await desk.client.post(f"/v1/cod/differences/{difference['id']}/resolve", json={"reason": "đã trừ ở phiên sau"})
    assert await end_of(further) == "returned"
    credit = {"credited_on": "2026-11-22", "amount": 328_000, "text": "GHTK chuyen tien"}
    entered = await desk.client.post("/v1/cod/bank-credits", json=credit)
    assert (entered.json()["statement_id"], entered.json()["linked_by"]) == (answer.json()["id"], "amount")
    await end_of(settlement)
    assert (await desk.statement(answer.json()["id"]))["credited"] == 328_000
