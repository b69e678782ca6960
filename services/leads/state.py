"""What a running process of this service has besides its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Request

from services.leads.exports.live import EXPORT
from services.leads.facebook import context as facebook
from services.leads.facebook.hooks import Hooks
from services.leads.imports.live import TOPICS
from services.leads.intake.batcher import Batcher
from services.leads.settings import LeadsSettings
from services.leads.sources import Sources
from services.leads.transfers.left import LEFT
from services.leads.upkeep import BusinessHours
from shared.service import Runtime
from shared.streams import Hints, Streams

_PARTS: Final = "leads"

LeadsRuntime = Runtime[LeadsSettings]


@dataclass(frozen=True)
class Parts:
    batcher: Batcher
    sources: Sources
    hours: BusinessHours
    hooks: Hooks
    listed: asyncio.Event
    """Set when a do-not-call list was uploaded, to wake a worker in this process."""
    exported: asyncio.Event
    """Set when an export was asked for, to wake a worker in this process."""
    streams: Streams


@asynccontextmanager
async def resources(runtime: Runtime[Any]) -> AsyncIterator[None]:
    """Opens what the routes and background parts need."""
    sources = Sources(runtime.db)
    runtime.state[facebook.STATE] = facebook.make(runtime, sources)
    parts = Parts(
        batcher=Batcher(runtime.db, window=runtime.settings.duplicate_window),
        sources=sources,
        hours=BusinessHours(runtime.settings),
        hooks=Hooks(facebook.facebook_of(runtime)),
        listed=asyncio.Event(),
        exported=asyncio.Event(),
        streams=Streams(
            runtime.db, Hints("leads", runtime.settings.nats_url), {**TOPICS, EXPORT.name: EXPORT, LEFT.name: LEFT}
        ),
    )
    runtime.state[_PARTS] = parts
    async with parts.batcher.running(), parts.streams.hints.running():
        yield


def parts_of(runtime: Runtime[Any]) -> Parts:
    return cast(Parts, runtime.state[_PARTS])


def runtime_of(request: Request) -> LeadsRuntime:
    return cast(LeadsRuntime, request.app.state.runtime)


def streams_of(request: Request) -> Streams:
    return parts_of(runtime_of(request)).streams


async def _parts(request: Request) -> Parts:
    return parts_of(runtime_of(request))


async def _runtime(request: Request) -> LeadsRuntime:
    return runtime_of(request)


RuntimeDep = Annotated[LeadsRuntime, Depends(_runtime)]
PartsDep = Annotated[Parts, Depends(_parts)]
