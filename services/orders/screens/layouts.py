"""How the care screen is laid out: which sections, in which order, by the order's level and the viewer's group."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.screens.errors import LayoutInUse, LayoutNotFound, PlaceUnknown
from shared.contracts.levels import main_level
from shared.db import ReadSession, Session
from shared.errors import Mistake, PreconditionFailed

ALL: Final = "all"
"""The layout of every level, or of every group, that has none of its own."""

Section = Literal[
    "care",
    "tasks",
    "moves",
    "customer",
    "lead",
    "order",
    "shipment",
    "promises",
    "contact",
    "notes",
    "timeline",
    "other_orders",
    "duplicates",
]
NAMES: Final[dict[Section, tuple[str, str]]] = {
    "care": ("Cần làm gì", "What to do"),
    "tasks": ("Việc đang mở", "Open tasks"),
    "moves": ("Chuyển trạng thái", "Move the level"),
    "customer": ("Khách hàng", "Customer"),
    "lead": ("Khách để lại", "What the customer left"),
    "order": ("Đơn hàng", "Order"),
    "shipment": ("Vận chuyển", "Shipment"),
    "promises": ("Lời hẹn", "Promises"),
    "contact": ("Được gọi không", "May they be called"),
    "notes": ("Trao đổi nội bộ", "Notes between colleagues"),
    "timeline": ("Dòng thời gian", "Timeline"),
    "other_orders": ("Đơn khác của khách", "Other orders of the customer"),
    "duplicates": ("Có thể trùng khách", "Possibly the same customer"),
}
assert set(NAMES) == set(get_args(Section))


class Placed(BaseModel):
    """A section at its place on the screen."""

    model_config = ConfigDict(extra="forbid")

    section: Section
    collapsed: bool = Field(default=False, description="shown as a heading that can be opened")


class LayoutIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"sections": [{"section": "care"}, {"section": "customer"}, {"section": "timeline", "collapsed": True}]}
            ]
        },
    )

    sections: list[Placed] = Field(min_length=1, max_length=len(NAMES), description="from top to bottom")

    @model_validator(mode="after")
    def _each_once(self) -> LayoutIn:
        if len({placed.section for placed in self.sections}) < len(self.sections):
            raise Mistake("mỗi phần chỉ đặt một chỗ", "each section has one place")
        return self


class Layout(BaseModel):
    level: str = Field(description="a level, a main level for itself and its children, or all")
    group: str = Field(description="of the viewer, or all")
    version: int = Field(description="the ETag")
    sections: list[Placed]
    changed_at: datetime
    changed_by: str


_COLUMNS: Final = 'level, group_name AS "group", version, sections, changed_at, changed_by'
_LIST: Final = text(f"SELECT {_COLUMNS} FROM care_screens ORDER BY level, group_name")
_ONE: Final = text(f"SELECT {_COLUMNS} FROM care_screens WHERE level = :level AND group_name = :group")
_LOCK: Final = text(f"{_ONE.text} FOR UPDATE")
_FOR: Final = text(
    f"""
SELECT {_COLUMNS} FROM care_screens
WHERE level IN (:level, :main, 'all') AND group_name IN (
    'all', (SELECT group_name FROM staff_members WHERE account_id = :viewer AND version > 0))
ORDER BY level = :level DESC, level = :main DESC, group_name <> 'all' DESC LIMIT 1
"""
)
_PLACES: Final = text(
    """
SELECT :level = 'all' OR EXISTS (SELECT FROM levels WHERE code = :level AND retired_at IS NULL) AS level,
    :group = 'all' OR EXISTS (SELECT FROM staff_members WHERE group_name = :group AND version > 0) AS "group"
"""
)
_SAVE: Final = text(
    f"""
INSERT INTO care_screens (level, group_name, version, sections, changed_at, changed_by)
VALUES (:level, :group, 1, CAST(:sections AS jsonb), :now, :by)
ON CONFLICT (level, group_name) DO UPDATE SET version = care_screens.version + 1, sections = excluded.sections,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by
RETURNING {_COLUMNS}
"""
)
_DROP: Final = text("DELETE FROM care_screens WHERE level = :level AND group_name = :group")


async def layouts(session: ReadSession) -> list[Layout]:
    """All of them: some levels times some groups."""
    return [_layout(row) for row in await session.execute(_LIST)]


async def layout_for(session: ReadSession, *, level: str, viewer: object) -> Layout:
    """The layout of a level for a viewer: that of the level before that of its main level before that of all, and among
    those the one of the viewer's group before that of all."""
    found = await session.execute(_FOR, {"level": level, "main": main_level(level), "viewer": viewer})
    return _layout(found.one())


async def save(
    session: Session,
    level: str,
    group: str,
    sections: Sequence[Placed],
    *,
    version: int,
    actor: Actor,
    now: datetime,
) -> Layout:
    """Sets the layout of a level and a group.

    Args:
        version: of the layout on which the change rests; 0: there is none yet.

    Raises:
        PlaceUnknown: there is no such level, or nobody in such a group.
        PreconditionFailed: somebody changed it meanwhile.
    """
    place = {"level": level, "group": group}
    known = (await session.execute(_PLACES, place)).one()
    if not (known.level and known.group):
        raise PlaceUnknown(place=group if known.level else level)
    await _ensure(session, place, version=version)
    values = {
        "sections": orjson.dumps([placed.model_dump() for placed in sections]).decode(),
        "now": now,
        "by": actor.code,
    }
    saved = _layout((await session.execute(_SAVE, {**place, **values})).one())
    if saved.version != version + 1:  # two made it at once
        raise PreconditionFailed
    return saved


async def drop(session: Session, level: str, group: str, *, version: int) -> None:
    """Takes a layout away; the next general one holds.

    Raises:
        LayoutNotFound, PreconditionFailed: it is not there, or is another by now.
        LayoutInUse: it is the most general one.
    """
    if level == group == ALL:
        raise LayoutInUse
    place = {"level": level, "group": group}
    if await _ensure(session, place, version=version) is None:
        raise LayoutNotFound
    await session.execute(_DROP, place)


async def _ensure(session: Session, place: dict[str, str], *, version: int) -> Layout | None:
    row = (await session.execute(_LOCK, place)).one_or_none()
    if (row.version if row is not None else 0) != version:
        raise PreconditionFailed
    return _layout(row) if row is not None else None


def _layout(row: Any) -> Layout:
    return Layout.model_validate(dict(row._mapping))
