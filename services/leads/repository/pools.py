"""Pools and their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.leads.distribution import LEAD
from shared.db import ReadSession, Session


@dataclass(frozen=True, slots=True)
class Rules:
    """What leads a pool takes and how; the first pool by position whose rules fit a lead takes it."""

    name: str
    position: int
    channels: list[str]
    products: list[str]
    landing_pages: list[str]
    sticky: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a pool."""

    account_id: UUID
    weight: int
    capacity: int | None


_INSERT: Final = text(
    """
INSERT INTO pools (id, name, position, channels, products, landing_pages, sticky, active)
VALUES (:id, :name, :position, :channels, :products, :landing_pages, :sticky, :active)
ON CONFLICT (name) DO NOTHING RETURNING id
"""
)
_LOCK: Final = text("SELECT version FROM pools WHERE id = :id FOR NO KEY UPDATE")
_UPDATE: Final = text(
    """
UPDATE pools SET name = :name, position = :position, channels = :channels, products = :products,
    landing_pages = :landing_pages, sticky = :sticky, active = :active, version = version + 1
WHERE id = :id
"""
)
_NAME_TAKEN: Final = text("SELECT 1 FROM pools WHERE name = :name AND id <> :id")
_TOUCH: Final = text("UPDATE pools SET version = version + 1 WHERE id = :id")
_DROP_MEMBERS: Final = text("DELETE FROM pool_members WHERE pool_id = :id AND NOT account_id = ANY(:accounts)")
_MEMBERS: Final = text(
    """
INSERT INTO pool_members (pool_id, account_id, weight, capacity)
SELECT :id, account_id, weight, capacity
FROM unnest(CAST(:accounts AS uuid[]), CAST(:weights AS integer[]), CAST(:capacities AS integer[]))
    AS m (account_id, weight, capacity)
ON CONFLICT (pool_id, account_id) DO UPDATE SET weight = excluded.weight, capacity = excluded.capacity
"""
)
_SELECT: Final = """
SELECT p.id, p.name, p.position, p.channels, p.products, p.landing_pages, p.sticky, p.active, p.version,
    (SELECT count(*) FROM backlog b WHERE b.pool_id = p.id) AS waiting,
    (SELECT count(*) FROM backlog b WHERE b.pool_id = p.id AND b.raised_at IS NOT NULL) AS raised
FROM pools p
"""
_ONE: Final = text(_SELECT + " WHERE p.id = :id")
_PAGE: Final = text(
    _SELECT + " WHERE CAST(:after AS uuid) IS NULL OR p.id > CAST(:after AS uuid) ORDER BY p.id LIMIT :limit"
)
_SEATS: Final = text(
    """
SELECT m.account_id, coalesce(s.code, '') AS code, coalesce(s.name, '') AS name, m.weight, m.capacity,
    coalesce(s.on_duty, false) AS on_duty, coalesce(s.active AND s.version > 0, false) AS active,
    (SELECT count(*) FROM leads l WHERE l.owner_id = m.account_id AND l.in_care) AS in_care,
    m.credit / CAST(:lead AS double precision) AS owed
FROM pool_members m LEFT JOIN staff_members s USING (account_id) WHERE m.pool_id = :id ORDER BY code, m.account_id
"""
)
_BACKLOG: Final = text(
    """
SELECT b.lead_id, b.pool_id, p.name AS pool, b.received_at, b.cause, l.channel, l.product, l.landing_page
FROM backlog b JOIN leads l ON l.id = b.lead_id LEFT JOIN pools p ON p.id = b.pool_id
WHERE (CAST(:pool AS uuid) IS NULL OR b.pool_id = CAST(:pool AS uuid))
    AND (CAST(:after AS uuid) IS NULL OR (b.received_at, b.lead_id) > (
        SELECT received_at, id FROM leads WHERE id = CAST(:after AS uuid)))
ORDER BY b.received_at, b.lead_id LIMIT :limit
"""
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead that waits for an owner."""

    lead_id: UUID
    pool_id: UUID | None
    pool: str | None
    received_at: datetime
    cause: str
    channel: str
    product: str
    landing_page: str


async def insert(session: Session, pool_id: UUID, rules: Rules) -> bool:
    """Makes a pool; False when its name is taken."""
    done = await session.execute(_INSERT, {"id": pool_id, **_values(rules)})
    return done.scalar() is not None


async def lock(session: Session, pool_id: UUID) -> int | None:
    """The pool's version, held until the commit; None when there is no such pool."""
    version: int | None = (await session.execute(_LOCK, {"id": pool_id})).scalar()
    return version


async def update(session: Session, pool_id: UUID, rules: Rules) -> bool:
    """Changes a locked pool's rules; False when the name is taken."""
    if (await session.execute(_NAME_TAKEN, {"id": pool_id, "name": rules.name})).scalar() is not None:
        return False
    await session.execute(_UPDATE, {"id": pool_id, **_values(rules)})
    return True


async def set_members(session: Session, pool_id: UUID, seats: Sequence[Seat]) -> None:
    """Makes these the members of a locked pool. Who stays keeps their credit."""
    accounts = [seat.account_id for seat in seats]
    await session.execute(_DROP_MEMBERS, {"id": pool_id, "accounts": accounts})
    await session.execute(
        _MEMBERS,
        {
            "id": pool_id,
            "accounts": accounts,
            "weights": [seat.weight for seat in seats],
            "capacities": [seat.capacity for seat in seats],
        },
    )


async def touch(session: Session, pool_id: UUID) -> None:
    """Makes a new version of a locked pool."""
    await session.execute(_TOUCH, {"id": pool_id})


async def one(session: ReadSession, pool_id: UUID) -> Any | None:
    return (await session.execute(_ONE, {"id": pool_id})).one_or_none()


async def page(session: ReadSession, *, after: UUID | None, limit: int) -> Sequence[Any]:
    return (await session.execute(_PAGE, {"after": after, "limit": limit})).all()


async def seats(session: ReadSession, pool_id: UUID) -> Sequence[Any]:
    """Members with their present state; `owed` in leads."""
    return (await session.execute(_SEATS, {"id": pool_id, "lead": LEAD})).all()


async def backlog(session: ReadSession, *, pool_id: UUID | None, after: UUID | None, limit: int) -> list[Waiting]:
    """What waits, oldest arrival first.

    Args:
        after: the last lead of the page before.
    """
    rows = await session.execute(_BACKLOG, {"pool": pool_id, "after": after, "limit": limit})
    return [Waiting(**row._mapping) for row in rows]


def _values(rules: Rules) -> dict[str, Any]:
    return {field: getattr(rules, field) for field in Rules.__slots__}
