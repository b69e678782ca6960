"""Groups of permissions. Writers hold the lock of the accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from services.staff.models import Group
from shared.db import ReadSession, Session

_ALL = text(
    """
SELECT g.name, g.label_vi, g.label_en, g.permissions, g.version, count(a.id) AS members
FROM groups g LEFT JOIN accounts a ON a.group_name = g.name
WHERE g.name > :after AND (CAST(:name AS text) IS NULL OR g.name = :name)
GROUP BY g.name ORDER BY g.name LIMIT :limit
"""
)
_INSERT = text(
    """
INSERT INTO groups (name, label_vi, label_en, permissions, created_at, updated_at)
VALUES (:name, :label_vi, :label_en, :permissions, :at, :at)
ON CONFLICT (name) DO NOTHING RETURNING 1
"""
)
_UPDATE = text(
    """
UPDATE groups SET label_vi = :label_vi, label_en = :label_en, permissions = :permissions,
    version = version + 1, updated_at = :at
WHERE name = :name
"""
)


def _group(row: Row[Any]) -> Group:
    return Group(**{**row._mapping, "permissions": tuple(row.permissions)})


async def page(session: ReadSession, *, limit: int, after: str) -> list[Group]:
    rows = await session.execute(_ALL, {"after": after, "name": None, "limit": limit})
    return [_group(row) for row in rows]


async def find(session: ReadSession, name: str) -> Group | None:
    row = (await session.execute(_ALL, {"after": "", "name": name, "limit": 1})).one_or_none()
    return _group(row) if row else None


async def insert(session: Session, group: Group, *, at: datetime) -> bool:
    """Writes a group; False if there is one of this name."""
    made = await session.execute(_INSERT, _values(group) | {"at": at})
    return made.first() is not None


async def update(session: Session, group: Group, *, at: datetime) -> None:
    await session.execute(_UPDATE, _values(group) | {"at": at})


def _values(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "label_vi": group.label_vi,
        "label_en": group.label_en,
        "permissions": list(group.permissions),
    }
