"""Levels and the table of allowed moves, for reading."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.orders.access import Reader
from services.orders.http import RuntimeDep
from services.orders.levels import store
from services.orders.levels.catalogue import NEEDED_BY_CODE, CustomField, Level, Rule
from shared.etag import tag

router = APIRouter(prefix="/v1/levels", tags=["levels"])


class LevelView(BaseModel):
    code: str = Field(examples=["L1.4"])
    vi: str = Field(examples=["Không liên lạc được"])
    en: str = Field(examples=["Unreachable"])
    kind: str = Field(description="open or final")
    parent: str | None = Field(description="main level of a child")
    colour: str
    position: int
    retired: bool = Field(description="no order is brought to it by hand any more")
    fixed: bool = Field(description="a main level, or one that leads, cancellations or carriers need: it stays")


class MoveView(BaseModel):
    from_level: str
    to_level: str
    who: list[str] = Field(description="staff, system (care process), carrier, correction (by the carrier)")
    permission: str = Field(description="what staff need")
    groups: list[str] = Field(description="staff groups that may do it by hand; none: all with the permission")
    requires: list[str] = Field(description="what has to be given: reason, call, order, note")
    fields: list[CustomField] = Field(description="what else has to be filled in")


def level_view(level: Level) -> LevelView:
    return LevelView(
        code=level.code,
        vi=level.vi,
        en=level.en,
        kind=level.kind,
        parent=None if level.is_main else level.main,
        colour=level.colour,
        position=level.position,
        retired=not level.is_active,
        fixed=level.code in NEEDED_BY_CODE,
    )


def move_view(rule: Rule) -> MoveView:
    return MoveView.model_validate(rule, from_attributes=True)


@router.get("")
async def list_levels(
    _: Reader,
    runtime: RuntimeDep,
    response: Response,
    retired: Annotated[bool, Query(description="also those that are retired")] = False,
) -> list[LevelView]:
    """The levels in the order of the funnel. The `ETag` is the version of the catalogue, for every change of it."""
    async with runtime.db.read() as session:
        catalogue = await store.read(session)
    tag(response, catalogue.version)
    found = sorted(catalogue.levels.values(), key=lambda level: level.position)
    return [level_view(level) for level in found if level.is_active or retired]


@router.get("/transitions")
async def list_transitions(
    _: Reader,
    runtime: RuntimeDep,
    response: Response,
    from_level: Annotated[str | None, Query(examples=["L1.4"])] = None,
    retired: Annotated[bool, Query(description="also moves from and to retired levels")] = False,
) -> list[MoveView]:
    """Every allowed move; whatever is not here is refused. The `ETag` is the version of the catalogue."""
    async with runtime.db.read() as session:
        catalogue = await store.read(session)
    tag(response, catalogue.version)
    place = {code: (level.position, level.is_active) for code, level in catalogue.levels.items()}
    found = sorted(catalogue.rules.values(), key=lambda rule: (place[rule.from_level][0], place[rule.to_level][0]))
    return [
        move_view(rule)
        for rule in found
        if from_level in (None, rule.from_level)
        and (retired or (place[rule.from_level][1] and place[rule.to_level][1]))
    ]
