"""Server-sent events: what a screen must show at once, as the state that it is in now.

    POST /v1/streams/tickets {"topics": ["import/0190…"]}  →  {"ticket": "…", "url": "/v1/streams?ticket=…"}
    GET  /v1/streams?ticket=…                              →  text/event-stream

A stream tells states, not a history: each message is the whole state of one topic. So nothing has to be kept for a client
that was away, nothing can be missed or doubled, and a slow client simply sees fewer of the states in between. Whoever
changes something says only that a topic has changed (`Hints.tell`), over NATS core, without any data; every replica reads
the state from the database for its own clients, under each client's own permissions. While NATS is away, or a hint is
lost, the state is read every few seconds all the same.

A service lists its topics (`Topic`), adds `streams_router` and the table `stream_tickets` to its migrations.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import nats.aio.client
import nats.errors
import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from nats.aio.msg import Msg
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from shared import bus
from shared.auth import Principal, PrincipalDep
from shared.db import Database, ReadSession, is_unavailable
from shared.errors import Problem
from shared.lifecycle import end, keep_running
from shared.telemetry import logger

log = logger(__name__)

TICKET_SECONDS: Final = 60
"""A ticket opens one stream, within this time: it stands in an address, and addresses end up in logs."""
TICKET_BYTES: Final = 24
MAX_TOPICS: Final = 20
STREAM_SECONDS: Final = 900.0
"""A stream ends after this time, and its client asks for a new ticket: so long may a permission that was taken away still
show something. Browsers reconnect by themselves, which needs a new ticket as well."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent; proxies cut connections that are silent for a minute."""
LOOK: Final = 5.0
"""Seconds between looks at the database without a hint."""
LOOK_WITHOUT_NATS: Final = 1.0
LEAST: Final = 0.25
"""Seconds between two states of a stream at least, however many hints come."""
RETRY: Final = 3_000
"""Milliseconds after which a browser tries again."""
SUBJECT: Final = "live"
"""Subjects are live.<service>.<topic>: outside the streams of JetStream, so nothing of this is kept."""


class TopicUnknown(Problem):
    type = "stream-topic-unknown"
    status = 422
    vi = "Không có nội dung “{topic}” để theo dõi, hoặc bạn chưa được quyền xem. Kiểm tra lại tên và mã."
    en = "There is no topic “{topic}” to follow, or you may not see it. Check its name and id."


class TicketInvalid(Problem):
    type = "stream-ticket-invalid"
    status = 401
    vi = "Vé không đúng, đã dùng hoặc đã hết hạn. Lấy vé mới rồi mở lại."
    en = "The ticket is wrong, used or too old. Get a new one and open the stream again."


