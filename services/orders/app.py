"""The orders service: customers, care, levels, orders, products and stock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import httpx
from fastapi import APIRouter

from services.orders.activities import activities
from services.orders.addresses.api import UPLOAD
from services.orders.addresses.included import load_included
from services.orders.care.processes import PROCESSES, Processes
from services.orders.care.sweep import Sweep
from services.orders.clock import CLOCK, Clock, utc_now
from services.orders.consumers import handlers
from services.orders.deliveries import secrets as message_secrets
from services.orders.housekeeping import housekeeping
from services.orders.live import STREAMS, by_name
from services.orders.notes import reading as notes_reading
from services.orders.promises.live import TOPICS
from services.orders.promises.proof import Prover
from services.orders.promises.waiting import Waiting
from services.orders.reconcile import reconcile
from services.orders.settings import OrdersSettings
from services.orders.telephone import calls as telephone_calls
from services.orders.telephone import hook as telephone_hook
from services.orders.telephone import working as telephone_working
from services.orders.telephone.processing import WAKE, CallProcessor
from shared.lifecycle import Part, keep_running
from shared.service import Runtime, Service
from shared.streams import Hints, Streams


@asynccontextmanager
async def resources(runtime: Runtime[Any]) -> AsyncIterator[None]:
    """The clock, which a test may replace, the care processes read so far, and the streams."""
    runtime.state[CLOCK] = utc_now
    runtime.state[PROCESSES] = Processes()

    def clock() -> datetime:  # a test may replace it
        return cast(Clock, runtime.state[CLOCK])()

    topics = by_name(*TOPICS, telephone_calls.topic(clock), notes_reading.topic(clock))
    live = Streams(runtime.db, Hints("orders", runtime.settings.nats_url), topics)
    runtime.state[STREAMS] = live
    runtime.db.on_told = live.hints.tell_soon
    runtime.state[WAKE] = asyncio.Event()
    runtime.state[telephone_hook.SECRETS] = telephone_hook.hook_secrets(runtime.db)
    runtime.state[message_secrets.SECRETS] = message_secrets.hook_secrets(runtime.db)
    runtime.state[telephone_working.DIALLER] = lambda: httpx.AsyncClient(timeout=runtime.settings.telephone_timeout)
    async with live.hints.running():
        yield


def _proof(runtime: Runtime[Any]) -> Part:
    zone = ZoneInfo(runtime.settings.timezone)
    prover = Prover(runtime.db, runtime.temporal, zone=zone, now=lambda: cast(Clock, runtime.state[CLOCK])())
    return lambda: keep_running("proof", prover.run)


def _promises(runtime: Runtime[Any]) -> Part:
    waiting = Waiting(runtime.db, now=lambda: cast(Clock, runtime.state[CLOCK])())
    return lambda: keep_running("promises", waiting.run)


def _care(runtime: Runtime[Any]) -> Part:
    processes = cast(Processes, runtime.state[PROCESSES])
    sweep = Sweep(runtime.db, processes, now=lambda: cast(Clock, runtime.state[CLOCK])())
    return lambda: keep_running("care", sweep.run)


def _telephone(runtime: Runtime[Any]) -> Part:
    return lambda: keep_running("telephone", CallProcessor(runtime).run)


def _routers() -> Sequence[APIRouter]:
    from services.orders.routes import ROUTERS  # here: a process that answers no requests does not need them

    return ROUTERS


SERVICE = Service(
    name="orders",
    title="Chốt · Đơn hàng (orders)",
    settings=OrdersSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=_routers,
    uploads=(UPLOAD,),
    background={
        "relay": {"promises": _promises, "care": _care, "proof": _proof},
        "consumer": {"telephone": _telephone, "housekeeping": housekeeping},
    },
    handlers=handlers,
    activities=activities,
    reconcile=reconcile,
    included=load_included,
    resources=resources,
)
