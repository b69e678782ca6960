"""Campaigns: name, period and cost of what leads carry as their campaign."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Limit, Reader, SourceManager
from services.leads.api.source_figures import FiguresOut, RangeDep, figures_out
from services.leads.errors import CampaignCodeTaken
from services.leads.repository import source_figures as figures
from services.leads.state import RuntimeDep
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.given import GivenDate
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/campaigns", tags=["sources"])

MAX_DONG: Final = 10**12
"""Đồng: more than anybody spends on a campaign."""

_INSERT: Final = text(
    """
INSERT INTO campaigns (id, code, name, starts_on, ends_on, budget, cost_per_day, active)
VALUES (:id, :code, :name, :starts_on, :ends_on, :budget, :cost_per_day, :active) ON CONFLICT (code) DO NOTHING RETURNING id
"""
)
_SELECT: Final = "SELECT id, code, name, starts_on, ends_on, budget, cost_per_day, active, version FROM campaigns"
_ONE: Final = text(_SELECT + " WHERE id = :id")
_LOCK: Final = text(_SELECT + " WHERE id = :id FOR NO KEY UPDATE")
_LIST: Final = text(
    _SELECT + " WHERE CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid) ORDER BY id LIMIT :limit"
)
_UPDATE: Final = text(
    """
UPDATE campaigns SET name = :name, starts_on = :starts_on, ends_on = :ends_on, budget = :budget,
    cost_per_day = :cost_per_day, active = :active, version = version + 1
WHERE id = :id
"""
)

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Dong = Annotated[int | None, Field(default=None, ge=0, le=MAX_DONG)]


class CampaignEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    starts_on: GivenDate | None = None
    ends_on: GivenDate | None = Field(default=None, description="the last day")
    budget: Dong = Field(default=None, description="đồng, for the whole period")
    cost_per_day: Dong = Field(default=None, description="đồng")
    active: bool = True

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> CampaignEdit:
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise Mistake("ends_on sớm hơn starts_on", "ends_on is before starts_on")
        return self


class CampaignIn(CampaignEdit):
    """A campaign. Its code is what sources and `utm_campaign` say; it stays, because leads carry it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "code": "thang11",
                "name": "Serum tháng 11",
                "starts_on": "2026-11-01",
                "ends_on": "2026-11-30",
                "cost_per_day": 3_000_000,
            }
        },
    )

    code: Name


class CampaignOut(BaseModel):
    id: UUID
    code: str
    name: str
    starts_on: date | None
    ends_on: date | None
    budget: int | None
    cost_per_day: int | None
    active: bool
    version: int = Field(description="also the ETag, for If-Match")


class CampaignPage(BaseModel):
    items: list[CampaignOut]
    next: UUID | None


class CampaignFigures(CampaignOut):
    figures: FiguresOut


@router.post("", status_code=201, response_model=CampaignOut)
async def create_campaign(body: CampaignIn, who: SourceManager, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Gives a campaign a name, a period and its cost. Leads that carry its code belong to it, also earlier ones."""

    async def effect(session: Session) -> CampaignOut:
        campaign_id = uuid7()
        made = await session.execute(_INSERT, {"id": campaign_id, **body.model_dump()})
        if made.scalar() is None:
            raise CampaignCodeTaken(code=body.code)
        return _out(await _one(session, campaign_id))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("")
async def list_campaigns(_: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> CampaignPage:
    """All campaigns."""
    async with runtime.db.read() as session:
        rows = (await session.execute(_LIST, {"after": after, "limit": limit})).all()
    items = [_out(row) for row in rows]
    return CampaignPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{campaign_id}")
async def get_campaign(campaign_id: UUID, _: Reader, runtime: RuntimeDep, response: Response) -> CampaignOut:
    """One campaign."""
    async with runtime.db.read() as session:
        campaign = _out(await _one(session, campaign_id))
    tag(response, campaign.version)
    return campaign


@router.put("/{campaign_id}")
async def change_campaign(
    campaign_id: UUID,
    body: CampaignEdit,
    version: ExpectedVersion,
    _: SourceManager,
    runtime: RuntimeDep,
    response: Response,
) -> CampaignOut:
    """Changes a campaign; its code stays."""
    async with runtime.db.transaction() as session:
        row = (await session.execute(_LOCK, {"id": campaign_id})).one_or_none()
        if row is None:
            raise NotFound(what="campaign")
        if row.version != version:
            raise PreconditionFailed
        await session.execute(_UPDATE, {"id": campaign_id, **body.model_dump()})
        campaign = _out(await _one(session, campaign_id))
    tag(response, campaign.version)
    return campaign


@router.get("/{campaign_id}/figures")
async def figures_of_campaign(
    campaign_id: UUID, _: SourceManager, runtime: RuntimeDep, over: RangeDep
) -> CampaignFigures:
    """Figures of what carries its code, whatever source brought it: leads, duplicates, and what was rejected."""
    async with runtime.db.read() as session:
        row = await _one(session, campaign_id)
        found = await figures.of_campaign(session, row.code, since=over.since, until=over.until)
    return CampaignFigures(**row._mapping, figures=figures_out(found))


async def _one(session: ReadSession, campaign_id: UUID) -> Any:
    row = (await session.execute(_ONE, {"id": campaign_id})).one_or_none()
    if row is None:
        raise NotFound(what="campaign")
    return row


def _out(row: Any) -> CampaignOut:
    return CampaignOut(**row._mapping)
