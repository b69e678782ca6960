"""Tags: the catalogue, and the tags of one lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Corrector, Editor, LanguageDep, Reader
from services.leads.api.leads import LeadOut, lead_out, visible
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import (
    TagGroupInUse,
    TagGroupNameTaken,
    TagGroupUnknown,
    TagNameTaken,
    TagsDoNotMerge,
)
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from services.leads.tags import catalogue
from services.leads.tags.catalogue import Object, Tag
from services.leads.tags.palette import HEX, Colour
from services.leads.tags.tagging import tag_leads
from services.leads.text import cell
from shared.db import Session
from shared.errors import Mistake, NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["tags"])

MAX_NAME: Final = 40
"""Characters of a tag's name: it stands in a row of a list."""


def _one_line(name: str) -> str:
    cleaned = " ".join(cell(name, 200).split())
    if not 1 <= len(cleaned) <= MAX_NAME:
        raise Mistake(f"tên có từ 1 đến {MAX_NAME} ký tự", f"a name has 1 to {MAX_NAME} characters")
    return cleaned


class GroupIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "Nhu cầu", "object": "lead"}})

    name: str = Field(max_length=200)
    object: Object = Field(default="lead", description="lead: đơn (a lead and its order); customer: khách")
    position: int = Field(default=100, ge=0, le=10_000)

    _name = field_validator("name")(_one_line)


class GroupEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    position: int = Field(default=100, ge=0, le=10_000)

    _name = field_validator("name")(_one_line)


class TagIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"group_id": "0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d", "name": "Hẹn lương", "colour": "green"}
        },
    )

    group_id: UUID
    name: str = Field(max_length=200)
    colour: Colour = Field(description="one of the palette, see GET /v1/tag-colours")
    position: int = Field(default=100, ge=0, le=10_000)

    _name = field_validator("name")(_one_line)

    def tag(self) -> Tag:
        return Tag(self.group_id, self.name, self.colour, self.position)


class TagEdit(TagIn):
    retired: bool = Field(default=False, description="whoever has it keeps it, nobody gets it any more")

    def tag(self) -> Tag:
        return Tag(self.group_id, self.name, self.colour, self.position, self.retired)


class MergeIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    into: UUID = Field(description="the tag that stays")


class TagOut(BaseModel):
    id: UUID
    group_id: UUID
    name: str
    colour: str = Field(description="#rrggbb")
    position: int
    retired: bool
    merged_into: UUID | None
    version: int = Field(description="also the ETag, for If-Match")
    leads: int | None = Field(default=None, description="how many leads have it, if asked for")


class GroupOut(BaseModel):
    id: UUID
    object: Object
    name: str
    position: int
    version: int = Field(description="also the ETag, for If-Match")
    tags: list[TagOut] = []


class CatalogueOut(BaseModel):
    groups: list[GroupOut]


class ColourOut(BaseModel):
    name: Colour
    hex: str


class DroppedOut(BaseModel):
    deleted: bool = Field(description="false: leads have it, so it was retired instead")


class MergedOut(BaseModel):
    tag: TagOut = Field(description="the tag that stays")
    leads: int = Field(description="leads that had the other one")


class LeadTagsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    add: list[UUID] = Field(default=[], max_length=50)
    remove: list[UUID] = Field(default=[], max_length=50)


@router.get("/tag-colours")
async def list_colours(_: Reader) -> list[ColourOut]:
    """The palette: colours that can be told apart, with white text readable on each."""
    return [ColourOut(name=name, hex=value) for name, value in HEX.items()]


@router.get("/tags")
async def list_tags(
    _: Reader,
    runtime: RuntimeDep,
    retired: Annotated[bool, Query(description="also those no longer in use")] = False,
    count: Annotated[bool, Query(description="with the number of leads that have each")] = False,
) -> CatalogueOut:
    """The catalogue: groups with their tags, in the order in which they are shown."""
    async with runtime.db.read() as session:
        groups = {row.id: GroupOut.model_validate(row._mapping) for row in await catalogue.groups(session)}
        rows = await catalogue.tags(session, retired=retired)
        counts = await catalogue.counts(session, [row.id for row in rows]) if count else {}
    for row in rows:
        groups[row.group_id].tags.append(_tag(row, leads=counts.get(row.id, 0) if count else None))
    return CatalogueOut(groups=list(groups.values()))


