"""Workflow commands that share a row of the outbox, on real PostgreSQL and Temporal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

from deploy.local.engines import Nats, Temporal
from shared.consumer import Handlers
from shared.contracts.commands import WorkflowCommand
from shared.outbox import COMMANDS, MANY, command_rows, write
from shared.service import Service
from shared.settings import Settings
from tests.harness import Databases, eventually, running

MIGRATIONS = Path(__file__).parent / "probe"
TOO_LONG = "x" * 2_000
"""Temporal takes no such id, however often it is asked."""


SERVICE = Service(name="orders", title="probe", settings=Settings, migrations=MIGRATIONS, handlers=Handlers())


def nudge(workflow_id: str) -> tuple[str, str]:
    command = WorkflowCommand(
        kind="nudge", workflow="NobodysWorkflow", workflow_id=workflow_id, task_queue="nobodys", input={}
    )
    return workflow_id, command.model_dump_json()


async def test_of_commands_in_one_row_each_is_delivered_and_only_what_temporal_refuses_is_left_in_it(
    databases: Databases, nats: Nats, temporal_server: Temporal
) -> None:
    run = uuid4()
    wanted = [f"together/{run}/{number}" for number in range(MANY)]
    async with running(SERVICE, databases, nats=nats, temporal=temporal_server) as probe:
        rows = command_rows("NobodysWorkflow", [nudge(each) for each in (*wanted, TOO_LONG)])
        assert [row[1] for row in rows] == [COMMANDS]
        async with probe.db.transaction() as session:
            await write(session, rows)
        probe.start("relay")

        async def given_up() -> bool:
            return bool(await probe.rows("SELECT 1 FROM outbox WHERE status = 'dead'"))

        await eventually(given_up, within=60, what="the row is a dead letter")
        (row,) = await probe.rows("SELECT payload FROM outbox")
        assert [command["workflow_id"] for command in row.payload] == [TOO_LONG]
        handles = [probe.runtime.temporal.get_workflow_handle(each) for each in wanted]
        started = await asyncio.gather(*(handle.describe() for handle in handles))
        assert {each.workflow_type for each in started} == {"NobodysWorkflow"}
        await asyncio.gather(*(handle.terminate() for handle in handles))


async def test_commands_of_one_row_that_temporal_could_not_hear_are_delivered_when_it_is_back(
    databases: Databases, nats: Nats, temporal_server: Temporal
) -> None:
    run = uuid4()
    wanted = [f"together/{run}/{number}" for number in range(MANY)]
    url = await databases.create(SERVICE)
    async with running(SERVICE, databases, nats=nats, database_url=url) as away:
        async with away.db.transaction() as session:
            await write(session, command_rows("NobodysWorkflow", [nudge(each) for each in wanted]))
        away.start("relay")

        async def tried() -> bool:
            return bool(await away.rows("SELECT 1 FROM outbox WHERE attempts > 0"))

        await eventually(tried, within=60, what="the row was tried without Temporal")
        (row,) = await away.rows("SELECT payload, status FROM outbox")
        assert (row.status, sorted(command["workflow_id"] for command in row.payload)) == ("pending", sorted(wanted))
    async with running(SERVICE, databases, nats=nats, temporal=temporal_server, database_url=url) as back:
        back.start("relay")

        async def sent() -> bool:
            return bool(await back.rows("SELECT 1 FROM outbox WHERE status = 'sent'"))

        await eventually(sent, within=60, what="the row is sent")
        handles = [back.runtime.temporal.get_workflow_handle(each) for each in wanted]
        await asyncio.gather(*(handle.terminate() for handle in handles))
    await databases.done_with(url)
