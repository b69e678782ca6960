"""Workflow commands: what a service asks of Temporal, written to the outbox in the transaction of its cause."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from shared.contracts.base import Contract

NUDGE: Final = "nudge"
"""The one signal: 'look at the database again'. It carries no fact, so losing or repeating it changes nothing."""


class WorkflowCommand(Contract):
    """Start a workflow, or nudge it and start it if it is not there.

    Every nudge is a signal-with-start: after the workflow store was lost, the next fact brings its workflow back.
    Whether there is anything left to do is decided by the first activity, from the database.
    """

    kind: Literal["start", "nudge"]
    workflow: str
    """Registered workflow name, e.g. 'CareWorkflow'."""
    workflow_id: str
    task_queue: str
    input: dict[str, Any]
    """The workflow's one input model as JSON. Ids and codes only, never personal data."""
    summary: str = Field(default="", max_length=200)
    """One line for the list in the Temporal UI."""
    details: str = ""
