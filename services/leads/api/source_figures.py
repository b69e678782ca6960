"""Figures of sources and channels over a range of arrivals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.leads.api.dependencies import Limit, Reader
from services.leads.errors import RangeTooLong
from services.leads.repository import source_figures as figures
from services.leads.repository.leads import viewer_of
from services.leads.repository.source_figures import Figures
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.contracts.permissions import LEADS_SOURCES, SEE_ALL
from shared.db import ReadSession
from shared.errors import Forbidden, NotFound
from shared.given import GivenInstant

router = APIRouter(prefix="/v1", tags=["sources"])

MAX_DAYS: Final = 92
"""Days of a range: a quarter."""


class FiguresOut(BaseModel):
    """What came in the range, and what became of it until now."""

    raw: int = Field(description="everything that reached us")
    leads: int
    duplicates: int
    rejected: dict[str, int] = Field(description="reason → how many")
    dismissed: int = Field(description="rejected, and somebody said that they are no leads")
    spam: dict[str, int] = Field(description="fake, test, competitor → how many of the leads and duplicates")
    closed: int = Field(description="reached L5 as far as their level now tells, also cancelled or returned since")
    delivered: int = Field(description="at L8 now")
    by_level: dict[str, int] = Field(description="level now → how many leads and duplicates")


class SourceFigures(BaseModel):
    id: UUID
    name: str
    channel: str
    campaign: str
    marketer: str
    active: bool
    figures: FiguresOut


class SourceFiguresPage(BaseModel):
    items: list[SourceFigures]
    next: UUID | None


class ChannelFigures(BaseModel):
    channel: str
    figures: FiguresOut


class ChannelFiguresPage(BaseModel):
    items: list[ChannelFigures]
    next: None = None


class Range(BaseModel):
    since: datetime
    until: datetime


def _range(
    since: Annotated[GivenInstant, Query(description="arrived at or after")],
    until: Annotated[GivenInstant, Query(description="arrived before; at most 92 days later")],
) -> Range:
    if not 0 < (until - since).total_seconds() <= MAX_DAYS * 86_400:
        raise RangeTooLong(days=MAX_DAYS)
    return Range(since=since, until=until)


RangeDep = Annotated[Range, Depends(_range)]


@router.get("/sources/figures")
async def figures_of_sources(
    who: Reader, runtime: RuntimeDep, over: RangeDep, limit: Limit = 50, after: UUID | None = None
) -> SourceFiguresPage:
    """Figures of each source and landing page: of all for those who manage them, else of those credited to you and to the
    people below you."""
    async with runtime.db.read() as session:
        items = await _of_sources(session, who, over, after=after, limit=limit)
    return SourceFiguresPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/sources/{source_id}/figures")
async def figures_of_source(source_id: UUID, who: Reader, runtime: RuntimeDep, over: RangeDep) -> SourceFigures:
    """Figures of one source or landing page."""
    async with runtime.db.read() as session:
        items = await _of_sources(session, who, over, only=source_id, limit=1)
    if not items:
        raise NotFound(what="source")
    return items[0]


@router.get("/channels/figures")
async def figures_of_channels(who: Reader, runtime: RuntimeDep, over: RangeDep) -> ChannelFiguresPage:
    """Figures of each channel, also of what came without a source, such as numbers typed by hand."""
    if not (who.sees_all or who.may(LEADS_SOURCES)):
        raise Forbidden(permission=SEE_ALL)
    async with runtime.db.read() as session:
        found = await figures.of_channels(session, since=over.since, until=over.until)
    items = [ChannelFigures(channel=channel, figures=figures_out(one)) for channel, one in sorted(found.items())]
    return ChannelFiguresPage(items=items)


async def _of_sources(session: ReadSession, who: Principal, over: Range, **narrow: Any) -> list[SourceFigures]:
    viewer = await viewer_of(session, who)
    everything = viewer.everything or who.may(LEADS_SOURCES)
    rows = await figures.sources(session, everything=everything, codes=viewer.codes, **narrow)
    found = await figures.of_sources(session, [row.id for row in rows], since=over.since, until=over.until)
    return [SourceFigures(**row._mapping, figures=figures_out(found[row.id])) for row in rows]


def figures_out(found: Figures) -> FiguresOut:
    """Figures as callers see them."""
    return FiguresOut(**{name: getattr(found, name) for name in Figures.__slots__})
