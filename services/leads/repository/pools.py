"""Pools and their members."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.leads.distribution import LEAD, Skills
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
    capacity: int | None
    day_quota: int | None
    shift_quota: int | None
    returning_to: str
    returning_pool_id: UUID | None


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a pool. A limit that is None is the pool's."""

    account_id: UUID
    weight: int
    capacity: int | None = None
    day_quota: int | None = None
    shift_quota: int | None = None
    paused_until: datetime | None = None
    skills: Skills | None = None


_INSERT: Final = text(
    """
INSERT INTO pools (id, name, position, channels, products, landing_pages, sticky, active, capacity, day_quota, shift_quota,
    returning_to, returning_pool_id)
VALUES (:id, :name, :position, :channels, :products, :landing_pages, :sticky, :active, :capacity, :day_quota, :shift_quota,
    :returning_to, :returning_pool_id)
ON CONFLICT (name) DO NOTHING RETURNING id
"""
)
_LOCK: Final = text("SELECT version FROM pools WHERE id = :id FOR NO KEY UPDATE")
_UPDATE: Final = text(
    """
UPDATE pools SET name = :name, position = :position, channels = :channels, products = :products,
    landing_pages = :landing_pages, sticky = :sticky, active = :active, capacity = :capacity, day_quota = :day_quota,
    shift_quota = :shift_quota, returning_to = :returning_to, returning_pool_id = :returning_pool_id, version = version + 1
WHERE id = :id
"""
)
_NAME_TAKEN: Final = text("SELECT 1 FROM pools WHERE name = :name AND id <> :id")
_TOUCH: Final = text("UPDATE pools SET version = version + 1 WHERE id = :id")
_DROP_MEMBERS: Final = text("DELETE FROM pool_members WHERE pool_id = :id AND NOT account_id = ANY(:accounts)")
_COUNTED: Final = text(
    """
INSERT INTO quota_use (account_id) SELECT account_id FROM unnest(CAST(:accounts AS uuid[])) AS a (account_id)
ORDER BY account_id ON CONFLICT DO NOTHING
"""
)
_SKILL_SETS: Final = text(
    """
INSERT INTO skill_sets (digest, products, channels, landing_pages)
SELECT CAST(e ->> 'digest' AS bytea), ARRAY(SELECT jsonb_array_elements_text(e -> 'products')),
    ARRAY(SELECT jsonb_array_elements_text(e -> 'channels')), ARRAY(SELECT jsonb_array_elements_text(e -> 'landing_pages'))
FROM jsonb_array_elements(CAST(:sets AS jsonb)) AS e
ORDER BY e ->> 'digest' ON CONFLICT (digest) DO NOTHING
"""
)
_MEMBERS: Final = text(
    """
INSERT INTO pool_members (pool_id, account_id, weight, capacity, day_quota, shift_quota, paused_until, skill_set_id)
SELECT :id, m.account_id, m.weight, m.capacity, m.day_quota, m.shift_quota, m.paused_until, s.id
FROM unnest(CAST(:accounts AS uuid[]), CAST(:weights AS integer[]), CAST(:capacities AS integer[]),
        CAST(:day_quotas AS integer[]), CAST(:shift_quotas AS integer[]), CAST(:pauses AS timestamptz[]),
        CAST(:digests AS text[])) AS m (account_id, weight, capacity, day_quota, shift_quota, paused_until, digest)
    LEFT JOIN skill_sets s ON s.digest = CAST(m.digest AS bytea)
ON CONFLICT (pool_id, account_id) DO UPDATE SET weight = excluded.weight, capacity = excluded.capacity,
    day_quota = excluded.day_quota, shift_quota = excluded.shift_quota, paused_until = excluded.paused_until,
    skill_set_id = excluded.skill_set_id
"""
)
_RULES: Final = """
SELECT p.id, p.name, p.position, p.channels, p.products, p.landing_pages, p.sticky, p.active, p.capacity, p.day_quota,
    p.shift_quota, p.returning_to, p.returning_pool_id, p.version{counts}
FROM pools p {counted}
"""
# What waits of each pool lies among what waits of the others, so all are counted in one pass.
_COUNTED_RULES: Final = _RULES.format(
    counts=", coalesce(b.waiting, 0) AS waiting, coalesce(b.raised, 0) AS raised",
    counted="""
LEFT JOIN (
    SELECT pool_id, count(*) AS waiting, count(raised_at) AS raised FROM backlog GROUP BY pool_id
) AS b ON b.pool_id = p.id
""",
)
_ONE: Final = text(_RULES.format(counts="", counted="") + "WHERE p.id = :id")
_COUNTED_ONE: Final = text(_COUNTED_RULES + "WHERE p.id = :id")
_PAGE: Final = text(
    _COUNTED_RULES + "WHERE CAST(:after AS uuid) IS NULL OR p.id > CAST(:after AS uuid) ORDER BY p.id LIMIT :limit"
)
_SEATS: Final = text(
    """
SELECT m.account_id, coalesce(s.code, '') AS code, coalesce(s.name, '') AS name, m.weight, m.capacity,
    m.day_quota, m.shift_quota, m.paused_until, k.products, k.channels, k.landing_pages, coalesce(s.on_duty, false) AS on_duty,
    coalesce(s.active AND s.version > 0, false) AS active,
    (SELECT count(*) FROM leads l WHERE l.owner_id = m.account_id AND l.in_care) AS in_care,
    m.credit / CAST(:lead AS double precision) AS owed
FROM pool_members m LEFT JOIN staff_members s USING (account_id) LEFT JOIN skill_sets k ON k.id = m.skill_set_id
WHERE m.pool_id = :id ORDER BY code, m.account_id
"""
)
_USABLE: Final = text("SELECT 1 FROM pools WHERE id = :id AND active FOR KEY SHARE")
_SENDS_RETURNING: Final = text("SELECT name FROM pools WHERE returning_pool_id = :id AND active ORDER BY name LIMIT 1")
_IN_ORDER: Final = text(
    "SELECT id, name, position, version, channels, products, landing_pages FROM pools WHERE active "
    "ORDER BY position, id"
)
_ORDER_VERSION: Final = text("SELECT CAST(coalesce(sum(version), 0) AS integer) FROM pools")
_LOCK_ALL: Final = text("SELECT id FROM pools ORDER BY id FOR NO KEY UPDATE")
_REORDER: Final = text(
    """
UPDATE pools SET position = o.position, version = version + 1
FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS integer[])) AS o (id, position)
WHERE pools.id = o.id AND pools.position <> o.position
"""
)


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
    digests = {seat.skills: _digest(seat.skills) for seat in seats if seat.skills is not None}
    await session.execute(_DROP_MEMBERS, {"id": pool_id, "accounts": accounts})
    await session.execute(_COUNTED, {"accounts": accounts})
    if digests:
        sets = [_listed(skills) | {"digest": digest} for skills, digest in digests.items()]
        await session.execute(_SKILL_SETS, {"sets": orjson.dumps(sets).decode()})
    await session.execute(
        _MEMBERS,
        {
            "id": pool_id,
            "accounts": accounts,
            "weights": [seat.weight for seat in seats],
            "capacities": [seat.capacity for seat in seats],
            "day_quotas": [seat.day_quota for seat in seats],
            "shift_quotas": [seat.shift_quota for seat in seats],
            "pauses": [seat.paused_until for seat in seats],
            "digests": [digests[seat.skills] if seat.skills is not None else None for seat in seats],
        },
    )


