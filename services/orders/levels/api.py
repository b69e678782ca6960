"""Levels and the table of allowed moves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import Reader
from services.orders.http import RuntimeDep

router = APIRouter(prefix="/v1/levels", tags=["levels"])


class Level(BaseModel):
    code: str = Field(examples=["L1.4"])
    vi: str = Field(examples=["Không liên lạc được"])
    en: str = Field(examples=["Unreachable"])
    kind: str = Field(description="open or final")
    parent: str | None = Field(description="main level of a child")
    colour: str
    position: int


class Transition(BaseModel):
    from_level: str
    to_level: str
    who: list[str] = Field(description="staff, system (care process), carrier, correction (by the carrier)")
    permission: str = Field(description="what staff need")
    requires: list[str] = Field(description="what staff must give: reason, call, order")


@router.get("")
async def list_levels(_: Reader, runtime: RuntimeDep) -> list[Level]:
    """All levels in the order of the funnel."""
    async with runtime.db.read() as session:
        rows = await session.execute(
            text(
                "SELECT code, vi, en, kind, parent, colour, position FROM levels WHERE retired_at IS NULL ORDER BY position"
            )
        )
        return [Level.model_validate(dict(row._mapping)) for row in rows]


@router.get("/transitions")
async def list_transitions(
    _: Reader, runtime: RuntimeDep, from_level: Annotated[str | None, Query(examples=["L1.4"])] = None
) -> list[Transition]:
    """Every allowed move; whatever is not here is refused."""
    async with runtime.db.read() as session:
        rows = await session.execute(
            text(
                """
                SELECT t.from_level, t.to_level, t.who, t.permission, t.requires FROM level_transitions t
                JOIN levels f ON f.code = t.from_level JOIN levels l ON l.code = t.to_level
                WHERE CAST(:from_level AS text) IS NULL OR t.from_level = :from_level ORDER BY f.position, l.position
                """
            ),
            {"from_level": from_level},
        )
        return [Transition.model_validate(dict(row._mapping)) for row in rows]
