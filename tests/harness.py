"""Runs a service inside the test's own process, on real engines: its HTTP side and any of its other roles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import text
from temporalio.client import Client, WorkflowHandle
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats, Postgres, Temporal
from shared import migrations
from shared import service as service_module
from shared.contracts import permissions
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.db import Database
from shared.lifecycle import end
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.temporal import plugin

T = TypeVar("T")

SIGNING_KEY = OKPKey.generate_key("Ed25519", {"kid": "test"})
JWKS_URL = "http://staff.test/.well-known/jwks.json"


TOLD: Final = """
SELECT id, type, subject, payload, correlation_id FROM outbox WHERE destination IN ('event', 'command')
UNION ALL
SELECT CAST(left(CAST(id AS text), 24) || lpad(to_hex(
        CAST(CAST('x' || right(CAST(id AS text), 12) AS bit(48)) AS bigint) + place - 1), 12, '0') AS uuid),
    type, line ->> 0, CAST(CAST(payload -> 'like' AS jsonb) || (
        SELECT jsonb_object_agg(field, line -> CAST(at AS integer) - 1)
        FROM json_array_elements_text(payload -> 'fields') WITH ORDINALITY AS f (field, at)) AS json), correlation_id
FROM outbox, json_array_elements(payload -> 'told') WITH ORDINALITY AS t (line, place) WHERE destination = 'events'
UNION ALL
SELECT id, type, e ->> 'workflow_id', e, correlation_id
FROM outbox, json_array_elements(payload) AS e WHERE destination = 'commands'
"""
"""What the outbox tells, each event and command by itself, whether a row carries one or many."""
AN_ANSWER: Final = 60.0
"""Seconds after which a condition that is asked for gives no answer any more, on the busiest machine."""


async def eventually(
    condition: Callable[[], Awaitable[T]], *, within: float = 20.0, what: str = "", every: float = 0.02
) -> T:
    """Waits for a condition: until it returns something true without an AssertionError, or the bound is over."""
    deadline = time.monotonic() + within
    while True:
        failure: AssertionError | None = None
        value: Any = None
        try:
            async with asyncio.timeout(max(within, AN_ANSWER)):
                value = await condition()
        except AssertionError as error:
            failure = error
        if value and failure is None:
            return value  # type: ignore[no-any-return]  # Any only because of the None above
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within} s: {what or getattr(condition, '__name__', condition)}"
            ) from failure
        await asyncio.sleep(every)


async def result(workflow: WorkflowHandle[Any, Any], *, within: float = 120.0) -> Any:
    """The result of a workflow that comes to its end.

    Raises:
        AssertionError: it did not within `within` seconds of the wall clock; says what it waits for.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await workflow.result()
        except TimeoutError:
            described = (await workflow.describe()).raw_description
            waits = [
                f"{each.activity_type.name}, attempt {each.attempt}: {each.last_failure.message or 'no failure'}"
                for each in described.pending_activities
            ]
            raise AssertionError(
                f"{workflow.id} did not end within {within:g} s; activities that wait: {waits}"
            ) from None
        except RuntimeError as error:
            # The server ended its long poll without the event that it was asked for, which the client takes for a
            # mistake: on a busy machine it happens.
            if "No completion event" not in str(error):
                raise


def token(
    *granted: str,
    account_id: UUID | None = None,
    code: str = "NV001",
    department: str = "sale",
    team: str = "",
    epoch: int = 0,
    expires_in: float = 600,
) -> str:
    """A bearer token as staff signs them, with the given permissions."""
    now = int(time.time())
    return jwt.encode(
        {"alg": "Ed25519", "kid": "test"},
        {
            "iss": "chot",
            "aud": "chot",
            "sub": str(account_id or uuid7()),
            "code": code,
            "department": department,
            "team": team,
            "permissions": list(granted),
            "epoch": epoch,
            "iat": now,
            "exp": int(now + expires_in),
        },
        SIGNING_KEY,
        algorithms=["Ed25519"],
    )


def _jwks(request: httpx.Request) -> httpx.Response:
    public = SIGNING_KEY.as_dict(private=False)
    return httpx.Response(200, json={"keys": [public]})


