"""Orders whose workflow is missing or behind are found and nudged, on a real Temporal server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from deploy.local.engines import Nats, Temporal
from services.orders import reconcile as reconcile_module
from services.orders.app import SERVICE
from services.orders.clock import CLOCK
from services.orders.reconcile import reconcile
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually, running
from tests.integration.orders.support import Clock, Shop, staffed
from tests.integration.orders.test_rescue_desk import Call
from workflows import search_attributes
from workflows.worker import build_worker, make_current


@pytest.fixture
async def shop_on_temporal(databases: Databases, nats: Nats, temporal_server: Temporal) -> AsyncIterator[Shop]:
    client = await connected(await connect(temporal_server))
    await ensure_search_attributes(client, search_attributes.ALL)
    await make_current(client)
    async with running(SERVICE, databases, nats=nats, temporal=client, filled=staffed) as service, build_worker(client):
        clock = Clock()
        service.runtime.state[CLOCK] = clock
        service.start("activities")
        yield await Shop.open(service, clock)


async def nudged(shop: Shop) -> dict[str, int]:
    found = await reconcile(shop.service.db, shop.service.runtime.temporal)
    return {kind: found[kind] for kind in ("cares", "fulfilments", "rescue_calls")}


async def lose_commands(shop: Shop) -> None:
    """As if Temporal's database were thrown away after it took them."""
    await shop.service.stop(*(role for role in shop.service.roles if role == "relay"))
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE outbox SET status = 'sent', sent_at = now() WHERE destination = 'command'")


def workflow(shop: Shop, workflow_id: str) -> WorkflowHandle[object, object]:
    return shop.service.runtime.temporal.get_workflow_handle(workflow_id)


async def is_running(handle: WorkflowHandle[object, object]) -> bool:
    try:
        return (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    except RPCError:
        return False


async def test_orders_without_a_workflow_are_brought_back(shop_on_temporal: Shop) -> None:
    shop = shop_on_temporal
    await shop.stocked()
    in_care, ended, closed = [await shop.accept() for _ in range(3)]
    for order_id in (in_care, ended, closed):
        await shop.assign(order_id, shop.sale)
    await shop.call(ended, "wrong_number")
    await shop.close(closed)
    call = Call(shop, closed)
    await call.hear(call.fact("failed", "open"))
    await lose_commands(shop)
    assert await nudged(shop) == {"cares": 1, "fulfilments": 1, "rescue_calls": 1}
    shop.service.start("relay")

    async def back() -> bool:
        care, fulfilment = workflow(shop, f"care/{in_care}"), workflow(shop, f"fulfilment/{closed}")
        waits = workflow(shop, f"rescue/{await call.task_id()}")
        return await is_running(care) and await is_running(fulfilment) and await is_running(waits)

    await eventually(back)

    async def nothing_left() -> bool:
        return await nudged(shop) == {"cares": 0, "fulfilments": 0, "rescue_calls": 0}

    await eventually(nothing_left)
    assert not await is_running(workflow(shop, f"care/{ended}"))


async def test_a_workflow_that_an_operator_ended_is_followed_by_another(shop_on_temporal: Shop) -> None:
    shop = shop_on_temporal
    shop.service.start("relay")
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)

    async def started() -> bool:
        return await is_running(workflow(shop, f"care/{order_id}"))

    await eventually(started)
    await workflow(shop, f"care/{order_id}").terminate("stuck")

    async def missed() -> bool:
        return (await nudged(shop))["cares"] == 1

    await eventually(missed)

    async def another() -> bool:
        return await is_running(workflow(shop, f"care/{order_id}/2"))

    await eventually(another)


async def test_a_workflow_that_missed_a_fact_is_nudged(shop_on_temporal: Shop) -> None:
    shop = shop_on_temporal
    shop.service.start("relay")
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)

    async def seen() -> bool:
        return bool(await shop.service.rows("SELECT 1 FROM care WHERE seen_version = version AND state IS NOT NULL"))

    await eventually(seen)
    await shop.call(order_id, "no_answer")
    await lose_commands(shop)
    pool = await shop.service.db.driver()
    assert await nudged(shop) == {"cares": 0, "fulfilments": 0, "rescue_calls": 0}
    await pool.execute("UPDATE care SET changed_at = now() - interval '10 minutes', seen_version = version - 1")
    assert await nudged(shop) == {"cares": 1, "fulfilments": 0, "rescue_calls": 0}


async def test_a_workflow_that_the_relay_is_about_to_start_is_not_asked_for_again(shop_on_temporal: Shop) -> None:
    shop = shop_on_temporal
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)
    assert await nudged(shop) == {"cares": 0, "fulfilments": 0, "rescue_calls": 0}
    await lose_commands(shop)
    assert await nudged(shop) == {"cares": 1, "fulfilments": 0, "rescue_calls": 0}


async def test_a_burst_that_is_being_worked_off_is_not_doubled(
    shop_on_temporal: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_module, "BEHIND_MOST", 2)
    shop = shop_on_temporal
    shop.service.start("relay")
    for _ in range(3):
        await shop.assign(await shop.accept(), shop.sale)

    async def seen() -> bool:
        return (
            len(await shop.service.rows("SELECT 1 FROM care WHERE seen_version = version AND state IS NOT NULL")) == 3
        )

    await eventually(seen)
    await lose_commands(shop)
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE care SET changed_at = now() - interval '10 minutes', seen_version = version - 1")
    assert await nudged(shop) == {"cares": 2, "fulfilments": 0, "rescue_calls": 0}


async def test_operators_reconcile_over_http_and_others_may_not(shop_on_temporal: Shop) -> None:
    shop = shop_on_temporal
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)
    await lose_commands(shop)
    assert (await shop.sale.client.post("/v1/operations/reconcile")).status_code == 403
    answer = await shop.admin.client.post("/v1/operations/reconcile")
    assert answer.json()["nudged"]["cares"] == 1


async def test_an_operator_hears_that_temporal_is_away_and_when_to_ask_again(shop: Shop) -> None:
    await shop.number()
    answer = await shop.admin.client.post("/v1/operations/reconcile")
    assert (answer.status_code, answer.json()["title"]) == (503, "workflows-away"), answer.text
    assert int(answer.headers["Retry-After"]) > 0
