"""Sources and landing pages, for those who manage them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.db import ReadSession, Session


@dataclass(frozen=True, slots=True)
class Description:
    """What can be edited of a source."""

    name: str
    campaign: str
    marketer: str
    product: str
    asked_to_be_called: bool
    consent_text: str
    active: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What a landing page has besides."""

    url: str
    field_map: dict[str, str]
    utm_rules: list[dict[str, str]]


_INSERT: Final = text(
    """
INSERT INTO sources (id, name, channel, campaign, marketer, product, asked_to_be_called, consent_text, active)
VALUES (:id, :name, :channel, :campaign, :marketer, :product, :asked_to_be_called, :consent_text, :active)
ON CONFLICT (name) DO NOTHING RETURNING id
"""
)
_LOCK: Final = text("SELECT version, channel FROM sources WHERE id = :id FOR NO KEY UPDATE")
_NAME_TAKEN: Final = text("SELECT 1 FROM sources WHERE name = :name AND id <> :id")
_UPDATE: Final = text(
    """
UPDATE sources SET name = :name, campaign = :campaign, marketer = :marketer, product = :product,
    asked_to_be_called = :asked_to_be_called, consent_text = :consent_text, active = :active, version = version + 1
WHERE id = :id
"""
)
_PAGE: Final = text(
    """
INSERT INTO landing_pages (source_id, url, field_map, utm_rules)
VALUES (:id, :url, CAST(:field_map AS jsonb), CAST(:utm_rules AS jsonb))
ON CONFLICT (source_id) DO UPDATE
SET url = excluded.url, field_map = excluded.field_map, utm_rules = excluded.utm_rules
"""
)
_SET_KEY: Final = text("UPDATE sources SET key_hash = :hash, version = version + 1 WHERE id = :id")
_SELECT: Final = """
SELECT s.id, s.name, s.channel, s.campaign, s.marketer, s.product, s.asked_to_be_called, s.consent_text, s.active, s.version,
    s.key_hash IS NOT NULL AS has_key, coalesce(p.url, '') AS url, coalesce(p.field_map, '{}') AS field_map,
    coalesce(p.utm_rules, '[]') AS utm_rules
FROM sources s LEFT JOIN landing_pages p ON p.source_id = s.id
"""
_ONE: Final = text(_SELECT + " WHERE s.id = :id")
_LIST: Final = text(
    _SELECT
    + """
WHERE (s.channel = 'landing_page') = :pages AND (CAST(:after AS uuid) IS NULL OR s.id > CAST(:after AS uuid))
    AND (CAST(:channel AS text) IS NULL OR s.channel = :channel) AND (CAST(:active AS boolean) IS NULL OR s.active = :active)
    AND (CAST(:marketer AS text) IS NULL OR s.marketer = :marketer)
    AND (CAST(:campaign AS text) IS NULL OR s.campaign = :campaign)
ORDER BY s.id LIMIT :limit
"""
)


async def insert(session: Session, source_id: UUID, channel: str, description: Description) -> bool:
    """Makes a source; False when its name is taken."""
    done = await session.execute(_INSERT, {"id": source_id, "channel": channel, **_values(description)})
    return done.scalar() is not None


async def lock(session: Session, source_id: UUID) -> Any | None:
    """Version and channel of a source, held until the commit."""
    return (await session.execute(_LOCK, {"id": source_id})).one_or_none()


async def update(session: Session, source_id: UUID, description: Description) -> bool:
    """Changes a locked source; False when the name is taken."""
    taken = await session.execute(_NAME_TAKEN, {"id": source_id, "name": description.name})
    if taken.scalar() is not None:
        return False
    await session.execute(_UPDATE, {"id": source_id, **_values(description)})
    return True


async def set_page(session: Session, source_id: UUID, page: Page) -> None:
    """Makes this the landing page of a source."""
    await session.execute(
        _PAGE,
        {
            "id": source_id,
            "url": page.url,
            "field_map": orjson.dumps(page.field_map).decode(),
            "utm_rules": orjson.dumps(page.utm_rules).decode(),
        },
    )


async def set_key(session: Session, source_id: UUID, key_hash: bytes) -> None:
    """Gives a locked source a key; the one before works no more."""
    await session.execute(_SET_KEY, {"id": source_id, "hash": key_hash})


async def one(session: ReadSession, source_id: UUID) -> Any | None:
    return (await session.execute(_ONE, {"id": source_id})).one_or_none()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a list of sources is narrowed to; None does not narrow."""

    channel: str | None = None
    active: bool | None = None
    marketer: str | None = None
    campaign: str | None = None


async def page(session: ReadSession, *, pages: bool, to: Narrowed, after: UUID | None, limit: int) -> Sequence[Any]:
    """Landing pages, or all other sources, in the order in which they were made."""
    values = {"pages": pages, "after": after, "limit": limit, **asdict(to)}
    return (await session.execute(_LIST, values)).all()


def _values(description: Description) -> dict[str, Any]:
    return {field: getattr(description, field) for field in Description.__slots__}
