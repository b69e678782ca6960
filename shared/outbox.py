"""The outbox: events and workflow commands are rows, written in the transaction of the change that caused them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import TextClause, text

from shared.contracts.base import Contract
from shared.contracts.commands import WorkflowCommand
from shared.contracts.events.base import EventType
from shared.db import OUTBOX_WRITTEN, ReadSession, Session
from shared.identity import new_id
from shared.telemetry import causation_id, correlation_id

FACTS: Final = "events"
"""Destination of a row that carries many events (see `shared.fact_columns`)."""
COMMANDS: Final = "commands"
"""Destination of a row that carries many workflow commands (see `command_rows`)."""
COLUMNS: Final = ("id", "destination", "type", "subject", "payload", "correlation_id", "causation_id")
INSERT: Final = """
INSERT INTO outbox (id, destination, type, subject, payload, correlation_id, causation_id)
SELECT * FROM unnest(
    CAST($1 AS uuid[]), CAST($2 AS text[]), CAST($3 AS text[]), CAST($4 AS text[]),
    CAST($5 AS text[])::json[], CAST($6 AS text[]), CAST($7 AS text[]))
ON CONFLICT (id) DO NOTHING
"""
"""One statement for any number of rows, for the driver; arguments are the columns of `columns()`."""

_INSERT_TEXT = text(
    """
INSERT INTO outbox (id, destination, type, subject, payload, correlation_id, causation_id)
SELECT * FROM unnest(
    CAST(:ids AS uuid[]), CAST(:destinations AS text[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
    CAST(CAST(:payloads AS text[]) AS json[]), CAST(:correlations AS text[]), CAST(:causations AS text[]))
ON CONFLICT (id) DO NOTHING
"""
)

_INSERT_PACED = text(
    """
INSERT INTO outbox (id, destination, type, subject, payload, correlation_id, causation_id, next_attempt_at)
SELECT t.id, t.destination, t.type, t.subject, t.payload, t.correlation_id, t.causation_id, greatest(now(), (
        SELECT max(next_attempt_at) FROM outbox WHERE status = 'pending' AND destination = 'command'
    )) + make_interval(secs => t.place / CAST(:a_second AS double precision))
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:destinations AS text[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
    CAST(CAST(:payloads AS text[]) AS json[]), CAST(:correlations AS text[]), CAST(:causations AS text[])
) WITH ORDINALITY AS t (id, destination, type, subject, payload, correlation_id, causation_id, place)
"""
)

_ANNOUNCED = text(
    "SELECT DISTINCT subject FROM outbox "
    "WHERE status = 'pending' AND destination = 'command' AND subject = ANY(CAST(:ids AS text[]))"
)

Destination = Literal["event", "command"]
Row = tuple[UUID, str, str, str, str, str, str]

MANY: Final = 100
"""Facts of one kind and cause from which they go together into rows."""
FACTS_A_ROW: Final = 500
"""A third of a megabyte of leads. A row that is told in part only, because NATS went away, is told again as a whole."""


def event_row(event_type: EventType, data: Contract, *, subject: UUID | str, event_id: UUID | None = None) -> Row:
    """The outbox row of an event.

    Args:
        event_type: from the registry; `data` must be its model.
        subject: id of the entity the fact is about.
        event_id: a fixed id where the same fact may be written twice; otherwise a new UUIDv7.
    """
    if not isinstance(data, event_type.model):
        raise TypeError(f"{event_type.name} takes {event_type.model.__name__}, not {type(data).__name__}")
    return (
        event_id or new_id(),
        "event",
        event_type.name,
        str(subject),
        data.model_dump_json(),
        correlation_id(),
        causation_id(),
    )


def row(destination: Destination, kind: str, payload: str, *, subject: str) -> Row:
    """The outbox row of an event or command that is JSON already."""
    return new_id(), destination, kind, subject, payload, correlation_id(), causation_id()


def command_rows(workflow: str, commands: Sequence[tuple[str, str]]) -> list[Row]:
    """The outbox rows of commands to workflows of one name that have one cause. Where they are many, a row carries some
    hundreds, as a JSON list; what of it cannot be delivered stays in it and is tried again.

    The service's outbox must take such rows (`shared.migrations.COMMANDS_TOGETHER`).

    Args:
        commands: workflow's id and the command as JSON.
    """
    if len(commands) < MANY:
        return [row("command", workflow, payload, subject=workflow_id) for workflow_id, payload in commands]
    parts = (commands[first : first + FACTS_A_ROW] for first in range(0, len(commands), FACTS_A_ROW))
    return [
        (
            new_id(),
            COMMANDS,
            workflow,
            "",
            f"[{','.join([each for _, each in part])}]",
            correlation_id(),
            causation_id(),
        )
        for part in parts
    ]


def command_row(command: WorkflowCommand) -> Row:
    """The outbox row of a workflow command."""
    return (
        new_id(),
        "command",
        command.workflow,
        command.workflow_id,
        command.model_dump_json(),
        correlation_id(),
        causation_id(),
    )


def columns(rows: Iterable[Row]) -> list[list[Any]]:
    """Rows turned into the seven column arrays of `INSERT`."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]


async def write(session: Session, rows: Iterable[Row]) -> None:
    """Writes rows to the outbox in the session's transaction, in one statement."""
    await _insert(session, _INSERT_TEXT, rows)


async def _insert(session: Session, statement: TextClause, rows: Iterable[Row], **values: Any) -> None:
    ids, destinations, types, subjects, payloads, correlations, causations = columns(rows)
    if not ids:
        return
    await session.execute(
        statement,
        {
            "ids": ids,
            "destinations": destinations,
            "types": types,
            "subjects": subjects,
            "payloads": payloads,
            "correlations": correlations,
            "causations": causations,
            **values,
        },
    )
    session.info[OUTBOX_WRITTEN] = True


async def emit(
    session: Session, event_type: EventType, data: Contract, *, subject: UUID | str, event_id: UUID | None = None
) -> None:
    """Writes one event in the session's transaction."""
    await write(session, [event_row(event_type, data, subject=subject, event_id=event_id)])


async def announced(session: ReadSession, workflow_ids: Sequence[str]) -> set[str]:
    """Those of the workflows for which a command waits for the relay."""
    rows = await session.execute(_ANNOUNCED, {"ids": list(workflow_ids)})
    return set(rows.scalars())


async def send(session: Session, command: WorkflowCommand) -> None:
    """Writes one workflow command in the session's transaction."""
    await write(session, [command_row(command)])


async def send_paced(session: Session, commands: Iterable[WorkflowCommand], *, a_second: float) -> None:
    """Writes workflow commands that are in no hurry: they go one after another behind what was paced before them, while
    what others send meanwhile overtakes them.

    Args:
        a_second: how many of them the relay may send.
    """
    await _insert(session, _INSERT_PACED, [command_row(command) for command in commands], a_second=a_second)
