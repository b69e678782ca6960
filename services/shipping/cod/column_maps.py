"""What people said that columns mean, remembered by the set of column names of a carrier's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from services.shipping.cod.layouts import Field
from shared.workbook.headings import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from services.shipping.work import Connection


async def names(pool: asyncpg.Pool[asyncpg.Record], carrier: str) -> dict[str, Field]:
    """Name of a column, as `plain` writes it → what it was said to mean, of all files of a carrier; the newest counts."""
    found: dict[str, Field] = {}
    for row in await pool.fetch(_ALL, carrier):
        found |= {name: field for name, field in orjson.loads(row["columns"]).items() if field is not None}
    return found


async def one(pool: asyncpg.Pool[asyncpg.Record], carrier: str, header_key: str) -> dict[str, Field | None] | None:
    """What was said of files with this set of names; None where nothing was."""
    columns = await pool.fetchval(_ONE, carrier, header_key)
    return None if columns is None else orjson.loads(columns)


async def remember(
    connection: Connection, carrier: str, header_key: str, said: Mapping[str, Field | None], *, by: str
) -> None:
    """
    Args:
        by: staff code of who said it.
    """
    columns = {plain(label): field for label, field in said.items()}
    await connection.execute(_REMEMBER, carrier, header_key, orjson.dumps(columns).decode(), by)


_ALL: Final = "SELECT columns::text AS columns FROM cod_column_maps WHERE carrier = $1 ORDER BY updated_at"
_ONE: Final = "SELECT columns::text FROM cod_column_maps WHERE carrier = $1 AND header_key = $2"
_REMEMBER: Final = """
INSERT INTO cod_column_maps (carrier, header_key, columns, updated_by) VALUES ($1, $2, $3::jsonb, $4)
ON CONFLICT (carrier, header_key) DO UPDATE SET columns = excluded.columns, updated_by = excluded.updated_by,
    updated_at = now()
"""
