"""Managing levels and the table of moves, with `If-Match` on the version of the catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import text

from services.orders.access import Administrator, Reader
from services.orders.actors import staff
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.levels import changes
from services.orders.levels.api import LevelView, MoveView, level_view, move_view
from services.orders.levels.catalogue import PERMISSIONS, Catalogue, CustomField, Requirement
from services.orders.levels.changes import By, ByHand, Edit, NewLevel
from shared.contracts.permissions import ORDERS_CARE
from shared.db import Session
from shared.errors import Mistake
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/levels", tags=["levels"])

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Colour = Annotated[str, StringConstraints(to_lower=True, pattern=r"^#[0-9a-fA-F]{6}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Code = Annotated[str, Path(pattern=r"^[A-Z][0-9]+([.][0-9]+)?$", examples=["L1.7"])]


class LevelIn(BaseModel):
    """A child level to be added."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "parent": "L1",
                    "vi": "Chờ lương",
                    "en": "Waiting for pay day",
                    "colour": "#0d9488",
                    "kind": "open",
                    "reason": "Nhiều khách hẹn sau ngày lĩnh lương",
                }
            ]
        },
    )

    parent: str = Field(description="main level")
    number: int | None = Field(
        default=None, ge=1, le=999, description="7 makes L1.7; the first never given if left out"
    )
    vi: Name
    en: Name
    colour: Colour
    kind: Literal["open", "final"] = Field(description="final ends the order (rule D35); it cannot be changed later")
    reason: Reason = ""


class LevelEdit(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"vi": "Chờ ngày lương"}]})

    vi: Name | None = None
    en: Name | None = None
    colour: Colour | None = None
    reason: Reason = ""


class ChildOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"codes": ["L1.2", "L1.6", "L1.4", "L1.1", "L1.3", "L1.5"]}]},
    )

    codes: list[str] = Field(max_length=200, description="all children, each once, retired ones too")
    reason: Reason = ""


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "không dùng nữa"}]})

    reason: Reason = ""


class MoveIn(BaseModel):
    """Who may make a move and what it needs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "staff": True,
                    "care": True,
                    "permission": "orders.care",
                    "groups": ["sale"],
                    "requires": ["note"],
                    "fields": [{"key": "pay_day", "vi": "Ngày lĩnh lương", "en": "Pay day", "kind": "date"}],
                }
            ]
        },
    )

    staff: bool = Field(default=True, description="people make it by hand")
    care: bool = Field(default=False, description="the care process makes it, also by results that people log")
    permission: str = Field(default=ORDERS_CARE, description=f"for moves by hand: {', '.join(PERMISSIONS)}")
    groups: list[str] = Field(default=[], max_length=50, description="only people of these groups by hand; none: all")
    requires: list[Requirement] = Field(default=[], description="reason, call, order, note")
    fields: list[CustomField] = Field(default=[], max_length=20, description="what else has to be filled in")
    reason: Reason = ""

    @model_validator(mode="after")
    def _somebody_makes_it(self) -> MoveIn:
        if not (self.staff or self.care):
            raise Mistake(
                "staff hoặc care phải là true; muốn bỏ bước chuyển thì gửi DELETE",
                "staff or care has to be true; to take a move away send DELETE",
            )
        return self

    def by_hand(self) -> ByHand:
        return ByHand(
            staff=self.staff,
            care=self.care,
            permission=self.permission,
            groups=tuple(dict.fromkeys(self.groups)),
            requires=tuple(dict.fromkeys(self.requires)),
            fields=tuple({field.key: field for field in self.fields}.values()),
        )


class Changed(BaseModel):
    """The catalogue after a change; its version is the ETag for the next one."""

    version: int


class LevelChanged(Changed):
    level: LevelView


class MoveChanged(Changed):
    move: MoveView


class CatalogueChange(BaseModel):
    """A change of the catalogue."""

    version: int = Field(description="that it made")
    at: datetime
    by_id: UUID | None
    by_code: str
    what: str = Field(
        description="level_added, level_edited, level_retired, level_restored, levels_ordered, move_set, move_removed"
    )
    subject: str = Field(examples=["L1.7", "L1.2>L1.7"])
    before: Any
    after: Any
    reason: str


class CatalogueHistory(BaseModel):
    items: list[CatalogueChange]
    next: int | None = Field(description="`after` of the next page; null on the last")


class Editing:
    """An administrator's change of the catalogue, on the version of it that they saw."""

    def __init__(
        self, who: Administrator, runtime: RuntimeDep, clock: ClockDep, version: ExpectedVersion, response: Response
    ) -> None:
        self._who = who
        self._runtime = runtime
        self._clock = clock
        self._version = version
        self._response = response

    def by(self, reason: str) -> By:
        return By(actor=staff(self._who), version=self._version, now=self._clock(), reason=reason)

    @asynccontextmanager
    async def because(self, reason: str) -> AsyncIterator[tuple[Session, By]]:
        async with self._runtime.db.transaction() as session:
            yield session, self.by(reason)

    def done(self, catalogue: Catalogue) -> int:
        """The version that the change made; also the answer's ETag."""
        tag(self._response, catalogue.version)
        return catalogue.version


