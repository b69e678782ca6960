"""Manual distribution ("chia số thủ công"): choose leads and people, look at the plan, confirm it; reassign at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads.api import transfers
from services.leads.api.dependencies import Distributor
from services.leads.api.transfer_reads import add_reads
from services.leads.api.transfers import ConfirmIn, PeopleIn, TransferOut
from services.leads.driver import connection_of
from services.leads.errors import NothingToTransfer, TooManyToTransfer
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep
from services.leads.transfers import plan, selection
from services.leads.transfers.selection import MAX_CHOSEN, Filter, State
from shared.db import Session
from shared.errors import Mistake, language_of
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/distributions", tags=["distribution"])


class FilterIn(BaseModel):
    """Leads still in care that fit all of these; oldest arrival first."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(default=None, description="waiting (for an owner), floating, archived, owned")
    pool_id: UUID | None = Field(default=None, description="that wait in the backlog of this pool")
    owner_id: UUID | None = None
    level: str | None = None
    channel: str | None = None
    campaign: str | None = None
    landing_page: str | None = None
    marketer: str | None = None
    product: str | None = None
    source_id: UUID | None = None
    received_from: GivenInstant | None = None
    received_to: GivenInstant | None = None

    def filter(self) -> Filter:
        return Filter(**self.model_dump())


class DistributionIn(PeopleIn):
    """What is dealt out, and to whom."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "filter": {"state": "waiting", "channel": "facebook_form"},
                "people": [
                    {"account_id": "0192f0a1-1111-7abc-8def-0123456789ab"},
                    {"account_id": "0192f0a1-2222-7abc-8def-0123456789ab", "count": 20},
                ],
            }
        },
    )

    lead_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=MAX_CHOSEN)
    filter: FilterIn | None = None

    @model_validator(mode="after")
    def _one_way(self) -> DistributionIn:
        if (self.lead_ids is None) == (self.filter is None):
            raise Mistake("gửi lead_ids hoặc filter, chỉ một trong hai", "name either lead_ids or a filter")
        if not self.people:
            raise Mistake("chọn ít nhất một người nhận", "name at least one colleague")
        return self


class RefusedOut(BaseModel):
    lead_id: UUID
    reason: Literal["not-found", "duplicate", "ended"] = Field(description="ended: not in care any more")


class PreviewOut(TransferOut):
    """The plan. Nothing has happened; `POST …/{id}/confirm` makes exactly this happen."""

    left: int = Field(description="leads that the counts give to nobody: they stay where they are")
    refused: list[RefusedOut] = Field(description="of the leads named, those that cannot be dealt out")


@router.post("", status_code=201, response_model=PreviewOut)
async def preview_distribution(
    body: DistributionIn, who: Distributor, once: OnceDep, runtime: RuntimeDep, request: Request
) -> Response:
    """Plans who would get which leads, and changes nothing. Rows: `GET …/{id}/rows`. Good for an hour."""

    async def effect(session: Session) -> PreviewOut:
        connection = await connection_of(session)
        viewer = await viewer_of(session, who)
        if body.lead_ids is not None:
            chosen = await selection.named(connection, viewer, body.lead_ids)
        else:
            assert body.filter is not None, "validated: one of the two is there"
            chosen = await selection.fitting(connection, viewer, body.filter.filter())
        if chosen.more:
            raise TooManyToTransfer(limit=MAX_CHOSEN)
        if not chosen.leads and not chosen.refused:
            raise NothingToTransfer
        made = await plan.keep(
            connection,
            chosen.leads,
            body.shares(),
            kind="distribution",
            strategy="people",
            who=who,
            now=datetime.now(UTC),
        )
        shown = await transfers.shown(connection, "distribution", made.id, language_of(request))
        refused = [RefusedOut.model_validate({"lead_id": id, "reason": why}) for id, why in chosen.refused.items()]
        return PreviewOut(**shown.model_dump(), left=made.left, refused=refused)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/{transfer_id}/confirm", status_code=200)
async def confirm_distribution(
    transfer_id: UUID, body: ConfirmIn, who: Distributor, runtime: RuntimeDep, request: Request
) -> TransferOut:
    """Makes the plan happen. A lead that moved on since the preview is left alone and says so in its row.

    Confirmed again (a lost answer, a kill half-way) it goes on where it stood; nothing happens twice.
    """
    return await transfers.confirm(
        runtime, "distribution", transfer_id, by=who.account_id, reason=body.reason, language=language_of(request)
    )


add_reads(router, "distribution")
