"""The workflow worker: `python -m workflows.worker`. No database, no NATS; it needs Temporal alone.

Adding a workflow: write it in a file of its own here and list it in `WORKFLOWS`.
"""

from __future__ import annotations

from typing import Final

import uvloop
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from shared import http
from shared.contracts.workflows import WORKFLOW_QUEUE
from shared.lifecycle import keep_running, run_until_signal
from shared.settings import load
from shared.telemetry import configure_logging
from shared.temporal import GRACE, connect, connected, ensure_search_attributes
from workflows import search_attributes
from workflows.care import CareWorkflow
from workflows.fulfilment import FulfilmentWorkflow
from workflows.polling import CarrierPollingWorkflow
from workflows.shipment import ShipmentWorkflow

WORKFLOWS: Final[list[type]] = [CareWorkflow, FulfilmentWorkflow, ShipmentWorkflow, CarrierPollingWorkflow]

PASSED_THROUGH: Final = ("shared.contracts", "workflows.search_attributes")
"""Pure and immutable, so one copy serves every workflow; loading them for each would cost milliseconds a start."""


class WorkerSettings(BaseSettings):
    """Settings of the workflow worker; Temporal's own come from `TEMPORAL_ADDRESS` and its companions."""

    model_config = SettingsConfigDict(env_prefix="CHOT_", extra="ignore", frozen=True)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8106, ge=0, le=65535)
    log_format: str = "json"
    log_level: str = "info"


def sandbox() -> SandboxedWorkflowRunner:
    """The runner of the worker, of the tests and of the replayer."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def build_worker(client: Client) -> Worker:
    """The workflow-only worker on a client that has the product's plugin."""
    return Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        workflow_runner=sandbox(),
        graceful_shutdown_timeout=GRACE,
        max_cached_workflows=2000,
    )


async def _run(settings: WorkerSettings) -> None:
    client = await connect()
    app = http.create_app("workflows", title="Chốt workflow worker")

    async def temporal_answers() -> None:
        await client.service_client.check_health()

    http.add_health(app, {"temporal": temporal_answers})

    async def work() -> None:
        await ensure_search_attributes(client, search_attributes.ALL)
        await build_worker(await connected(client)).run()

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