EditingDep = Annotated[Editing, Depends()]


@router.post("", status_code=201, response_model=LevelChanged)
async def add_level(
    who: Administrator, runtime: RuntimeDep, once: OnceDep, editing: EditingDep, new: LevelIn
) -> Response:
    """Adds a child level with the moves of its kind: to and from its siblings, to L5, and to C3.1 for a late duplicate."""

    async def effect(session: Session) -> LevelChanged:
        wanted = NewLevel(**new.model_dump(exclude={"reason"}))
        catalogue, level = await changes.add(session, wanted, editing.by(new.reason))
        return LevelChanged(version=catalogue.version, level=level_view(level))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.patch("/{code}")
async def edit_level(editing: EditingDep, code: Code, wanted: LevelEdit) -> LevelChanged:
    """Other names or another colour of a child level. Open or final it stays: reports have counted it so."""
    async with editing.because(wanted.reason) as (session, by):
        edit = Edit(**wanted.model_dump(exclude={"reason"}))
        catalogue, level = await changes.edit(session, code, edit, by)
    return LevelChanged(version=editing.done(catalogue), level=level_view(level))


@router.put("/{code}/children")
async def order_children(editing: EditingDep, code: Code, wanted: ChildOrder) -> Changed:
    """The children of a main level in another order."""
    async with editing.because(wanted.reason) as (session, by):
        catalogue = await changes.order(session, code, wanted.codes, by)
    return Changed(version=editing.done(catalogue))


@router.post("/{code}/retire")
async def retire_level(editing: EditingDep, code: Code, why: Why) -> LevelChanged:
    """Takes a child level out of use. One at which orders stand, or to which a current or running care process brings
    them, stays: the answer names what uses it and how many."""
    async with editing.because(why.reason) as (session, by):
        catalogue, level = await changes.retire(session, code, by)
    return LevelChanged(version=editing.done(catalogue), level=level_view(level))


@router.post("/{code}/restore")
async def restore_level(editing: EditingDep, code: Code, why: Why) -> LevelChanged:
    """Takes a retired level into use again."""
    async with editing.because(why.reason) as (session, by):
        catalogue, level = await changes.restore(session, code, by)
    return LevelChanged(version=editing.done(catalogue), level=level_view(level))


@router.put("/transitions/{from_level}/{to_level}")
async def set_move(editing: EditingDep, from_level: Code, to_level: Code, wanted: MoveIn) -> MoveChanged:
    """Allows a move or changes it. What carriers do, and what leads and the care process need, cannot be taken away."""
    async with editing.because(wanted.reason) as (session, by):
        catalogue, rule = await changes.set_move(session, from_level, to_level, wanted.by_hand(), by)
    return MoveChanged(version=editing.done(catalogue), move=move_view(rule))


@router.delete("/transitions/{from_level}/{to_level}")
async def remove_move(
    editing: EditingDep, from_level: Code, to_level: Code, reason: Annotated[Reason, Query()] = ""
) -> Changed:
    """Neither people nor care make this move any more."""
    async with editing.because(reason) as (session, by):
        catalogue = await changes.remove_move(session, from_level, to_level, by)
    return Changed(version=editing.done(catalogue))


_HISTORY = text(
    """
SELECT version, at, by_id, by_code, what, subject, before, after, reason FROM level_changes
WHERE (CAST(:after AS integer) IS NULL OR version < :after)
    AND (CAST(:subject AS text) IS NULL OR subject = :subject OR subject LIKE :subject || '>%' OR subject LIKE '%>' || :subject)
ORDER BY version DESC LIMIT :limit
"""
)


@router.get("/history")
async def list_changes(
    _: Reader,
    runtime: RuntimeDep,
    subject: Annotated[str | None, Query(max_length=20, description="a level, with its moves")] = None,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1)] = None,
) -> CatalogueHistory:
    """Who changed levels and moves, when and why, with what was before and after; the newest first."""
    async with runtime.db.read() as session:
        rows = await session.execute(_HISTORY, {"subject": subject, "limit": limit, "after": after})
        items = [CatalogueChange.model_validate(dict(row._mapping)) for row in rows]
    return CatalogueHistory(items=items, next=items[-1].version if len(items) == limit else None)