@dataclass
class Running:
    """A service that runs in the test."""

    service: Service
    runtime: Runtime[Any]
    app: FastAPI
    url: str
    roles: dict[str, list[asyncio.Task[None]]] = field(default_factory=dict)
    _clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def db(self) -> Database:
        return self.runtime.db

    async def client(
        self, *granted: str, account_id: UUID | None = None, code: str = "NV001", **claims: Any
    ) -> httpx.AsyncClient:
        """A caller with these permissions (none given: all), straight to the application."""
        bearer = token(*(granted or permissions.ALL), account_id=account_id, code=code, **claims)
        return await self._client({"Authorization": f"Bearer {bearer}"})

    async def anonymous(self) -> httpx.AsyncClient:
        """A caller without a token."""
        return await self._client({})

    async def _client(self, headers: dict[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=30)
        return await self._clients.enter_async_context(client)

    def start(self, *roles: str) -> None:
        """Starts roles (relay, consumer, activities) as tasks of the test, each with its further parts."""
        makers = {
            "relay": service_module._relay,
            "consumer": service_module._consumer,
            "activities": service_module._activities,
        }
        for role in roles:
            assert role not in self.roles, f"{role} runs already"
            further = self.service.background.get(role, {}).values()
            parts = [makers[role](self.service, self.runtime), *(make(self.runtime) for make in further)]
            self.roles[role] = [asyncio.create_task(part()) for part in parts]  # type: ignore[arg-type]  # a Part returns a coroutine

    async def stop(self, *roles: str) -> None:
        """Ends roles with their further parts; without names, all."""
        await end(*(task for role in (roles or tuple(self.roles)) for task in self.roles.pop(role)))

    async def receive(
        self, event_type: EventType, data: Contract, *, subject: UUID | str, event_id: UUID | None = None
    ) -> UUID:
        """Applies an event as the consumer would, without NATS; returns its id. The same id twice is applied once."""
        return await receive(self, event_type, data, subject=subject, event_id=event_id)

    async def rows(self, sql: str, **parameters: Any) -> Sequence[Any]:
        """Rows of the service's database, for what the API does not show."""
        async with self.db.read() as session:
            return (await session.execute(text(sql), parameters)).all()

    async def outbox(self, *types: str) -> list[dict[str, Any]]:
        """Events and commands written so far, oldest first, as {type, subject, payload}."""
        rows = await self.rows(
            f"SELECT type, subject, payload FROM ({TOLD}) AS told "
            "WHERE cardinality(CAST(:types AS text[])) = 0 OR type = ANY(:types) ORDER BY id",
            types=list(types),
        )
        return [dict(row._mapping) for row in rows]

    async def close(self) -> None:
        await self.stop()
        await self._clients.aclose()


async def receive(
    running: Running, event_type: EventType, data: Contract, *, subject: UUID | str, event_id: UUID | None = None
) -> UUID:
    from shared.consumer import apply_once, read_event

    event_id = event_id or uuid7()
    headers = {
        "ce-id": str(event_id),
        "ce-type": event_type.name,
        "ce-subject": str(subject),
        "ce-time": "2026-11-21T00:00:00+00:00",
        "ce-correlationid": "test-correlation",
    }
    event = read_event(headers, data.model_dump_json().encode())
    async with running.db.transaction() as session:
        await apply_once(session, running.service.name, running.service.all_handlers(), [event])
    return event_id


Filling = Callable[[Running], Awaitable[None]]

DROPPED_TOGETHER: Final = 20
"""Databases of tests that have ended. Each takes some 15 MB."""


class Databases:
    """Migrated databases made fast: one template a service, a copy a test."""

    def __init__(self, postgres: Postgres, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._postgres = postgres
        self._connection = connection
        self._turn = asyncio.Lock()
        self._templates: dict[tuple[Path, Filling | None], asyncio.Task[str]] = {}
        self._ended: list[str] = []

    @classmethod
    @asynccontextmanager
    async def on(cls, postgres: Postgres) -> AsyncIterator[Databases]:
        """On a server, with one connection for making and dropping."""
        connection = await asyncpg.connect(postgres.url)
        try:
            yield cls(postgres, connection)
        finally:
            await connection.close()

    async def create(self, service: Service, *, filled: Filling | None = None) -> str:
        """A fresh, migrated database of a service; returns its URL.

        Args:
            filled: writes what the tests of a kind begin with; called once, and copied to each.
        """
        key = (service.migrations, filled)
        if key not in self._templates:
            self._templates[key] = asyncio.create_task(self._template(service, filled, len(self._templates)))
        template = await self._templates[key]
        name = f"{service.name}_{uuid7().hex[-12:]}"
        # Where nothing is synced, copying files and the checkpoint before it cost less than half of what it does to write
        # each page to the write-ahead log (measured on a database of 500 tables and indexes: 21 and 50 ms).
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self._postgres.database_url(name)

    async def done_with(self, url: str) -> None:
        """The test of a database has ended: it is dropped with others, because all of them together fill the memory in
        which they lie, and each drop writes out what all of them have changed."""
        self._ended.append(url.rpartition("/")[2])
        if len(self._ended) < DROPPED_TOGETHER:
            return
        names, self._ended = self._ended, []
        for name in names:
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        async with self._turn:
            await self._connection.execute(statement)

    async def _template(self, service: Service, filled: Filling | None, number: int) -> str:
        if filled is not None:
            url = await self.create(service)
            async with running(service, self, database_url=url) as instance:
                await filled(instance)
            return url.rpartition("/")[2]
        name = f"template_{number}_{service.name}"
        await self._postgres.create_database(name)
        await asyncio.to_thread(migrations.upgrade, service.migrations, self._postgres.database_url(name))
        return name


@asynccontextmanager
async def running(
    service: Service,
    databases: Databases,
    *,
    nats: Nats | None = None,
    temporal: Temporal | Client | None = None,
    database_url: str | None = None,
    filled: Filling | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A service on a fresh database (or a given one), not yet with any background role.

    Args:
        nats: needed for the roles relay and consumer.
        temporal: server or client, needed for relay and activities; without it the client never connects.
        filled: writes what is in the fresh database from the beginning; see `Databases.create`.
        settings: further settings of the service, by field name.
    """
    url = database_url or await databases.create(service, filled=filled)
    values = {"database_url": url, "jwks_url": JWKS_URL, **settings}
    if nats is not None:
        values["nats_url"] = nats.url
    made = service.settings(**values)
    assert isinstance(made, Settings)
    client = temporal if isinstance(temporal, Client) else await connect(temporal)
    db = Database(url, pool_size=made.database_pool_size)
    async with httpx.AsyncClient(transport=httpx.MockTransport(_jwks)) as http:
        runtime: Runtime[Any] = Runtime(settings=made, db=db, temporal=client, http=http)
        try:
            async with service.resources(runtime):
                app = service.create_app(runtime)
                instance = Running(service, runtime, app, url)
                try:
                    yield instance
                finally:
                    await instance.close()
        finally:
            await db.close()
            if database_url is None:
                await databases.done_with(url)


async def connect(temporal: Temporal | None) -> Client:
    """A client of a test's Temporal server with the product's plugin."""
    address = temporal.url if temporal is not None else "127.0.0.1:9"
    return await Client.connect(address, lazy=True, plugins=[plugin()])
