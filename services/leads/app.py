"""The leads service, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from services.leads.activities import activities
from services.leads.api import facebook_hook
from services.leads.changes.merged_orders import Absorber
from services.leads.changes.overtaken import OvertakenReleaser
from services.leads.consent.list_work import ListWorker
from services.leads.consumers import handlers
from services.leads.distributor import Distributor
from services.leads.exports.work import ExportWorker
from services.leads.facebook.applying import Applier
from services.leads.facebook.context import facebook_of
from services.leads.inbox.replays import Replayer
from services.leads.listing.words import WordKeeper
from services.leads.reconcile import reconcile
from services.leads.settings import LeadsSettings
from services.leads.state import parts_of, resources
from services.leads.transfers.work import Transfers
from services.leads.upkeep import Upkeep
from shared.lifecycle import Part, keep_running
from shared.service import Runtime, Service


def _distributor(runtime: Runtime[Any]) -> Part:
    distributor = Distributor(runtime.db, zone=runtime.settings.timezone)
    return lambda: keep_running("distributor", distributor.run)


def _transfers(runtime: Runtime[Any]) -> Part:
    transfers = Transfers(runtime.db)
    return lambda: keep_running("transfers", transfers.run)


def _upkeep(runtime: Runtime[Any]) -> Part:
    parts = parts_of(runtime)
    upkeep = Upkeep(runtime.db, runtime.settings, parts.hours, tell=parts.streams.hints.tell)
    return lambda: keep_running("upkeep", upkeep.run)


def _exports(runtime: Runtime[Any]) -> Part:
    exporting = ExportWorker(
        runtime.db,
        arrived=parts_of(runtime).exported,
        zone=runtime.settings.timezone,
        hints=parts_of(runtime).streams.hints,
    )
    return lambda: keep_running("exports", exporting.run)


def _lists(runtime: Runtime[Any]) -> Part:
    lists = ListWorker(runtime.db, arrived=parts_of(runtime).listed)
    return lambda: keep_running("do_not_call_lists", lists.run)


def _overtaken(runtime: Runtime[Any]) -> Part:
    releaser = OvertakenReleaser(runtime.db, window=runtime.settings.duplicate_window)
    return lambda: keep_running("overtaken_duplicates", releaser.run)


def _merged_orders(runtime: Runtime[Any]) -> Part:
    absorber = Absorber(runtime.db, window=runtime.settings.duplicate_window)
    return lambda: keep_running("merged_orders", absorber.run)


def _words(runtime: Runtime[Any]) -> Part:
    keeper = WordKeeper(runtime.db)
    return lambda: keep_running("words", keeper.run)


def _replays(runtime: Runtime[Any]) -> Part:
    replayer = Replayer(runtime.db, sources=parts_of(runtime).sources, window=runtime.settings.duplicate_window)
    return lambda: keep_running("raw_replays", replayer.run)


def _pushes(runtime: Runtime[Any]) -> Part:
    applier = Applier(facebook_of(runtime))
    return lambda: keep_running("pushes", applier.run)


def _routers() -> Sequence[APIRouter]:
    from services.leads.routes import ROUTERS  # here: a process that answers no requests does not need them

    return ROUTERS


SERVICE = Service(
    name="leads",
    title="Chốt – Nguồn số và chia số (leads)",
    settings=LeadsSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=_routers,
    handlers=handlers,
    resources=resources,
    activities=activities,
    background={
        "consumer": {
            "distributor": _distributor,
            "upkeep": _upkeep,
            "transfers": _transfers,
            "pushes": _pushes,
            "overtaken": _overtaken,
            "merged_orders": _merged_orders,
            "words": _words,
        },
        "activities": {"raw_replays": _replays, "do_not_call_lists": _lists, "exports": _exports},
    },
    uploads=("/v1/imports", "/v1/do-not-call/imports", facebook_hook.PREFIX),
    reconcile=reconcile,
)
