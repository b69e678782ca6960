"""Where leads come from, as the ways in need to know it: by key or by id, at most two seconds old."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.intake.items import Channel, Origin
from services.leads.text import plain
from shared.db import Database, is_unavailable

FRESH: Final = 2.0
"""Seconds for which a source is trusted after it was read: how long a revoked key may still work."""
STALE: Final = 600.0
"""Seconds for which a source is trusted while the database is away: its forms wait for the database instead of being
refused. A key revoked meanwhile brings nothing in later than the few seconds for which an item may wait."""
WITHIN: Final = 3.0
"""Seconds to read a source; a database that takes longer counts as away."""
KEY_BYTES: Final = 24
"""Random bytes of a key. So many cannot be guessed, so a plain hash of it is enough to keep it."""

_FIELDS: Final = """
SELECT s.id, s.name, s.channel, s.campaign, s.marketer, s.product, s.asked_to_be_called, s.consent_text,
    coalesce(p.field_map, '{}')::text AS field_map, coalesce(p.utm_rules, '[]')::text AS utm_rules
FROM sources s LEFT JOIN landing_pages p ON p.source_id = s.id WHERE s.active AND
"""


@dataclass(frozen=True, slots=True)
class UtmRule:
    """Numbers whose page address has this parameter with this value are credited to this marketer."""

    parameter: str
    value: str
    marketer: str


@dataclass(frozen=True, slots=True)
class KnownSource:
    """An active source. `field_map` and `utm_rules` are empty but for landing pages."""

    id: UUID
    name: str
    channel: Channel
    campaign: str
    marketer: str
    product: str
    asked_to_be_called: bool
    consent_text: str
    field_map: dict[str, str]
    utm_rules: tuple[UtmRule, ...]

    def origin(self, *, created_by: UUID | None = None) -> Origin:
        """What a lead from here carries."""
        return Origin(
            channel=self.channel,
            source_id=self.id,
            campaign=self.campaign,
            landing_page=self.name if self.channel == "landing_page" else "",
            marketer=self.marketer,
            asked_to_be_called=self.asked_to_be_called,
            consent_text=self.consent_text,
            created_by=created_by,
        )


def new_key() -> str:
    """A key for an integrator or a landing page's address."""
    return secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class Sources:
    """Finds active sources; those found are remembered for `FRESH` seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[UUID | bytes, tuple[float, KnownSource]] = {}
        self._away_until = 0.0

    async def by_key(self, key: str) -> KnownSource | None:
        """The source that a key belongs to. Found by its hash, so the time it takes says nothing of the key."""
        return await self._find(hash_of(key), "s.key_hash = $1")

    async def by_id(self, source_id: UUID) -> KnownSource | None:
        return await self._find(source_id, "s.id = $1")

    async def by_name(self) -> dict[str, KnownSource]:
        """All active sources but landing pages and integrators, by their plain name: what a column of a list may name."""
        pool = await self._db.driver()
        rows = await pool.fetch(_FIELDS + "s.channel NOT IN ('landing_page', 'api')")
        return {plain(row["name"]): _source(row) for row in rows}

    async def _find(self, sought: UUID | bytes, condition: str) -> KnownSource | None:
        now = time.monotonic()
        read_at, source = self._known.get(sought, (0.0, None))
        if source is not None and (now - read_at < FRESH or (now < self._away_until and now - read_at < STALE)):
            return source
        try:
            async with self._db.bounded(within=WITHIN) as connection:
                row = await connection.fetchrow(_FIELDS + condition, sought)
        except Exception as error:
            if source is None or now - read_at > STALE or not is_unavailable(error):
                raise
            self._away_until = time.monotonic() + FRESH
            return source
        if row is None:
            self._known.pop(sought, None)
            return None
        found = _source(row)
        self._known[sought] = (now, found)
        return found


def _source(row: asyncpg.Record) -> KnownSource:
    values: dict[str, Any] = dict(row)
    values["field_map"] = orjson.loads(values["field_map"])
    values["utm_rules"] = tuple(UtmRule(**rule) for rule in orjson.loads(values["utm_rules"]))
    return KnownSource(**values)
