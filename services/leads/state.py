"""What a running process of this service has besides its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Request

from services.leads.intake.batcher import Batcher
from services.leads.settings import LeadsSettings
from services.leads.sources import Sources
from services.leads.upkeep import BusinessHours
from shared.service import Runtime

_PARTS: Final = "leads"

LeadsRuntime = Runtime[LeadsSettings]


@dataclass(frozen=True)
class Parts:
    batcher: Batcher
    sources: Sources
    uploaded: asyncio.Event
    """Set when an upload was kept, to wake an import runner in this process."""
    hours: BusinessHours


@asynccontextmanager
async def resources(runtime: Runtime[Any]) -> AsyncIterator[None]:
    """Opens what the routes and background parts need."""
    parts = Parts(
        batcher=Batcher(runtime.db, window=runtime.settings.duplicate_window),
        sources=Sources(runtime.db),
        uploaded=asyncio.Event(),
        hours=BusinessHours(runtime.settings),
    )
    runtime.state[_PARTS] = parts
    async with parts.batcher.running():
        yield


def parts_of(runtime: Runtime[Any]) -> Parts:
    return cast(Parts, runtime.state[_PARTS])


def runtime_of(request: Request) -> LeadsRuntime:
    return cast(LeadsRuntime, request.app.state.runtime)


async def _parts(request: Request) -> Parts:
    return parts_of(runtime_of(request))


async def _runtime(request: Request) -> LeadsRuntime:
    return runtime_of(request)


RuntimeDep = Annotated[LeadsRuntime, Depends(_runtime)]
PartsDep = Annotated[Parts, Depends(_parts)]
