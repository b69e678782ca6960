"""Reassigning leads at once: to a colleague, to whom the pools' rules choose, or into the floating pool."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads import events, moves
from services.leads.api.dependencies import Distributor
from services.leads.api.transfers import Reason
from services.leads.driver import Connection, connection_of, mark_outbox_written, write_outbox
from services.leads.moves import Held
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep
from services.leads.transfers import plan, selection
from services.leads.transfers.splitting import Share
from services.leads.transfers.work import by_rules, fitting_pools
from shared import outbox
from shared.auth import Principal
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads", tags=["distribution"])

MAX_LEADS: Final = 500
"""Leads of one request: one transaction. More are dealt out by a distribution or a hand-over."""

RowResult = Literal["given", "kept", "waiting", "released", "duplicate", "ended", "not-found"]


class ReassignIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "lead_ids": ["0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d"],
                "to": "person",
                "owner_id": "0192f0a1-1111-7abc-8def-0123456789ab",
                "reason": "khách hỏi đúng người tư vấn cũ",
            }
        },
    )

    lead_ids: list[UUID] = Field(min_length=1, max_length=MAX_LEADS)
    to: Literal["person", "pools", "floating_pool"] = Field(
        description="pools: somebody else, by the pools' rules; floating_pool: open to whoever claims it"
    )
    owner_id: UUID | None = Field(default=None, description="with `person`: who gets them")
    reason: Reason

    @model_validator(mode="after")
    def _person(self) -> ReassignIn:
        if (self.to == "person") != (self.owner_id is not None):
            raise ValueError("owner_id belongs to 'person', and only to it")
        return self


class ReassignedRow(BaseModel):
    lead_id: UUID
    result: RowResult = Field(description="kept: it was so already; waiting: nobody of its pool can take it now")
    owner_id: UUID | None


class ReassignedOut(BaseModel):
    rows: list[ReassignedRow] = Field(description="in the order named")


_Outcome = tuple[dict[UUID, tuple[RowResult, UUID | None]], list[outbox.Row]]


@router.post("/reassign", status_code=200, response_model=ReassignedOut)
async def reassign_leads(body: ReassignIn, who: Distributor, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Moves leads at once, with a result for each. Their tasks and promises go with them."""

    async def effect(session: Session) -> ReassignedOut:
        connection = await connection_of(session)
        viewer = await viewer_of(session, who)
        chosen = await selection.named(connection, viewer, body.lead_ids, closed_too=body.to == "person")
        results: dict[UUID, tuple[RowResult, UUID | None]] = {}
        for lead_id, why in chosen.refused.items():
            results[lead_id] = ("duplicate" if why == "duplicate" else "ended" if why == "ended" else "not-found", None)
        ids = [lead_id for lead_id, _ in chosen.leads]
        if body.to == "pools":
            moved, facts = await _to_pools(connection, ids, who, body.reason)
        elif body.to == "floating_pool":
            moved, facts = await _to_floating_pool(connection, ids, who, body.reason)
        else:
            assert body.owner_id is not None, "validated"
            moved, facts = await _to_person(connection, ids, body.owner_id, who, body.reason)
        results |= moved
        if await write_outbox(connection, facts):
            mark_outbox_written(session)
        rows = [
            ReassignedRow(lead_id=lead_id, result=results[lead_id][0], owner_id=results[lead_id][1])
            for lead_id in dict.fromkeys(body.lead_ids)
        ]
        return ReassignedOut(rows=rows)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def _to_person(connection: Connection, ids: list[UUID], owner_id: UUID, who: Principal, reason: str) -> _Outcome:
    person = (await plan.receivers(connection, [Share(owner_id)]))[owner_id]
    held = await moves.hold(connection, ids)
    gifts = [(lead, person) for lead in held.values() if lead.owner_id != owner_id]
    given = await moves.give(connection, gifts, cause="reassignment", at=datetime.now(UTC), by=who.code, reason=reason)
    moved = {fact.lead_id for fact in given}
    results: dict[UUID, tuple[RowResult, UUID | None]] = {
        lead_id: ("given" if lead_id in moved else "kept", owner_id) for lead_id in held
    }
    return _complete(ids, results), [events.assigned(fact) for fact in given]


async def _to_pools(connection: Connection, ids: list[UUID], who: Principal, reason: str) -> _Outcome:
    pools = await fitting_pools(connection, ids)
    held = await moves.hold(connection, ids, deciding_in=[pool_id for pool_id in pools.values() if pool_id])
    leads: list[Held] = [lead for lead in held.values() if not lead.waits]
    owners, facts = await by_rules(connection, leads, pools, cause="reassignment", by=who.code, reason=reason)
    results: dict[UUID, tuple[RowResult, UUID | None]] = {
        lead.id: ("kept", None)
        if lead.waits
        else ("given", owners[lead.id])
        if lead.id in owners
        else ("waiting", None)
        for lead in held.values()
    }
    return _complete(ids, results), facts


async def _to_floating_pool(connection: Connection, ids: list[UUID], who: Principal, reason: str) -> _Outcome:
    held = await moves.hold(connection, ids)
    leads = [lead for lead in held.values() if lead.floating_since is None or lead.archived_at is not None]
    released = await moves.release(
        connection, leads, cause="floating_pool", at=datetime.now(UTC), by=who.code, reason=reason
    )
    moved = {fact.lead_id for fact in released}
    results: dict[UUID, tuple[RowResult, UUID | None]] = {
        lead_id: ("released" if lead_id in moved else "kept", None) for lead_id in held
    }
    return _complete(ids, results), [events.released(fact) for fact in released]


def _complete(
    ids: list[UUID], results: dict[UUID, tuple[RowResult, UUID | None]]
) -> dict[UUID, tuple[RowResult, UUID | None]]:
    """With those that were deleted between the look and the lock."""
    return {**dict.fromkeys(ids, ("not-found", None)), **results}
