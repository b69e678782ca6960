"""What a service is made of, and its command line: `python -m services.orders [api|relay|consumer|activities|migrate]`.

Without a role a process plays all of them, as on one machine; in Kubernetes each role is its own Deployment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import httpx
import nats.aio.client
from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from temporalio.client import Client
from temporalio.worker import Worker

from shared import bus, http, temporal
from shared.auth import TokenVerifier
from shared.consumer import Consumer, Handlers
from shared.db import Database
from shared.directory import EPOCHS_FRESH, Epochs, directory_handlers
from shared.lifecycle import Part, collect_rarely, give_large_blocks_back, keep_running, run_until_signal
from shared.messaging_api import messaging_router, reconcile_router
from shared.relay import Relay
from shared.settings import Settings, load
from shared.telemetry import configure_logging, logger

log = logger(__name__)

ROLES: Final = ("api", "relay", "consumer", "activities")

SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass
class Runtime(Generic[SettingsT]):
    """What a process of a service has in hand. Routes reach it as `request.app.state.runtime`."""

    settings: SettingsT
    db: Database
    temporal: Client
    http: httpx.AsyncClient
    """For the token keys; carriers get clients of their own."""
    links: bus.Links = field(default_factory=bus.Links)
    """NATS connections of the roles that this process plays."""
    state: dict[str, Any] = field(default_factory=dict)
    """What the service's `resources` made, by name."""


