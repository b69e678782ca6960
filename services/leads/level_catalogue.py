"""The levels of the company as orders tells them: what people read for them, and which of them end an order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import text

from services.leads.driver import Connection
from services.leads.labels import Words
from shared.contracts.events.orders import LevelCatalogueChanged
from shared.db import ReadSession
from shared.errors import Language

_KEEP: Final = """
INSERT INTO level_catalogue AS l (code, parent, vi, en, colour, final, position, retired, version)
SELECT *, $9 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::integer[], $8::boolean[])
ON CONFLICT (code) DO UPDATE SET vi = excluded.vi, en = excluded.en, colour = excluded.colour, final = excluded.final,
    position = excluded.position, retired = excluded.retired, version = excluded.version
WHERE l.version < excluded.version
"""
_COLUMNS: Final = ("code", "parent", "vi", "en", "colour", "final", "position", "retired")
_NAMES: Final = text("SELECT code, vi, en FROM level_catalogue")
_FINAL: Final = "SELECT code, final FROM level_catalogue WHERE code = ANY($1::text[])"


async def keep(connection: Connection, told: Sequence[LevelCatalogueChanged]) -> None:
    """Keeps the newest of the catalogues told, unless a newer one is known."""
    newest = max(told, key=lambda catalogue: catalogue.version)
    levels = sorted(newest.levels, key=lambda level: level.code)  # one order for all, so that no two wait in a circle
    await connection.execute(
        _KEEP, *([getattr(level, column) for level in levels] for column in _COLUMNS), newest.version
    )


async def names(session: ReadSession) -> Words:
    """What people read for each level, Vietnamese and English."""
    return {row.code: (row.vi, row.en) for row in await session.execute(_NAMES)}


async def finals(connection: Connection, codes: Collection[str]) -> dict[str, bool]:
    """Whether these levels end an order, as far as they are known."""
    return {row["code"]: row["final"] for row in await connection.fetch(_FINAL, list(codes))}


def name_of(row: Any, language: Language) -> str:
    """What people read for the level of a row with `level`, `level_vi` and `level_en`."""
    return str(getattr(row, f"level_{language}") or row.level)
