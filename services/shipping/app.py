"""The shipping service: carriers, shipments, their timeline, labels, and COD until it is home."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter

from services.shipping.activities import activities
from services.shipping.callbacks.intake import CallbackIntake
from services.shipping.callbacks.processing import CallbackProcessor
from services.shipping.callbacks.secrets import callback_secrets
from services.shipping.callbacks.wake import Waker
from services.shipping.carriers.gate import Gates
from services.shipping.carriers.registry import CarrierClients
from services.shipping.consumers import handlers
from services.shipping.context import STATE, Context, context_of, utc_now
from services.shipping.reconcile import reconcile
from services.shipping.settings import ShippingSettings
from shared.lifecycle import Part, keep_running
from shared.service import Runtime, Service
from shared.vault import Vault, decode_key

STATEMENTS_AT_ONCE: Final = 2
"""Of a process: more wait, so that two connections each are left for everything else."""
WAKE: Final = "callbacks.wake"


@asynccontextmanager
async def resources(runtime: Runtime[ShippingSettings]) -> AsyncIterator[None]:
    settings = runtime.settings
    waker = Waker(runtime.db)
    intake = CallbackIntake(runtime.db, on_stored=waker)
    runtime.state[WAKE] = waker.event
    runtime.state[STATE] = Context(
        settings=settings,
        db=runtime.db,
        vault=Vault(decode_key(settings.credentials_key.get_secret_value()), service="shipping"),
        carriers=CarrierClients(timeout=settings.carrier_timeout),
        gates=Gates(runtime.db, pace=settings.polling_pace),
        intake=intake,
        secrets=callback_secrets(runtime.db),
        now=utc_now,
        statements=asyncio.Semaphore(STATEMENTS_AT_ONCE),
    )
    try:
        yield
    finally:
        await intake.close()
        await waker.close()


def callback_processor(runtime: Runtime[ShippingSettings]) -> CallbackProcessor:
    """Applies callbacks: those accepted by this process at once, those of others when they say so."""
    context = context_of(runtime)
    return CallbackProcessor(
        runtime.db,
        vault=context.vault,
        direct_url=runtime.settings.direct_url,
        wake=runtime.state[WAKE],
        now=lambda: context.now(),
        pace=context.pace,
    )


def _callbacks(runtime: Runtime[Any]) -> Part:
    def run() -> Awaitable[None]:
        return keep_running("callbacks", callback_processor(runtime).run)

    return run


def _routers() -> Sequence[APIRouter]:
    from services.shipping.api import routers  # here: a process that answers no requests does not need them

    return routers


SERVICE = Service(
    name="shipping",
    title="Chốt · Giao hàng (shipping)",
    settings=ShippingSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=_routers,
    handlers=handlers,
    activities=activities,
    resources=resources,
    background={"consumer": {"callbacks": _callbacks}},
    reconcile=reconcile,
    uploads=("/v1/cod/statements", "/v1/cod/bank-credits/import", "/v1/status-files"),
)