@router.post("/tag-groups", status_code=201, response_model=GroupOut)
async def create_group(body: GroupIn, who: Corrector, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes a group of tags."""

    async def effect(session: Session) -> GroupOut:
        group_id = uuid7()
        if not await catalogue.add_group(session, group_id, object=body.object, name=body.name, position=body.position):
            raise TagGroupNameTaken(name=body.name)
        return GroupOut(id=group_id, object=body.object, name=body.name, position=body.position, version=1)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.put("/tag-groups/{group_id}")
async def edit_group(
    group_id: UUID, body: GroupEdit, _: Corrector, expected: ExpectedVersion, runtime: RuntimeDep, response: Response
) -> GroupOut:
    """Renames or moves a group."""
    async with runtime.db.transaction() as session:
        group = await catalogue.lock_group(session, group_id)
        if group is None:
            raise NotFound(what="tag group")
        if group.version != expected:
            raise PreconditionFailed
        if not await catalogue.edit_group(session, group, name=body.name, position=body.position):
            raise TagGroupNameTaken(name=body.name)
    tag(response, expected + 1)
    return GroupOut(id=group_id, object=group.object, name=body.name, position=body.position, version=expected + 1)


@router.delete("/tag-groups/{group_id}", status_code=204)
async def delete_group(group_id: UUID, _: Corrector, runtime: RuntimeDep) -> None:
    """Takes an empty group away."""
    async with runtime.db.transaction() as session:
        if await catalogue.lock_group(session, group_id) is None:
            raise NotFound(what="tag group")
        if not await catalogue.drop_group(session, group_id):
            raise TagGroupInUse


@router.post("/tags", status_code=201, response_model=TagOut)
async def create_tag(body: TagIn, who: Corrector, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes a tag in a group."""

    async def effect(session: Session) -> TagOut:
        tag_id = uuid7()
        await _check_place(session, tag_id, body.tag())
        await catalogue.add(session, tag_id, body.tag())
        return _tag(await catalogue.one(session, tag_id))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.put("/tags/{tag_id}")
async def edit_tag(
    tag_id: UUID, body: TagEdit, _: Corrector, expected: ExpectedVersion, runtime: RuntimeDep, response: Response
) -> TagOut:
    """Renames, recolours, moves, retires a tag, or takes it into use again."""
    async with runtime.db.transaction() as session:
        known = await _locked(session, tag_id)
        if known.version != expected:
            raise PreconditionFailed
        if known.merged_into is not None and not body.retired:
            raise TagsDoNotMerge
        group = await _check_place(session, tag_id, body.tag())
        if group.object != known.object:
            raise TagGroupUnknown
        await catalogue.edit(session, tag_id, body.tag())
        edited = _tag(await catalogue.one(session, tag_id))
    tag(response, edited.version)
    return edited


@router.delete("/tags/{tag_id}")
async def delete_tag(tag_id: UUID, _: Corrector, runtime: RuntimeDep) -> DroppedOut:
    """Deletes a tag that no lead has. One that was used is retired: it stays where it is and is offered no more."""
    async with runtime.db.transaction() as session:
        await _locked(session, tag_id)
        return DroppedOut(deleted=await catalogue.drop(session, tag_id))


@router.post("/tags/{tag_id}/merge", response_model=MergedOut)
async def merge_tags(tag_id: UUID, body: MergeIn, who: Corrector, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes one tag of two: whoever has this one has the other instead."""

    async def effect(session: Session) -> MergedOut:
        await catalogue.lock(session, tag_id, body.into)
        known, into = await catalogue.one(session, tag_id), await catalogue.one(session, body.into)
        if known is None:
            raise NotFound(what="tag")
        if into is None or into.retired_at is not None or into.object != known.object or tag_id == body.into:
            raise TagsDoNotMerge
        moved = await catalogue.merge(session, tag_id, body.into)
        return MergedOut(tag=_tag(into), leads=moved)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/leads/{lead_id}/tags", response_model=LeadOut)
async def tag_lead(
    lead_id: UUID, body: LeadTagsIn, who: Editor, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """Gives a lead tags and takes others. For many leads at once see `POST /v1/leads/bulk`."""

    async def effect(session: Session) -> LeadOut:
        await visible(session, who, lead_id)
        await leads.lock_one(session, lead_id)
        connection = await connection_of(session)
        await tag_leads(connection, [lead_id], add=body.add, remove=body.remove, who=who, at=datetime.now(UTC))
        mark_outbox_written(session)
        return lead_out(await visible(session, who, lead_id), who, language)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def _locked(session: Session, tag_id: UUID) -> Any:
    await catalogue.lock(session, tag_id)
    known = await catalogue.one(session, tag_id)
    if known is None:
        raise NotFound(what="tag")
    return known


async def _check_place(session: Session, tag_id: UUID, wanted: Tag) -> Any:
    """The locked group of a tag that may have its name there."""
    group = await catalogue.lock_group(session, wanted.group_id)
    if group is None:
        raise TagGroupUnknown
    if not wanted.retired and await catalogue.is_taken(session, tag_id, wanted):
        raise TagNameTaken(name=wanted.name)
    return group


def _tag(row: Any, *, leads: int | None = None) -> TagOut:
    return TagOut.model_validate({**row._mapping, "retired": row.retired_at is not None, "leads": leads})
