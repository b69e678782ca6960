"""Where numbers come from: sources, landing pages, and the keys with which they send."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.leads import landing
from services.leads.api.dependencies import Limit, Reader, SourceManager
from services.leads.errors import SourceHasNoKey, SourceNameTaken
from services.leads.intake.items import Channel
from services.leads.repository import sources
from services.leads.repository.sources import Description, Narrowed, Page
from services.leads.sources import hash_of, new_key
from services.leads.state import RuntimeDep
from shared.db import ReadSession, Session
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["sources"])

LANDING_PAGE: Literal["landing_page"] = "landing_page"
Name = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(max_length=100)]


class DescriptionIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    campaign: str = Field(default="", max_length=200)
    marketer: Code = Field(default="", description="staff code of the marketer credited")
    product: Code = Field(default="", description="product code, where the sender names none")
    asked_to_be_called: bool = Field(
        default=True, description="false for bought or imported lists (advertising limits)"
    )
    consent_text: str = Field(default="", max_length=2_000, description="what the person agreed to")
    active: bool = True

    def description(self) -> Description:
        return Description(**self.model_dump(include=set(Description.__slots__)))


class SourceIn(DescriptionIn):
    channel: Literal["facebook_form", "facebook_chat", "excel", "manual", "hotline", "event", "referral", "api"]


class UtmRuleIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameter: Literal["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"]
    value: Name
    marketer: Annotated[str, Field(min_length=1, max_length=100)]


class LandingPageIn(DescriptionIn):
    """How a page's form is read. Fields with common names need no map."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "serum-30",
                "product": "SERUM-30",
                "field_map": {"form_item3209": "note"},
                "utm_rules": [{"parameter": "utm_source", "value": "fb_an", "marketer": "MKT01"}],
            }
        },
    )

    url: str = Field(default="", max_length=2_000)
    field_map: dict[Name, landing.Field] = Field(
        default={}, max_length=200, description="name of a form field → what it means; 'ignore' leaves it out"
    )
    utm_rules: list[UtmRuleIn] = Field(
        default=[], max_length=200, description="the first that fits credits its marketer"
    )

    def page(self) -> Page:
        return Page(**self.model_dump(include=set(Page.__slots__)))


class SourceOut(BaseModel):
    id: UUID
    name: str
    channel: str
    campaign: str
    marketer: str
    product: str
    asked_to_be_called: bool
    consent_text: str
    active: bool
    has_key: bool
    version: int = Field(description="also the ETag, for If-Match")


class LandingPageOut(SourceOut):
    url: str
    field_map: dict[str, str]
    utm_rules: list[dict[str, str]]


class SourcePage(BaseModel):
    items: list[SourceOut]
    next: UUID | None


class LandingPagePage(BaseModel):
    items: list[LandingPageOut]
    next: UUID | None


class KeyOut(BaseModel):
    key: str = Field(description="shown this once; only its hash is kept")
    path: str = Field(description="where to send: with the key in it, or with the key in the header X-Api-Key")


