"""Facebook forms and what became of their leads, and pushes that somebody has to look at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.dependencies import Limit, SourceManager
from services.leads.facebook.context import facebook_of
from services.leads.facebook.form import Field as LeadField
from services.leads.facebook.problems import SourceOfOtherChannel
from services.leads.repository import facebook as rows
from services.leads.state import RuntimeDep
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/facebook", tags=["facebook"])

FormId = Annotated[str, Path(pattern=r"^[0-9]{1,40}$")]
State = Literal["pending", "fetched", "failed"]
STATES: Final[tuple[State, ...]] = ("pending", "fetched", "failed")
MAX_SHOWN: Final = 4_000
"""Bytes of a push that are shown; the whole is in the database."""


class FormSettings(BaseModel):
    """Where the leads of a form come from, and how they are read."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "product": "SERUM-30",
                "marketer": "MKT01",
                "field_map": {"bạn_muốn_nhận_hàng_ở_đâu?": "address", "zalo_của_bạn": "other_phone"},
            }
        },
    )

    source_id: UUID | None = Field(default=None, description="channel facebook_form; left out: the page's")
    product: str = Field(default="", max_length=100, description="product code; empty: the source's")
    marketer: str = Field(default="", max_length=100, description="staff code credited; empty: the source's")
    consent_text: str = Field(
        default="", max_length=2_000, description="what the person agreed to; empty: the source's"
    )
    field_map: dict[Annotated[str, Field(min_length=1, max_length=500)], LeadField] = Field(
        default_factory=dict,
        max_length=100,
        description="name of a question → field of a lead; the usual names need no map, all others go to the note",
    )


class FormOut(FormSettings):
    form_id: str
    name: str
    status: str = Field(description="as Facebook says: ACTIVE, ARCHIVED, …")
    version: int = Field(description="also the ETag, for If-Match")
    leads_count: int = Field(description="leads that Facebook counts")
    leads: int = Field(description="leads that we know of")
    gap: int = Field(description="leads that Facebook counts and does not show")
    gap_since: datetime | None
    swept_at: datetime | None = Field(description="when it was last read to its end")
    problem: str = Field(description="why it could not be read")


class FormPage(BaseModel):
    items: list[FormOut]
    next: str | None


class FacebookLead(BaseModel):
    """A lead that Facebook told of. Nothing in it is personal."""

    leadgen_id: str
    form_id: str
    id: UUID = Field(description="of its raw item and its lead, once it was fetched")
    state: State
    verdict: Literal["lead", "duplicate", "rejected"] | None = Field(description="null: not fetched yet")
    reason: str = Field(description="why it could not be fetched, as Facebook says")
    attempts: int
    next_try_at: datetime | None
    received_at: datetime = Field(description="when a push or a reading first showed it")
    pushed_at: datetime | None
    polled_at: datetime | None
    created_time: datetime | None = Field(description="when the customer sent the form, as Facebook says")
    ad_id: str
    adset_id: str
    campaign_id: str


class FacebookLeadPage(BaseModel):
    items: list[FacebookLead]
    next: UUID | None


class RaisedPush(BaseModel):
    """A push that Facebook signed and that was not understood to its end."""

    id: UUID
    page_id: UUID = Field(description="ours: whose address was called")
    received_at: datetime
    state: Literal["unreadable", "failed"]
    error: str
    body: str | None = Field(description="as it came, long ones cut; only for those who may reveal numbers")


class RaisedPage(BaseModel):
    items: list[RaisedPush]
    next: UUID | None


class AppliedAgain(BaseModel):
    pushes: int = Field(description="pushes that are applied again")


@router.get("/pages/{page_id}/forms")
async def list_forms(
    page_id: UUID,
    _: SourceManager,
    runtime: RuntimeDep,
    limit: Limit = 50,
    after: Annotated[str, Query(max_length=40)] = "",
) -> FormPage:
    """The forms of a page, as its last reading found them."""
    async with runtime.db.read() as session:
        found = await rows.forms(session, page_id, after=after, limit=limit)
    items = [FormOut.model_validate(row._mapping) for row in found]
    return FormPage(items=items, next=items[-1].form_id if len(items) == limit else None)


@router.get("/pages/{page_id}/forms/{form_id}")
async def get_form(
    page_id: UUID, form_id: FormId, _: SourceManager, runtime: RuntimeDep, response: Response
) -> FormOut:
    """One form."""
    async with runtime.db.read() as session:
        form = await _form(session, page_id, form_id)
    tag(response, form.version)
    return form


@router.put("/pages/{page_id}/forms/{form_id}")
async def change_form(
    page_id: UUID,
    form_id: FormId,
    body: FormSettings,
    version: ExpectedVersion,
    _: SourceManager,
    runtime: RuntimeDep,
    response: Response,
) -> FormOut:
    """Changes how a form's leads are read from now on. A form that nothing was heard of yet has version 1."""
    async with runtime.db.transaction() as session:
        if await rows.page(session, page_id) is None:
            raise NotFound(what="page")
        if await rows.lock_form(session, page_id, form_id) != version:
            raise PreconditionFailed
        if body.source_id is not None and await rows.channel_of(session, body.source_id) != "facebook_form":
            raise SourceOfOtherChannel(field="source_id", channel="facebook_form")
        values = {**body.model_dump(), "field_map": orjson.dumps(body.field_map).decode()}
        await rows.update_form(session, {**values, "page": page_id, "form_id": form_id})
        form = await _form(session, page_id, form_id)
    tag(response, form.version)
    return form


@router.get("/pages/{page_id}/leads")
async def list_leads(
    page_id: UUID,
    _: SourceManager,
    runtime: RuntimeDep,
    limit: Limit = 50,
    after: UUID | None = None,
    state: State | None = None,
) -> FacebookLeadPage:
    """Leads that Facebook told of, the newest first, and what became of each."""
    async with runtime.db.read() as session:
        states = (state,) if state else STATES
        found = await rows.leads(session, page_id, states=states, after=after, limit=limit)
    items = [_lead(row) for row in found]
    return FacebookLeadPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/pushes")
async def list_raised_pushes(
    who: SourceManager, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None
) -> RaisedPage:
    """Pushes that could not be read to their end, the newest first."""
    async with runtime.db.read() as session:
        found = await rows.raised(session, after=after, limit=limit, shown=MAX_SHOWN)
    may_see = who.may(PHONES_REVEAL)
    items = [
        RaisedPush.model_validate(
            {**row._mapping, "body": bytes(row.body).decode("utf-8", "replace") if may_see else None}
        )
        for row in found
    ]
    return RaisedPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/pushes/apply", status_code=202)
async def apply_raised_pushes_again(_: SourceManager, runtime: RuntimeDep) -> AppliedAgain:
    """Applies all raised pushes once more: after a page was connected that they are about, or a mistake of ours was
    mended. What they told before is known and stays as it is."""
    async with runtime.db.transaction() as session:
        pushes = await rows.apply_again(session)
    facebook_of(runtime).pushed.set()
    return AppliedAgain(pushes=pushes)


async def _form(session: ReadSession, page_id: UUID, form_id: str) -> FormOut:
    row = await rows.form(session, page_id, form_id)
    if row is None:
        raise NotFound(what="form")
    return FormOut.model_validate(row._mapping)


def _lead(row: Any) -> FacebookLead:
    waiting = row.state == "pending" and row.attempts > 0
    values = {**row._mapping, "id": row.item_id, "next_try_at": row.next_try_at if waiting else None}
    return FacebookLead.model_validate(values)
