"""The processes of a service, started as the manifests say, on real engines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from deploy.local.engines import Nats, Postgres, Temporal
from deploy.local.http_probe import status_of
from deploy.local.keys import Keys
from deploy.local.ports import free_port
from tests.deploy.manifests import Workload, example_secrets, workloads
from tests.harness import connect, eventually

SERVICE = "shipping"
"""It has every role, and secrets and addresses of its own."""


class Pods:
    """Starts the containers of workloads on this machine and ends those that are left."""

    def __init__(self, secrets: dict[str, str], *, temporal: Temporal, log: Path) -> None:
        self._secrets = secrets
        self._temporal = temporal
        self._log = log
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self, workload: Workload, *, port: int = 0) -> asyncio.subprocess.Process:
        """Starts a container: its arguments and environment but for where Temporal is and which port it opens."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHOT_", "TEMPORAL_"))}
        own = workload.given(self._secrets)
        here = {"TEMPORAL_ADDRESS": self._temporal.url, "CHOT_HTTP_PORT": str(port)}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *workload.arguments,
                env=inherited | own | {name: value for name, value in here.items() if name in own},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    async def end(self) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def pods(postgres: Postgres, nats: Nats, temporal_server: Temporal, tmp_path: Path) -> AsyncIterator[Pods]:
    await postgres.create_database("pods")
    secrets = example_secrets(Keys(tmp_path / "secrets"))
    secrets |= {"CHOT_DATABASE_URL": postgres.database_url("pods"), "CHOT_NATS_URL": nats.url}
    made = Pods(secrets, temporal=temporal_server, log=tmp_path / "log")
    try:
        yield made
    finally:
        await made.end()
        print((tmp_path / "log").read_text())


async def test_a_service_is_migrated_works_in_every_role_and_stops_in_time(
    pods: Pods, temporal_server: Temporal
) -> None:
    (migration,) = (job for job in workloads("dev", "Job") if job.name == f"{SERVICE}-migrate")
    assert await asyncio.wait_for((await pods.start(migration)).wait(), timeout=180) == 0

    deployments = [workload for workload in workloads("dev", "Deployment") if workload.name.startswith(f"{SERVICE}-")]
    assert len(deployments) == 4
    ports = {workload.name: free_port() for workload in deployments}
    running = {workload.name: await pods.start(workload, port=ports[workload.name]) for workload in deployments}

    async def ready() -> bool:
        pages = [status_of(f"http://127.0.0.1:{port}/readyz") for port in ports.values()]
        return await asyncio.gather(*pages, return_exceptions=True) == [HTTPStatus.OK] * len(pages)

    async def activities_are_asked_for() -> bool:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=SERVICE),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        return len(answer.pollers) > 0

    await eventually(ready, within=180, what="every role is ready", every=0.2)
    client = await connect(temporal_server)
    await eventually(activities_are_asked_for, what="a worker polls the task queue of the service")

    for process in running.values():
        process.send_signal(signal.SIGTERM)
    for workload in deployments:
        grace = workload.pod["terminationGracePeriodSeconds"]
        assert await asyncio.wait_for(running[workload.name].wait(), timeout=grace) == 0, workload.name
