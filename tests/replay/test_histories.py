"""Histories that were recorded by earlier code are replayed by today's, in the sandbox and strictly."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError, SandboxImportNotificationPolicy

from shared.contracts.activities import CARE_ADVANCE, OrderRef
from shared.contracts.workflows import CARE, CareInput
from shared.temporal import plugin
from workflows.calls import call
from workflows.worker import WORKFLOWS, sandbox

HISTORIES: Final = sorted((Path(__file__).parent / "histories").glob("*.json.gz"))


def read(path: Path) -> WorkflowHistory:
    name = path.name.removesuffix(".json.gz")
    return WorkflowHistory.from_json(name, gzip.decompress(path.read_bytes()).decode())


def strict() -> SandboxedWorkflowRunner:
    """The product's sandbox, which here refuses whatever a workflow imports without saying that it is passed through."""
    runner = sandbox()
    policy = SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    return replace(runner, restrictions=runner.restrictions.with_import_notification_policy(policy))


def test_histories_of_every_workflow_were_recorded() -> None:
    kinds = {read(path).events[0].workflow_execution_started_event_attributes.workflow_type.name for path in HISTORIES}
    known = {workflow._Definition.must_from_class(each).name for each in WORKFLOWS}
    assert kinds == known


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=strict(), plugins=[plugin()])
    await replayer.replay_workflow(read(path))


@workflow.defn(name=CARE.name)
class ChangedCareWorkflow:
    """The care workflow as somebody might break it: it waits before it looks for the first time."""

    @workflow.run
    async def run(self, input: CareInput) -> str:
        await workflow.sleep(timedelta(minutes=5))
        return (await call(CARE_ADVANCE, OrderRef(order_id=input.order_id))).outcome


async def test_a_workflow_that_was_changed_in_its_steps_does_not_replay() -> None:
    # Outside the sandbox, which would refuse what this file imports.
    runner = UnsandboxedWorkflowRunner()
    replayer = Replayer(workflows=[ChangedCareWorkflow], workflow_runner=runner, plugins=[plugin()])
    recorded = next(read(path) for path in HISTORIES if path.name.startswith("care"))
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(recorded)