Reconcile = Callable[[Database, Client], Awaitable[Mapping[str, int]]]
Included = Callable[[Database], Awaitable[None]]
Resources = Callable[[Runtime[Any]], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def no_resources(_: Runtime[Any]) -> AsyncIterator[None]:
    yield


@dataclass(frozen=True)
class Service:
    """The definition of a service, in its `app.py`.

    Args:
        name: 'orders'; also its queue, its stream prefix and its durable consumers.
        title: Vietnamese first, for the API pages.
        settings: the settings class.
        migrations: folder of its Alembic migrations.
        routers: imports and returns its HTTP routes, which only the role api needs.
        handlers: its event handlers; the staff directory's are added.
        activities: makes its activities from the runtime.
        resources: opens what the service needs besides (carrier clients, batchers), puts it in `runtime.state`.
        background: further parts of a role by name, e.g. {"consumer": {"distributor": fn(runtime)}}.
        uploads: path prefixes that take large bodies.
        epochs_fresh: seconds for which revoked tokens may still pass; 0 asks the database at each request.
        reconcile: compares the database with Temporal and writes nudges for what is missing or behind; returns counts.
        included: loads the data that come with the program into a database that has none yet; run after migrations.
    """

    name: str
    title: str
    settings: type[Settings]
    migrations: Path
    routers: Callable[[], Sequence[APIRouter]] = tuple
    handlers: Handlers = field(default_factory=Handlers)
    activities: Callable[[Runtime[Any]], Sequence[Callable[..., Any]]] = lambda _: ()
    resources: Resources = no_resources
    background: dict[str, dict[str, Callable[[Runtime[Any]], Part]]] = field(default_factory=dict)
    uploads: tuple[str, ...] = ()
    epochs_fresh: float = EPOCHS_FRESH
    reconcile: Reconcile | None = None
    included: Included | None = None

    def all_handlers(self) -> Handlers:
        """Its own handlers and those that keep the staff directory."""
        handlers = Handlers()
        handlers.include(directory_handlers)
        handlers.include(self.handlers)
        return handlers

    def create_app(self, runtime: Runtime[Any], *, roles: Sequence[str] = ("api",)) -> FastAPI:
        """The HTTP application over an opened runtime: routes for the role api, health for all.

        Args:
            roles: what the process does, which says what it needs to be ready.
        """
        own = {"postgresql": database_check(runtime.db)}
        others = self._engine_checks(runtime, roles)
        if "api" not in roles:
            app = http.create_app(self.name, title=self.title)
            http.add_health(app, own | others)
            return app
        origins = [origin.strip() for origin in runtime.settings.cors_origins.split(",") if origin.strip()]
        app = http.create_app(self.name, title=self.title, uploads=self.uploads, cors_origins=origins)
        app.state.runtime = runtime
        epochs = Epochs(runtime.db, fresh=self.epochs_fresh)
        app.state.tokens = TokenVerifier(runtime.settings, epochs, runtime.http)
        for router in self.routers():
            http.add_routes(app, router)
        http.add_routes(app, messaging_router(self.name, runtime.db, self.all_handlers()))
        if self.reconcile is not None:
            http.add_routes(app, reconcile_router(runtime.db, runtime.temporal, self.reconcile))
        # Requests are taken without NATS and Temporal, so a process that takes them is ready without these.
        http.add_health(app, own, others=others)
        return app

    def _engine_checks(self, runtime: Runtime[Any], roles: Sequence[str]) -> dict[str, http.Check]:
        """What the roles need besides the database."""
        checks: dict[str, http.Check] = {}
        linked = [role for role in ("relay", "consumer") if role in roles]
        if linked:
            checks["nats"] = runtime.links.check(linked, url=runtime.settings.nats_url)
        if "relay" in roles or "activities" in roles:
            checks["temporal"] = temporal.check(runtime.temporal)
        return checks

    @asynccontextmanager
    async def runtime(self, settings: Settings) -> AsyncIterator[Runtime[Any]]:
        """Opens what a process needs and closes it again."""
        db = Database(settings.database_url, pool_size=settings.database_pool_size)
        # Only where there is something to verify: reading all authorities' certificates is 3 MiB.
        async with httpx.AsyncClient(timeout=5, verify=settings.jwks_url.startswith("https:")) as client:
            runtime = Runtime(settings=settings, db=db, temporal=await temporal.connect(), http=client)
            try:
                async with self.resources(runtime):
                    yield runtime
            finally:
                await db.close()


def database_check(db: Database) -> http.Check:
    """Whether the database answers."""

    async def check() -> None:
        async with db.read() as session:
            await session.execute(text("SELECT 1"))

    return check


def _relay(service: Service, runtime: Runtime[Any]) -> Part:
    async def run() -> None:
        connection = await bus.connect(runtime.settings.nats_url, name=f"{service.name} relay")
        runtime.links.opened("relay", connection)
        try:
            await Relay(
                service.name,
                direct_url=runtime.settings.direct_url,
                nats=connection,
                temporal=runtime.temporal,
                replicas=runtime.settings.nats_replicas,
            ).run()
        finally:
            runtime.links.closed("relay")
            await _close(connection)

    return lambda: keep_running("relay", run)


def _consumer(service: Service, runtime: Runtime[Any]) -> Part:
    async def run() -> None:
        connection = await bus.connect(runtime.settings.nats_url, name=f"{service.name} consumer")
        runtime.links.opened("consumer", connection)
        try:
            await Consumer(
                service.name,
                db=runtime.db,
                nats=connection,
                handlers=service.all_handlers(),
                replicas=runtime.settings.nats_replicas,
            ).run()
            await asyncio.Event().wait()
        finally:
            runtime.links.closed("consumer")
            await _close(connection)

    return lambda: keep_running("consumer", run)


RECONCILE_EVERY: Final = 120.0
"""Seconds. So long may a workflow be missing after Temporal's store was lost, without anybody doing anything."""


def _reconcile(service: Service, runtime: Runtime[Any]) -> Part:
    async def run() -> None:
        assert service.reconcile is not None
        while True:
            await asyncio.sleep(RECONCILE_EVERY)
            counts = await service.reconcile(runtime.db, runtime.temporal)
            if any(counts.values()):
                log.warning("workflows were missing or behind, they are woken", **counts)

    return lambda: keep_running("reconcile", run)


async def _close(connection: nats.aio.client.Client) -> None:
    try:
        await asyncio.wait_for(connection.close(), timeout=2)
    except (TimeoutError, OSError):
        pass


def _activities(service: Service, runtime: Runtime[Any]) -> Part:
    async def run() -> None:
        activities = service.activities(runtime)
        if not activities:
            await asyncio.Event().wait()
        worker = Worker(
            await temporal.connected(runtime.temporal),
            task_queue=service.name,
            activities=activities,
            # Without one the SDK makes a hash of all code, for which it loads every module again, on the event loop:
            # measured 0.15 s and 2 MiB, and 2.9 s where Python keeps no compiled files.
            build_id=f"chot-{version('chot')}",
            graceful_shutdown_timeout=temporal.GRACE,
            max_concurrent_activities=64,
        )
        await worker.run()

    return lambda: keep_running("activities", run)


async def _run(service: Service, settings: Settings, roles: Sequence[str]) -> None:
    async with service.runtime(settings) as runtime:
        app = service.create_app(runtime, roles=roles)
        parts: dict[str, Part] = {
            "http": lambda: http.serve(
                app,
                host=settings.http_host,
                port=settings.http_port,
                trusted_proxies=settings.trusted_proxies,
            )
        }
        makers = {"relay": _relay, "consumer": _consumer, "activities": _activities}
        for role in roles:
            if role in makers:
                parts[role] = makers[role](service, runtime)
            if role == "relay" and service.reconcile is not None:
                parts["reconcile"] = _reconcile(service, runtime)
            for name, make in service.background.get(role, {}).items():
                parts[name] = make(runtime)
        collect_rarely()
        await run_until_signal(parts)


def main(service: Service, arguments: Sequence[str] | None = None) -> None:
    """The body of a service's `__main__`: one role, or all of them."""
    chosen = list(sys.argv[1:] if arguments is None else arguments)
    if chosen and chosen[0] not in (*ROLES, "migrate"):
        sys.stderr.write(f"'{chosen[0]}' is not a role. Take one of: {', '.join(ROLES)}, migrate; or none for all.\n")
        raise SystemExit(2)
    give_large_blocks_back()
    settings = load(service.settings)
    role = chosen[0] if chosen else "all"
    configure_logging(service.name, role, format=settings.log_format, level=settings.log_level)
    if role == "migrate":
        from shared import migrations  # here: Alembic is 10 MiB, which no other role needs

        migrations.upgrade(service.migrations, settings.direct_url)
        if service.included is not None:
            migrations.include(service.included, settings.direct_url)
        return
    import uvloop

    uvloop.run(_run(service, settings, ROLES if role == "all" else [role]))