def _listed(skills: Skills) -> dict[str, list[str]]:
    return {
        "products": sorted(skills.products),
        "channels": sorted(skills.channels),
        "landing_pages": sorted(skills.landing_pages),
    }


def _digest(skills: Skills) -> str:
    """What names equal skills equally, as PostgreSQL writes bytes."""
    return "\\x" + hashlib.sha256(orjson.dumps(_listed(skills))).hexdigest()


async def usable(session: Session, pool_id: UUID) -> bool:
    """Whether there is such a pool in use."""
    return (await session.execute(_USABLE, {"id": pool_id})).first() is not None


async def sends_returning(session: Session, pool_id: UUID) -> str | None:
    """The name of a pool whose returning customers go to this one."""
    name: str | None = (await session.execute(_SENDS_RETURNING, {"id": pool_id})).scalar()
    return name


async def in_order(session: ReadSession) -> Sequence[Any]:
    """Pools in use, as leads try them."""
    return (await session.execute(_IN_ORDER)).all()


async def order_version(session: ReadSession) -> int:
    """Grows with every change of any pool."""
    version: int = (await session.execute(_ORDER_VERSION)).scalar_one()
    return version


async def lock_all(session: Session) -> None:
    """Holds all pools until the commit."""
    await session.execute(_LOCK_ALL)


async def reorder(session: Session, ids: Sequence[UUID], positions: Sequence[int]) -> None:
    """Gives locked pools new positions."""
    await session.execute(_REORDER, {"ids": list(ids), "positions": list(positions)})


async def touch(session: Session, pool_id: UUID) -> None:
    """Makes a new version of a locked pool."""
    await session.execute(_TOUCH, {"id": pool_id})


async def one(session: ReadSession, pool_id: UUID) -> Any | None:
    """A pool's rules."""
    return (await session.execute(_ONE, {"id": pool_id})).one_or_none()


async def counted(session: ReadSession, pool_id: UUID) -> Any | None:
    """A pool's rules, with how many leads wait in it and of how many the managers were told: looks at each of them."""
    return (await session.execute(_COUNTED_ONE, {"id": pool_id})).one_or_none()


async def page(session: ReadSession, *, after: UUID | None, limit: int) -> Sequence[Any]:
    """Pools with the same counts, in the order in which they were made."""
    return (await session.execute(_PAGE, {"after": after, "limit": limit})).all()


async def seats(session: ReadSession, pool_id: UUID) -> Sequence[Any]:
    """Members with their present state; `owed` in leads."""
    return (await session.execute(_SEATS, {"id": pool_id, "lead": LEAD})).all()


def _values(rules: Rules) -> dict[str, Any]:
    return {field: getattr(rules, field) for field in Rules.__slots__}
