"""Delivers workflow commands of the outbox to Temporal, for the relay."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson
from temporalio.client import Client as TemporalClient
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from shared import outbox
from shared.contracts.commands import NUDGE, WorkflowCommand
from shared.telemetry import correlated

if TYPE_CHECKING:
    import asyncpg

COMMAND_WINDOW: Final = 32


@dataclass
class Sent:
    """A row that is delivered."""

    id: UUID
    sequence: int | None = None
    """In the stream, of its last event; None for a command."""
    new: Sequence[int] = ()
    """The sequences of its events that had not been there before."""


@dataclass
class Failure:
    """A row that is not."""

    id: UUID
    error: str
    hopeless: bool
    """Repeating cannot help: the row becomes a dead letter."""
    left_over: str | None = None
    """What is left to be delivered of a row of many commands."""


@dataclass
class _Part:
    """A command of a row."""

    row: asyncpg.Record
    command: Any


@dataclass
class _Problem:
    error: str
    hopeless: bool


class CommandDelivery:
    """Starts and nudges workflows as rows of the outbox say."""

    def __init__(self, temporal: TemporalClient) -> None:
        self._temporal = temporal

    async def send(self, rows: Sequence[asyncpg.Record]) -> tuple[list[Sent], list[Failure]]:
        """Delivers the commands of rows. Several nudges of one workflow say no more than one of them."""
        window = asyncio.Semaphore(COMMAND_WINDOW)
        by_workflow: dict[str, list[_Part]] = defaultdict(list)
        for row in rows:
            said = orjson.loads(row["payload"])
            if row["destination"] == outbox.COMMANDS:
                for command in said:
                    by_workflow[command["workflow_id"]].append(_Part(row, command))
            else:
                by_workflow[row["subject"]].append(_Part(row, said))
        failed: dict[UUID, list[tuple[Any, _Problem]]] = defaultdict(list)

        async def deliver(parts: list[_Part]) -> None:
            last = parts[-1]
            async with window:
                problem = await self._deliver(last.command, last.row)
            if problem is not None:
                for part in parts:
                    failed[part.row["id"]].append((part.command, problem))

        await asyncio.gather(*(deliver(parts) for parts in by_workflow.values()))
        return (
            [Sent(row["id"]) for row in rows if row["id"] not in failed],
            [_failure(row, failed[row["id"]]) for row in rows if row["id"] in failed],
        )

    async def _deliver(self, said: Any, row: asyncpg.Record) -> _Problem | None:
        try:
            command = WorkflowCommand.model_validate(said)
        except ValueError as error:
            return _Problem(str(error), hopeless=True)
        try:
            with correlated(row["correlation_id"], causation=str(row["id"])):
                await self._temporal.start_workflow(
                    command.workflow,
                    command.input,
                    id=command.workflow_id,
                    task_queue=command.task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    start_signal=NUDGE if command.kind == "nudge" else None,
                    static_summary=command.summary or None,
                    static_details=command.details or None,
                )
        except WorkflowAlreadyStartedError:
            return None  # it runs already, or it has ended and there is nothing to wake
        except RPCError as error:
            hopeless = error.status in (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED)
            return _Problem(f"{error.status.name}: {error.message}", hopeless)
        except (OSError, RuntimeError, TimeoutError) as error:
            return _Problem(repr(error), hopeless=False)
        return None


def _failure(row: asyncpg.Record, failed: Sequence[tuple[Any, _Problem]]) -> Failure:
    """One that may yet be delivered keeps its row from becoming a dead letter."""
    (_, worst), *_ = sorted(failed, key=lambda each: each[1].hopeless)
    many = row["destination"] == outbox.COMMANDS
    return Failure(
        row["id"],
        worst.error,
        worst.hopeless,
        orjson.dumps([command for command, _ in failed]).decode() if many else None,
    )


def split(outcomes: Sequence[Sent | Failure]) -> tuple[list[Sent], list[Failure]]:
    """What was delivered, and what was not."""
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Sent)],
        [outcome for outcome in outcomes if isinstance(outcome, Failure)],
    )