@router.post("/sources", status_code=201, response_model=SourceOut)
async def create_source(body: SourceIn, who: SourceManager, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes a source."""

    async def effect(session: Session) -> SourceOut:
        source_id = uuid7()
        if not await sources.insert(session, source_id, body.channel, body.description()):
            raise SourceNameTaken(name=body.name)
        return SourceOut.model_validate((await _row(session, source_id))._mapping)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/landing-pages", status_code=201, response_model=LandingPageOut)
async def create_landing_page(body: LandingPageIn, who: SourceManager, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes a landing page; it can send once it has a key (`POST /v1/landing-pages/{id}/key`)."""

    async def effect(session: Session) -> LandingPageOut:
        source_id = uuid7()
        if not await sources.insert(session, source_id, LANDING_PAGE, body.description()):
            raise SourceNameTaken(name=body.name)
        await sources.set_page(session, source_id, body.page())
        return LandingPageOut.model_validate((await _row(session, source_id))._mapping)

    return await once.run(runtime.db, str(who.account_id), effect)


def _narrowed(
    channel: Channel | None = None,
    active: bool | None = None,
    marketer: Annotated[str | None, Query(max_length=100, description="staff code credited")] = None,
    campaign: Annotated[str | None, Query(max_length=200)] = None,
) -> Narrowed:
    return Narrowed(channel=channel, active=active, marketer=marketer, campaign=campaign)


NarrowedDep = Annotated[Narrowed, Depends(_narrowed)]


@router.get("/sources")
async def list_sources(
    _: Reader, runtime: RuntimeDep, to: NarrowedDep, limit: Limit = 50, after: UUID | None = None
) -> SourcePage:
    """Sources, but for landing pages."""
    async with runtime.db.read() as session:
        rows = await sources.page(session, pages=False, to=to, after=after, limit=limit)
    items = [SourceOut.model_validate(row._mapping) for row in rows]
    return SourcePage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/landing-pages")
async def list_landing_pages(
    _: Reader, runtime: RuntimeDep, to: NarrowedDep, limit: Limit = 50, after: UUID | None = None
) -> LandingPagePage:
    """Landing pages."""
    async with runtime.db.read() as session:
        rows = await sources.page(session, pages=True, to=to, after=after, limit=limit)
    items = [LandingPageOut.model_validate(row._mapping) for row in rows]
    return LandingPagePage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/sources/{source_id}")
async def get_source(source_id: UUID, _: Reader, runtime: RuntimeDep, response: Response) -> SourceOut:
    """One source."""
    async with runtime.db.read() as session:
        source = SourceOut.model_validate((await _row(session, source_id))._mapping)
    tag(response, source.version)
    return source


@router.get("/landing-pages/{source_id}")
async def get_landing_page(source_id: UUID, _: Reader, runtime: RuntimeDep, response: Response) -> LandingPageOut:
    """One landing page with its map and its UTM rules."""
    async with runtime.db.read() as session:
        page = LandingPageOut.model_validate((await _row(session, source_id, pages=True))._mapping)
    tag(response, page.version)
    return page


@router.put("/sources/{source_id}")
async def change_source(
    source_id: UUID,
    body: DescriptionIn,
    version: ExpectedVersion,
    _: SourceManager,
    runtime: RuntimeDep,
    response: Response,
) -> SourceOut:
    """Changes a source. Leads that came before keep what they were credited with."""
    async with runtime.db.transaction() as session:
        await _lock(session, source_id, version, pages=False)
        if not await sources.update(session, source_id, body.description()):
            raise SourceNameTaken(name=body.name)
        source = SourceOut.model_validate((await _row(session, source_id))._mapping)
    tag(response, source.version)
    return source


@router.put("/landing-pages/{source_id}")
async def change_landing_page(
    source_id: UUID,
    body: LandingPageIn,
    version: ExpectedVersion,
    _: SourceManager,
    runtime: RuntimeDep,
    response: Response,
) -> LandingPageOut:
    """Changes how a page's form is read from now on."""
    async with runtime.db.transaction() as session:
        await _lock(session, source_id, version, pages=True)
        if not await sources.update(session, source_id, body.description()):
            raise SourceNameTaken(name=body.name)
        await sources.set_page(session, source_id, body.page())
        page = LandingPageOut.model_validate((await _row(session, source_id, pages=True))._mapping)
    tag(response, page.version)
    return page


@router.post("/sources/{source_id}/key")
async def renew_source_key(source_id: UUID, _: SourceManager, runtime: RuntimeDep) -> KeyOut:
    """Gives an integrator a new key. The one before works for two more seconds at most."""
    key = await _renew(runtime, source_id, pages=False)
    return KeyOut(key=key, path="/v1/leads")


@router.post("/landing-pages/{source_id}/key")
async def renew_landing_page_key(source_id: UUID, _: SourceManager, runtime: RuntimeDep) -> KeyOut:
    """Gives a landing page a new address to send to. The one before works for two more seconds at most."""
    key = await _renew(runtime, source_id, pages=True)
    return KeyOut(key=key, path=f"/v1/hooks/landing/{key}")


# Without an idempotency key: the answer would be kept with the secret in it, and a repetition only makes a newer key.
async def _renew(runtime: RuntimeDep, source_id: UUID, *, pages: bool) -> str:
    key = new_key()
    async with runtime.db.transaction() as session:
        row = await sources.lock(session, source_id)
        if row is None or (row.channel == LANDING_PAGE) is not pages:
            raise NotFound(what="source")
        if row.channel not in ("api", LANDING_PAGE):
            raise SourceHasNoKey
        await sources.set_key(session, source_id, hash_of(key))
    return key


async def _lock(session: Session, source_id: UUID, version: int, *, pages: bool) -> None:
    row = await sources.lock(session, source_id)
    if row is None or (row.channel == LANDING_PAGE) is not pages:
        raise NotFound(what="source")
    if row.version != version:
        raise PreconditionFailed


async def _row(session: ReadSession, source_id: UUID, *, pages: bool | None = None) -> Any:
    row = await sources.one(session, source_id)
    if row is None or (pages is not None and (row.channel == LANDING_PAGE) is not pages):
        raise NotFound(what="source")
    return row
