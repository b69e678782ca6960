"""An import and its undo as workflows: leads and orders each do their part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from deploy.local.engines import Nats
from services.leads.app import SERVICE as LEADS
from services.leads.imports.reconcile import reconcile_imports
from services.orders.app import SERVICE as ORDERS
from shared.contracts.workflows import IMPORT, IMPORT_UNDO, WORKFLOW_QUEUE, ImportInput, WorkflowRef
from tests.harness import Databases, Running, eventually, result, running
from tests.integration.leads.imports_support import numbers, upload
from tests.workflow.recording import keep
from workflows.worker import build_worker


@dataclass
class Desk:
    """Leads and orders, with their activities and the workflow worker; events are not carried between them."""

    leads: Running
    orders: Running
    client: httpx.AsyncClient
    env: WorkflowEnvironment

    def workflow(self, import_id: str, suffix: str = "") -> WorkflowHandle[Any, Any]:
        return self.env.client.get_workflow_handle(f"import/{import_id}{suffix}")

    async def started(self, import_id: str, suffix: str = "") -> WorkflowHandle[Any, Any]:
        """A workflow once the relay has started it."""
        handle = self.workflow(import_id, suffix)

        async def there() -> bool:
            try:
                await handle.describe()
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                return False
            return True

        await eventually(there, what=f"{handle.id} is there")
        return handle

    async def in_steps(self, import_id: str, suffix: str, ref: WorkflowRef[ImportInput], *, limit: int) -> str:
        """Runs the workflow in the place of the one that was asked for, going on as new after so many events."""
        await (await self.started(import_id, suffix)).terminate()
        arg = ImportInput(import_id=UUID(import_id), history_limit=limit)
        self.leads.start("activities")
        id = f"test/{import_id}{suffix}"
        outcome: str = await self.env.client.execute_workflow(ref.name, arg, id=id, task_queue=WORKFLOW_QUEUE)
        await keep(self.env.client.get_workflow_handle(id), f"import{suffix.replace('/', '-')}-continued")
        await self.leads.stop("activities")
        return outcome

    async def in_state(self, import_id: str, state: str) -> dict[str, Any]:
        async def reached() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.client.get(f"/v1/imports/{import_id}")).json()
            return found if found["state"] == state else None

        found = await eventually(reached, within=60, what=f"the import is {state}")
        assert found is not None
        return found


@pytest.fixture
async def desk(databases: Databases, nats: Nats, skipping: WorkflowEnvironment) -> AsyncIterator[Desk]:
    async with (
        running(LEADS, databases, nats=nats, temporal=skipping.client) as leads,
        running(ORDERS, databases, nats=nats, temporal=skipping.client) as orders,
        build_worker(skipping.client),
    ):
        leads.start("relay")
        orders.start("activities")
        yield Desk(leads, orders, await leads.client(), skipping)


async def test_an_import_runs_in_turns_and_says_how_far_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.leads.imports.turn.TURN_ROWS", 5_000)
    desk.leads.start("activities")
    made = (await upload(desk.client, numbers(11_000))).json()
    assert await result(await desk.started(made["id"])) == "done"
    done = await desk.in_state(made["id"], "done")
    assert done["leads"] == 11_000
    assert done["message"].startswith("Đã nhập xong: 11.000/11.000 dòng (11.000 số mới, 0 trùng, 0 bị loại)")
    turns = [event async for event in desk.workflow(made["id"]).fetch_history_events()]
    started = [event for event in turns if event.HasField("activity_task_scheduled_event_attributes")]
    assert len(started) > 1
    await keep(desk.workflow(made["id"]), "import-done")


async def test_an_upload_is_answered_while_temporal_has_no_workers_and_starts_when_they_are_back(desk: Desk) -> None:
    made = await upload(desk.client, numbers(100))
    assert made.status_code == 201
    assert (await desk.client.get(f"/v1/imports/{made.json()['id']}")).json()["rows_done"] == 0
    desk.leads.start("activities")
    assert (await desk.in_state(made.json()["id"], "done"))["leads"] == 100


async def test_an_import_that_is_cancelled_ends_its_workflow_and_goes_on_in_another(desk: Desk) -> None:
    made = (await upload(desk.client, numbers(100))).json()
    await desk.started(made["id"])
    await desk.client.post(f"/v1/imports/{made['id']}/cancel")
    desk.leads.start("activities")
    assert await result(desk.workflow(made["id"])) == "cancelled"
    await desk.client.post(f"/v1/imports/{made['id']}/resume")
    done = await desk.in_state(made["id"], "done")
    assert done["leads"] == 100
    assert await result(desk.workflow(made["id"], "/2")) == "done"
    await keep(desk.workflow(made["id"]), "import-cancelled")


async def test_an_undo_takes_back_batch_after_batch(desk: Desk) -> None:
    desk.leads.start("activities")
    made = (await upload(desk.client, numbers(2_400))).json()
    await desk.in_state(made["id"], "done")
    answer = await desk.client.post(f"/v1/imports/{made['id']}/undo", json={"reason": "nhầm tệp"})
    assert answer.status_code == 200
    assert await result(await desk.started(made["id"], "/undo")) == "undone"
    undone = await desk.in_state(made["id"], "undone")
    assert (undone["undone"], undone["kept"]) == (2_400, 0)
    assert await desk.leads.rows("SELECT 1 FROM leads") == []
    assert len(await desk.orders.rows("SELECT 1 FROM withdrawn_leads")) == 2_400
    await keep(desk.workflow(made["id"], "/undo"), "import-undone")


async def test_an_import_and_its_undo_go_on_as_new_without_losing_their_place(desk: Desk) -> None:
    made = (await upload(desk.client, numbers(12_000))).json()
    assert await desk.in_steps(made["id"], "", IMPORT, limit=8) == "done"
    assert (await desk.in_state(made["id"], "done"))["leads"] == 12_000
    await desk.client.post(f"/v1/imports/{made['id']}/undo", json={"reason": "nhầm tệp"})
    assert await desk.in_steps(made["id"], "/undo", IMPORT_UNDO, limit=25) == "undone"
    assert await desk.leads.rows("SELECT 1 FROM leads") == []


async def test_reconcile_starts_an_import_whose_workflow_an_operator_ended(desk: Desk) -> None:
    made = (await upload(desk.client, numbers(50))).json()
    handle = await desk.started(made["id"])
    await handle.terminate("an operator's mistake")

    async def reconciled() -> bool:
        # Not before the relay has written down that it delivered the first command.
        return await reconcile_imports(desk.leads.db, desk.env.client) == 1

    await eventually(reconciled)
    desk.leads.db.wake_relay()
    desk.leads.start("activities")
    assert (await desk.in_state(made["id"], "done"))["leads"] == 50
    assert await result(desk.workflow(made["id"], "/2")) == "done"
    assert await reconcile_imports(desk.leads.db, desk.env.client) == 0
