"""Reassigning leads at once: to a colleague, to whom the pools' rules choose, or into the floating pool."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads.api.dependencies import Distributor
from services.leads.api.transfers import Reason
from services.leads.distributor import DISTRIBUTOR
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep
from services.leads.transfers import at_once
from services.leads.transfers.at_once import MAX_LEADS, Result, Target
from shared.db import Session, wake_after_commit
from shared.errors import Mistake
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/leads", tags=["distribution"])


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

    lead_ids: list[UUID] = Field(
        min_length=1, max_length=MAX_LEADS, description="more are dealt out by a distribution or a hand-over"
    )
    to: Literal["person", "pools", "floating_pool"] = Field(
        description="pools: somebody else, by the pools' rules; floating_pool: open to whoever claims it"
    )
    owner_id: UUID | None = Field(default=None, description="with `person`: who gets them")
    reason: Reason

    @model_validator(mode="after")
    def _person(self) -> ReassignIn:
        if (self.to == "person") != (self.owner_id is not None):
            raise Mistake("owner_id đi với 'person', và chỉ với nó", "owner_id belongs to 'person', and only to it")
        return self

    @property
    def target(self) -> Target:
        if self.to == "person":
            assert self.owner_id is not None, "validated"
            return self.owner_id
        return self.to


class ReassignedRow(BaseModel):
    lead_id: UUID
    result: Result = Field(description="kept: it was so already; waiting: nobody of its pool can take it now")
    owner_id: UUID | None


class ReassignedOut(BaseModel):
    rows: list[ReassignedRow] = Field(description="in the order named")


@router.post("/reassign", status_code=200, response_model=ReassignedOut)
async def reassign_leads(body: ReassignIn, who: Distributor, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Moves leads at once, with a result for each. Their tasks and promises go with them."""

    async def effect(session: Session) -> ReassignedOut:
        moved = await at_once.move(
            await connection_of(session),
            await viewer_of(session, who),
            body.lead_ids,
            body.target,
            who=who,
            reason=body.reason,
        )
        mark_outbox_written(session)
        wake_after_commit(session, DISTRIBUTOR)
        return ReassignedOut(
            rows=[
                ReassignedRow(lead_id=lead_id, result=one.result, owner_id=one.owner_id)
                for lead_id, one in moved.items()
            ]
        )

    return await once.run(runtime.db, str(who.account_id), effect, status=200)
