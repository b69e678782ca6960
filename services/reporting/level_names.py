"""The levels of the company, as orders tells them: what reports call them and in which order they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic import BaseModel, Field
from sqlalchemy import text

from shared.contracts import levels
from shared.contracts.events.orders import LevelCatalogueChanged
from shared.db import ReadSession, Session

_KEEP: Final = text(
    """
INSERT INTO level_catalogue AS l (code, parent, vi, en, colour, final, position, retired, version)
SELECT * FROM unnest(CAST(:code AS text[]), CAST(:parent AS text[]), CAST(:vi AS text[]), CAST(:en AS text[]),
    CAST(:colour AS text[]), CAST(:final AS boolean[]), CAST(:position AS integer[]), CAST(:retired AS boolean[]),
    CAST(:version AS integer[]))
ON CONFLICT (code) DO UPDATE SET vi = excluded.vi, en = excluded.en, colour = excluded.colour, final = excluded.final,
    position = excluded.position, retired = excluded.retired, version = excluded.version
WHERE l.version < excluded.version
"""
)
_ALL: Final = text(
    "SELECT code, parent, vi, en, colour, final, position, retired FROM level_catalogue ORDER BY position, code"
)
_PLACES: Final = text("SELECT code, position FROM level_catalogue")
# What the catalogue says wins; before it was told, the last transition into a level said it.
_FINAL: Final = text(
    "SELECT coalesce(c.code, l.code) AS code, coalesce(c.final, l.final) AS final "
    "FROM level_catalogue c FULL JOIN levels l USING (code)"
)

Place = tuple[int, int, str]


class LevelName(BaseModel):
    """A level as reports name it."""

    code: str
    parent: str | None = Field(description="main level of a child")
    vi: str
    en: str
    colour: str = Field(description="#rrggbb")
    final: bool = Field(description="whether it ends an order (rule D35)")
    position: int = Field(description="place in the funnel, children after their main level")
    retired: bool = Field(description="no order is brought to it by hand any more")


async def keep(session: Session, told: Sequence[LevelCatalogueChanged]) -> None:
    """Keeps the newest of the catalogues told, unless a newer one is known."""
    newest = max(told, key=lambda catalogue: catalogue.version)
    rows: list[dict[str, Any]] = [
        {**level.model_dump(), "version": newest.version}
        for level in sorted(
            newest.levels, key=lambda level: level.code
        )  # one order for all, so that no two wait in a circle
    ]
    if rows:
        await session.execute(_KEEP, {name: [row[name] for row in rows] for name in rows[0]})


async def names(session: ReadSession) -> list[LevelName]:
    """All levels in the order of the funnel."""
    return [LevelName.model_validate(dict(row._mapping)) for row in await session.execute(_ALL)]


async def finals(session: ReadSession) -> dict[str, bool]:
    """Whether each level ends an order, as far as orders has said."""
    return {row.code: row.final for row in await session.execute(_FINAL)}


async def order(session: ReadSession) -> Callable[[str], Place]:
    """The order of levels in a report: the funnel's, children after their main level as the company put them."""
    places: dict[str, int] = {row.code: row.position for row in await session.execute(_PLACES)}

    def place(code: str) -> Place:
        main = levels.main_level(code)
        known = main in levels.MAIN_LEVELS
        first = levels.MAIN_LEVELS.index(main) if known else len(levels.MAIN_LEVELS)
        return first, places.get(code, 0 if code == main else len(places) + 1), code

    return place
