"""The list of leads: filters, search, order, how many."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.leads.api.dependencies import LanguageDep, Reader
from services.leads.api.leads import LeadOut, lead_out
from services.leads.listing import query, words
from services.leads.listing.cursor import Order, read_cursor
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep

router = APIRouter(prefix="/v1/leads", tags=["leads"])


class ListQuery(LeadFilters):
    order: Order = Field(default="newest", description="by arrival, or “changed”: last changed first")
    limit: int = Field(default=50, ge=1, le=200, description="items of a page at most")
    after: str | None = Field(default=None, max_length=100, description="`next` of the page before")


class LeadPage(BaseModel):
    items: list[LeadOut]
    next: str | None = Field(description="`after` of the next page; null on the last")
    behind: int = Field(
        default=0, description="of a search for words: leads just imported that it does not find yet, some seconds long"
    )


class CountOut(BaseModel):
    count: int = Field(description="at most 10,000")
    more: bool = Field(description="there are more than were counted")
    text: str = Field(description="as it is shown, e.g. “hơn 10.000”")


@router.get("")
async def list_leads(
    who: Reader, runtime: RuntimeDep, language: LanguageDep, asked: Annotated[ListQuery, Query()]
) -> LeadPage:
    """Leads that you may see, newest first unless you ask for another order.

    Several values of one filter widen it (`level=L1&level=L1.2`), several filters narrow further. A page is stable: what
    comes in meanwhile is on none of the later pages of “newest”.
    """
    place = read_cursor(asked.after, asked.order) if asked.after is not None else None
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await query.page(session, viewer, asked, order=asked.order, after=place, limit=asked.limit)
        behind = await words.behind(session) if asked.search() is not None else 0
    more = len(rows) == asked.limit
    return LeadPage(
        items=[lead_out(row, who, language) for row in rows],
        next=query.place_of(rows[-1], asked.order).cursor(asked.order) if more else None,
        behind=behind,
    )


@router.get("/count")
async def count_leads(
    who: Reader, runtime: RuntimeDep, language: LanguageDep, asked: Annotated[LeadFilters, Query()]
) -> CountOut:
    """How many leads fit the same filters, counted up to 10,000."""
    async with runtime.db.read() as session:
        found = await query.count(session, await viewer_of(session, who), asked)
    counted, more = min(found, query.MAX_COUNT), found > query.MAX_COUNT
    if language == "vi":
        number = f"{counted:,}".replace(",", ".")
        return CountOut(count=counted, more=more, text=f"hơn {number}" if more else number)
    return CountOut(count=counted, more=more, text=f"more than {counted:,}" if more else f"{counted:,}")
