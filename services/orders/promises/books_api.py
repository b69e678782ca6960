"""Promises, how many of them are kept, and the daily proof that none was dropped."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query

from services.orders.access import Reader
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.promises import books, proof
from services.orders.promises.books import FiguresPage, Filters, Outcome, PromisePage
from services.orders.promises.proof import ProofDetail, ProofPage
from shared.auth import Principal, require
from shared.contracts.permissions import OPERATE
from shared.errors import NotFound
from shared.given import GivenDate

router = APIRouter(prefix="/v1/promises", tags=["promises"])
Operator = Annotated[Principal, Depends(require(OPERATE))]


class ProofNotFound(NotFound):
    vi = "Chưa có biên bản của ngày này."
    en = "There is no proof of this day."


@router.get("")
async def list_promises(
    who: Reader,
    runtime: RuntimeDep,
    outcome: Annotated[list[Outcome] | None, Query(description="e.g. outcome=broken&outcome=open")] = None,
    owner: Annotated[UUID | None, Query(description="account id of whose promises they were")] = None,
    day: Annotated[GivenDate | None, Query(description="local day on which they were due")] = None,
    kind: Annotated[list[str] | None, Query(description="e.g. kind=callback")] = None,
    limit: Limit = 50,
    after: UUID | None = None,
) -> PromisePage:
    """Promises of yours and of those below you, the last due first."""
    filters = Filters(outcome=tuple(outcome or ()), owner=owner, kind=tuple(kind or ()), day=day)
    zone = ZoneInfo(runtime.settings.timezone)
    async with runtime.db.read() as session:
        return await books.page(session, who=who, filters=filters, zone=zone, limit=limit, after=after)


@router.get("/figures")
async def promise_figures(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    since: Annotated[
        GivenDate | None, Query(description="first local day; 30 days before the last if left out")
    ] = None,
    until: Annotated[GivenDate | None, Query(description="last local day; today if left out")] = None,
    owner: UUID | None = None,
) -> FiguresPage:
    """“Tỷ lệ đúng hẹn” by person: kept ÷ (kept + broken) of what was due in the period."""
    zone = ZoneInfo(runtime.settings.timezone)
    last = until or clock().astimezone(zone).date()
    async with runtime.db.read() as session:
        return await books.figures(
            session, who=who, owner=owner, since=since or last - timedelta(days=30), until=last, zone=zone
        )


@router.get("/proof")
async def list_proofs(
    _: Operator, runtime: RuntimeDep, limit: Limit = 50, before: Annotated[GivenDate | None, Query()] = None
) -> ProofPage:
    """The daily proofs, the last first. `holds` must be true."""
    async with runtime.db.read() as session:
        return await proof.page(session, limit=limit, before=before)


@router.get("/proof/now")
async def prove_now(_: Operator, runtime: RuntimeDep, clock: ClockDep) -> ProofDetail:
    """How it stands at this moment, with what was found; nothing is written."""
    now = clock()
    day = now.astimezone(ZoneInfo(runtime.settings.timezone)).date()
    return await proof.look(runtime.db, runtime.temporal, day=day, now=now)


@router.get("/proof/{day}")
async def get_proof(_: Operator, runtime: RuntimeDep, day: GivenDate) -> ProofDetail:
    """The proof of a day with what it found."""
    async with runtime.db.read() as session:
        found = await proof.detail(session, day)
    if found is None:
        raise ProofNotFound
    return found
