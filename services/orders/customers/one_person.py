"""Who is one person with whom, and who is marked as 'bom hàng'."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders.access import Reader
from services.orders.actors import staff
from services.orders.customers import duplicates, merging, profile
from services.orders.customers.access import ensure_sees, lock, sees_numbers_of
from services.orders.customers.api import Versioned
from services.orders.customers.duplicates import Hint
from services.orders.hiding import hidden_in
from services.orders.http import ClockDep, RuntimeDep
from shared.auth import Principal, require
from shared.contracts.permissions import LEADS_CORRECT
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/customers", tags=["customers"])

Corrector = Annotated[Principal, Depends(require(LEADS_CORRECT))]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ReasonBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "bom hàng 3 lần"}]})

    reason: Reason


class MergeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    other: UUID = Field(description="the customer who goes into this one")
    reason: Reason


class Merged(BaseModel):
    merge_id: UUID = Field(description="takes it back within 24 hours")
    customer_id: UUID
    merged: UUID


class Unmerged(BaseModel):
    customer_id: UUID
    restored: UUID


class MergeView(BaseModel):
    id: UUID
    kept_id: UUID
    gone_id: UUID
    at: datetime
    by_code: str
    reason: str
    undone_at: datetime | None
    undone_by: str


@router.get("/{customer_id}/duplicates")
async def get_duplicates(who: Reader, runtime: RuntimeDep, clock: ClockDep, customer_id: UUID) -> list[Hint]:
    """Who may be the same person, the likeliest first: hints for people, nothing is merged by itself."""
    async with runtime.db.read() as session:
        return await duplicates.hints(session, customer_id, who=who, now=clock())


@router.post("/{customer_id}/block", response_model=Versioned)
async def block_customer(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: ReasonBody
) -> Response:
    """Marks a customer who does not take what they order ('bom hàng'). They are shown with the mark and the count of their
    returned parcels, and a closing may demand a deposit; nothing is refused silently."""

    async def effect(session: Session) -> Versioned:
        customer = await lock(session, customer_id, who)
        version = await profile.block(session, customer, staff(who), reason=wanted.reason, now=clock())
        return Versioned(customer_id=customer_id, version=version)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{customer_id}/unblock", response_model=Versioned)
async def unblock_customer(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: ReasonBody
) -> Response:
    """Takes the mark away."""

    async def effect(session: Session) -> Versioned:
        customer = await lock(session, customer_id, who)
        version = await profile.unblock(session, customer, staff(who), reason=wanted.reason, now=clock())
        return Versioned(customer_id=customer_id, version=version)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{customer_id}/merge", response_model=Merged)
async def merge_customers(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: MergeBody
) -> Response:
    """Two customers are one person: numbers, orders, contacts and addresses of the other go to this one. It can be taken back
    within 24 hours."""

    async def effect(session: Session) -> Merged:
        await ensure_sees(session, customer_id, who)
        await ensure_sees(session, wanted.other, who)
        merge_id = await merging.merge_by_hand(
            session, wanted.other, into=customer_id, actor=staff(who), at=clock(), reason=wanted.reason
        )
        return Merged(merge_id=merge_id, customer_id=customer_id, merged=wanted.other)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.get("/{customer_id}/merges")
async def list_merges(who: Reader, runtime: RuntimeDep, clock: ClockDep, customer_id: UUID) -> list[MergeView]:
    """Who went into this customer, the last one first."""
    async with runtime.db.read() as session:
        await ensure_sees(session, customer_id, who)
        rows = await session.execute(_MERGES, {"id": customer_id})
        merges = [MergeView.model_validate(dict(row._mapping)) for row in rows]
        whole = await sees_numbers_of(session, customer_id, who, now=clock())
    return merges if whole else [hidden_in(merge) for merge in merges]


@router.post("/merges/{merge_id}/undo", response_model=Unmerged)
async def unmerge_customers(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, merge_id: UUID, wanted: ReasonBody
) -> Response:
    """Takes a merge back within 24 hours: every row that it moved goes back, orders since then stay with the one whose number
    they came with."""

    async def effect(session: Session) -> Unmerged:
        kept, restored = await merging.unmerge(
            session, merge_id, actor=staff(who), now=clock(), reason=wanted.reason, ensure=_seen_by(who)
        )
        return Unmerged(customer_id=kept, restored=restored)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


def _seen_by(who: Principal) -> merging.Ensure:
    async def ensure(session: Session, customer_id: UUID) -> None:
        await ensure_sees(session, customer_id, who)

    return ensure


_MERGES: Final = text(
    """
SELECT id, kept_id, gone_id, at, by_code, reason, undone_at, undone_by FROM customer_merges
WHERE kept_id = :id OR gone_id = :id ORDER BY at DESC, id DESC LIMIT 100
"""
)
