"""The duplicate window as the company set it, with the history of the setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.driver import Connection
from services.leads.intake.windows import Policy

_FIELDS: Final = """
SELECT version, days, by_product, product_groups::text, at, by,
    coalesce(version >= (SELECT min(version) FROM duplicate_settings WHERE by_product), false) AS grouped
FROM duplicate_settings
"""
# One row by its key: cheaper than remembering it, which would leave some processes behind for a while.
_IN_FORCE: Final = f"{_FIELDS} ORDER BY version DESC LIMIT 1"
_HISTORY: Final = f"{_FIELDS} WHERE version < $1 ORDER BY version DESC LIMIT $2"
_SET: Final = """
INSERT INTO duplicate_settings (version, days, by_product, product_groups, at, by_id, by)
SELECT $1, $2, $3, $4::text::jsonb, $5, $6, $7
WHERE coalesce((SELECT max(version) FROM duplicate_settings), 0) = $1 - 1
ON CONFLICT (version) DO NOTHING RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One version of the setting; version 0 is the environment's default."""

    version: int
    days: int
    by_product: bool
    product_groups: Mapping[str, str]
    at: datetime | None
    by: str
    grouped: bool = False
    """The product group is in the key or once was, so numbers may have a window for each."""

    @property
    def policy(self) -> Policy:
        groups = {product.casefold(): group for product, group in self.product_groups.items()}
        return Policy(timedelta(days=self.days), self.by_product, groups)


async def present(connection: Connection, *, default: timedelta) -> Setting:
    """The setting in force: what arrivals are judged by now.

    Args:
        default: length of the window as long as nobody has set one.
    """
    row = await connection.fetchrow(_IN_FORCE)
    return _setting(row) if row is not None else Setting(0, default.days, False, {}, None, "")


async def change(
    connection: Connection,
    *,
    expected: int,
    days: int,
    by_product: bool,
    product_groups: Mapping[str, str],
    at: datetime,
    by_id: UUID,
    by: str,
) -> bool:
    """Puts another setting in force, for the arrivals from now on; False when `expected` is not the present version."""
    groups = orjson.dumps(product_groups).decode()
    row = await connection.fetchrow(_SET, expected + 1, days, by_product, groups, at, by_id, by)
    return row is not None


async def history(connection: Connection, *, before: int, limit: int) -> list[Setting]:
    """Versions below `before`, newest first."""
    return [_setting(row) for row in await connection.fetch(_HISTORY, before, limit)]


def _setting(row: asyncpg.Record) -> Setting:
    values: dict[str, Any] = dict(row)
    return Setting(**{**values, "product_groups": orjson.loads(values["product_groups"])})