State = Mapping[str, Any]
Read = Callable[[ReadSession, Principal, str], Awaitable[State | None]]


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that can be followed: 'import/0190…' has the name 'import' and a key.

    `read` gives the state as this principal may see it, None if there is none for them; it must be cheap. `ended` says of
    a state that no other will follow; `changes_at`, when it will be another one by the mere passing of time: it is read
    again at that instant.
    """

    name: str
    permission: str
    read: Read
    ended: Callable[[State], bool] = lambda _: False
    changes_at: Callable[[State], datetime | None] = lambda _: None


class Hints:
    """Tells all replicas that a topic has changed. Without NATS it does nothing: the streams look by themselves.

    Args:
        service: whose topics they are.
        url: of the NATS servers.
    """

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        self._url = url
        self._client: nats.aio.client.Client | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._telling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connects at the first use and closes when the block ends."""
        try:
            yield
        finally:
            if self._connecting is not None:
                await end(self._connecting)
            await end(*self._telling)
            if self._client is not None:
                try:
                    await asyncio.wait_for(self._client.close(), timeout=2)
                except (TimeoutError, OSError):
                    pass

    def _connect_soon(self) -> None:
        if self._connecting is None:
            self._connecting = asyncio.create_task(keep_running("live hints", self._connect))

    async def _connect(self) -> None:
        client = await bus.connect(self._url, name=f"{self._service} live hints")

        async def heard(message: Msg) -> None:
            for event in self._waiting.get(message.data.decode("utf-8", "replace"), ()):
                event.set()

        await client.subscribe(f"{SUBJECT}.{self._service}.*", cb=heard)
        self._client = client

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def tell(self, topic: str) -> None:
        """Says that a topic has changed, after the commit. Never fails and never waits."""
        self._connect_soon()
        client = self._client
        if client is None or not client.is_connected:
            return
        try:
            await client.publish(f"{SUBJECT}.{self._service}.{topic.partition('/')[0]}", topic.encode())
        except (nats.errors.Error, OSError) as error:
            log.debug("hint was not sent", error=type(error).__name__)

    def tell_soon(self, topics: Iterable[str]) -> None:
        """The same of several topics, for who cannot wait; fits `Database.on_told`."""

        async def tell_all(changed: Sequence[str]) -> None:
            for topic in changed:
                await self.tell(topic)

        telling = asyncio.get_running_loop().create_task(tell_all(sorted(topics)))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    @asynccontextmanager
    async def listening(self, topics: Sequence[str]) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever one of the topics has changed."""
        self._connect_soon()
        event = asyncio.Event()
        for topic in topics:
            self._waiting[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._waiting[topic].discard(event)
                if not self._waiting[topic]:
                    del self._waiting[topic]


@dataclass
class Streams:
    """The topics of a service, and the streams that are open in this process."""

    db: Database
    hints: Hints
    topics: Mapping[str, Topic]

    def topic(self, name: str) -> Topic:
        found = self.topics.get(name.partition("/")[0])
        if found is None:
            raise TopicUnknown(topic=name)
        return found

    async def read(self, who: Principal, names: Sequence[str]) -> dict[str, State]:
        """The states of topics as the principal may see them."""
        found: dict[str, State] = {}
        async with self.db.read() as session:
            for name in names:
                topic = self.topic(name)
                state = await topic.read(session, who, name.partition("/")[2]) if who.may(topic.permission) else None
                if state is not None:
                    found[name] = state
        return found

    async def messages(
        self, who: Principal, names: Sequence[str], *, last_seen: str, stopping: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """The body of a stream: each state that is new, comments in between, until everything has ended.

        Args:
            last_seen: the id of the last message that the client has; what it showed is not sent again.
            stopping: set when the process stops; streams end at once, so that stopping does not wait for them.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + STREAM_SECONDS
        seen = dict(part.split(":", 1) for part in last_seen.split(",") if ":" in part)
        yield f"retry: {RETRY}\n\n".encode()
        async with self.hints.listening(names) as changed:
            said_at = loop.time()
            while loop.time() < ends_at and not stopping.is_set():
                changed.clear()
                try:
                    states = await self.read(who, names)
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    states = {}  # PostgreSQL is away: the client keeps what it shows
                for name, state in states.items():
                    body = orjson.dumps(state)
                    mark = hashlib.sha256(body).hexdigest()[:12]
                    if seen.get(name) != mark:
                        seen[name] = mark
                        said_at = loop.time()
                        yield _message(name, body, seen)
                if len(states) == len(names) and all(self.topic(name).ended(state) for name, state in states.items()):
                    yield b"event: end\ndata: {}\n\n"
                    return
                if loop.time() - said_at >= HEARTBEAT:
                    said_at = loop.time()
                    yield b": still here\n\n"
                await asyncio.sleep(LEAST)
                await self._wait(changed, stopping, at_most=self._until_change(states))
        yield b"event: reconnect\ndata: {}\n\n"

    def _until_change(self, states: Mapping[str, State]) -> float:
        """Seconds until one of the states is another one without anybody doing anything, at most until the next look."""
        instants = [self.topic(name).changes_at(state) for name, state in states.items()]
        now = datetime.now(UTC)
        passing = [(instant - now).total_seconds() for instant in instants if instant is not None]
        look = LOOK if self.hints.connected else LOOK_WITHOUT_NATS
        return max(0.0, min([look, *passing]))

    async def _wait(self, changed: asyncio.Event, stopping: asyncio.Event, *, at_most: float) -> None:
        """Until a hint, the next look, or the end of the process."""
        waits = [asyncio.create_task(changed.wait()), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(
                waits,
                timeout=at_most,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for wait in waits:
                wait.cancel()


def _message(name: str, body: bytes, seen: Mapping[str, str]) -> bytes:
    id = ",".join(f"{topic}:{mark}" for topic, mark in seen.items())
    return f"id: {id}\nevent: {name.partition('/')[0]}\ndata: ".encode() + body + b"\n\n"


class TicketIn(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"topics": ["import/0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d"]}}
    )

    topics: list[str] = Field(min_length=1, max_length=MAX_TOPICS, description="what to follow: name/key")


