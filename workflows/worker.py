"""The workflow worker: `python -m workflows.worker`. No database, no NATS; it needs Temporal alone.

Adding a workflow: write it in a file of its own here and list it in `WORKFLOWS`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import uvloop
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from shared import http
from shared.contracts.workflows import WORKFLOW_QUEUE
from shared.lifecycle import keep_running, run_until_signal
from shared.settings import load
from shared.telemetry import configure_logging
from shared.temporal import GRACE, check, connect, connected, ensure_search_attributes
from workflows import search_attributes
from workflows.batches import ProcessMoveWorkflow, ReplanWorkflow, WhatIfWorkflow
from workflows.care import CareWorkflow
from workflows.facebook import FacebookPageWorkflow
from workflows.fulfilment import FulfilmentWorkflow
from workflows.imports import ImportUndoWorkflow, ImportWorkflow
from workflows.polling import CarrierPollingWorkflow
from workflows.prints import PrintWorkflow
from workflows.rescue import RescueCallWorkflow
from workflows.settlement import SettlementWorkflow
from workflows.shipment import ShipmentWorkflow

WORKFLOWS: Final[list[type]] = [
    CareWorkflow,
    FulfilmentWorkflow,
    RescueCallWorkflow,
    ShipmentWorkflow,
    SettlementWorkflow,
    CarrierPollingWorkflow,
    PrintWorkflow,
    FacebookPageWorkflow,
    ImportWorkflow,
    ImportUndoWorkflow,
    ReplanWorkflow,
    ProcessMoveWorkflow,
    WhatIfWorkflow,
]

PASSED_THROUGH: Final = (
    "shared.contracts",
    "workflows.calls",
    "workflows.length",
    "workflows.nudged",
    "workflows.search_attributes",
    "workflows.turns",
)
"""Pure and without state, so one copy serves every workflow; loading them for each would cost milliseconds a start."""


ONLY_VERSION: Final = WorkerDeploymentVersion("chot-workflows", "only")
"""The version of workers that are replaced as a whole, as on one machine."""


STORE_CHECK: Final = 2.0
"""Seconds between looks at whether Temporal still has the store that it had when the worker started."""


class StoreReplaced(RuntimeError):
    """Temporal's store was lost or replaced. The new one knows neither our search attributes nor the current version of
    the workers, without which every workflow would wait for ever: the worker starts afresh."""


class WorkerSettings(BaseSettings):
    """Settings of the workflow worker; Temporal's own come from `TEMPORAL_ADDRESS` and its companions."""

    model_config = SettingsConfigDict(env_prefix="CHOT_", extra="ignore", frozen=True)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8106, ge=0, le=65535)
    log_format: str = "json"
    log_level: str = "info"
    deployment_name: str = Field(
        default="chot-workflows",
        max_length=47,
        validation_alias="TEMPORAL_DEPLOYMENT_NAME",
        description="of the workers",
    )
    build_id: str = Field(
        default="",
        max_length=63,
        validation_alias="TEMPORAL_WORKER_BUILD_ID",
        description="version of the workers' code; '' = one version alone, which makes itself the current one",
    )


def sandbox() -> SandboxedWorkflowRunner:
    """The runner of the worker, of the tests and of the replayer."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def build_worker(client: Client, version: WorkerDeploymentVersion = ONLY_VERSION) -> Worker:
    """The workflow-only worker on a client that has the product's plugin.

    Args:
        version: which deployment and build it belongs to. A server takes the versioning behaviour that each workflow
            declares from versioned workers alone, and sends them work once their version is current.
    """
    return Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        workflow_runner=sandbox(),
        graceful_shutdown_timeout=GRACE,
        max_cached_workflows=2000,
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=True),
    )


async def make_current(client: Client, version: WorkerDeploymentVersion = ONLY_VERSION) -> None:
    """Has the server send work to a version, also before its first worker polls. Where a controller rolls versions out,
    that is its task."""
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=version.deployment_name,
            build_id=version.build_id,
            identity=client.identity,
            ignore_missing_task_queues=True,
            allow_no_pollers=True,
        ),
        retry=True,
    )


async def _store(client: Client) -> str:
    """The id of the namespace, which is another one in another store."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    described = await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=STORE_CHECK))
    return described.namespace_info.id


async def _leave_with(client: Client, store: str) -> None:
    """
    Raises:
        StoreReplaced: Temporal has another store than this one.
    """
    while True:
        await asyncio.sleep(STORE_CHECK)
        try:
            found = await _store(client)
        except RPCError:
            continue  # away: the worker waits for it as well
        if found != store:
            raise StoreReplaced("Temporal has another store")


async def _run(settings: WorkerSettings) -> None:
    client = await connect()
    app = http.create_app("workflows", title="Chốt workflow worker")
    http.add_health(app, {"temporal": check(client)})

    async def work() -> None:
        store = await _store(client)
        await ensure_search_attributes(client, search_attributes.ALL)
        version = WorkerDeploymentVersion(settings.deployment_name, settings.build_id or ONLY_VERSION.build_id)
        if not settings.build_id:
            await make_current(client, version)
        async with asyncio.TaskGroup() as group:
            group.create_task(build_worker(await connected(client), version).run())
            group.create_task(_leave_with(client, store))

    await run_until_signal(
        {
            "http": lambda: http.serve(app, host=settings.http_host, port=settings.http_port),
            "workflows": lambda: keep_running("workflows", work),
        }
    )


def main() -> None:
    settings = load(WorkerSettings)
    configure_logging("workflows", "workflows", format=settings.log_format, level=settings.log_level)
    uvloop.run(_run(settings))


if __name__ == "__main__":
    main()
