"""Shipments from the posted order to the money, on the real engines, against the simulated carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from deploy.local.engines import Nats, Temporal
from deploy.local.ghn import Faults as GhnFaults
from deploy.local.ghn import GhnSimulator
from deploy.local.ghn import SimulatorSettings as GhnSettings
from deploy.local.ghtk import Faults, GhtkSimulator, OutcomeRates, SimulatorSettings, Status
from services.shipping.reconcile import reconcile
from shared.contracts import ids
from shared.contracts.commands import NUDGE
from shared.contracts.workflows import POLLING, SHIPMENT, PollingInput, ShipmentInput
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually, result
from tests.integration.shipping.support import PICK_UP, Shop, open_shop
from tests.workflow.recording import keep
from workflows import search_attributes
from workflows.worker import build_worker, make_current

PACE = 0.00005
"""Of the polls: two hours become a second and a half."""


@pytest.fixture
async def ghtk() -> AsyncIterator[GhtkSimulator]:
    settings = SimulatorSettings(outcomes=OutcomeRates(delivered=1), resend_after_seconds=0.05)
    async with GhtkSimulator(settings=settings) as simulator:
        yield simulator


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
async def shop(
    databases: Databases, ghtk: GhtkSimulator, nats: Nats, temporal_server: Temporal, temporal: Client
) -> AsyncIterator[Shop]:
    """Relay, activity worker and workflow worker run; callbacks arrive."""
    async with open_shop(databases, ghtk, nats=nats, temporal=temporal_server, polling_pace=PACE) as opened:
        await opened.listen()
        opened.running.start("relay", "activities")
        async with build_worker(temporal):
            yield opened


async def status_is(shop: Shop, shipment_id: UUID, *statuses: str) -> dict[str, object]:
    async def reached() -> dict[str, object]:
        view = await shop.get(shipment_id)
        assert view["status"] in statuses, view["status"]
        return view

    return await eventually(reached, within=20, what=f"status {statuses}")


async def result_of(client: Client, shipment_id: UUID) -> str:
    handle: WorkflowHandle[object, str] = client.get_workflow_handle(ids.shipment_id(shipment_id), result_type=str)
    return await result(handle)


async def test_a_parcel_is_followed_until_its_money_is_home(shop: Shop, temporal: Client) -> None:
    shipment_id = await shop.open(await shop.close_order("DH-4F7K2M9Q"))
    await status_is(shop, shipment_id, "accepted")
    handle = temporal.get_workflow_handle(ids.shipment_id(shipment_id))

    async def shown() -> bool:
        described = await handle.describe()
        return described.typed_search_attributes.get(search_attributes.LEVEL) == "L7"

    await eventually(shown)
    await shop.ghtk.advance(steps=10)
    assert await result_of(temporal, shipment_id) == "delivered"
    view = await shop.get(shipment_id)
    assert view["settled_amount"] == 350_000
    await keep(handle, "shipment-delivered")
    history = await handle.fetch_history()
    assert "Mẫu" not in history.to_json()
    assert "912345678" not in history.to_json()


async def test_lost_creations_twins_and_lost_callbacks_still_end_in_money(shop: Shop, temporal: Client) -> None:
    shop.ghtk.set_faults(
        Faults(create_timeout=0.3, cancelled_twin=0.1, error_before=0.1, drop_callback=0.3, duplicate_callback=0.3)
    )
    orders = [await shop.close_order(f"DH-{number:08d}") for number in range(12)]
    shipments = await asyncio.gather(*(shop.open(order) for order in orders))
    for shipment_id in shipments:
        await status_is(shop, shipment_id, "accepted")
    await shop.ghtk.advance(steps=10)
    assert await asyncio.gather(*(result_of(temporal, each) for each in shipments)) == ["delivered"] * 12
    alive = [each for each in shop.ghtk.shipments if each.status != Status.CANCELLED]
    assert len(alive) == 12
    summary = (await shop.client.get("/v1/cod/summary")).json()["total"]
    assert summary["settled"] == sum(each.settled_cod for each in alive) == 12 * 350_000


async def test_a_refused_parcel_goes_out_after_a_person_corrected_it(shop: Shop, temporal: Client) -> None:
    shop.ghtk.set_faults(Faults(refuse_creation=1.0))
    shipment_id = await shop.open(await shop.close_order())
    await status_is(shop, shipment_id, "refused")
    shop.ghtk.set_faults(Faults())
    assert (await shop.client.post(f"/v1/shipments/{shipment_id}/retry")).status_code == 202
    await status_is(shop, shipment_id, "accepted")
    await keep(temporal.get_workflow_handle(ids.shipment_id(shipment_id)), "shipment-refused-then-accepted")


async def test_a_cancelled_order_s_parcel_is_cancelled_at_the_carrier(shop: Shop, temporal: Client) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await status_is(shop, shipment_id, "accepted")
    await shop.cancel_order(order_id)
    assert await result_of(temporal, shipment_id) == "cancelled"
    assert [each.status for each in shop.ghtk.shipments] == [Status.CANCELLED]
    await keep(temporal.get_workflow_handle(ids.shipment_id(shipment_id)), "shipment-cancelled")


async def test_an_order_cancelled_while_its_creation_is_unknown_ends_with_nothing_alive(
    shop: Shop, temporal: Client
) -> None:
    shop.ghtk.set_faults(Faults(create_timeout=1.0, error_before=0.0))
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)

    async def created_there() -> bool:
        return len(shop.ghtk.shipments) == 1

    await eventually(created_there)
    await shop.cancel_order(order_id)
    assert await result_of(temporal, shipment_id) == "cancelled"
    assert [each.status for each in shop.ghtk.shipments] == [Status.CANCELLED]


async def test_a_workflow_ended_by_an_operator_waits_for_the_outcome_of_its_creation(
    shop: Shop, temporal: Client
) -> None:
    shop.ghtk.set_faults(Faults(slow_answer=1.0, slow_answer_seconds=1.0))
    shipment_id = await shop.open(await shop.close_order())

    async def created_there() -> bool:
        return len(shop.ghtk.shipments) == 1

    await eventually(created_there)
    handle = temporal.get_workflow_handle(ids.shipment_id(shipment_id))
    await handle.cancel()

    async def ended() -> bool:
        return (await handle.describe()).status == WorkflowExecutionStatus.CANCELED

    await eventually(ended)
    await keep(handle, "shipment-ended-by-an-operator")
    assert (await shop.get(shipment_id))["waybill"] == shop.ghtk.shipments[0].waybill


async def test_a_long_life_goes_on_as_new(shop: Shop, temporal: Client) -> None:
    shipment_id = await shop.ship()
    handle = await temporal.start_workflow(
        SHIPMENT.name,
        ShipmentInput(shipment_id=shipment_id, history_limit=10),
        id=f"shipment/{shipment_id}/long",
        task_queue=SHIPMENT.task_queue,
    )

    async def continued() -> bool:
        await handle.signal(NUDGE)
        events = (await temporal.get_workflow_handle(handle.id).fetch_history()).events
        started = events[0].workflow_execution_started_event_attributes
        return bool(started.continued_execution_run_id)

    await eventually(continued, every=0.1)
    await shop.ghtk.advance(steps=10)
    await shop.settle_callbacks()
    await handle.signal(NUDGE)
    latest = temporal.get_workflow_handle(handle.id, result_type=str)
    assert await result(latest) == "delivered"
    await keep(handle, "shipment-continued")


async def test_polling_goes_on_as_new_and_ends_with_its_connection(shop: Shop, temporal: Client) -> None:
    handle = await temporal.start_workflow(
        POLLING.name,
        PollingInput(connection_id=shop.connection_id, history_limit=10),
        id=f"polling/{shop.connection_id}/long",
        task_queue=POLLING.task_queue,
    )

    async def continued() -> bool:
        events = (await temporal.get_workflow_handle(handle.id).fetch_history()).events
        return bool(events[0].workflow_execution_started_event_attributes.continued_execution_run_id)

    await eventually(continued, every=0.1)
    assert (await shop.client.delete(f"/v1/connections/{shop.connection_id}")).status_code == 204
    await temporal.get_workflow_handle(handle.id).signal(NUDGE)
    await result(temporal.get_workflow_handle(handle.id))
    first_run = temporal.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    await keep(first_run, "polling-continued")
    await keep(temporal.get_workflow_handle(handle.id), "polling-ended")


async def test_polling_alone_brings_a_parcel_home_when_no_callback_ever_arrives(shop: Shop, temporal: Client) -> None:
    shop.ghtk.send_callbacks_to(None)
    shipment_id = await shop.open(await shop.close_order())
    await status_is(shop, shipment_id, "accepted")
    await shop.ghtk.advance(steps=10)
    assert await result_of(temporal, shipment_id) == "delivered"


async def test_a_lost_workflow_store_is_made_good_by_reconcile(
    databases: Databases, ghtk: GhtkSimulator, nats: Nats, temporal_server: Temporal, temporal: Client
) -> None:
    """The shipment and the connection are there, their workflows were never started: as after a loss of Temporal's."""
    async with open_shop(databases, ghtk, nats=nats, temporal=temporal_server, polling_pace=PACE) as shop:
        shipment_id = await shop.ship()
        ended = await shop.ship("DH-ENDED001")
        ghtk.push("DH-ENDED001-1", Status.SETTLED)
        shop.skip(timedelta(days=2))
        await shop.poll()
        await forget_commands(shop)
        answer = await shop.client.post("/v1/operations/reconcile")
        assert (answer.status_code, answer.json()) == (
            200,
            {"nudged": {"shipments": 1, "settlements": 0, "prints": 0, "pollings": 1}},
        )
        shop.running.start("relay", "activities")
        async with build_worker(temporal):
            for workflow_id in (ids.shipment_id(shipment_id), ids.polling_id(shop.connection_id)):
                handle = temporal.get_workflow_handle(workflow_id)

                async def runs(handle: WorkflowHandle[object, object] = handle) -> bool:
                    try:
                        return (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
                    except RPCError:
                        return False

                await eventually(runs)

            async def nothing_to_do() -> bool:
                return not any((await reconcile(shop.running.db, temporal)).values())

            await eventually(nothing_to_do)
            with pytest.raises(RPCError):
                await temporal.get_workflow_handle(ids.shipment_id(ended)).describe()


async def forget_commands(shop: Shop) -> None:
    pool = await shop.running.db.driver()
    await pool.execute("DELETE FROM outbox WHERE destination = 'command'")


async def test_workflows_that_an_operator_ended_are_followed_by_further_ones(shop: Shop, temporal: Client) -> None:
    shipment_id = await shop.open(await shop.close_order())
    await status_is(shop, shipment_id, "accepted")
    for workflow_id in (ids.shipment_id(shipment_id), ids.polling_id(shop.connection_id)):
        await temporal.get_workflow_handle(workflow_id).terminate()
    followers = [
        temporal.get_workflow_handle(ids.shipment_id(shipment_id, round=2), result_type=str),
        temporal.get_workflow_handle(ids.polling_id(shop.connection_id, round=2)),
    ]

    async def followed() -> bool:
        await reconcile(shop.running.db, temporal)
        try:
            described = await asyncio.gather(*(handle.describe() for handle in followers))
        except RPCError:
            return False
        return all(each.status == WorkflowExecutionStatus.RUNNING for each in described)

    await eventually(followed, every=0.2)
    await shop.ghtk.advance(steps=10)
    assert await result(followers[0]) == "delivered"


async def test_slips_of_many_parcels_become_one_file(shop: Shop, temporal: Client) -> None:
    shipments = [await shop.open(await shop.close_order(f"DH-{number:08d}")) for number in range(3)]
    for shipment_id in shipments:
        await status_is(shop, shipment_id, "accepted")
    body = {"kind": "slip", "size": "A6", "shipment_ids": [str(each) for each in shipments]}
    asked = (await shop.client.post("/v1/prints", json=body)).json()

    async def made() -> dict[str, object]:
        view: dict[str, object] = (await shop.client.get(f"/v1/prints/{asked['id']}")).json()
        assert view["state"] == "done"
        return view

    assert (await eventually(made))["done"] == 3
    handle = temporal.get_workflow_handle(ids.print_id(UUID(asked["id"])))
    await result(handle)
    await keep(handle, "print-done")
    file = await shop.client.get(f"/v1/prints/{asked['id']}/file")
    assert file.content.startswith(b"%PDF")


@pytest.fixture
async def ghn(
    databases: Databases, nats: Nats, temporal_server: Temporal, temporal: Client
) -> AsyncIterator[tuple[Shop, GhnSimulator]]:
    """The same with a carrier that takes requests about failed deliveries."""
    settings = GhnSettings(outcomes=OutcomeRates(delivered=1))
    async with GhnSimulator(settings=settings) as simulator:
        body = {
            "carrier": "ghn",
            "shop_name": "Shop Hà Nội",
            "base_url": simulator.api_url,
            "credentials": {"token": simulator.token, "shop_id": simulator.shop_id},
            "pick_up": PICK_UP,
            "requests_per_second": 100,
        }
        async with open_shop(databases, simulator, connect=body, nats=nats, temporal=temporal_server) as opened:
            await opened.listen()
            opened.running.start("relay", "activities")
            async with build_worker(temporal):
                yield opened, simulator


async def test_what_is_decided_about_a_failed_delivery_reaches_the_carrier_once_through_lost_answers(
    ghn: tuple[Shop, GhnSimulator], temporal: Client
) -> None:
    shop, carrier = ghn
    shipment_id = await shop.open(await shop.close_order("DH-4F7K2M9Q"))
    waybill = str((await status_is(shop, shipment_id, "accepted"))["waybill"])
    for status in ("delivering", "delivery_fail", "waiting_to_return"):
        carrier.push(waybill, status)
    await status_is(shop, shipment_id, "delivery_failed")
    [rescue] = (await shop.client.get("/v1/rescues")).json()["items"]
    carrier.set_faults(GhnFaults(error_after=1))
    asked = await shop.client.post(
        f"/v1/rescues/{rescue['id']}/requests", json={"wish": "change_recipient", "phone": "0987654321"}
    )
    assert asked.status_code == 202, asked.text

    async def called() -> bool:
        return carrier.stats.calls.get("update", 0) > 0

    await eventually(called)
    carrier.set_faults(GhnFaults())

    async def confirmed() -> bool:
        view = (await shop.client.get(f"/v1/rescues/{rescue['id']}")).json()
        return bool(view["request_state"] == "confirmed")

    await eventually(confirmed, within=40)
    assert carrier.stats.calls["storing"] == 1
    assert carrier.shipment(waybill).creation.tel == "0987654321"
    handle = temporal.get_workflow_handle(ids.shipment_id(shipment_id))
    assert "987654321" not in (await handle.fetch_history()).to_json()
    carrier.push(waybill, "delivered")
    await status_is(shop, shipment_id, "delivered")
    assert (await shop.client.get(f"/v1/rescues/{rescue['id']}")).json()["saved"] is True
