"""Consumers: events from other services applied to our database, once each, in any order."""

from __future__ import annotations

import asyncio
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import nats.errors
import nats.js.errors
import orjson
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from pydantic import ValidationError
from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared import bus, telemetry
from shared.contracts.base import Contract
from shared.contracts.events import REGISTRY, STREAM_OF
from shared.contracts.events.base import EventType
from shared.db import Database, Session, is_unavailable
from shared.lifecycle import together
from shared.retention import INBOX_AGE
from shared.telemetry import correlated, logger

log = logger(__name__)

BATCH: Final = 200
FETCH_WAIT: Final = 5.0
"""Seconds a pull waits for the first message."""
MAX_ATTEMPTS: Final = 12
"""Then a message is a dead letter. With the delays below that is about three minutes of trying."""
DELAY_MAX: Final = 30.0
PURGE_EVERY: Final = 3600.0

DataT = TypeVar("DataT", bound=Contract)


class NotYet(Exception):
    """A handler's word that what the event builds on has not arrived; it is tried again a little later."""


class Unreadable(ValueError):
    """A message that no repetition makes readable."""


@dataclass(frozen=True)
class Event(Generic[DataT]):
    """An event as handlers see it."""

    id: UUID
    type: str
    subject: str
    time: datetime
    data: DataT
    correlation_id: str


Handler = Callable[[Session, Sequence[Event[Any]]], Awaitable[None]]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[None]])


@dataclass
class Handlers:
    """A service's handlers by event type."""

    by_type: dict[str, list[Handler]] = field(default_factory=lambda: defaultdict(list))

    def each(self, event_type: EventType) -> Callable[[HandlerT], HandlerT]:
        """Registers `async def handler(session, event)`, called for one event at a time."""

        def register(handler: HandlerT) -> HandlerT:
            async def one_by_one(session: Session, events: Sequence[Event[Any]]) -> None:
                for event in events:
                    with correlated(event.correlation_id, causation=str(event.id)):
                        await handler(session, event)

            self.by_type[event_type.name].append(one_by_one)
            return handler

        return register

    def batch(self, *event_types: EventType) -> Callable[[HandlerT], HandlerT]:
        """Registers `async def handler(session, events)`, called with all events of a type in a batch: set-based work."""

        def register(handler: HandlerT) -> HandlerT:
            for event_type in event_types:
                self.by_type[event_type.name].append(handler)
            return handler

        return register

    def include(self, other: Handlers) -> None:
        """Adds the handlers of another registry."""
        for name, handlers in other.by_type.items():
            self.by_type[name].extend(handlers)

    async def handle(self, session: Session, events: Sequence[Event[Any]]) -> None:
        """Applies events; within a batch grouped by type, types in the order in which their handlers were registered, so
        that a service has one order of locks for all batches."""
        grouped: dict[str, list[Event[Any]]] = {}
        for event in events:
            grouped.setdefault(event.type, []).append(event)
        for name, registered in self.by_type.items():
            for handler in registered if name in grouped else ():
                await handler(session, grouped[name])

    @property
    def streams(self) -> dict[str, list[str]]:
        """Stream → the event types wanted from it."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for name in self.by_type:
            wanted[STREAM_OF[REGISTRY[name].service]].append(name)
        return dict(wanted)


def read_event(headers: dict[str, str], payload: bytes) -> Event[Any]:
    """A message as an event.

    Raises:
        Unreadable: a header is missing, the type is unknown or the data does not fit its model.
    """
    try:
        event_type = REGISTRY[headers["ce-type"]]
        return Event(
            id=UUID(headers["ce-id"]),
            type=event_type.name,
            subject=headers["ce-subject"],
            time=datetime.fromisoformat(headers["ce-time"]),
            data=event_type.model.model_validate_json(payload),
            correlation_id=headers.get("ce-correlationid") or str(uuid7()),
        )
    except ValidationError as error:
        # The values are left out: they may be personal.
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)
        )
        raise Unreadable(f"the data does not fit {headers.get('ce-type')}: {wrong}") from None
    except (KeyError, ValueError) as error:
        raise Unreadable(f"not an event of ours: {error!r}") from None


_RECEIVE = text(
    """
INSERT INTO inbox (consumer, event_id) SELECT :consumer, unnest(CAST(:ids AS uuid[]))
ON CONFLICT (consumer, event_id) DO UPDATE SET attempts = inbox.attempts + 1
RETURNING event_id, attempts, handled_at
"""
)
_HANDLED = text(
    """
INSERT INTO inbox (consumer, event_id, handled_at)
SELECT :consumer, id, now() FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY id
ON CONFLICT (consumer, event_id) DO UPDATE SET handled_at = now() WHERE inbox.handled_at IS NULL
RETURNING event_id
"""
)
_DEAD = text(
    """
