"""Groups of permissions ('nhóm quyền') and departments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from services.staff import staffing
from services.staff.api.dependencies import Administrator, DatabaseDep, Reader
from services.staff.api.schemas import (
    DepartmentView,
    GroupCreation,
    GroupPage,
    GroupPatch,
    GroupView,
    Label,
    group_view,
)
from services.staff.domain import group_name, is_group_name, known_permissions
from services.staff.models import DEPARTMENTS, Department, Group
from services.staff.problems import GroupNotFound
from services.staff.repository import accounts, groups
from shared.auth import PrincipalDep
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["groups"])

_DEPARTMENT_LABELS: Final[dict[Department, Label]] = {
    "marketing": Label(vi="Marketing", en="Marketing"),
    "sale": Label(vi="Sale", en="Sales"),
    "cod": Label(vi="Vận đơn (COD)", en="COD desk"),
    "administration": Label(vi="Hành chính", en="Administration"),
}


@router.get("/departments")
async def list_departments(_: PrincipalDep) -> list[DepartmentView]:
    """The departments, which are the same in every company."""
    return [DepartmentView(code=code, label=_DEPARTMENT_LABELS[code]) for code in DEPARTMENTS]


@router.get("/groups")
async def list_groups(
    _: Reader,
    db: DatabaseDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(pattern="^[a-z0-9_-]*$", max_length=40)] = "",
) -> GroupPage:
    """Groups by name."""
    async with db.read() as session:
        found = await groups.page(session, limit=limit, after=after)
    return GroupPage(items=[group_view(group) for group in found], next=found[-1].name if len(found) == limit else None)


@router.post("/groups", status_code=201, response_model=GroupView)
async def create_group(who: Administrator, db: DatabaseDep, once: OnceDep, creation: GroupCreation) -> Response:
    """A new group. Nobody gives permissions that they do not have themselves."""
    group = Group(
        name=group_name(creation.name),
        label_vi=creation.label.vi,
        label_en=creation.label.en,
        permissions=known_permissions(creation.permissions),
        version=1,
        members=0,
    )

    async def effect(session: Session) -> GroupView:
        return group_view(await staffing.create_group(session, who, group, at=datetime.now(UTC)))

    return await once.run(db, str(who.account_id), effect)


@router.get("/groups/{name}")
async def get_group(_: Reader, db: DatabaseDep, name: str, response: Response) -> GroupView:
    """One group."""
    async with db.read() as session:
        group = await _existing(session, name)
    tag(response, group.version)
    return group_view(group)


@router.patch("/groups/{name}")
async def edit_group(
    who: Administrator, db: DatabaseDep, name: str, version: ExpectedVersion, patch: GroupPatch, response: Response
) -> GroupView:
    """Edits a group. Other permissions end the access tokens of all its members; their next renewal brings the new
    permissions."""
    async with db.transaction() as session:
        await accounts.lock(session)
        before = await _existing(session, name)
        if before.version != version:
            raise PreconditionFailed
        after = replace(
            before,
            label_vi=patch.label.vi if patch.label else before.label_vi,
            label_en=patch.label.en if patch.label else before.label_en,
            permissions=before.permissions if patch.permissions is None else known_permissions(patch.permissions),
        )
        group = await staffing.edit_group(session, who, before, after, at=datetime.now(UTC))
    tag(response, group.version)
    return group_view(group)


async def _existing(session: ReadSession, name: str) -> Group:
    group = await groups.find(session, name) if is_group_name(name) else None
    if group is None:
        raise GroupNotFound
    return group