class TicketOut(BaseModel):
    ticket: str
    url: str = Field(description="address of the stream, good once and for a minute")
    expires_in: int = Field(description="seconds")


_KEEP: Final = text(
    """
WITH old AS (DELETE FROM stream_tickets WHERE expires_at < now())
INSERT INTO stream_tickets (ticket_hash, principal, topics, expires_at)
VALUES (:hash, CAST(:principal AS jsonb), :topics, now() + :seconds * interval '1 second')
"""
)
_USE: Final = text(
    "DELETE FROM stream_tickets WHERE ticket_hash = :hash RETURNING principal, topics, expires_at > now() AS good"
)


def streams_router(streams_of: Callable[[Request], Streams]) -> APIRouter:
    """The routes of streams.

    Args:
        streams_of: finds the service's streams by a request.
    """
    router = APIRouter(prefix="/v1/streams", tags=["streams"])

    @router.post("/tickets", status_code=201)
    async def make_ticket(body: TicketIn, who: PrincipalDep, request: Request) -> TicketOut:
        """A ticket for a stream of server-sent events, which browsers cannot send a bearer token with."""
        streams = streams_of(request)
        names = sorted(set(body.topics))
        states = await streams.read(who, names)
        for name in names:
            if name not in states:
                raise TopicUnknown(topic=name)
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        values = {
            "hash": _hash(ticket),
            "principal": _dump(who),
            "topics": names,
            "seconds": TICKET_SECONDS,
        }
        async with streams.db.transaction() as session:
            await session.execute(_KEEP, values)
        return TicketOut(ticket=ticket, url=f"/v1/streams?ticket={ticket}", expires_in=TICKET_SECONDS)

    @router.get("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def open_stream(
        request: Request,
        ticket: Annotated[str, Query(max_length=100)],
        last_event_id: Annotated[str, Header(max_length=4_000)] = "",
    ) -> StreamingResponse:
        """States as they change: `event` is the topic's name, `data` its whole state as JSON. `end`: nothing more will
        come. `reconnect`: get a new ticket and open the stream again, with Last-Event-ID if you like."""
        streams = streams_of(request)
        async with streams.db.transaction() as session:
            row = (await session.execute(_USE, {"hash": _hash(ticket)})).one_or_none()
        if row is None or not row.good:
            raise TicketInvalid
        body = streams.messages(
            _load(row.principal), row.topics, last_seen=last_event_id, stopping=request.app.state.stopping
        )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(body, media_type="text/event-stream", headers=headers)

    return router


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()


def _dump(who: Principal) -> str:
    return orjson.dumps(
        {
            "account_id": str(who.account_id),
            "code": who.code,
            "permissions": sorted(who.permissions),
            "department": who.department,
            "team": who.team,
        }
    ).decode()


def _load(stored: Mapping[str, Any]) -> Principal:
    return Principal(
        account_id=UUID(stored["account_id"]),
        code=stored["code"],
        permissions=frozenset(stored["permissions"]),
        department=stored["department"],
        team=stored["team"],
    )