INSERT INTO dead_letters (id, consumer, event_id, type, headers, payload, error, attempts)
VALUES (:id, :consumer, :event_id, :type, CAST(:headers AS jsonb), :payload, :error, :attempts)
ON CONFLICT (consumer, event_id) DO UPDATE
SET error = excluded.error, attempts = excluded.attempts, created_at = now(), resolved_at = NULL, resolved_by = NULL
"""
)
_PURGE = text("DELETE FROM inbox WHERE received_at < now() - CAST(:age AS interval)")


async def apply_once(session: Session, consumer: str, handlers: Handlers, events: Sequence[Event[Any]]) -> None:
    """Handles those of the events that were not handled before, in the session's transaction.

    The inbox rows are taken first, so a twin that runs at the same time waits here and then finds nothing to do.
    """
    result = await session.execute(_HANDLED, {"consumer": consumer, "ids": [event.id for event in events]})
    fresh = set(result.scalars())
    await handlers.handle(session, [event for event in events if event.id in fresh])


class Consumer:
    """Pulls the events that a service wants from every stream and applies them.

    Args:
        service: consumes; also the durable's name.
        db: its database.
        nats: connected client.
        handlers: what to do with each event type.
        replicas: of the streams, when they have to be made.
    """

    def __init__(self, service: str, *, db: Database, nats: NatsClient, handlers: Handlers, replicas: int = 1) -> None:
        self._service = service
        self._db = db
        self._js = nats.jetstream(timeout=5)
        self._handlers = handlers
        self._replicas = replicas

    async def run(self) -> None:
        """Consumes until cancelled; raises when JetStream or a consumer is gone, to be started afresh."""
        if not self._handlers.streams:
            return
        await bus.ensure_streams(self._js, replicas=self._replicas)
        await together(
            *(self._consume(stream, subjects) for stream, subjects in self._handlers.streams.items()), self._purge()
        )

    async def _consume(self, stream: str, subjects: list[str]) -> None:
        await bus.ensure_consumer(self._js, stream, self._service, subjects)
        subscription = await self._js.pull_subscribe_bind(durable=self._service, stream=stream)
        log.info("consuming", stream=stream)
        while True:
            try:
                messages = await subscription.fetch(BATCH, timeout=FETCH_WAIT)
            except (TimeoutError, nats.errors.TimeoutError):
                # Silence is normal; but a consumer that was deleted is silent as well.
                await self._js.consumer_info(stream, self._service)
                continue
            await self._take(messages)

    async def _take(self, messages: list[Msg]) -> None:
        try:
            await self._process(messages)
        except Exception as error:
            if not is_unavailable(error):
                raise
            log.warning("database away, events wait", events=len(messages), error=repr(error))
            await asyncio.gather(*(message.nak(delay=1) for message in messages))

    async def _process(self, messages: list[Msg]) -> None:
        pending: dict[UUID, tuple[Msg, Event[Any]]] = {}
        for message in messages:
            try:
                event = read_event(dict(message.headers or {}), message.data)
            except Unreadable as error:
                await self._bury(message, error=str(error), attempts=1)
                continue
            pending[event.id] = (message, event)
        # What was never delivered before is tried at once, in one transaction. Only what comes again, because it failed
        # or because a process died over it, is counted before it is handled.
        first = [item for item in pending.values() if item[0].metadata.num_delivered == 1]
        if first and await self._apply_together(first):
            for _, event in first:
                del pending[event.id]
        if not pending:
            return
        async with self._db.transaction() as session:
            received = (await session.execute(_RECEIVE, {"consumer": self._service, "ids": list(pending)})).all()
        for event_id, attempts, handled_at in received:
            message, event = pending[event_id]
            if handled_at is not None:
                await message.ack()
            else:
                # Alone, so that it can take no other down with it.
                await self._apply_alone(message, event, attempts)

    async def _apply_together(self, items: list[tuple[Msg, Event[Any]]]) -> bool:
        try:
            async with self._db.transaction() as session:
                await apply_once(session, self._service, self._handlers, [event for _, event in items])
        except Exception as error:
            if is_unavailable(error):
                raise
            return False
        await self._acknowledge(items)
        return True

    async def _apply_alone(self, message: Msg, event: Event[Any], attempts: int) -> None:
        try:
            with correlated(event.correlation_id, causation=str(event.id)):
                async with self._db.transaction() as session:
                    await apply_once(session, self._service, self._handlers, [event])
        except Exception as error:
            if is_unavailable(error):
                raise
            telemetry.EVENTS_FAILED.labels(self._service, event.type).inc()
            if attempts >= MAX_ATTEMPTS:
                log.exception("event is a dead letter", event_type=event.type, event_id=str(event.id))
                await self._bury(message, error=_describe(error), attempts=attempts)
                return
            if not isinstance(error, NotYet):
                log.warning("event failed", event_type=event.type, event_id=str(event.id), error=_describe(error))
            await message.nak(delay=min(DELAY_MAX, 0.1 * 2**attempts))
            return
        await self._acknowledge([(message, event)])

    async def _acknowledge(self, items: list[tuple[Msg, Event[Any]]]) -> None:
        for message, event in items:
            await message.ack()
            telemetry.EVENTS_HANDLED.labels(self._service, event.type).inc()
            log.debug(
                "event handled", event_type=event.type, event_id=str(event.id), correlation_id=event.correlation_id
            )

    async def _bury(self, message: Msg, *, error: str, attempts: int) -> None:
        """Sets a message aside for a person, then terminates it; in this order, so that it is never only gone."""
        headers = dict(message.headers or {})
        metadata = message.metadata
        async with self._db.transaction() as session:
            await session.execute(
                _DEAD,
                {
                    "id": uuid7(),
                    "consumer": self._service,
                    "event_id": headers.get("ce-id") or f"{metadata.stream}:{metadata.sequence.stream}",
                    "type": headers.get("ce-type") or message.subject,
                    "headers": orjson.dumps(headers).decode(),
                    "payload": message.data,
                    "error": error[:2000],
                    "attempts": attempts,
                },
            )
        await message.term()
        telemetry.DEAD_LETTERS.labels(self._service, "consumer").inc()

    async def _purge(self) -> None:
        while True:
            async with self._db.transaction() as session:
                await session.execute(_PURGE, {"age": INBOX_AGE})
            await asyncio.sleep(PURGE_EVERY)


def _describe(error: Exception) -> str:
    """Class and place of an error without its values, which may be personal."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error) if isinstance(error, NotYet) else ""
    return f"{type(error).__name__} at {frame.name}:{frame.lineno} {message}".strip()
