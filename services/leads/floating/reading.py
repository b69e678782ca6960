"""What lies in the floating pool, as those who may claim see it: everybody sees the same, with masked numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from fastapi.exceptions import RequestValidationError

from services.leads.driver import Connection, Pool

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = """
SELECT l.id, l.phone, l.name, l.product, l.note, l.level, c.vi AS level_vi, c.en AS level_en, l.channel, l.campaign,
    l.landing_page, l.source_id, l.received_at, l.returning_customer, l.floating_since, l.assignment, a.by AS released_by,
    a.reason, p.code AS released_from, v.account_id AS viewer_id, v.code AS viewer_code, v.until AS viewed_until
FROM leads l JOIN assignments a ON a.lead_id = l.id AND a.assignment = l.assignment
    LEFT JOIN staff_members p ON p.account_id = a.previous_owner_id LEFT JOIN level_catalogue c ON c.code = l.level
    LEFT JOIN viewing_locks v ON v.lead_id = l.id AND v.until > $1
WHERE l.in_care AND NOT l.do_not_call AND l.archived_at IS NULL AND l.floating_since > $2
"""
_PAGE: Final = f"""{_COLUMNS}
    AND ($3::text[] IS NULL OR l.product = ANY($3)) AND ($4::text[] IS NULL OR l.level = ANY($4))
    AND ($5::text IS NULL OR l.channel = $5) AND ($6::uuid IS NULL OR l.source_id = $6)
    AND ($7::timestamptz IS NULL OR l.floating_since >= $7) AND ($8::timestamptz IS NULL OR l.floating_since < $8)
    AND ($9::timestamptz IS NULL OR (l.floating_since, l.id) < ($9, $10::uuid))
ORDER BY l.floating_since DESC, l.id DESC LIMIT $11
"""
_ONE: Final = f"{_COLUMNS} AND l.id = $3"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last number of a page: it may be claimed before the next page is asked for, so the place is in the cursor."""

    floating_since: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{(self.floating_since - _EPOCH) // timedelta(microseconds=1)}.{self.id.hex}"

    @classmethod
    def parse(cls, written: str) -> Cursor:
        """
        Raises:
            RequestValidationError: it is none of ours.
        """
        microseconds, _, lead_id = written.partition(".")
        try:
            return cls(_EPOCH + timedelta(microseconds=int(microseconds)), UUID(lead_id))
        except (ValueError, OverflowError):
            message = "must be the 'next' of the page before"
            raise RequestValidationError([{"type": "cursor", "loc": ("query", "after"), "msg": message}]) from None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None does not narrow."""

    products: list[str] | None = None
    levels: list[str] | None = None
    channel: str | None = None
    source_id: UUID | None = None
    released_from: datetime | None = None
    released_to: datetime | None = None


async def page(
    pool: Pool, wanted: Wanted, *, after: Cursor | None, limit: int, now: datetime, stay: timedelta
) -> Sequence[asyncpg.Record]:
    """Numbers of the pool, those released last first.

    Args:
        stay: how long a number lies there before it is archived.
    """
    return await pool.fetch(
        _PAGE,
        now,
        now - stay,
        wanted.products,
        wanted.levels,
        wanted.channel,
        wanted.source_id,
        wanted.released_from,
        wanted.released_to,
        after.floating_since if after else None,
        after.id if after else None,
        limit,
    )


async def one(connection: Connection | Pool, lead_id: UUID, *, now: datetime, stay: timedelta) -> Any | None:
    """One number of the pool."""
    return await connection.fetchrow(_ONE, now, now - stay, lead_id)
